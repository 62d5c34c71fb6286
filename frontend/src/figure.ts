import { html, rich } from "./dom.ts";
import { plain } from "./format.ts";
import { kind } from "./panels/index.ts";
import { Stage, type Draw } from "./panels/panel.ts";
import type { Values } from "./state.ts";
import type { Spec } from "./types.ts";

const SPOKEN_AFTER = 450;

/** The drawn part of an explorer: title, panels, the sentence. It draws only on screen, and at most once in a frame. */
export class Figure {
  readonly root: HTMLElement;
  readonly values: Values;
  private readonly spec: Spec;
  private readonly stages: Stage[];
  private readonly row: HTMLElement;
  private readonly say: HTMLElement;
  private readonly live: HTMLElement;
  private draws: Draw[] = [];
  private visible = false;
  private dirty = true;
  private stale = true;
  private waiting = false;
  private started = 0;
  private timer = 0;
  private count = 0;
  private cleanups: (() => void)[] = [];

  constructor(spec: Spec, values: Values) {
    this.spec = spec;
    this.values = values;
    this.row = html("div", { class: "kxe-panels" });
    this.say = html("p", { class: "kxe-say" });
    this.live = html("p", { class: "kxe-hidden", "aria-live": "polite", role: "status" });
    this.root = html("div", { class: "kxe-figure" }, html("p", { class: "kxe-title" }, ...rich(spec.title)), this.row, this.say, this.live);
    const share = 1 / Math.min(spec.panels.length, 2);
    this.stages = spec.panels.map((p) => new Stage(this.row, p, share, spec.alt));
  }

  /** Begin to watch the screen, the width, the theme. */
  watch(): void {
    const onScreen = new IntersectionObserver(
      (entries) => {
        this.visible = entries.at(-1)!.isIntersecting;
        this.flush();
      },
      { rootMargin: "200px" },
    );
    onScreen.observe(this.root);
    let width = 0;
    const size = new ResizeObserver(() => {
      const now = this.row.clientWidth;
      if (now !== width) this.relayout();
      width = now;
    });
    size.observe(this.row);
    const theme = new MutationObserver(() => this.relayout());
    for (const e of [document.documentElement, document.body]) theme.observe(e, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const again = (): void => this.relayout();
    dark.addEventListener("change", again);
    this.cleanups = [() => onScreen.disconnect(), () => size.disconnect(), () => theme.disconnect(), () => dark.removeEventListener("change", again)];
  }

  /** Stop watching. */
  stop(): void {
    clearTimeout(this.timer);
    this.cleanups.forEach((f) => f());
  }

  /** Build the panels anew: another width, another theme. */
  relayout(): void {
    this.stale = true;
    this.invalidate();
  }

  /** The values have changed. The first change in a frame is drawn at once, further ones at its end. */
  invalidate(since = performance.now()): void {
    if (!this.dirty) this.started = since;
    this.dirty = true;
    if (this.waiting) return;
    this.flush();
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.flush();
    });
  }

  private flush(): void {
    if (!this.dirty || !this.visible || !this.root.isConnected) return;
    this.dirty = false;
    if (this.stale) this.layout();
    const begun = performance.now();
    for (const draw of this.draws) draw(this.values);
    this.speak();
    performance.measure("kexue-draw", { start: begun, end: performance.now() });
    if (this.started > 0) {
      if (++this.count % 500 === 0) for (const name of ["kexue-draw", "kexue-redraw"]) performance.clearMeasures(name);
      performance.measure("kexue-redraw", { start: this.started, end: performance.now() });
    }
    this.root.dataset["drawn"] = String(this.count);
  }

  private layout(): void {
    this.stale = false;
    this.stages.forEach((s) => s.clear());
    this.draws = this.stages.map((s) => kind(s.spec)(s.spec, s, this.values));
  }

  /** The sentence: written at once, spoken when the reader pauses. */
  private speak(): void {
    const sentence = this.values.fill(this.spec.say);
    this.say.replaceChildren(html("span", {}, ...rich(sentence)));
    for (const s of this.stages) if (s.desc) s.desc.textContent = plain(sentence);
    clearTimeout(this.timer);
    if (this.started > 0) this.timer = window.setTimeout(() => (this.live.textContent = plain(sentence)), SPOKEN_AFTER);
  }

  /** An error of the reader's function; the last picture stays. */
  complain(message: string): void {
    this.root.querySelector(".kxe-error")?.remove();
    if (message) this.row.after(html("p", { class: "kxe-error", role: "alert" }, message));
  }
}
