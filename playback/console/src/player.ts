/**
 * Plays a window of a camera's footage and knows the wall time of every picture it shows.
 *
 * The window is one HLS playlist; gaps are left out of it, and wall time comes from its PROGRAM-DATE-TIMEs and the pictures' own times.
 */
import type Hls from "hls.js";
import type { ErrorData, Fragment } from "hls.js";
import { config, type Headers } from "./hls-config.ts";
import { Pictures } from "./pictures.ts";
import { freeze, watchPictures, type Screens } from "./screens.ts";
import { EVERY_PICTURE_UP_TO } from "./speeds.ts";
import { TrickPlay } from "./trick.ts";
import { mediaAt, wallAt, wallEnd, type Entry } from "./wall.ts";

export interface PlayerEvents {
  /** A picture is shown; its wall time in ms. */
  shown(wall: number): void;
  /** Playing went over a gap between these moments. */
  skipped(from: number, to: number): void;
  /** All of the window was played. */
  ended(): void;
  playing(is: boolean): void;
  waiting(is: boolean): void;
  muted(is: boolean): void;
  /** It cannot go on; `url` is what was refused, if that is known. */
  failed(kind: "network" | "media" | "codecs" | "unsupported", url: string | undefined): void;
}

export interface Opening {
  readonly url: string;
  /** The moment to show first, in ms; null: the live edge. */
  readonly at: number | null;
  /** Where in the window's media time that moment is about, in s; the playlist then says exactly. */
  readonly guess: number;
  readonly headers: Headers;
}

/** A seek lands this far inside a picture, so that rounding never shows the one before (s). */
const INSIDE_S = 0.001;
/** How often a seek is set right after the fragment's own times became known. */
const CORRECTIONS = 3;

export class Player {
  private hls: Hls | null = null;
  private pictures = new Pictures();
  private known: Entry[] | null = null;
  private opened = 0;
  private wanted: { readonly wall: number; tries: number } | null = null;
  private shownMedia = Number.NaN;
  private shownWall = Number.NaN;
  private recovered = false;
  private speed = 1;
  private readonly trick: TrickPlay;

  constructor(
    private readonly screens: Screens,
    private readonly events: PlayerEvents,
  ) {
    const { video, trick } = screens;
    this.trick = new TrickPlay(trick, {
      shown: (_, wall) => this.events.shown((this.shownWall = wall)),
      ended: () => this.finish(),
    });
    watchPictures(video, (mediaTime) => this.picture(mediaTime));
    for (const name of ["seeked", "loadeddata"]) video.addEventListener(name, () => this.settle());
    video.addEventListener("ended", () => this.finish());
    video.addEventListener("play", () => events.playing(true));
    video.addEventListener("pause", () => this.trick.running || events.playing(false));
    video.addEventListener("volumechange", () => events.muted(video.muted));
    for (const name of ["waiting", "seeking"]) video.addEventListener(name, () => events.waiting(true));
    for (const name of ["playing", "seeked", "canplay"]) video.addEventListener(name, () => events.waiting(false));
  }

  /** Opens a window; whatever was open is closed, its last picture stays until the first of the new window. */
  async open(opening: Opening): Promise<void> {
    const mine = ++this.opened;
    freeze(this.screens);
    this.close();
    this.events.waiting(true);
    const { default: Library } = await import("hls.js");
    if (mine !== this.opened) return;
    if (!Library.isSupported()) return this.events.failed("unsupported", undefined);
    const hls = new Library({ ...config(opening.headers), startPosition: opening.at === null ? -1 : opening.guess });
    this.hls = hls;
    this.wanted = opening.at === null ? null : { wall: opening.at, tries: 0 };
    this.listen(hls, Library.Events);
    hls.loadSource(opening.url);
    hls.attachMedia(this.screens.video);
  }

  close(): void {
    this.trick.stop();
    this.hls?.destroy();
    this.hls = null;
    this.pictures = new Pictures();
    this.known = null;
    this.wanted = null;
    this.recovered = false;
    this.shownMedia = this.shownWall = Number.NaN;
  }

  /** Shows a moment of the open window (in a gap: the next picture); false if the window does not reach there. */
  seek(wall: number): boolean {
    const target = mediaAt(this.entries, wall);
    if (!this.hls || target === undefined) return false;
    const fast = this.trick.running;
    this.trick.stop();
    this.wanted = { wall, tries: 0 };
    this.screens.video.currentTime = target + INSIDE_S;
    if (fast) this.play();
    return true;
  }

  play(): void {
    const { video } = this.screens;
    if (video.ended) return this.events.ended(); // played again, the element would begin at the window's start
    const from = video.currentTime;
    if (this.speed > EVERY_PICTURE_UP_TO && this.hls && this.trick.start(this.hls, from, this.speed, () => this.mediaEnd)) {
      video.pause();
      return this.events.playing(true);
    }
    video.playbackRate = video.defaultPlaybackRate = this.speed;
    video.play().catch((error: DOMException) => {
      if (error.name !== "NotAllowedError") return; // another call came between
      video.muted = true; // sound wants a gesture first
      void video.play().catch(() => this.events.playing(false));
    });
  }

  pause(): void {
    this.leaveTrick();
    this.screens.video.pause();
    this.events.playing(false);
  }

  get playing(): boolean {
    return this.trick.running || !this.screens.video.paused;
  }

  /** From here on this fast; above `EVERY_PICTURE_UP_TO` by key frames. */
  setSpeed(speed: number): void {
    this.speed = speed;
    if (!this.playing) return;
    this.leaveTrick();
    this.play();
  }

  setMuted(muted: boolean): void {
    this.screens.video.muted = muted;
  }

  /** Pauses and shows the next or the previous picture. */
  step(direction: 1 | -1): void {
    this.pause();
    const { video } = this.screens;
    const shown = Number.isNaN(this.shownMedia) ? video.currentTime : this.shownMedia;
    const fragment = this.fragmentAt(shown);
    if (!fragment) return;
    this.wanted = null;
    const near = this.pictures.neighbour(fragment.sn as number, shown, direction);
    const edge = direction === 1 ? fragment.end : shown - 2 * INSIDE_S;
    video.currentTime = Math.max(0, (near ?? edge) + INSIDE_S);
  }

  /** Wall time in the middle of the picture shown: what to ask the service for to get this very picture. */
  get pictureMiddle(): number {
    const fragment = this.fragmentAt(this.shownMedia);
    const next = fragment && this.pictures.neighbour(fragment.sn as number, this.shownMedia, 1);
    const length = next === undefined ? 20 * INSIDE_S : Math.min(next - this.shownMedia, 1);
    return this.shownWall + (length / 2) * 1000;
  }

  /** Wall time at which the open window's footage ends; undefined before it is known. */
  get end(): number | undefined {
    return wallEnd(this.entries);
  }

  private get mediaEnd(): number {
    const last = this.entries.at(-1);
    return last ? last.start + last.duration : 0;
  }

  private get fragments(): readonly Fragment[] {
    return this.hls?.latestLevelDetails?.fragments ?? [];
  }

  private get entries(): readonly Entry[] {
    this.known ??= this.fragments.flatMap((f) => {
      if (f.programDateTime === null) return [];
      return [{ start: this.pictures.of(f.sn as number)[0] ?? f.start, duration: f.duration, wall: f.programDateTime }];
    });
    return this.known;
  }

  private fragmentAt(mediaTime: number): Fragment | undefined {
    return this.fragments.findLast((f) => (this.pictures.of(f.sn as number)[0] ?? f.start) <= mediaTime + INSIDE_S);
  }

  private listen(hls: Hls, on: typeof Hls.Events): void {
    const changed = (): void => void (this.known = null);
    hls.on(on.LEVEL_UPDATED, changed);
    hls.on(on.LEVEL_PTS_UPDATED, changed);
    hls.on(on.INIT_PTS_FOUND, (_, { frag, initPTS, timescale }) => this.pictures.shift(frag.cc, initPTS / timescale));
    hls.on(on.BUFFER_APPENDING, (_, { frag, data }) => {
      this.pictures.learn({ sn: frag.sn as number, cc: frag.cc }, data);
      changed();
    });
    hls.once(on.FRAG_BUFFERED, () => {
      if (this.playing && this.speed > EVERY_PICTURE_UP_TO) this.play(); // key frames can be placed from here on
    });
    hls.on(on.ERROR, (_, data) => {
      if (data.fatal || this.refusedAtOnce(data)) this.fail(hls, data);
    });
  }

  /** Refused bytes are passed over by the library; where nothing can be shown without them, that is the end of it. */
  private refusedAtOnce({ details, response }: ErrorData): boolean {
    const status = response?.code ?? 0;
    return details === "fragLoadError" && status >= 400 && status < 500 && this.screens.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  private fail(hls: Hls, data: ErrorData): void {
    const codecs = data.details === "manifestIncompatibleCodecsError";
    if (data.type === "mediaError" && !codecs && !this.recovered) {
      this.recovered = true;
      return hls.recoverMediaError();
    }
    freeze(this.screens);
    this.close();
    if (codecs) return this.events.failed("codecs", undefined);
    this.events.failed(data.type === "networkError" ? "network" : "media", data.frag?.url ?? data.url ?? data.context?.url);
  }

  private picture(mediaTime: number): void {
    const wall = wallAt(this.entries, mediaTime);
    if (wall === undefined || this.trick.running) return;
    this.screens.still.hidden = true;
    const step = mediaTime - this.shownMedia;
    if (this.playing && step > 0 && step < 1 && wall - this.shownWall > 1000 * (step + 1)) this.events.skipped(this.shownWall, wall);
    this.shownMedia = mediaTime;
    this.events.shown((this.shownWall = wall));
  }

  /** Sets a seek right: where a fragment's pictures lie is known exactly only once it is there. */
  private settle(): void {
    const wanted = this.wanted;
    const target = wanted && mediaAt(this.entries, wanted.wall);
    if (!wanted || target == null) return;
    const { video } = this.screens;
    if (Math.abs(video.currentTime - target - INSIDE_S) > INSIDE_S && wanted.tries++ < CORRECTIONS) video.currentTime = target + INSIDE_S;
    else if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) this.wanted = null;
  }

  private finish(): void {
    this.leaveTrick();
    this.events.ended();
  }

  /** Ends key-frame play with the first player standing at the same place. */
  private leaveTrick(): void {
    if (!this.trick.running) return;
    const at = Math.min(this.trick.mediaTime, this.mediaEnd - 0.1);
    this.trick.stop();
    this.screens.video.currentTime = at;
  }
}
