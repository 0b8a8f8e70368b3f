/** The picture, and what is said over it: notices, why nothing plays, what to do first. */
import { causeText, type Actions } from "./actions.ts";
import type { Api } from "./api.ts";
import { el } from "./dom.ts";
import type { Screens } from "./screens.ts";
import { toldGaps } from "./spans.ts";
import type { Failure, PageStore, State } from "./state.ts";
import { say } from "./text.ts";

export class Stage {
  readonly element: HTMLElement;
  readonly screens: Screens = {
    video: el("video", { id: "video", playsinline: true, disablepictureinpicture: true }),
    trick: el("video", { id: "trick", playsinline: true, muted: true, hidden: true }),
    still: el("canvas", { id: "still", hidden: true }),
  };
  private readonly notice = el("p", { class: "notice", role: "status", "aria-live": "polite", id: "notice" });
  private readonly message = el("div", { class: "message", id: "message" });
  private readonly waiting = el("div", { class: "waiting", hidden: true });
  private readonly photo = el("img", { class: "photo", alt: "", hidden: true });

  constructor(private readonly store: PageStore) {
    const { video, trick, still } = this.screens;
    this.element = el("div", { class: "stage" }, video, trick, still, this.photo, this.waiting, this.message, this.notice);
  }

  /** Shows the state from here on; clicking the picture plays and pauses, twice fills the screen. */
  show(actions: Actions, api: Api, exportH264: () => void): void {
    this.screens.trick.muted = true;
    this.screens.video.addEventListener("click", () => actions.togglePlay());
    this.element.addEventListener("dblclick", () => toggleFullScreen(this.element));
    this.store.watch(["notice"], () => {
      this.notice.textContent = this.store.now.notice;
      this.notice.hidden = !this.store.now.notice;
    });
    this.store.watch(["waiting", "opened", "failure"], () => {
      const { waiting, opened, failure } = this.store.now;
      this.waiting.hidden = !(waiting && opened && !failure);
    });
    this.store.watch(["failure", "opened", "chosen", "timeline", "language", "cameras", "camerasLoaded", "offline", "me"], () => this.say(actions, exportH264));
    this.store.watch(["failure", "chosen"], () => void this.showPhoto(actions, api));
  }

  private say(actions: Actions, exportH264: () => void): void {
    const { failure, offline, me } = this.store.now;
    const text: Failure | null = offline ? { title: say("unreachable"), detail: "" } : (failure ?? hint(this.store.now));
    this.message.hidden = !text;
    this.message.classList.toggle("failure", !!(failure || offline));
    if (!text) return;
    this.message.replaceChildren(
      el("strong", {}, text.title),
      ...(text.detail ? [el("p", {}, text.detail)] : []),
      ...(text.retry ? [el("button", { type: "button", onclick: () => actions.retry() }, say("retry"))] : []),
      ...(text.undecodable && me?.verbs.includes("export") ? [el("button", { type: "button", id: "export-instead", onclick: exportH264 }, say("exportInstead"))] : []),
    );
  }

  /** Where nothing can be decoded here, the service decodes the one picture asked for. */
  private async showPhoto(actions: Actions, api: Api): Promise<void> {
    URL.revokeObjectURL(this.photo.src);
    this.photo.hidden = true;
    const { failure, chosen } = this.store.now;
    if (!failure?.undecodable || chosen === null || actions.shown === null) return;
    const blob = await api.snapshot(chosen, actions.shown).catch(() => null);
    if (!blob || failure !== this.store.now.failure) return;
    this.photo.src = URL.createObjectURL(blob);
    this.photo.hidden = false;
  }
}

/** What to do first, while nothing is open. */
function hint(state: State): Failure | null {
  const { opened, chosen, timeline, cameras, camerasLoaded } = state;
  if (opened) return null;
  const saying = (title: string, detail = ""): Failure => ({ title, detail });
  if (chosen === null && camerasLoaded && !cameras.length) return saying(say("noCameras"), say("noCamerasHint"));
  if (chosen === null) return camerasLoaded ? saying(say("chooseCamera")) : null;
  if (!timeline) return saying(say("loading"));
  if (timeline.spans.some((s) => s.kind === "footage")) return saying(say("clickTimeline"));
  const [longest] = toldGaps(timeline.spans).sort((a, b) => b.to - b.from - (a.to - a.from));
  return saying(say("noFootageDay"), causeText(longest));
}

export function toggleFullScreen(element: HTMLElement): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void element.requestFullscreen().catch(() => undefined); // refused by the browser: the page stays as it is
}
