/** Taking footage along: as it was recorded at once, or made anew by a job. */
import { Problem, type Api, type Export } from "./api.ts";
import { el } from "./dom.ts";
import { ListBox } from "./list-box.ts";
import { helps, type Needed } from "./need-box.ts";
import { say, type Word } from "./text.ts";
import { MINUTE, SECOND } from "./time.ts";

export interface ExportSources {
  readonly api: Api;
  readonly camera: () => string | null;
  /** The moment on the screen, in ms. */
  readonly moment: () => number;
  /** What to do where a reason or consent is lacking. */
  readonly need: (needed: Needed, again: () => void) => void;
}

export class ExportBox extends ListBox<Export> {
  private readonly from = el("input", { type: "datetime-local", id: "export-from", step: 1 });
  private readonly to = el("input", { type: "datetime-local", id: "export-to", step: 1 });
  private readonly h264 = el("input", { type: "checkbox", id: "export-h264" });
  private readonly mark = el("input", { type: "checkbox", id: "export-mark" });
  private readonly archive = el("input", { type: "checkbox", id: "export-archive" });

  constructor(private readonly sources: ExportSources) {
    super("export-box", "exports", "noExports");
  }

  /** Opens it with what makes a film that every browser plays. */
  openAsH264(): void {
    this.h264.checked = true;
    this.open();
  }

  protected load(): Promise<readonly Export[]> {
    return this.sources.api.exports();
  }

  protected override head(): HTMLElement[] {
    const camera = this.sources.camera();
    if (camera === null) return [];
    const moment = this.sources.moment();
    [this.from.value, this.to.value] = [local(moment - 30 * SECOND), local(moment + MINUTE / 2)];
    const check = (box: HTMLElement, word: Word): HTMLElement => el("label", {}, box, say(word));
    return [
      el("div", { class: "span" }, el("label", {}, say("exportFrom"), this.from), el("label", {}, say("exportTo"), this.to)),
      el("button", { type: "button", class: "primary", id: "export-as-is", onclick: () => void this.download(camera) }, say("exportAsIs")),
      el("div", { class: "checks" }, check(this.h264, "exportH264"), check(this.mark, "exportMark"), check(this.archive, "exportArchive")),
      el("button", { type: "button", id: "export-make", onclick: () => void this.make(camera) }, say("exportMake")),
    ];
  }

  protected line(job: Export): HTMLElement {
    const what = job.items.map((item) => `${item.camera} ${item.from} – ${item.to}`).join(", ");
    const size = job.size === null ? "" : `${(job.size / 1e6).toFixed(1)} MB`;
    const state = say(`export.${job.state}` as Word, { percent: Math.floor(job.progress * 100), said: job.said, size });
    const fetch = el("button", { type: "button", class: "primary", onclick: () => void this.act(() => this.fetch(job)) }, say("download"));
    const remove = el("button", { type: "button", onclick: () => void this.act(() => this.sources.api.removeExport(job.id)) }, say(job.state === "done" ? "remove" : "cancel"));
    const live = job.state === "queued" || job.state === "running";
    return el("li", { "data-export": job.id, "data-state": job.state }, el("span", {}, what), el("small", { class: "dim" }, state), ...(job.state === "done" ? [fetch, remove] : live ? [remove] : []));
  }

  private get span(): readonly [number, number] {
    return [new Date(this.from.value).getTime(), new Date(this.to.value).getTime()];
  }

  private async download(camera: string): Promise<void> {
    await this.act(() => this.withNeeds(camera, async (from, to) => save(await this.sources.api.filmAddress(camera, from, to))));
  }

  private async make(camera: string): Promise<void> {
    const how = { h264: this.h264.checked, watermark: this.mark.checked, archive: this.archive.checked };
    await this.act(() => this.withNeeds(camera, (from, to) => this.sources.api.makeExport(camera, from, to, how)));
  }

  /** Does it; where a reason or consent is lacking, that is asked for, and it is done again. */
  private async withNeeds(camera: string, work: (from: number, to: number) => Promise<void>): Promise<void> {
    const [from, to] = this.span;
    try {
      await work(from, to);
    } catch (error) {
      if (!(error instanceof Problem) || !helps(error)) throw error;
      this.sources.need({ camera, from, to, action: "export", problem: error }, () => void this.act(() => work(from, to)));
    }
  }

  private async fetch(job: Export): Promise<void> {
    const { api } = this.sources;
    if (!api.hasToken) return save(api.exportAddress(job.id));
    const url = URL.createObjectURL(await api.exportFile(job.id));
    save(url, `${job.id}.${job.form}`);
    setTimeout(() => URL.revokeObjectURL(url), MINUTE);
  }
}

function save(address: string, name = ""): void {
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

/** A moment as such an input has it: local time, to the second. */
function local(at: number): string {
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * MINUTE).toISOString().slice(0, 19);
}
