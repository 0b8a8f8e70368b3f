/** Tells of each picture a video element really shows (requestVideoFrameCallback), with its media time in s. */

export function watchPictures(video: HTMLVideoElement, tell: (mediaTime: number) => void): void {
  const next = (_: DOMHighResTimeStamp, frame: VideoFrameCallbackMetadata): void => {
    tell(frame.mediaTime);
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
}
