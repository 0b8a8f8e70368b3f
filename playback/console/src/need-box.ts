/** Asks for what sensitive footage needs: a reason, or a second person's consent. */
import { Problem, type Api } from "./api.ts";
import { el } from "./dom.ts";
import { say } from "./text.ts";

/** Footage that was refused for want of a reason or of consent. */
export interface Needed {
  readonly camera: string;
  readonly from: number;
  readonly to: number;
  readonly action: "view" | "export";
  /** What the service said of it. */
  readonly problem: Problem;
}

/** Whether a problem is one this box can help with. */
export function helps(problem: Problem | null): problem is Problem {
  return problem?.kind === "needs-reason" || problem?.kind === "needs-consent";
}

export class NeedBox {
  readonly element = el("dialog", { class: "box", id: "need-box" });

  constructor(
    private readonly api: Api,
    private readonly told: (text: string) => void,
  ) {}

  /** Opens it; `again` is called when what was refused may be tried again. */
  ask(needed: Needed, again: () => void): void {
    if (this.element.open) return;
    const consent = needed.problem.kind === "needs-consent";
    const text = el("textarea", { id: "reason", required: true, maxlength: 500, rows: 3, "aria-label": say("reason"), placeholder: say("reason") });
    text.value = this.api.reason;
    const wrong = el("p", { class: "wrong", hidden: true });
    const form = el(
      "form",
      {},
      text,
      wrong,
      el(
        "div",
        { class: "buttons" },
        el("button", { type: "button", onclick: () => this.element.close() }, say("cancel")),
        el("button", { type: "submit", class: "primary", id: "give-reason" }, say(consent ? "askConsent" : "go")),
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const reason = text.value.trim();
      if (!reason) return;
      this.api.useReason(reason);
      if (!consent) return this.finish(again);
      this.api.askConsent(needed.camera, needed.from, needed.to, reason, needed.action).then(
        () => this.finish(() => this.told(say("consentAsked"))),
        (error: unknown) => {
          if (!(error instanceof Problem)) throw error;
          wrong.textContent = [error.message, error.detail].filter(Boolean).join(": ");
          wrong.hidden = false;
        },
      );
    });
    this.element.replaceChildren(
      el("h2", {}, say(consent ? "consentTitle" : "reasonTitle")),
      el("p", { class: "dim" }, consent ? say("consentHint") : needed.problem.detail),
      form,
    );
    this.element.showModal();
    text.focus();
  }

  private finish(then: () => void): void {
    this.element.close();
    then();
  }
}
