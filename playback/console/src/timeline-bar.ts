/** Above the timeline: which day, how much of it, and how much footage it has. */
import { type Actions } from "./actions.ts";
import { el, iconButton } from "./dom.ts";
import { footageLength } from "./spans.ts";
import { serviceNow, type PageStore } from "./state.ts";
import { say } from "./text.ts";
import { dateText, HOUR, lengthText, MINUTE, parseDate } from "./time.ts";

export class TimelineBar {
  readonly element = el("div", { class: "timeline-bar" });
  private readonly picker = el("input", { type: "date", id: "date", required: true, onchange: () => this.pick() });
  private readonly sum = el("span", { class: "sum", id: "sum" });

  constructor(
    private readonly store: PageStore,
    private readonly actions: Actions,
  ) {
    store.watch(["language"], () => this.build());
    store.watch(["day", "zone"], () => (this.picker.value = dateText(store.now.day.from, store.now.zone)));
    store.watch(["timeline", "language"], () => this.fill());
    store.watch(["view", "language"], () => this.showLength());
  }

  private build(): void {
    const { actions } = this;
    const lengths: readonly [string, number][] = [[say("wholeDay"), 48 * HOUR], ["6 h", 6 * HOUR], ["1 h", HOUR], ["10 min", 10 * MINUTE]];
    const today = (): void => actions.showDay(serviceNow(this.store.now));
    this.picker.setAttribute("aria-label", say("date"));
    this.element.replaceChildren(
      el(
        "div",
        { class: "days" },
        iconButton("left", say("previousDay"), () => actions.moveDay(-1), "previous-day"),
        this.picker,
        iconButton("right", say("nextDay"), () => actions.moveDay(1), "next-day"),
        el("button", { type: "button", id: "today", onclick: today }, say("today")),
      ),
      this.sum,
      el(
        "div",
        { class: "segments", role: "group", "aria-label": say("timeline"), id: "lengths" },
        ...lengths.map(([text, length]) =>
          el("button", { type: "button", "data-length": length, onclick: () => actions.showLength(length) }, text),
        ),
      ),
    );
  }

  private pick(): void {
    const day = parseDate(this.picker.value, this.store.now.zone);
    if (day !== null) this.actions.showDay(day);
  }

  private fill(): void {
    const { timeline } = this.store.now;
    const length = timeline ? footageLength(timeline.spans, timeline.from, timeline.to) : 0;
    this.sum.textContent = length ? say("footageSum", { length: lengthText(length) }) : "";
  }

  private showLength(): void {
    const { view, day } = this.store.now;
    const width = view.to - view.from;
    for (const button of this.element.querySelectorAll<HTMLElement>("[data-length]")) {
      const length = Math.min(Number(button.dataset["length"]), day.to - day.from);
      button.setAttribute("aria-pressed", String(Math.abs(width - length) < 1));
    }
  }
}
