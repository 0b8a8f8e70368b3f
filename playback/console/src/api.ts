/** The HTTP API as the page uses it (docs/reference/api.md): requests with the token, problems as errors. */
import type { Forecast } from "./forecast.ts";
import type { Group } from "./group.ts";
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
    /** The last word of its type, as `needs-reason`. */
    readonly kind = "",
  ) {
    super(title);
  }
}

export interface Me {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly verbs: readonly string[];
}

export interface Consent {
  readonly id: string;
  readonly state: "asked" | "approved" | "refused" | "withdrawn" | "expired";
  readonly action: "view" | "export";
  readonly cameras: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly asker: string;
  readonly unit: string;
  readonly decider: string;
  readonly why: string;
  readonly may_decide: boolean;
}

export interface Export {
  readonly id: string;
  readonly state: "queued" | "running" | "done" | "failed" | "cancelled" | "expired";
  readonly said: string;
  readonly progress: number;
  readonly form: "mp4" | "zip";
  readonly items: readonly { readonly camera: string; readonly from: string; readonly to: string }[];
  readonly size: number | null;
}

const BASE = "api/v1";
const TOKEN_KEY = "keepsight.token";
const REASON_KEY = "keepsight.reason";

export class Api {
  private token = sessionStorage.getItem(TOKEN_KEY);

  /** `unauthorized` is called whenever the service wants a token or another one. */
  constructor(private readonly unauthorized: (refused: boolean) => void) {}

  /** Keeps the token for this tab and no longer. */
  useToken(token: string): void {
    this.token = token;
    sessionStorage.setItem(TOKEN_KEY, token);
  }

  /** Why footage is asked for, where that must be said; kept for this tab. */
  reason = sessionStorage.getItem(REASON_KEY) ?? "";

  useReason(reason: string): void {
    this.reason = reason;
    sessionStorage.setItem(REASON_KEY, reason);
  }

  /** The headers every request carries, those of the player too. */
  get headers(): Readonly<Record<string, string>> {
    return {
      ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}),
      ...(this.reason ? { "Keepsight-Reason": encodeURIComponent(this.reason) } : {}),
    };
  }

  // --- who asks ---------------------------------------------------------------------------------------------------

  /** How one may sign in here. */
  ways(): Promise<{ readonly password: boolean; readonly provider: boolean }> {
    return this.json(`${BASE}/session/ways`);
  }

  /** Begins a session, kept as a cookie the page cannot read. */
  async signIn(name: string, password: string): Promise<void> {
    this.forgetToken();
    await this.send("POST", `${BASE}/session`, { name, password }, false);
  }

  async signOut(): Promise<void> {
    this.forgetToken();
    await this.send("DELETE", `${BASE}/session`).catch(() => null); // it may have ended by itself
  }

  /** Where somebody who came from the identity provider ends the session there, too. */
  readonly farewellAddress = `${BASE}/sign-in/farewell`;

  get providerAddress(): string {
    return `${BASE}/sign-in?${new URLSearchParams({ next: "/" + location.hash })}`;
  }

  me(): Promise<Me> {
    return this.json(`${BASE}/me`);
  }

  private forgetToken(): void {
    this.token = null;
    sessionStorage.removeItem(TOKEN_KEY);
  }

  // --- consent, exports, groups -------------------------------------------------------------------------------------

  async consents(): Promise<readonly Consent[]> {
    return (await this.json<{ consents: Consent[] }>(`${BASE}/consents`)).consents;
  }

  async askConsent(camera: string, from: number, to: number, reason: string, action: "view" | "export"): Promise<void> {
    await this.send("POST", `${BASE}/consents`, { cameras: [camera], from: iso(from), to: iso(to), reason, action });
  }

  async decide(consent: string, approved: boolean, reason: string): Promise<void> {
    const path = `${BASE}/consents/${encodeURIComponent(consent)}`;
    await (approved ? this.send("POST", `${path}/approval`) : this.send("POST", `${path}/refusal`, { reason }));
  }

  async exports(): Promise<readonly Export[]> {
    return (await this.json<{ exports: Export[] }>(`${BASE}/exports`)).exports;
  }

  async makeExport(camera: string, from: number, to: number, how: { readonly h264: boolean; readonly watermark: boolean; readonly archive: boolean }): Promise<void> {
    const transcode = how.h264 || how.watermark ? { watermark: how.watermark } : null;
    const items = [{ camera, from: iso(from), to: iso(to) }];
    await this.send("POST", `${BASE}/exports`, { items, form: how.archive ? "zip" : "mp4", transcode, reason: this.reason });
  }

  async removeExport(id: string): Promise<void> {
    await this.send("DELETE", `${BASE}/exports/${encodeURIComponent(id)}`);
  }

  /** The result of an export, for those whose requests carry a token; a session's browser fetches `exportAddress` by itself. */
  async exportFile(id: string): Promise<Blob> {
    return (await this.get(this.exportAddress(id))).blob();
  }

  exportAddress(id: string): string {
    return `${BASE}/exports/${encodeURIComponent(id)}/file`;
  }

  get hasToken(): boolean {
    return this.token !== null;
  }

  /** An address that opens a span as mp4 without saying who one is; it is to be opened within a minute. */
  async filmAddress(camera: string, from: number, to: number): Promise<string> {
    const wanted = { from: iso(from), to: iso(to), use: "mp4" };
    const query = this.reason ? `?${new URLSearchParams({ reason: this.reason })}` : "";
    return ((await (await this.send("POST", `${this.of(camera)}/links${query}`, wanted)).json()) as { address: string }).address;
  }

  /** When pools and sites fill, with a picture; for planners. */
  async forecast(days: number): Promise<Forecast> {
    return (await this.send("POST", `${BASE}/capacity/forecast`, { days, picture: true })).json() as Promise<Forecast>;
  }

  group(cameras: readonly string[], from: number, to: number): Promise<Group> {
    const query = new URLSearchParams(span(from, to));
    for (const camera of cameras) query.append("camera", camera);
    return this.json(`${BASE}/groups?${query}`);
  }

  /** An address of the service as the player wants it. */
  absolute(path: string): string {
    return new URL(`${BASE}/${path}`, document.baseURI).href;
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

  private get(url: string): Promise<Response> {
    return this.send("GET", url);
  }

  private async send(method: string, url: string, body?: unknown, tells = true): Promise<Response> {
    const headers = { ...this.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    const answer = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }).catch(() => null);
    if (!answer) throw new Problem(0, "", "");
    if (answer.ok) return answer;
    if (answer.status === 401 && tells) this.unauthorized(this.token !== null);
    const problem = await answer.json().catch(() => ({}));
    throw new Problem(answer.status, problem.title ?? answer.statusText, problem.detail ?? "", String(problem.type ?? "").split(":").at(-1));
  }
}

function span(from: number, to: number): string {
  return new URLSearchParams({ from: iso(from), to: iso(to) }).toString();
}
