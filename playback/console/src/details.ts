/** Beside the picture: what the chosen camera is, and where its footage of the day is missing. */
import { causeText, type Actions } from "./actions.ts";
import type { Camera, Timeline } from "./api.ts";
import { stateDot, stateText } from "./camera-list.ts";
import { causeColour } from "./causes.ts";
import { el } from "./dom.ts";
import { codecsBetween, toldGaps, type Gap } from "./spans.ts";
import type { PageStore } from "./state.ts";
import { say } from "./text.ts";
import { dateText, lengthText, secondText } from "./time.ts";

/** More gaps than this are counted, not listed: the timeline shows them. */
const LISTED_GAPS = 50;

export class Details {
  readonly element = el("aside", { class: "details panel" });
  private readonly facts = el("section", { class: "facts" });
  private readonly gaps = el("section", { class: "gaps", id: "gaps" });

  constructor(
    private readonly store: PageStore,
    private readonly actions: Actions,
  ) {
    this.element.append(this.facts, this.gaps);
    store.watch(["camera", "language", "zone", "timeline"], () => this.fillFacts());
    store.watch(["timeline", "language", "zone"], () => this.fillGaps());
  }

  private fillFacts(): void {
    const { camera, timeline, zone } = this.store.now;
    this.element.hidden = !camera;
    this.element.setAttribute("aria-label", say("details"));
    if (!camera) return;
    const since = camera.state?.since ? Date.parse(camera.state.since) : Number.NaN;
    const sinceText = Number.isNaN(since) ? "" : say("since", { time: `${dateText(since, zone)} ${secondText(since, zone)}` });
    this.facts.replaceChildren(
      el("h2", {}, camera.name || camera.id),
      el("p", { class: "state" }, stateDot(camera), stateText(camera)),
      el("p", { class: "dim" }, [camera.state?.detail, sinceText].filter(Boolean).join(" · ")),
      el("dl", {}, ...rows(camera, timeline ? codecsBetween(timeline.spans, timeline.from, timeline.to) : [])),
    );
  }

  private fillGaps(): void {
    const { timeline } = this.store.now;
    const found = timeline ? toldGaps(timeline.spans) : [];
    const unasked = timeline ? unaskedTexts(timeline) : [];
    const more = found.length > LISTED_GAPS ? el("li", { class: "dim" }, say("moreGaps", { n: found.length - LISTED_GAPS })) : undefined;
    this.gaps.hidden = !timeline;
    this.gaps.replaceChildren(
      el("h3", {}, say("gaps"), el("span", { class: "count" }, String(found.length))),
      found.length
        ? el("ul", {}, ...found.slice(0, LISTED_GAPS).map((gap) => el("li", {}, this.gapButton(gap))), more)
        : el("p", { class: "dim" }, say("noGaps")),
      ...unasked.map((text) => el("p", { class: "dim" }, text)),
    );
  }

  private gapButton(gap: Gap): HTMLElement {
    const { zone } = this.store.now;
    const mark = el("i", { class: "mark" });
    mark.style.background = `var(${causeColour(gap.cause)})`;
    const play = (): void => void this.actions.playAt(gap.to);
    const times = el("span", { class: "times" }, `${secondText(gap.from, zone)} – ${secondText(gap.to, zone)}`);
    const length = el("span", { class: "length" }, lengthText(gap.to - gap.from));
    return el("button", { type: "button", onclick: play }, mark, times, length, el("span", { class: "cause" }, causeText(gap)));
  }
}

/** Who did not answer, so that there may be more footage than is shown. */
function unaskedTexts({ sitesAway, liveAway }: Timeline): string[] {
  const sites = sitesAway.map((site) => say("siteAway", { site }));
  return liveAway ? [...sites, say("liveAway")] : sites;
}

function rows(camera: Camera, codecs: readonly string[]): HTMLElement[] {
  const place = camera.latitude === null || camera.longitude === null ? "" : `${camera.latitude}, ${camera.longitude}`;
  const facts: readonly [string, string][] = [
    ["ID", camera.id],
    [say("area"), camera.area.replaceAll("/", " / ")],
    [say("class"), String(camera.class)],
    [say("owner"), camera.owner],
    [say("tier"), camera.tier],
    [say("tags"), camera.tags.join(", ")],
    [say("place"), place],
    [say("codecs"), codecs.join(" · ")],
  ];
  return facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
}
