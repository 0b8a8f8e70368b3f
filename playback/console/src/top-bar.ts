/** The bar at the top: the product, its site, how the cameras are; time zone and language. */
import type { Actions } from "./actions.ts";
import { el } from "./dom.ts";
import { serviceNow, type PageStore } from "./state.ts";
import { currentLanguage, say, sayState, useLanguage } from "./text.ts";
import { zoneText, type Zone } from "./time.ts";

const LANGUAGE_KEY = "keepsight.language";
const ZONE_KEY = "keepsight.zone";

/** What the bar opens. */
export interface Doors {
  readonly exports: () => void;
  readonly consents: () => void;
  readonly capacity: () => void;
  readonly signOut: () => void;
}

export class TopBar {
  readonly element = el("header", { class: "top" });

  constructor(
    private readonly store: PageStore,
    private readonly actions: Actions,
    private readonly doors: Doors,
  ) {
    store.watch(["status", "language", "zone", "me"], () => this.fill());
  }

  private fill(): void {
    const { status, zone } = this.store.now;
    const counts = Object.entries(status?.cameras ?? {}).filter(([, count]) => count > 0);
    const zones = el(
      "div",
      { class: "segments", role: "group", id: "zones" },
      ...(["local", "utc"] as const).map((name) => {
        const text = name === "utc" ? "UTC" : say("localTime");
        const title = zoneText(serviceNow(this.store.now), name);
        return el("button", { type: "button", title, "data-zone": name, "aria-pressed": String(zone === name), onclick: () => this.useZone(name) }, text);
      }),
    );
    const language = el("button", { type: "button", class: "quiet", id: "language", title: say("languageName"), onclick: () => this.switchLanguage() }, say("language"));
    this.element.replaceChildren(
      el("h1", {}, el("i", { class: "logo", "aria-hidden": "true" }), say("product")),
      el("span", { class: "site" }, status?.site ?? ""),
      el(
        "div",
        { class: "counts" },
        ...counts.map(([state, count]) => el("span", {}, el("i", { class: "dot", "data-state": state }), el("b", {}, String(count)), sayState(state))),
        ...(status?.alarms.length ? [el("span", { class: "alarm" }, status.alarms.map(alarmText).join(" · "))] : []),
      ),
      ...this.own(),
      zones,
      language,
    );
  }

  /** What one may do besides looking, and who one is. */
  private own(): HTMLElement[] {
    const { me } = this.store.now;
    if (!me) return [];
    const button = (id: string, text: string, onclick: () => void): HTMLElement => el("button", { type: "button", class: "quiet", id, onclick }, text);
    const known = /^(user|oidc):/.test(me.id);
    return [
      ...(me.verbs.includes("export") ? [button("exports", say("exports"), this.doors.exports)] : []),
      ...(me.verbs.includes("plan") ? [button("capacity", say("capacity"), this.doors.capacity)] : []),
      ...(known ? [button("consents", say("consents"), this.doors.consents)] : []),
      ...(known ? [el("span", { class: "me", id: "me" }, [me.name, me.unit].filter(Boolean).join(" · ")), button("sign-out", say("signOut"), this.doors.signOut)] : []),
    ];
  }

  private useZone(zone: Zone): void {
    localStorage.setItem(ZONE_KEY, zone);
    this.actions.setZone(zone);
  }

  private switchLanguage(): void {
    const next = currentLanguage() === "zh" ? "en" : "zh";
    localStorage.setItem(LANGUAGE_KEY, next);
    useLanguage(next);
    this.store.set({ language: next });
  }
}

/** An alarm is a sentence, or a value with one. */
function alarmText(alarm: unknown): string {
  if (typeof alarm === "string") return alarm;
  const { detail, title } = (alarm ?? {}) as { detail?: string; title?: string };
  return detail ?? title ?? JSON.stringify(alarm);
}

/** What was chosen in this browser before; else local time and the browser's language. */
export function remembered(): { readonly zone: Zone; readonly language: "en" | "zh" } {
  const language = localStorage.getItem(LANGUAGE_KEY);
  return {
    zone: localStorage.getItem(ZONE_KEY) === "utc" ? "utc" : "local",
    language: language === "zh" || language === "en" ? language : currentLanguage(),
  };
}
