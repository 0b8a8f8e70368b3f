/** Fast play by key frames alone: a second player over the I-frame playlist, in a video element laid over the first. */
import type Hls from "hls.js";
import type { HlsIFramesOnly } from "hls.js";
import { watchPictures } from "./screens.ts";
import { wallAt, type Entry } from "./wall.ts";

/** Time between two key frames asked for: about what fetching and decoding one takes. */
const TICK_MS = 150;

export interface TrickEvents {
  /** A key frame is shown: its place on the first player's timeline (s) and its wall time (ms). */
  shown(mediaTime: number, wall: number): void;
  ended(): void;
}

export class TrickPlay {
  private player: HlsIFramesOnly | null = null;
  private timer = 0;
  private target = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly events: TrickEvents,
  ) {
    watchPictures(video, (mediaTime) => {
      const wall = this.player && wallAt(this.entries(), mediaTime);
      if (wall) events.shown(mediaTime, wall);
    });
  }

  get running(): boolean {
    return this.player !== null;
  }

  /** Where it has come to, on the first player's timeline. */
  get mediaTime(): number {
    return this.target;
  }

  /** Starts at a media time; false if the footage has no I-frame playlist. */
  start(hls: Hls, from: number, speed: number, end: () => number): boolean {
    this.stop();
    this.player = hls.createIFramePlayer();
    if (!this.player) return false;
    this.player.attachMedia(this.video);
    this.target = from;
    this.video.hidden = false;
    let before = performance.now();
    this.timer = window.setInterval(() => {
      const now = performance.now();
      this.target += (speed * (now - before)) / 1000;
      before = now;
      if (this.target >= end()) this.events.ended();
      else this.player?.loadMediaAt(this.target, { seekOnAppend: true });
    }, TICK_MS);
    return true;
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.player?.destroy();
    this.player = null;
    this.video.hidden = true;
  }

  /** A key frame stands for the whole of its entry, so its own time is where the entry begins. */
  private entries(): Entry[] {
    const fragments = this.player?.latestLevelDetails?.fragments ?? [];
    return fragments.flatMap((f) => (f.programDateTime === null ? [] : [{ start: f.start, duration: f.duration, wall: f.programDateTime }]));
  }
}
