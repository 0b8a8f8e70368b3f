/** Draws the timeline on a canvas: ruler, footage and gaps, the overview of the day, now and the playing cursor. */
import { causeColour, isPlain } from "./causes.ts";
import { bars, ticks } from "./layout.ts";
import type { Span } from "./spans.ts";
import type { Zone } from "./time.ts";
import { toX, type View } from "./view.ts";

/** Heights from top to bottom in CSS pixels. */
export const RULER_PX = 24;
export const LANE_PX = 44;
export const SPACE_PX = 10;
export const OVERVIEW_PX = 12;
export const HEIGHT_PX = RULER_PX + LANE_PX + SPACE_PX + OVERVIEW_PX + 2;

export interface Scene {
  readonly spans: readonly Span[];
  readonly daySpans: readonly Span[];
  readonly day: View;
  readonly view: View;
  readonly zone: Zone;
  readonly now: number;
  /** The playing moment. */
  readonly cursor: number | null;
  /** Where the pointer is, in CSS pixels from the left. */
  readonly hoverX: number | null;
}

export class Painter {
  private readonly context: CanvasRenderingContext2D;
  private readonly colours = new Map<string, string>();
  private readonly hatches = new Map<string, CanvasPattern>();

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d")!;
  }

  paint(scene: Scene): void {
    const { canvas, context } = this;
    const width = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(HEIGHT_PX * scale)) canvas.height = Math.round(HEIGHT_PX * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT_PX);
    this.ruler(scene, width);
    this.lane(scene.spans, scene.view, { y: RULER_PX, height: LANE_PX, width });
    this.overview(scene, width);
    this.marks(scene, width);
  }

  /** A colour of the stylesheet, asked for once. */
  private colour(name: string): string {
    const known = this.colours.get(name) ?? getComputedStyle(this.canvas).getPropertyValue(name).trim();
    this.colours.set(name, known);
    return known;
  }

  private ruler(scene: Scene, width: number): void {
    const { context } = this;
    context.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
    context.textAlign = "center";
    for (const tick of ticks(scene.view, width, scene.zone)) {
      context.fillStyle = this.colour(tick.label ? "--tick-strong" : "--tick");
      context.fillRect(Math.round(tick.x), tick.label ? RULER_PX - 7 : RULER_PX - 4, 1, tick.label ? 7 : 4);
      if (!tick.label) continue;
      const half = context.measureText(tick.label).width / 2;
      context.fillStyle = this.colour("--dim");
      context.fillText(tick.label, Math.min(Math.max(tick.x, half), width - half), RULER_PX - 11);
    }
  }

  private lane(spans: readonly Span[], view: View, { y, height, width }: { y: number; height: number; width: number }): void {
    const { context } = this;
    context.fillStyle = this.colour("--lane");
    context.fillRect(0, y, width, height);
    for (const bar of bars(spans, view, width)) {
      if (bar.span.kind === "footage") {
        context.fillStyle = this.colour("--footage");
        context.fillRect(bar.x, y, bar.width, height);
      } else if (!isPlain(bar.span.cause)) {
        context.fillStyle = this.colour("--lane");
        context.fillRect(bar.x, y, bar.width, height);
        context.fillStyle = bar.width < 6 ? this.colour(causeColour(bar.span.cause)) : this.hatch(causeColour(bar.span.cause));
        context.fillRect(bar.x, y, bar.width, height);
      }
    }
  }

  private overview(scene: Scene, width: number): void {
    const { context } = this;
    const y = RULER_PX + LANE_PX + SPACE_PX;
    this.lane(scene.daySpans, scene.day, { y, height: OVERVIEW_PX, width });
    const left = toX(scene.day, scene.view.from, width);
    const right = toX(scene.day, scene.view.to, width);
    context.fillStyle = this.colour("--veil");
    context.fillRect(0, y, left, OVERVIEW_PX);
    context.fillRect(right, y, width - right, OVERVIEW_PX);
    context.strokeStyle = this.colour("--text");
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, y - 0.5, Math.max(right - left - 1, 3), OVERVIEW_PX + 1);
  }

  private marks(scene: Scene, width: number): void {
    this.line(toX(scene.view, scene.now, width), width, "--live", LANE_PX);
    if (scene.hoverX !== null) this.line(scene.hoverX, width, "--hover", LANE_PX);
    if (scene.cursor === null) return;
    const x = toX(scene.view, scene.cursor, width);
    this.line(x, width, "--cursor", LANE_PX, 2);
    this.head(x, width);
    const { context } = this;
    context.fillStyle = this.colour("--cursor");
    context.fillRect(toX(scene.day, scene.cursor, width) - 1, RULER_PX + LANE_PX + SPACE_PX - 2, 2, OVERVIEW_PX + 4);
  }

  private line(x: number, width: number, colour: string, height: number, thick = 1): void {
    if (x < 0 || x > width) return;
    this.context.fillStyle = this.colour(colour);
    this.context.fillRect(Math.round(x) - (thick - 1), RULER_PX - 2, thick, height + 4);
  }

  private head(x: number, width: number): void {
    if (x < 0 || x > width) return;
    const { context } = this;
    context.beginPath();
    context.moveTo(x - 6, RULER_PX - 8);
    context.lineTo(x + 6, RULER_PX - 8);
    context.lineTo(x, RULER_PX + 1);
    context.fill();
  }

  /** Slanting stripes of a colour, made once. */
  private hatch(colour: string): CanvasPattern {
    const made = this.hatches.get(colour);
    if (made) return made;
    const tile = new OffscreenCanvas(8, 8);
    const context = tile.getContext("2d")!;
    context.fillStyle = this.colour(colour);
    context.globalAlpha = 0.16;
    context.fillRect(0, 0, 8, 8);
    context.globalAlpha = 0.6;
    context.lineWidth = 1.5;
    context.strokeStyle = this.colour(colour);
    context.beginPath();
    for (const x of [-8, 0, 8]) {
      context.moveTo(x - 1, 9);
      context.lineTo(x + 9, -1);
    }
    context.stroke();
    const pattern = this.context.createPattern(tile, "repeat")!;
    this.hatches.set(colour, pattern);
    return pattern;
  }
}
