/** The elements pictures are shown on: which picture is on them, and holding one fast. */

export interface Screens {
  readonly video: HTMLVideoElement;
  /** For key frames at high speed. */
  readonly trick: HTMLVideoElement;
  /** Holds the last picture while another window opens. */
  readonly still: HTMLCanvasElement;
}

/** Tells of each picture a video element really shows (requestVideoFrameCallback), with its media time in s. */
export function watchPictures(video: HTMLVideoElement, tell: (mediaTime: number) => void): void {
  const next = (_: DOMHighResTimeStamp, frame: VideoFrameCallbackMetadata): void => {
    tell(frame.mediaTime);
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
}

/** Lays the picture shown now over the video, if there is one. */
export function freeze({ video, still }: Screens): void {
  if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
  [still.width, still.height] = [video.videoWidth, video.videoHeight];
  still.getContext("2d")?.drawImage(video, 0, 0);
  still.hidden = false;
}
