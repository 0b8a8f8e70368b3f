/** The HTTP API as the page uses it (docs/reference/api.md): requests with the token, problems as errors. */
import { spansOf, type Span, type TimelineAnswer } from "./spans.ts";
import { iso } from "./time.ts";

export interface Camera {
  readonly id: string;
  readonly name: string;
  readonly class: number;
  readonly area: string;
  readonly owner: string;
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly tier: string;
  readonly tags: readonly string[];
  readonly enabled: boolean;
  readonly state: {
    readonly state: string;
    readonly cause: string | null;
    readonly since: string | null;
    readonly detail: string;
  } | null;
}

export interface CameraPage {
  readonly cameras: readonly Camera[];
  readonly next: string | null;
}

export interface Status {
  readonly site: string;
  readonly now: string;
  readonly cameras: Readonly<Record<string, number>>;
  readonly alarms: readonly unknown[];
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  readonly spans: readonly Span[];
  /** Whether each span is exact; else they are buckets of some length. */
  readonly exact: boolean;
  /** Other sites that did not answer: what only they have is not shown. */
  readonly sitesAway: readonly string[];
  /** Whether what is not yet indexed is not shown: the recording side did not answer. */
  readonly liveAway: boolean;
}

/** A refusal of the service in its own words (RFC 9457), or that it does not answer at all (`status` 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    title: string,
    readonly detail: string,
  ) {
    super(title);
  }
}

const BASE = "api/v1";
const TOKEN_KEY = "keepsight.token";

export class Api {
  private token = sessionStorage.getItem(TOKEN_KEY);

  /** `unauthorized` is called whenever the service wants a token or another one. */
  constructor(private readonly unauthorized: (refused: boolean) => void) {}

  /** Keeps the token for this tab and no longer. */
  useToken(token: string): void {
    this.token = token;
    sessionStorage.setItem(TOKEN_KEY, token);
  }

  /** The headers every request carries, those of the player too. */
  get headers(): Readonly<Record<string, string>> {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  status(): Promise<Status> {
    return this.json(`${BASE}/status`);
  }

  cameras(after: string | null, limit: number): Promise<CameraPage> {
    const query = new URLSearchParams({ limit: String(limit), ...(after ? { after } : {}) });
    return this.json(`${BASE}/cameras?${query}`);
  }

  camera(id: string): Promise<Camera> {
    return this.json(`${BASE}/cameras/${encodeURIComponent(id)}`);
  }

  async timeline(camera: string, from: number, to: number): Promise<Timeline> {
    const response = await this.get(`${this.of(camera)}/timeline?${span(from, to)}`);
    const answer: TimelineAnswer = await response.json();
    const sitesAway = (response.headers.get("Keepsight-Sites-Away") ?? "").split(",").filter(Boolean);
    const liveAway = response.headers.get("Keepsight-Live") === "away";
    return { from, to, spans: spansOf(answer), exact: answer.resolution_s === 0, sitesAway, liveAway };
  }

  multivariant(camera: string, from: number, to: number): string {
    return new URL(`${this.of(camera)}/hls/multivariant.m3u8?${span(from, to)}`, document.baseURI).href;
  }

  /** The very picture shown at a moment, as JPEG. */
  async snapshot(camera: string, at: number): Promise<Blob> {
    const query = new URLSearchParams({ at: iso(at), exact: "true" });
    return (await this.get(`${this.of(camera)}/snapshot.jpg?${query}`)).blob();
  }

  /** Asks an address once more to learn in the service's words why it was refused; null if it is not refused now. */
  async problemOf(url: string): Promise<Problem | null> {
    try {
      await (await this.get(url)).body?.cancel();
      return null;
    } catch (error) {
      return error instanceof Problem ? error : null;
    }
  }

  private of(camera: string): string {
    return `${BASE}/cameras/${encodeURIComponent(camera)}`;
  }

  private async json<T>(url: string): Promise<T> {
    return (await this.get(url)).json() as Promise<T>;
  }

  private async get(url: string): Promise<Response> {
    const answer = await fetch(url, { headers: this.headers }).catch(() => null);
    if (!answer) throw new Problem(0, "", "");
    if (answer.ok) return answer;
    if (answer.status === 401) this.unauthorized(this.token !== null);
    const problem = await answer.json().catch(() => ({}));
    throw new Problem(answer.status, problem.title ?? answer.statusText, problem.detail ?? "");
  }
}

function span(from: number, to: number): string {
  return new URLSearchParams({ from: iso(from), to: iso(to) }).toString();
}
