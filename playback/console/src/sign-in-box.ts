/** Asks who one is where the service wants to know: name and password, the organisation's own sign-in, or a token. */
import { Problem, type Api } from "./api.ts";
import { el } from "./dom.ts";
import { say } from "./text.ts";

export class SignInBox {
  readonly element = el("dialog", { class: "box sign-in", id: "sign-in-box" });
  private readonly said = el("p", { class: "dim", id: "sign-in-said" });

  /** `done` is called once the service knows who asks. */
  constructor(
    private readonly api: () => Api,
    private readonly done: () => void,
  ) {
    this.element.addEventListener("cancel", (event) => event.preventDefault()); // nobody sees nothing
  }

  /** Opens it, or leaves it open; `refused` says that a token was tried and not accepted. */
  async ask(refused: boolean): Promise<void> {
    if (this.element.open) return;
    this.element.replaceChildren();
    this.element.showModal();
    const ways = await this.api().ways().catch(() => ({ password: false, provider: false }));
    const parts = [...(ways.password ? [this.passwordForm()] : []), ...(ways.provider ? [this.providerLink()] : [])];
    const token = this.tokenForm();
    this.say(say(refused ? "tokenWrong" : ways.password ? "signInHint" : "tokenHint"), refused);
    const tokens = parts.length ? el("details", { open: refused }, el("summary", {}, say("useToken")), token) : token;
    this.element.replaceChildren(el("h2", {}, say(parts.length ? "signInTitle" : "tokenTitle")), this.said, ...parts, tokens);
    this.element.querySelector("input")?.focus();
  }

  private passwordForm(): HTMLElement {
    const name = el("input", { id: "name", autocomplete: "username", required: true, "aria-label": say("name"), placeholder: say("name") });
    const password = el("input", {
      type: "password", id: "password", autocomplete: "current-password", required: true, "aria-label": say("password"), placeholder: say("password"),
    });
    const form = el("form", {}, name, password, el("button", { type: "submit", class: "primary", id: "sign-in" }, say("signIn")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.try(() => this.api().signIn(name.value.trim(), password.value));
    });
    return form;
  }

  private providerLink(): HTMLElement {
    return el("a", { class: "primary button", id: "provider", href: this.api().providerAddress }, say("signInProvider"));
  }

  private tokenForm(): HTMLElement {
    const input = el("input", { type: "password", id: "token", autocomplete: "off", required: true, "aria-label": say("token"), placeholder: say("token") });
    const form = el("form", {}, input, el("button", { type: "submit", class: "primary" }, say("open")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.api().useToken(input.value.trim());
      this.finish();
    });
    return form;
  }

  private async try(signIn: () => Promise<void>): Promise<void> {
    try {
      await signIn();
      this.finish();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.say(say(error.status === 429 ? "tooOften" : error.status === 0 ? "unreachable" : "signInWrong"), true);
    }
  }

  private finish(): void {
    this.element.close();
    this.done();
  }

  private say(text: string, wrong: boolean): void {
    this.said.textContent = text;
    this.said.className = wrong ? "wrong" : "dim";
  }
}
