/** Keys: space, arrows, `,` `.`, `[` `]`, L, S, F; never while something is typed. */
import type { Actions } from "./actions.ts";
import { SKIP_MS } from "./controls.ts";
import { faster, slower } from "./speeds.ts";
import { toggleFullScreen } from "./stage.ts";
import type { PageStore } from "./state.ts";

export function listenToKeys(store: PageStore, actions: Actions, stage: HTMLElement): void {
  const keys: Readonly<Record<string, () => void>> = {
    " ": () => actions.togglePlay(),
    ArrowLeft: () => actions.skip(-SKIP_MS),
    ArrowRight: () => actions.skip(SKIP_MS),
    ",": () => actions.step(-1),
    ".": () => actions.step(1),
    "[": () => actions.setSpeed(slower(store.now.speed)),
    "]": () => actions.setSpeed(faster(store.now.speed)),
    l: () => actions.goLive(),
    s: () => void actions.snapshot(),
    f: () => toggleFullScreen(stage),
  };
  document.addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || belongsTo(event.key, event.target)) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => {
    // a button pressed by the mouse must not take the space key along
    if (event.detail > 0 && event.target instanceof Element) event.target.closest("button")?.blur();
  });
}

/** Whether the key is meant for what has the focus: text being typed, a dialog, or a button reached by keyboard. */
function belongsTo(key: string, target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.matches("input") || target.closest("dialog") !== null || (key === " " && target.matches("button, a"));
}
