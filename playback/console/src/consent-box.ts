/** Consents: one's own, and those of others one may decide. */
import type { Api, Consent } from "./api.ts";
import { el } from "./dom.ts";
import { ListBox } from "./list-box.ts";
import { say, type Word } from "./text.ts";
import { secondText, dateText, type Zone } from "./time.ts";

export class ConsentBox extends ListBox<Consent> {
  constructor(
    private readonly api: Api,
    private readonly zone: () => Zone,
  ) {
    super("consent-box", "consents", "noConsents");
  }

  protected load(): Promise<readonly Consent[]> {
    return this.api.consents();
  }

  protected line(one: Consent): HTMLElement {
    const moment = (text: string): string => `${dateText(Date.parse(text), this.zone())} ${secondText(Date.parse(text), this.zone())}`;
    const text = say("consentLine", {
      asker: one.asker, unit: one.unit, action: say(`action.${one.action}`), cameras: one.cameras.join(", "), from: moment(one.from), to: moment(one.to), reason: one.reason,
    });
    const state = say(`consent.${one.state}` as Word, { decider: one.decider, why: one.why });
    return el("li", { "data-consent": one.id }, el("span", {}, text), el("small", { class: "dim" }, state), ...(one.may_decide ? this.buttons(one) : []));
  }

  private buttons(one: Consent): HTMLElement[] {
    const decide = (approved: boolean, reason: string): void => void this.act(() => this.api.decide(one.id, approved, reason));
    const why = el("input", { type: "text", "aria-label": say("refuseWhy"), placeholder: say("refuseWhy"), maxlength: 500 });
    return [
      el("button", { type: "button", class: "primary approve", onclick: (event: Event) => (blur(event), decide(true, "")) }, say("approve")),
      why,
      el("button", { type: "button", class: "refuse", onclick: (event: Event) => (blur(event), why.value.trim() ? decide(false, why.value.trim()) : why.focus()) }, say("refuse")),
    ];
  }
}

/** A line in use is not drawn anew: what was pressed is no longer in use. */
function blur(event: Event): void {
  (event.currentTarget as HTMLElement).blur();
}
