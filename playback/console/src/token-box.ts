/** Asks for the service's bearer token where it wants one. */
import { el } from "./dom.ts";
import { say } from "./text.ts";

export class TokenBox {
  readonly element = el("dialog", { class: "token", id: "token-box" });

  constructor(private readonly given: (token: string) => void) {
    this.element.addEventListener("cancel", (event) => event.preventDefault()); // without a token there is nothing to see
  }

  /** Opens it, or leaves it open; `refused` says that a token was tried and not accepted. */
  ask(refused: boolean): void {
    if (this.element.open) return;
    const input = el("input", { type: "password", id: "token", autocomplete: "off", required: true, "aria-label": say("token") });
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", {}, say("tokenTitle")),
      el("p", { class: refused ? "wrong" : "dim" }, say(refused ? "tokenWrong" : "tokenHint")),
      input,
      el("button", { type: "submit", class: "primary" }, say("open")),
    );
    form.addEventListener("submit", () => this.given(input.value.trim()));
    this.element.replaceChildren(form);
    this.element.showModal();
  }
}
