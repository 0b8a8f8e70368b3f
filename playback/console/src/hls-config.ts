/** How the player library is set up, and how its requests get the headers of all others. */
import type { HlsConfig } from "hls.js";

export type Headers = () => Readonly<Record<string, string>>;

const CONFIG: Partial<HlsConfig> = {
  progressive: true, // shows a long entry's beginning before its end is there
  maxBufferLength: 20,
  maxMaxBufferLength: 60, // streams of few bits would be fetched ten minutes ahead
  backBufferLength: 30, // steps back without loading again
  liveSyncDurationCount: 2,
};

/** The settings, with these headers on every request whichever way the library makes it. */
export function config(headers: Headers): Partial<HlsConfig> {
  return {
    ...CONFIG,
    xhrSetup: (xhr) => {
      for (const [name, value] of Object.entries(headers())) xhr.setRequestHeader(name, value);
    },
    fetchSetup: (context, init) => {
      const request = new Request(context.url, init as RequestInit);
      for (const [name, value] of Object.entries(headers())) request.headers.set(name, value);
      return request;
    },
  };
}
