/** What a person can do on the page: each a verb, whoever asks for it (button, key, address). */
import { Problem, type Api } from "./api.ts";
import type { Player } from "./player.ts";
import { formatRoute } from "./route.ts";
import { codecsBetween, footageFrom, footageLength, spanAt, type Gap, type Span } from "./spans.ts";
import { serviceNow, type PageStore, type State } from "./state.ts";
import { say, sayCause } from "./text.ts";
import { dayStart, dateText, lengthText, MINUTE, secondText, SECOND, clockText, type Zone } from "./time.ts";
import { fitted, followed, type View } from "./view.ts";

/** The window of footage opened around a moment: an hour in all. */
const WINDOW_BEFORE_MS = 10 * MINUTE;
const WINDOW_AFTER_MS = 50 * MINUTE;
const NOTICE_MS = 6 * SECOND;
/** Playing this near to now counts as live. */
const LIVE_WITHIN_MS = 15 * SECOND;

export class Actions {
  /** Wall time of the picture shown, in ms. */
  shown: number | null = null;
  /** The moment last asked to be played. */
  private wanted: number | null = null;
  private asked = 0;
  private noticeTimer = 0;

  constructor(
    private readonly store: PageStore,
    private readonly api: Api,
    private readonly player: Player,
  ) {}

  private get state(): State {
    return this.store.now;
  }

  // --- choosing ---------------------------------------------------------------------------------------------------

  /** Chooses a camera; it stays at the moment shown, if there was one. */
  choose(id: string, at: number | null = null): void {
    const moment = at ?? this.shown;
    if (id !== this.state.chosen) this.forget(id);
    if (moment !== null) void this.playAt(moment);
    else this.address();
  }

  /** Stops playing, as something else is shown. */
  leave(): void {
    this.asked++;
    this.player.close();
    this.store.set({ opened: false, failure: null });
  }

  private forget(id: string): void {
    this.asked++;
    this.player.close();
    this.store.set({ chosen: id, camera: this.state.cameras.find((c) => c.id === id) ?? null, timeline: null, detail: null, failure: null, opened: false });
  }

  showDay(at: number): void {
    const day = dayOf(at, this.state.zone);
    if (day.from !== this.state.day.from || day.to !== this.state.day.to) this.store.set({ day, view: day, timeline: null, detail: null });
  }

  moveDay(days: number): void {
    this.showDay(dayStart(this.state.day.from, this.state.zone, days));
  }

  /** Shows a stretch of this length around the cursor, or around now, or around the middle of the view. */
  showLength(length: number): void {
    const { day, view } = this.state;
    const inDay = (at: number | null): at is number => at !== null && at >= day.from && at < day.to;
    const middle = [this.shown, serviceNow(this.state)].find(inDay) ?? (view.from + view.to) / 2;
    this.store.set({ view: fitted(middle, length, day) });
  }

  setZone(zone: Zone): void {
    const { day } = this.state;
    this.store.set({ zone });
    this.showDay(this.shown ?? Math.min((day.from + day.to) / 2, serviceNow(this.state)));
  }

  // --- playing ----------------------------------------------------------------------------------------------------

  /** Plays from a moment; where there is no footage, from the next there is, and says so. */
  async playAt(at: number): Promise<void> {
    const { chosen } = this.state;
    if (chosen === null) return;
    const asked = ++this.asked;
    this.showDay(at);
    const spans = await this.spansAround(chosen, at).catch((error: unknown) => this.refused(error));
    if (!spans || asked !== this.asked) return; // something else was asked for meanwhile
    const span = spanAt(spans, at);
    const next = footageFrom(spans, at);
    if (!next) return this.nothingAhead(causeText(span));
    if (span?.kind === "gap") this.tellJump(span, next.from);
    this.start(chosen, Math.max(at, next.from), spans);
  }

  private nothingAhead(cause: string): void {
    if (this.state.opened) this.notice([say("noFootageAhead"), cause].filter(Boolean).join(": "));
    else this.store.set({ failure: { title: say("noFootageAhead"), detail: cause } });
  }

  private start(camera: string, at: number, spans: readonly Span[]): void {
    this.wanted = at;
    this.store.set({ failure: null, opened: true });
    this.showDay(at);
    const codec = unplayable(codecsBetween(spans, at, at + SECOND));
    if (codec) return this.showStill(at, codec);
    if (!this.player.seek(at)) this.open(camera, at, spans);
    this.player.play();
    this.address(at);
  }

  /** The window of footage around the moment last asked for. */
  get window(): { readonly from: number; readonly to: number } {
    return around(this.wanted ?? this.shown ?? serviceNow(this.state));
  }

  private open(camera: string, at: number, spans: readonly Span[]): void {
    const { from, to } = around(at);
    const guess = footageLength(spans, from, at) / 1000;
    void this.player.open({ url: this.api.multivariant(camera, from, to), at, guess, headers: () => this.api.headers });
  }

  retry(): void {
    if (this.wanted !== null) void this.playAt(this.wanted);
  }

  /** Plays what is happening now, some seconds behind. */
  goLive(): void {
    const { chosen } = this.state;
    if (chosen === null) return;
    const now = serviceNow(this.state);
    this.asked++;
    this.showDay(now);
    this.store.set({ failure: null, opened: true });
    this.setSpeed(1);
    const url = this.api.multivariant(chosen, now - 2 * MINUTE, now + WINDOW_AFTER_MS);
    void this.player.open({ url, at: null, guess: 0, headers: () => this.api.headers }).then(() => this.player.play());
  }

  togglePlay(): void {
    if (!this.state.opened) return;
    if (this.player.playing) this.player.pause();
    else this.player.play();
    this.address();
  }

  /** Moves by some ms; what lies outside of the window opens another. */
  skip(shift: number): void {
    if (this.shown !== null) void this.playAt(this.shown + shift);
  }

  step(direction: 1 | -1): void {
    if (this.state.opened) this.player.step(direction);
  }

  setSpeed(speed: number): void {
    this.store.set({ speed });
    this.player.setSpeed(speed);
  }

  /** The window has been played: the next one, or the end of all footage. */
  async windowEnded(): Promise<void> {
    const end = this.player.end;
    const { chosen } = this.state;
    if (chosen === null || end === undefined) return;
    const spans = await this.spansAround(chosen, end).catch((error: unknown) => this.refused(error));
    const next = spans && footageFrom(spans, end + SECOND);
    if (!next) {
      this.store.set({ playing: false });
      return this.notice(say("ended"));
    }
    const at = Math.max(end, next.from);
    if (at > end) this.skipped(end, at);
    this.open(chosen, at, spans);
    this.player.play();
  }

  /** A picture of this wall time is on the screen. */
  pictureShown(wall: number): void {
    const before = this.shown ?? wall;
    this.shown = wall;
    const { day, view } = this.state;
    const atLive = serviceNow(this.state) - wall < LIVE_WITHIN_MS;
    this.store.set({ atLive, view: followed(view, before, wall, day), failure: null });
    if (before < day.to && wall >= day.to) this.showDay(wall);
  }

  skipped(from: number, to: number): void {
    const span = spanAt(this.state.timeline?.spans ?? [], (from + to) / 2);
    this.notice(say("skipped", { length: lengthText(to - from), cause: causeText(span) }));
  }

  // --- taking along -----------------------------------------------------------------------------------------------

  /** Saves the very picture shown as a file. */
  async snapshot(): Promise<void> {
    const { chosen, zone } = this.state;
    if (chosen === null || this.shown === null) return;
    const at = Number.isNaN(this.player.pictureMiddle) ? this.shown : this.player.pictureMiddle;
    const blob = await this.api.snapshot(chosen, at).catch((error: unknown) => this.refused(error));
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${chosen}_${dateText(this.shown, zone)}_${clockText(this.shown, zone).replaceAll(":", "-")}.jpg`.replaceAll("/", "_");
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), MINUTE);
    this.notice(say("saved"));
  }

  async copyLink(): Promise<void> {
    this.address();
    const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    this.notice(say(copied ? "copied" : "notCopied"));
  }

  /** Writes the camera and the moment shown into the address bar. */
  address(at: number | null = this.shown): void {
    const { chosen } = this.state;
    if (chosen === null) return;
    const route = at === null ? { camera: chosen } : { camera: chosen, at: Math.ceil(at) };
    history.replaceState(null, "", formatRoute(route));
  }

  // --- saying -----------------------------------------------------------------------------------------------------

  notice(text: string): void {
    this.store.set({ notice: text });
    window.clearTimeout(this.noticeTimer);
    this.noticeTimer = window.setTimeout(() => this.store.set({ notice: "" }), NOTICE_MS);
  }

  refused(error: unknown): undefined {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 0) this.store.set({ offline: error });
    else if (error.status !== 401) this.notice([error.message, error.detail].filter(Boolean).join(": "));
  }

  private tellJump(gap: Gap, next: number): void {
    const text = (at: number): string => secondText(at, this.state.zone);
    this.notice(say("gapJump", { from: text(gap.from), to: text(gap.to), cause: causeText(gap), next: text(next) }));
  }

  /** Where the browser cannot decode: says so, and shows the service's own picture of the moment. */
  private showStill(at: number, codec: string): void {
    this.player.close();
    this.shown = at;
    this.store.set({ failure: { title: say("unsupported", { codec }), detail: "", undecodable: true }, playing: false, waiting: false });
    this.address(at);
  }

  /** The spans of the day shown if they reach from before a moment to its next footage; else a day of them from there on. */
  private async spansAround(camera: string, at: number): Promise<readonly Span[]> {
    const { timeline, detail } = this.state;
    const enough = [timeline, detail].find((t) => t?.exact && spanAt(t.spans, at) && footageFrom(t.spans, at));
    if (enough) return enough.spans;
    const day = dayOf(at, this.state.zone);
    return (await this.api.timeline(camera, day.from, day.to + (day.to - day.from))).spans;
  }
}

/** The window of footage that is opened around a moment. */
function around(at: number): { readonly from: number; readonly to: number } {
  return { from: at - WINDOW_BEFORE_MS, to: at + WINDOW_AFTER_MS };
}

export function dayOf(at: number, zone: Zone): View {
  return { from: dayStart(at, zone), to: dayStart(at, zone, 1) };
}

/** The cause of a gap with its detail, in words; empty for footage. */
export function causeText(span: Span | undefined): string {
  if (span?.kind !== "gap") return "";
  return span.detail ? `${sayCause(span.cause)} (${span.detail})` : sayCause(span.cause);
}

/** The name of the first codec of these texts this browser cannot decode. */
function unplayable(codecs: readonly string[]): string | undefined {
  const refused = codecs.find((c) => !window.MediaSource?.isTypeSupported(`video/mp4; codecs="${c}"`));
  if (refused === undefined) return undefined;
  return /\b(hvc1|hev1)/.test(refused) ? "H.265" : refused;
}

