/** Plays several cameras in step: each has a player, and all follow one wall clock, which waits for the slowest. */
import type Hls from "hls.js";
import { Problem, type Api } from "./api.ts";
import { el } from "./dom.ts";
import { correction, mediaOf, nextFootage, type Group, type Stretch } from "./group.ts";
import { config } from "./hls-config.ts";
import { helps, type Needed } from "./need-box.ts";
import { say, sayCause } from "./text.ts";
import { clockText, MINUTE, type Zone } from "./time.ts";

const BEFORE_MS = 5 * MINUTE;
const AFTER_MS = 25 * MINUTE;
const TICK_MS = 100;
/** The common clock waits so long for a player that has nothing to show, and then goes on without it. */
const PATIENCE_MS = 4000;

interface Seat {
  readonly camera: string;
  readonly stretches: readonly Stretch[];
  readonly video: HTMLVideoElement;
  readonly gap: HTMLElement;
  hls: Hls | null;
}

export interface GroupHelp {
  readonly zone: () => Zone;
  readonly need: (needed: Needed, again: () => void) => void;
  readonly name: (camera: string) => string;
}

export class GroupStage {
  readonly element = el("section", { class: "group", id: "group", hidden: true });
  private readonly grid = el("div", { class: "grid" });
  private readonly clock = el("output", { id: "group-clock" });
  private readonly slide = el("input", { type: "range", id: "group-slide", step: 100 });
  private readonly toggle = el("button", { type: "button", class: "primary", id: "group-play", onclick: () => this.setPlaying(!this.playing) });
  private readonly said = el("p", { class: "wrong", hidden: true });
  private seats: Seat[] = [];
  private window: readonly [number, number] = [0, 0];
  private wall = 0;
  private playing = false;
  private last = 0;
  private waitingSince = 0;
  private opened = 0;

  constructor(
    private readonly api: Api,
    private readonly help: GroupHelp,
  ) {
    this.slide.addEventListener("input", () => this.seek(Number(this.slide.value)));
    this.element.append(this.said, this.grid, el("div", { class: "group-controls" }, this.toggle, this.slide, this.clock));
    window.setInterval(() => this.tick(), TICK_MS);
  }

  /** Opens a window of footage of these cameras around a moment and plays from there. */
  async open(cameras: readonly string[], at: number): Promise<void> {
    const mine = ++this.opened;
    this.close();
    this.element.hidden = false;
    this.window = [at - BEFORE_MS, at + AFTER_MS];
    const group = await this.api.group(cameras, ...this.window).catch((error: unknown) => this.refused(error, cameras, at));
    if (!group || mine !== this.opened) return;
    const { default: Library } = await import("hls.js");
    if (mine !== this.opened) return;
    this.seats = group.cameras.map((one) => this.seat(one));
    this.grid.replaceChildren(...this.seats.map((seat) => el("figure", {}, seat.video, seat.gap, el("figcaption", {}, this.help.name(seat.camera)))));
    this.grid.style.setProperty("--columns", String(Math.ceil(Math.sqrt(this.seats.length))));
    [this.slide.min, this.slide.max] = this.window.map(String) as [string, string];
    for (const [place, one] of group.cameras.entries()) if (one.playlist) this.attach(Library, this.seats[place]!, one.playlist);
    this.seek(nextFootage(this.seats.map((seat) => seat.stretches), at) ?? at);
    this.setPlaying(true);
  }

  close(): void {
    for (const seat of this.seats) seat.hls?.destroy();
    this.seats = [];
    this.grid.replaceChildren();
    this.said.hidden = true;
    this.setPlaying(false);
    this.element.hidden = true;
  }

  /** Wall time of the common clock, in ms. */
  get at(): number {
    return this.wall;
  }

  private seat(one: Group["cameras"][number]): Seat {
    const stretches = one.footage.map((f) => ({ from: Date.parse(f.from), to: Date.parse(f.to), media: f.media_s }));
    const cause = one.cause ? sayCause(one.cause) : sayCause("unknown");
    return {
      camera: one.camera,
      stretches,
      video: el("video", { playsinline: true, "data-camera": one.camera }),
      gap: el("p", { class: "gap" }, one.cause ? say("groupGap", { cause }) : say("gap")),
      hls: null,
    };
  }

  private attach(Library: typeof Hls, seat: Seat, playlist: string): void {
    seat.video.muted = true;
    seat.hls = new Library({ ...config(() => this.api.headers), startPosition: mediaOf(seat.stretches, this.wall) ?? 0 });
    seat.hls.on(Library.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      seat.hls?.destroy();
      seat.gap.textContent = say("failed");
      seat.gap.hidden = false;
      (seat as { stretches: readonly Stretch[] }).stretches = [];
    });
    seat.hls.loadSource(this.api.absolute(playlist));
    seat.hls.attachMedia(seat.video);
  }

  private seek(wall: number): void {
    this.wall = wall;
    this.waitingSince = 0;
    for (const seat of this.seats) {
      const media = mediaOf(seat.stretches, wall);
      if (media !== undefined) seat.video.currentTime = media;
    }
    this.show();
  }

  private setPlaying(playing: boolean): void {
    this.playing = playing;
    this.last = performance.now();
    this.toggle.textContent = say(playing ? "pause" : "play");
    if (!playing) for (const seat of this.seats) seat.video.pause();
  }

  private tick(): void {
    if (!this.playing || !this.seats.length) return;
    const now = performance.now();
    const passed = now - this.last;
    this.last = now;
    const late = this.seats.some((seat) => mediaOf(seat.stretches, this.wall) !== undefined && (seat.video.seeking || seat.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA));
    this.waitingSince = late ? this.waitingSince || now : 0;
    if (late && now - this.waitingSince < PATIENCE_MS) for (const seat of this.seats) seat.video.pause();
    else this.advance(passed);
    this.show();
  }

  /** Moves the common clock on, over a stretch in which nobody has footage at once, and sets each player right. */
  private advance(passed: number): void {
    const next = nextFootage(this.seats.map((seat) => seat.stretches), this.wall + passed);
    if (next === undefined) return this.setPlaying(false);
    this.wall = next;
    for (const seat of this.seats) this.follow(seat);
  }

  private follow({ stretches, video }: Seat): void {
    const wanted = mediaOf(stretches, this.wall);
    if (wanted === undefined) return video.pause();
    const { jump, rate } = correction(video.currentTime, wanted, 1);
    if (jump && !video.seeking) video.currentTime = wanted;
    video.playbackRate = rate;
    if (video.paused) void video.play().catch(() => undefined); // another call came between
  }

  private show(): void {
    this.clock.textContent = clockText(this.wall, this.help.zone());
    this.clock.dataset["shown"] = String(this.wall);
    this.slide.value = String(this.wall);
    for (const { stretches, video, gap, hls } of this.seats) {
      const there = hls !== null && mediaOf(stretches, this.wall) !== undefined;
      video.style.visibility = there ? "visible" : "hidden";
      gap.hidden = there;
    }
  }

  private refused(error: unknown, cameras: readonly string[], at: number): undefined {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) return; // the sign-in box is open and says so
    this.said.textContent = [error.message, error.detail].filter(Boolean).join(": ");
    this.said.hidden = false;
    if (helps(error)) this.help.need({ camera: cameras[0]!, from: this.window[0], to: this.window[1], action: "view", problem: error }, () => void this.open(cameras, at));
  }
}
