/** Keeps what the page knows of the service fresh: status, cameras, the day's timeline. */
import { Problem, type Api } from "./api.ts";
import { serviceNow, type PageStore, type State } from "./state.ts";
import { SECOND } from "./time.ts";

const EVERY_MS = 5 * SECOND;
const CAMERA_PAGE = 200;
/** More cameras than this are not asked for again and again; the chosen one is. */
const REFRESHED_CAMERAS = 200;
/** A view this much shorter than the coarse timeline loaded is asked for again, in detail. */
const FINER = 4;

/** Detail is asked for once the view has stood still this long. */
const DETAIL_AFTER_MS = 250;

export class Polling {
  private pause = 0;

  constructor(
    private readonly store: PageStore,
    private readonly api: Api,
  ) {
    store.watch(["chosen", "day"], () => void this.timeline());
    store.watch(["chosen"], () => void this.chosen());
    store.watch(["view", "timeline"], () => {
      window.clearTimeout(this.pause);
      this.pause = window.setTimeout(() => void this.detail(), DETAIL_AFTER_MS);
    });
    window.setInterval(() => document.hidden || void this.round(), EVERY_MS);
  }

  /** Asks for everything once; what the service refuses or leaves unanswered is asked again in the next round. */
  async round(): Promise<void> {
    await Promise.all([this.status(), this.cameras(), this.chosen(), this.containsNow() ? this.timeline() : undefined]);
  }

  /** The next page of cameras, behind those known. */
  async moreCameras(): Promise<void> {
    const { nextCameras } = this.store.now;
    const page = await this.ask(this.api.cameras(nextCameras, CAMERA_PAGE));
    if (page) this.store.set({ cameras: [...this.store.now.cameras, ...page.cameras], nextCameras: page.next });
  }

  private async status(): Promise<void> {
    const status = await this.ask(this.api.status());
    if (status) this.store.set({ status, clockOffset: Date.parse(status.now) - Date.now() });
  }

  private async cameras(): Promise<void> {
    if (this.store.now.cameras.length > REFRESHED_CAMERAS) return;
    const page = await this.ask(this.api.cameras(null, CAMERA_PAGE));
    if (!page) return;
    this.keep("cameras", page.cameras);
    this.store.set({ nextCameras: page.next, camerasLoaded: true });
  }

  private async chosen(): Promise<void> {
    const { chosen } = this.store.now;
    if (chosen === null) return;
    const camera = await this.ask(this.api.camera(chosen), (problem) => {
      if (problem.status === 404) this.store.set({ failure: { title: problem.message, detail: problem.detail } });
    });
    if (camera && chosen === this.store.now.chosen) this.keep("camera", camera);
  }

  private containsNow(): boolean {
    const { day, timeline } = this.store.now;
    const now = serviceNow(this.store.now);
    return timeline === null || (now >= day.from && now < day.to + EVERY_MS * 2);
  }

  private async timeline(): Promise<void> {
    const { chosen, day } = this.store.now;
    if (chosen === null) return;
    const timeline = await this.ask(this.api.timeline(chosen, day.from, day.to));
    const now = this.store.now;
    if (timeline && chosen === now.chosen && day === now.day) this.keep("timeline", timeline);
  }

  /** A day too full for exact spans comes as buckets: zoomed in, the part in view is asked for exactly. */
  private async detail(): Promise<void> {
    const { chosen, view, timeline, detail } = this.store.now;
    if (chosen === null || !timeline || timeline.exact) return;
    const close = (timeline.to - timeline.from) / (view.to - view.from) >= FINER;
    if (!close || (detail && detail.from <= view.from && detail.to >= view.to)) return;
    const answer = await this.ask(this.api.timeline(chosen, view.from, view.to));
    if (answer && chosen === this.store.now.chosen) this.store.set({ detail: answer });
  }

  /** Sets what has really changed, so that lists are not made anew under the pointer. */
  private keep<K extends keyof State>(key: K, value: State[K]): void {
    if (JSON.stringify(value) !== JSON.stringify(this.store.now[key])) this.store.set({ [key]: value } as Partial<State>);
  }

  private async ask<T>(answer: Promise<T>, refused?: (problem: Problem) => void): Promise<T | undefined> {
    try {
      const value = await answer;
      if (this.store.now.offline) this.store.set({ offline: null });
      return value;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 0) this.store.set({ offline: error });
      else refused?.(error);
      return undefined;
    }
  }
}
