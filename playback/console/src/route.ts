/** The page's address: `#/camera/<id>` and `#/camera/<id>/at/<RFC 3339>`. Pure. */
import { iso } from "./time.ts";

export interface Route {
  readonly camera: string;
  /** The moment to play, in ms. */
  readonly at?: number;
}

/** What a hash asks for; null for anything that is not a route of the page. A moment that cannot be read is left out. */
export function parseRoute(hash: string): Route | null {
  const found = /^#\/camera\/([^/]+)(?:\/at\/([^/]+))?$/.exec(hash);
  if (!found) return null;
  try {
    const camera = decodeURIComponent(found[1]!);
    const at = found[2] ? Date.parse(decodeURIComponent(found[2])) : Number.NaN;
    return Number.isNaN(at) ? { camera } : { camera, at };
  } catch {
    return null; // a broken percent escape
  }
}

export function formatRoute({ camera, at }: Route): string {
  const base = `#/camera/${encodeURIComponent(camera)}`;
  return at === undefined ? base : `${base}/at/${iso(at)}`;
}
