/** The cameras: searched by name, id or area, each with what it is doing and why. */
import type { Actions } from "./actions.ts";
import type { Camera } from "./api.ts";
import { el } from "./dom.ts";
import type { Polling } from "./polling.ts";
import { formatRoute } from "./route.ts";
import type { PageStore } from "./state.ts";
import { say, sayCause, sayState } from "./text.ts";

/** As many as the service plays in a group. */
const MOST_TOGETHER = 16;

export class CameraList {
  readonly element = el("nav", { class: "cameras panel" });
  private readonly head = el("header");
  private readonly search = el("input", {
    type: "search", id: "search", autocomplete: "off", spellcheck: "false",
    oninput: () => this.fill(),
    onkeydown: (event: KeyboardEvent) => event.key === "Enter" && this.take(),
  });
  private readonly list = el("ul", { id: "cameras" });

  constructor(
    private readonly store: PageStore,
    private readonly actions: Actions,
    private readonly polling: Polling,
  ) {
    this.element.append(this.head, this.search, this.list);
    store.watch(["cameras", "chosen", "language", "camerasLoaded", "camera", "picked"], () => this.fill());
  }

  /** Enter takes the first camera found, or asks the service for the id typed. */
  private take(): void {
    const text = this.search.value.trim();
    const found = this.store.now.cameras.find((camera) => matches(camera, text));
    if (text) this.actions.choose(found?.id ?? text);
  }

  private fill(): void {
    const { cameras, chosen, camerasLoaded, nextCameras } = this.store.now;
    this.element.setAttribute("aria-label", say("cameras"));
    this.search.placeholder = say("searchHint");
    this.search.setAttribute("aria-label", say("search"));
    const count = cameras.length + (nextCameras ? "+" : "");
    this.head.replaceChildren(el("h2", {}, say("cameras")), el("span", { class: "count" }, camerasLoaded ? count : ""), ...this.together());
    const found = cameras.filter((camera) => matches(camera, this.search.value));
    const focused = this.list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["camera"] : undefined;
    this.list.replaceChildren(...found.map((camera) => this.row(camera, camera.id === chosen)), ...this.foot(found.length));
    if (focused) this.list.querySelector<HTMLElement>(`[data-camera="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Picking cameras to play together: begin, and go. */
  private together(): HTMLElement[] {
    const { picked, cameras } = this.store.now;
    if (cameras.length < 2) return [];
    const begin = (): void => this.store.set({ picked: picked ? null : [] });
    const go = (): void => {
      location.hash = formatRoute({ camera: picked![0]!, group: picked!, ...(this.actions.shown === null ? {} : { at: this.actions.shown }) });
      this.store.set({ picked: null });
    };
    const toggle = el("button", { type: "button", class: "quiet", id: "pick", title: say("groupHint"), "aria-pressed": String(picked !== null), onclick: begin }, say("group"));
    return (picked?.length ?? 0) < 2 ? [toggle] : [toggle, el("button", { type: "button", class: "primary", id: "pick-play", onclick: go }, say("play"))];
  }

  private pick(id: string): void {
    const picked = this.store.now.picked ?? [];
    const others = picked.filter((each) => each !== id);
    if (others.length < picked.length) this.store.set({ picked: others });
    else if (picked.length < MOST_TOGETHER) this.store.set({ picked: [...picked, id] });
  }

  private row(camera: Camera, chosen: boolean): HTMLElement {
    const { picked } = this.store.now;
    const link = el(
      "a",
      { href: formatRoute({ camera: camera.id }), "data-camera": camera.id, "aria-current": chosen ? "true" : undefined },
      stateDot(camera),
      el("span", { class: "name" }, camera.name || camera.id),
      el("span", { class: "state" }, stateText(camera)),
    );
    link.addEventListener("click", (event) => {
      event.preventDefault();
      if (picked) this.pick(camera.id);
      else location.hash = formatRoute({ camera: camera.id });
      if (!picked) this.actions.choose(camera.id);
    });
    const mark = picked && el("input", { type: "checkbox", checked: picked.includes(camera.id), tabindex: -1, "aria-hidden": "true" });
    if (mark) link.prepend(mark);
    return el("li", {}, link);
  }

  private foot(found: number): HTMLElement[] {
    const { cameras, nextCameras, camerasLoaded } = this.store.now;
    const more = el("button", { type: "button", class: "more", onclick: () => void this.polling.moreCameras() }, say("more"));
    if (nextCameras) return [el("li", {}, more)];
    if (!camerasLoaded || found) return [];
    const none = cameras.length ? [say("noMatch")] : [say("noCameras"), el("small", {}, say("noCamerasHint"))];
    return [el("li", { class: "none" }, ...none)];
  }
}

function matches(camera: Camera, search: string): boolean {
  const text = `${camera.name} ${camera.id} ${camera.area} ${camera.tags.join(" ")}`.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** A dot in the colour of what the camera is doing. */
export function stateDot(camera: Camera): HTMLElement {
  return el("i", { class: "dot", "data-state": camera.state?.state ?? "unknown", "aria-hidden": "true" });
}

/** What the camera is doing, and if not recording why. */
export function stateText(camera: Camera): string {
  if (!camera.state) return "";
  const { state, cause } = camera.state;
  return cause ? `${sayState(state)} · ${sayCause(cause)}` : sayState(state);
}
