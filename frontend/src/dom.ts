import { plain, runs } from "./format.ts";

const NS = "http://www.w3.org/2000/svg";
type Attributes = Record<string, string | number | boolean>;

let count = 0;
/** An id that is free in this page. */
export const uid = (): string => `kxe-${++count}`;

/** An SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Attributes = {}, parent?: Element): SVGElementTagNameMap[K] {
  const e = document.createElementNS(NS, tag);
  set(e, attributes);
  parent?.append(e);
  return e;
}

/** An HTML element. */
export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  set(e, attributes);
  e.append(...children);
  return e;
}

/** Attributes; `false` leaves one out. */
export function set(e: Element, attributes: Attributes): void {
  for (const [k, v] of Object.entries(attributes)) if (v !== false) e.setAttribute(k, v === true ? "" : String(v));
}

/** Rich text as HTML nodes. */
export function rich(text: string): Node[] {
  return runs(text).map((r) => (r.style === "" ? document.createTextNode(r.text) : html(r.style === "i" ? "i" : r.style, {}, r.text)));
}

/** Rich text in an SVG text element. */
export function svgText(parent: Element, text: string, attributes: Attributes): SVGTextElement {
  const e = svg("text", attributes, parent);
  let shift = 0;
  for (const r of runs(text)) {
    const down = r.style === "sub" ? 3 : r.style === "sup" ? -5 : 0;
    const span = svg("tspan", { dy: down - shift }, e);
    if (r.style === "i") span.setAttribute("font-style", "italic");
    if (down) span.setAttribute("font-size", "0.78em");
    span.textContent = r.text;
    shift = down;
  }
  return e;
}

let pen: CanvasRenderingContext2D | null = null;
const widths = new Map<string, number>();

/** About the width of a text in pixels at 12 px. */
export function textWidth(text: string): number {
  let w = widths.get(text);
  if (w === undefined) widths.set(text, (w = measure(text)));
  return w;
}

function measure(text: string): number {
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return 6.5 * text.length;
  pen.font = "12px system-ui, sans-serif";
  return pen.measureText(plain(text)).width * 1.04;
}

/** The same colour for text: nearer to that of the text around, so that small letters keep their contrast. */
export const inkText = (role: string): string => `color-mix(in srgb, ${ink(role)} 70%, var(--kxe-ink-text))`;

/** The CSS colour of a role of the palette. */
export const ink = (role: string): string => (role === "muted" || role === "text" ? `var(--kxe-ink-${role})` : `var(--kx-${role})`);
