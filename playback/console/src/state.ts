/** What the page knows at a moment. Fast things (the clock of each frame) do not go through here. */
import type { Camera, Me, Problem, Status, Timeline } from "./api.ts";
import type { Span } from "./spans.ts";
import { Store } from "./store.ts";
import type { Language } from "./text.ts";
import type { Zone } from "./time.ts";
import type { View } from "./view.ts";

export interface Failure {
  readonly title: string;
  readonly detail: string;
  /** Whether trying again may help. */
  readonly retry?: boolean;
  /** Whether this browser cannot decode it: the service's own picture of the moment stands in for playing, and an export can be made that plays. */
  readonly undecodable?: boolean;
}

export interface State {
  readonly language: Language;
  readonly zone: Zone;
  readonly status: Status | null;
  /** Milliseconds to add to this browser's clock for the service's. */
  readonly clockOffset: number;
  readonly cameras: readonly Camera[];
  /** Cursor of the next page of cameras; null at the end. */
  readonly nextCameras: string | null;
  readonly camerasLoaded: boolean;
  /** The chosen camera's id, known before its facts are. */
  readonly chosen: string | null;
  readonly camera: Camera | null;
  /** The day shown: from its midnight to the next. */
  readonly day: View;
  readonly view: View;
  /** The whole day. */
  readonly timeline: Timeline | null;
  /** A part of it exactly, where the day came in buckets. */
  readonly detail: Timeline | null;
  readonly playing: boolean;
  readonly waiting: boolean;
  /** Whether something is opened in the player. */
  readonly opened: boolean;
  readonly speed: number;
  readonly muted: boolean;
  readonly atLive: boolean;
  /** A sentence shown for some seconds. */
  readonly notice: string;
  /** Why nothing plays, until something does. */
  readonly failure: Failure | null;
  /** The cameras picked to be played together; null while nobody picks. */
  readonly picked: readonly string[] | null;
  /** Who asks, once the service has said so. */
  readonly me: Me | null;
  /** Why the service cannot be asked at all. */
  readonly offline: Problem | null;
}

export type PageStore = Store<State>;

/** The spans to draw and to point at: the detail where it covers the view. */
export function spansInView({ timeline, detail, view }: Pick<State, "timeline" | "detail" | "view">): readonly Span[] {
  const covers = detail && detail.from <= view.from && detail.to >= view.to;
  return (covers ? detail : timeline)?.spans ?? [];
}

/** The service's present moment in ms, as far as this browser knows. */
export function serviceNow(state: Pick<State, "clockOffset">): number {
  return Date.now() + state.clockOffset;
}
