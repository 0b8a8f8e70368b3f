/** The timeline a person works with: click to play, drag to pan, wheel to zoom around the pointer, a tooltip over all of it. */
import { causeText, type Actions } from "./actions.ts";
import { el } from "./dom.ts";
import { HEIGHT_PX, LANE_PX, Painter, RULER_PX, SPACE_PX } from "./paint.ts";
import { spanAt } from "./spans.ts";
import { serviceNow, spansInView, type PageStore } from "./state.ts";
import { say } from "./text.ts";
import { clockText, dateText, secondText, SECOND } from "./time.ts";
import { fitted, panned, toTime, zoomed } from "./view.ts";

/** Moving less than this between down and up is a click. */
const CLICK_PX = 4;
/** Zoom a pixel of the wheel; a line of it, as some browsers count, is so many pixels. */
const WHEEL_ZOOM = 1.0025;
const LINE_PX = 40;

export class TimelineCanvas {
  readonly element: HTMLElement;
  private readonly canvas = el("canvas", { class: "timeline", tabindex: 0, role: "slider", id: "timeline" });
  private readonly tip = el("div", { class: "tip", hidden: true, id: "tip" });
  private readonly painter = new Painter(this.canvas);
  private hoverX: number | null = null;
  private drag: { readonly x: number; last: number; moved: boolean; readonly overview: boolean } | null = null;
  private drawn = 0;

  constructor(
    private readonly store: PageStore,
    private readonly actions: Actions,
  ) {
    this.canvas.style.height = `${HEIGHT_PX}px`;
    this.element = el("div", { class: "timeline-box" }, this.canvas, this.tip);
    this.listen();
    store.watch(["view", "day", "timeline", "detail", "zone", "language", "clockOffset"], () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    window.setInterval(() => this.draw(), SECOND); // the line of now moves on
  }

  /** Draws before the next paint of the screen, once, however often it is asked. */
  draw(): void {
    if (this.drawn) return;
    this.drawn = requestAnimationFrame(() => {
      this.drawn = 0;
      const { day, view, zone, timeline } = this.store.now;
      const scene = { day, view, zone, hoverX: this.hoverX, cursor: this.actions.shown, now: serviceNow(this.store.now) };
      this.painter.paint({ ...scene, spans: spansInView(this.store.now), daySpans: timeline?.spans ?? [] });
      this.describe();
    });
  }

  /** What screen readers and tests are told of the drawing. */
  private describe(): void {
    const { view, zone } = this.store.now;
    const { canvas } = this;
    const cursor = this.actions.shown;
    canvas.dataset["from"] = String(view.from);
    canvas.dataset["to"] = String(view.to);
    canvas.dataset["spans"] = String(spansInView(this.store.now).length);
    canvas.setAttribute("aria-label", say("timeline"));
    canvas.setAttribute("aria-valuemin", String(view.from));
    canvas.setAttribute("aria-valuemax", String(view.to));
    canvas.setAttribute("aria-valuenow", String(cursor ?? view.from));
    canvas.setAttribute("aria-valuetext", cursor === null ? say("clickTimeline") : `${dateText(cursor, zone)} ${clockText(cursor, zone)}`);
  }

  private listen(): void {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      const overview = event.offsetY > RULER_PX + LANE_PX + SPACE_PX / 2;
      this.drag = { x: event.offsetX, last: event.offsetX, moved: false, overview };
    });
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => (this.drag = null));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  private move(event: PointerEvent): void {
    const { drag } = this;
    this.hover(event.offsetX);
    if (!drag) return;
    if (Math.abs(event.offsetX - drag.x) >= CLICK_PX) drag.moved = true;
    if (!drag.moved) return;
    const { view, day } = this.store.now;
    const shift = event.offsetX - drag.last;
    const span = drag.overview ? day.to - day.from : view.from - view.to; // the overview drags the frame, the lane the footage
    this.store.set({ view: panned(view, (shift / this.width) * span, day) });
    drag.last = event.offsetX;
  }

  private up(event: PointerEvent): void {
    const { drag } = this;
    this.drag = null;
    if (!drag || drag.moved) return;
    const { view, day } = this.store.now;
    if (drag.overview) this.store.set({ view: fitted(toTime(day, event.offsetX, this.width), view.to - view.from, day) });
    else void this.actions.playAt(toTime(view, event.offsetX, this.width));
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { view, day } = this.store.now;
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    const [across, along] = [event.deltaX * unit, event.deltaY * unit];
    const sideways = Math.abs(across) > Math.abs(along) || event.shiftKey;
    if (sideways) this.store.set({ view: panned(view, ((across || along) / this.width) * (view.to - view.from), day) });
    else this.store.set({ view: zoomed(view, toTime(view, event.offsetX, this.width), WHEEL_ZOOM ** -along, day) });
    this.hover(event.offsetX);
  }

  private get width(): number {
    return this.canvas.clientWidth;
  }

  private hover(x: number | null): void {
    this.hoverX = x;
    this.tip.hidden = x === null;
    this.draw();
    if (x === null) return;
    const { view, zone } = this.store.now;
    const at = toTime(view, x, this.width);
    const span = spanAt(spansInView(this.store.now), at);
    const range = span && `${secondText(span.from, zone)} – ${secondText(span.to, zone)}`;
    const told = span?.kind === "gap" ? [say("gap"), causeText(span), range] : [span && say("footage"), range];
    this.tip.replaceChildren(el("strong", {}, secondText(at, zone)), ...told.filter((t) => t !== undefined).map((t) => el("span", {}, t)));
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${Math.min(Math.max(x, half), this.width - half)}px`;
  }
}
