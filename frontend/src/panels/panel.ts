import { html, rich, set, svg, uid } from "../dom.ts";
import type { Env, PanelSpec } from "../types.ts";

/** A panel that has been laid out at a width. */
export type Draw = (env: Env) => void;

/** What a kind of panel is: given its place and its width, it builds what stands still and returns what draws a state. */
export type Kind<S extends PanelSpec> = (spec: S, stage: Stage, env: Env) => Draw;

/** The place of a panel: its head (title and legend), and the box in which it draws. */
export class Stage {
  readonly root: HTMLElement;
  readonly box: HTMLElement;
  private readonly head: HTMLElement;
  private readonly legendBox: HTMLElement;
  readonly spec: PanelSpec;
  readonly fallbackAlt: string;
  width = 0;
  /** the description of the picture: the state in words */
  desc: SVGDescElement | null = null;

  constructor(parent: HTMLElement, spec: PanelSpec, share: number, fallbackAlt: string) {
    this.spec = spec;
    this.fallbackAlt = fallbackAlt;
    this.root = html("div", { class: `kxe-panel kxe-panel-${spec.kind}`, style: `--kxe-share:${spec.width ?? share}` });
    this.head = html("div", { class: "kxe-panel-head" }, html("span", { class: "kxe-panel-title" }, ...rich(spec.title)));
    this.legendBox = html("span", { class: "kxe-legend" });
    this.head.append(this.legendBox);
    this.box = html("div", { class: "kxe-box" });
    if (spec.kind !== "text" && spec.kind !== "strip") this.box.style.minHeight = `${spec.height}px`;
    if (spec.title) this.root.append(this.head);
    this.root.append(this.box);
    parent.append(this.root);
  }

  /** Empty it, before it is laid out anew. */
  clear(): void {
    this.box.replaceChildren();
    this.legendBox.replaceChildren();
    this.width = Math.max(160, Math.floor(this.box.clientWidth || this.root.clientWidth));
  }

  /** An SVG of the full size with a name and a description. */
  svg(height = this.spec.height): SVGSVGElement {
    const [title, desc] = [uid(), uid()];
    const s = svg("svg", { width: this.width, height, viewBox: `0 0 ${this.width} ${height}`, role: "img", class: "kxe-svg" }, this.box);
    set(s, { "aria-labelledby": title, "aria-describedby": desc });
    svg("title", { id: title }, s).textContent = this.label;
    this.desc = svg("desc", { id: desc }, s);
    return s;
  }

  /** What the picture shows, for those who do not see it. */
  get label(): string {
    return [this.spec.title.replace(/[*{}]|_(?=\{)|\^(?=\{)/g, ""), this.spec.alt || this.fallbackAlt].filter(Boolean).join(": ");
  }

  /** One entry of the legend. */
  legend(label: string, colour: string, shape: "line" | "dash" | "dot" | "area" | "tick" = "line"): void {
    if (!this.head.isConnected) this.root.prepend(this.head);
    const key = html("span", { class: `kxe-key kxe-key-${shape}`, style: `--kxe-key:${colour}`, "aria-hidden": "true" });
    this.legendBox.append(html("span", { class: "kxe-entry" }, key, html("span", {}, ...rich(label))));
  }
}
