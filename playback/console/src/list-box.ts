/** A dialog with a list that is asked for anew while it is open. */
import { Problem } from "./api.ts";
import { el } from "./dom.ts";
import { say, type Word } from "./text.ts";

const AGAIN_MS = 2000;

export abstract class ListBox<T> {
  readonly element: HTMLDialogElement;
  private readonly list = el("ul", { class: "lines" });
  private readonly wrong = el("p", { class: "wrong", hidden: true });
  private timer = 0;

  constructor(
    id: string,
    private readonly title: Word,
    private readonly none: Word,
  ) {
    this.element = el("dialog", { class: "box wide", id });
    this.element.addEventListener("close", () => window.clearTimeout(this.timer));
  }

  /** What the list has now. */
  protected abstract load(): Promise<readonly T[]>;

  /** One line of it. */
  protected abstract line(item: T): HTMLElement;

  /** What stands above the list. */
  protected head(): HTMLElement[] {
    return [];
  }

  open(): void {
    if (this.element.open) return;
    const close = el("button", { type: "button", onclick: () => this.element.close() }, say("close"));
    this.element.replaceChildren(el("h2", {}, say(this.title)), ...this.head(), this.wrong, this.list, el("div", { class: "buttons" }, close));
    this.element.showModal();
    void this.round();
  }

  /** Does something of the list, and shows what came of it. */
  protected async act(work: () => Promise<unknown>): Promise<void> {
    this.wrong.hidden = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.wrong.textContent = [error.message, error.detail].filter(Boolean).join(": ");
      this.wrong.hidden = false;
    }
    await this.show();
  }

  private async round(): Promise<void> {
    await this.show();
    if (this.element.open) this.timer = window.setTimeout(() => void this.round(), AGAIN_MS);
  }

  private async show(): Promise<void> {
    const items = await this.load().catch(() => null);
    if (!items || this.list.contains(document.activeElement)) return; // somebody is about to press something here
    this.list.replaceChildren(...(items.length ? items.map((item) => this.line(item)) : [el("li", { class: "dim" }, say(this.none))]));
  }
}
