import { css, lut } from "../colour.ts";
import { ink, inkText, svg, svgText, textWidth, uid } from "../dom.ts";
import { scale, ticks } from "../scale.ts";
import type { Env, PanelSpec, Range } from "../types.ts";
import { axes, type Axes, type AxesSpec } from "./axes.ts";
import { LAYERS, rows, type LayerSpec, type Update } from "./layers.ts";
import type { Kind, Stage } from "./panel.ts";

export type PlaneSpec = PanelSpec & AxesSpec & { layers: LayerSpec[] };

const KEYS: Record<string, "line" | "dash" | "dot" | "area"> = { line: "line", dots: "dot", band: "area", bins: "area", arrows: "line" };

/** Labels at the ends of their lines, kept apart. */
function endLabels(a: Axes, lines: LayerSpec[]): Update {
  const words = lines.map((s) => svgText(a.front, s.label, { x: a.right + 6, class: "kxe-end", fill: inkText(s.colour) }));
  return (env) => {
    const at = lines.map((s, i) => ({ i, y: lastHeight(s, a, env) })).sort((p, q) => p.y - q.y);
    let low = a.top + 4;
    for (const p of at) low = (p.y = Math.max(p.y, low)) + 15;
    let high = a.bottom + 2;
    for (const p of [...at].reverse()) high = (p.y = Math.min(p.y, high)) - 15;
    for (const p of at) words[p.i]!.setAttribute("y", (p.y + 4).toFixed(1));
  };
}

/** Where a line leaves the picture on the right. */
function lastHeight(s: LayerSpec, a: Axes, env: Env): number {
  const [x, y] = [rows(env.get(s["x"] as string))[0]!, rows(env.get(s["y"] as string))[0]!];
  for (let i = y.length - 1; i >= 0; i--) {
    const [px, py] = [a.x(x[i]!), a.y(y[i]!)];
    if (Number.isFinite(py) && px <= a.right + 1) return Math.max(a.top, Math.min(a.bottom, py));
  }
  return a.bottom;
}

/** The colour bar of a raster or a trail. */
function bar(s: SVGSVGElement, a: Axes, name: string, range: Range, unit: string): void {
  const map = lut(name, s);
  const id = uid();
  const gradient = svg("linearGradient", { id, x1: 0, x2: 0, y1: 1, y2: 0 }, svg("defs", {}, s));
  for (let k = 0; k <= 8; k++) svg("stop", { offset: k / 8, "stop-color": css(map, Math.round((255 * k) / 8)) }, gradient);
  const x = a.right + 16;
  const g = svg("g", { "aria-hidden": "true" }, s);
  svg("rect", { x, y: a.top, width: 10, height: a.bottom - a.top, rx: 2, fill: `url(#${id})` }, g);
  const y = scale(range, [a.bottom, a.top]);
  for (const t of ticks(range, Math.max(2, Math.round((a.bottom - a.top) / 60)))) svgText(g, t.text, { x: x + 15, y: y(t.at) + 4, class: "kxe-tick" });
  if (unit) svgText(g, unit, { x: x + 10, y: a.top - 6, class: "kxe-tick", "text-anchor": "end" });
}

function colourBar(layers: LayerSpec[]): LayerSpec | undefined {
  return layers.find((s) => s.kind === "trail" || (s.kind === "raster" && s["bar"]));
}

/** Marks whose labels would touch get a lane of their own. */
function lanes(marks: LayerSpec[], a: Axes, env: Env): void {
  const ends: number[] = [];
  for (const s of marks.sort((p, q) => env.num(p["at"] as string) - env.num(q["at"] as string))) {
    const px = a.x(env.num(s["at"] as string));
    const wide = textWidth(s.label) + 8;
    const from = px > a.left + 0.62 * (a.right - a.left) ? px - wide : px;
    let lane = 0;
    while (ends[lane] !== undefined && ends[lane]! > from) lane++;
    ends[lane] = from + wide;
    s["lane"] = lane;
  }
}

export const plane: Kind<PlaneSpec> = (spec, stage: Stage) => {
  const labelled = spec.layers.filter((s) => s.label && s.kind in KEYS);
  const direct = labelled.filter((s) => s.kind === "line" && stage.width >= 420 && textWidth(s.label) < 0.22 * stage.width);
  const all = direct.length === labelled.length ? direct : [];
  for (const s of labelled) if (all.length === 0) stage.legend(s.label, ink(s.colour), s["dashed"] ? "dash" : KEYS[s.kind]!);
  for (const s of spec.layers) (s["names"] as string[] | undefined)?.forEach((n, i) => stage.legend(n, ink(["one", "two", "three", "four", "five", "six"][i]!), "dot"));
  const coloured = colourBar(spec.layers);
  const spare = coloured ? 62 : all.length ? Math.max(...all.map((s) => textWidth(s.label))) + 12 : 0;
  const s = stage.svg();
  const a = axes(s, spec, stage.width, spec.height, spare);
  if (coloured) bar(s, a, coloured.kind === "trail" ? "line" : (coloured["map"] as string), coloured["range"] as Range, coloured["unit"] as string);
  const updates: Update[] = spec.layers.map((layer) => LAYERS[layer.kind]!(layer, a));
  if (all.length) updates.push(endLabels(a, all));
  const crowded = spec.layers.filter((l) => l.kind === "mark" && l["along"] === "x" && l.label);
  return (now) => {
    if (crowded.length > 1) lanes(crowded, a, now);
    updates.forEach((u) => u(now));
  };
};
