/** The page's address: `#/camera/<id>` and `#/group/<id>,<id>`, each with `/at/<RFC 3339>` or without. Pure. */
import { iso } from "./time.ts";

export interface Route {
  readonly camera: string;
  /** The cameras to play on one clock, `camera` the first of them. */
  readonly group?: readonly string[];
  /** The moment to play, in ms. */
  readonly at?: number;
}

/** What a hash asks for; null for anything that is not a route of the page. A moment that cannot be read is left out. */
export function parseRoute(hash: string): Route | null {
  const found = /^#\/(camera|group)\/([^/]+)(?:\/at\/([^/]+))?$/.exec(hash);
  if (!found) return null;
  try {
    const several = found[1] === "group" ? found[2]!.split(",").map(decodeURIComponent) : null;
    const camera = several?.[0] ?? decodeURIComponent(found[2]!);
    const at = found[3] ? Date.parse(decodeURIComponent(found[3])) : Number.NaN;
    return { camera, ...(several ? { group: several } : {}), ...(Number.isNaN(at) ? {} : { at }) };
  } catch {
    return null; // a broken percent escape
  }
}

export function formatRoute({ camera, group, at }: Route): string {
  const base = group ? `#/group/${group.map(encodeURIComponent).join(",")}` : `#/camera/${encodeURIComponent(camera)}`;
  return at === undefined ? base : `${base}/at/${iso(at)}`;
}
