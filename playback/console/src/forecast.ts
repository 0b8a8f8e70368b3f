/** When pools and sites fill, as the service says it. */

export interface Reached {
  readonly earliest: string | null;
  readonly likely: string | null;
  readonly latest: string | null;
}

export interface Filling {
  readonly what: "pool" | "site";
  readonly name: string;
  readonly now_bytes: number;
  readonly size_bytes: number | null;
  readonly pressed: Reached;
  readonly full: Reached;
  readonly floor_breaks: Reached;
}

export interface Forecast {
  readonly days: number;
  readonly said: readonly string[];
  readonly fillings: readonly Filling[];
  /** SVG. */
  readonly picture: string | null;
}
