/** For planners: when pools and sites fill, as a picture, as dates, and in the service's own words. */
import { bytesText } from "./amounts.ts";
import { Problem, type Api } from "./api.ts";
import { el } from "./dom.ts";
import type { Filling, Forecast } from "./forecast.ts";
import { say } from "./text.ts";

const HORIZONS = [30, 90, 180, 365, 730] as const;

export class CapacityBox {
  readonly element = el("dialog", { class: "box wide", id: "capacity-box" });
  private readonly picture = el("img", { id: "capacity-picture", hidden: true });
  private readonly body = el("div", {});
  private days: number = 365;
  private asked = 0;

  constructor(private readonly api: Api) {
    this.element.addEventListener("close", () => this.forget());
  }

  open(): void {
    if (this.element.open) return;
    this.element.showModal();
    void this.show();
  }

  private async show(): Promise<void> {
    const asked = ++this.asked;
    this.forget();
    this.frame();
    this.body.replaceChildren(el("p", { class: "dim" }, say("loading")));
    try {
      const found = await this.api.forecast(this.days);
      if (asked === this.asked && this.element.open) this.fill(found);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (asked === this.asked) this.body.replaceChildren(el("p", { class: "wrong", id: "capacity-wrong" }, [error.message, error.detail].filter(Boolean).join(": ")));
    }
  }

  private frame(): void {
    const horizon = (days: number): HTMLElement =>
      el("button", { type: "button", "aria-pressed": String(days === this.days), onclick: () => this.look(days) }, say("days", { n: days }));
    const close = el("button", { type: "button", onclick: () => this.element.close() }, say("close"));
    this.picture.alt = say("capacityPicture");
    this.element.replaceChildren(
      el("h2", {}, say("capacity")),
      el("div", { class: "segments", role: "group", id: "capacity-days" }, ...HORIZONS.map(horizon)),
      this.body,
      this.picture,
      el("div", { class: "buttons" }, close),
    );
  }

  private look(days: number): void {
    this.days = days;
    void this.show();
  }

  private fill(found: Forecast): void {
    if (found.picture) {
      this.picture.src = URL.createObjectURL(new Blob([found.picture], { type: "image/svg+xml" }));
      this.picture.hidden = false;
    }
    const heads = ["capacityWhat", "capacityKeeps", "capacityPressed", "capacityFull", "capacityBreaks"] as const;
    this.body.replaceChildren(
      el(
        "table",
        { class: "fillings" },
        el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", {}, say(head))))),
        el("tbody", {}, ...found.fillings.map((filling) => this.row(filling, found.days))),
      ),
      ...found.said.map((sentence) => el("p", { class: "dim" }, sentence)),
    );
  }

  private row(filling: Filling, days: number): HTMLElement {
    const size = filling.size_bytes === null ? "" : ` / ${bytesText(filling.size_bytes)}`;
    const reached = [filling.pressed, filling.full, filling.floor_breaks].map(({ earliest, likely, latest }) => {
      if (filling.size_bytes === null) return "";
      if (earliest === null) return say("capacityNever", { n: days });
      return el("span", { title: `${earliest} – ${latest ?? say("capacityLater")}` }, likely ?? say("capacityPerhaps", { day: earliest }));
    });
    const name = say(filling.what === "site" ? "capacitySite" : "capacityPool", { name: filling.name });
    return el("tr", { "data-filling": filling.name }, ...[name, bytesText(filling.now_bytes) + size, ...reached].map((cell) => el("td", {}, cell)));
  }

  private forget(): void {
    if (this.picture.src) URL.revokeObjectURL(this.picture.src);
    this.picture.removeAttribute("src");
    this.picture.hidden = true;
  }
}
