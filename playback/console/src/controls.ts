/** Below the picture: play, steps, speed and live on the left, the wall clock in the middle, what to take along on the right. */
import type { Actions } from "./actions.ts";
import { el, icon, iconButton, type IconName } from "./dom.ts";
import type { Player } from "./player.ts";
import { EVERY_PICTURE_UP_TO, SPEEDS } from "./speeds.ts";
import { toggleFullScreen } from "./stage.ts";
import type { PageStore } from "./state.ts";
import { say } from "./text.ts";
import { clockText, dateText, zoneText, SECOND } from "./time.ts";

export class Controls {
  readonly element = el("div", { class: "controls", role: "group" });
  private readonly date = el("span", { class: "date" });
  private readonly time = el("span", { class: "time", id: "clock" }, "--:--:--.---");
  private readonly zone = el("span", { class: "zone" });

  constructor(
    private readonly store: PageStore,
    private readonly actions: Actions,
    private readonly player: Player,
    private readonly stage: HTMLElement,
  ) {
    store.watch(["language"], () => this.build());
    store.watch(["playing", "language", "opened"], () => this.showPlaying());
    store.watch(["speed", "language"], () => this.showSpeed());
    store.watch(["atLive", "opened", "language"], () => this.mark("live", store.now.atLive && store.now.opened));
    store.watch(["muted", "language"], () => this.swap("sound", store.now.muted ? "muted" : "sound", say("sound")));
    store.watch(["zone", "opened", "chosen"], () => this.showClock());
  }

  /** Shows the moment on the screen; called for every picture. */
  showClock(): void {
    const { zone, opened } = this.store.now;
    const at = opened ? this.actions.shown : null;
    this.time.textContent = at === null ? "--:--:--.---" : clockText(at, zone);
    this.time.dataset["shown"] = at === null ? "" : String(at);
    this.date.textContent = at === null ? "" : dateText(at, zone);
    this.zone.textContent = at === null ? "" : zoneText(at, zone);
  }

  private build(): void {
    const { actions } = this;
    this.element.setAttribute("aria-label", say("play"));
    const speeds = SPEEDS.map((speed) => {
      const title = speed > EVERY_PICTURE_UP_TO ? `${speed}× · ${say("keyFrames")}` : `${speed}×`;
      const use = (): void => actions.setSpeed(speed);
      return el("button", { type: "button", title, "data-speed": speed, onclick: use }, `${speed}×`);
    });
    const live = el("button", { type: "button", class: "live", id: "live", title: `${say("live")} (L)`, onclick: () => actions.goLive() }, say("live"));
    this.element.replaceChildren(
      el(
        "div",
        { class: "left" },
        iconButton("stepBack", `${say("frameBack")} (,)`, () => actions.step(-1), "back"),
        iconButton("play", `${say("play")} (space)`, () => actions.togglePlay(), "play"),
        iconButton("stepOn", `${say("frameOn")} (.)`, () => actions.step(1), "on"),
        el("div", { class: "segments", role: "group", "aria-label": say("speed"), id: "speeds" }, ...speeds),
        live,
      ),
      el("div", { class: "clock" }, el("div", { class: "where" }, this.date, this.zone), this.time),
      el(
        "div",
        { class: "right" },
        iconButton("sound", say("sound"), () => this.player.setMuted(!this.store.now.muted), "sound"),
        labelled("camera", say("snapshot"), "S", () => void actions.snapshot(), "snapshot"),
        labelled("link", say("copyLink"), "", () => void actions.copyLink(), "link"),
        iconButton("full", `${say("fullScreen")} (F)`, () => toggleFullScreen(this.stage), "full"),
      ),
    );
  }

  private showPlaying(): void {
    const { playing, opened } = this.store.now;
    this.swap("play", playing ? "pause" : "play", `${say(playing ? "pause" : "play")} (space)`);
    for (const id of ["back", "play", "on", "snapshot", "link"]) this.button(id).disabled = !opened;
  }

  private showSpeed(): void {
    for (const button of this.element.querySelectorAll<HTMLElement>("[data-speed]"))
      button.setAttribute("aria-pressed", String(Number(button.dataset["speed"]) === this.store.now.speed));
  }

  private mark(id: string, on: boolean): void {
    this.button(id).setAttribute("aria-pressed", String(on));
  }

  private swap(id: string, name: IconName, label: string): void {
    const button = this.button(id);
    button.replaceChildren(icon(name));
    button.title = label;
    button.setAttribute("aria-label", label);
  }

  private button(id: string): HTMLButtonElement {
    return this.element.querySelector<HTMLButtonElement>(`#${id}`)!;
  }
}

function labelled(name: IconName, label: string, key: string, onclick: () => void, id: string): HTMLButtonElement {
  const title = key ? `${label} (${key})` : label;
  return el("button", { type: "button", class: "labelled", title, id, onclick }, icon(name), el("span", {}, label));
}

/** What the arrow keys move by. */
export const SKIP_MS = 5 * SECOND;
