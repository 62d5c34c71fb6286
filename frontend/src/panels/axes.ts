import { svg, svgText, textWidth, uid } from "../dom.ts";
import { logTicks, scale, ticks, type Scale, type Tick } from "../scale.ts";
import type { Range } from "../types.ts";

export interface AxesSpec {
  x: Range;
  y: Range;
  xlog: boolean;
  ylog: boolean;
  equal: boolean;
  axes: boolean;
  xlabel: string;
  ylabel: string;
  xticks: [number, string][];
  yticks: [number, string][];
}

export interface Axes {
  x: Scale;
  y: Scale;
  left: number;
  right: number;
  top: number;
  bottom: number;
  xRange: Range;
  yRange: Range;
  /** under the data: the grid */
  back: SVGGElement;
  /** clipped to the box */
  data: SVGGElement;
  /** over the data, not clipped */
  front: SVGGElement;
}

const given = (list: [number, string][], range: Range): Tick[] =>
  list.filter(([at]) => at >= range[0] && at <= range[1]).map(([at, text]) => ({ at, text }));

/** Widen one range so that both axes have one scale. */
export function equalise(x: Range, y: Range, width: number, height: number): [Range, Range] {
  const unit = Math.min(width / (x[1] - x[0]), height / (y[1] - y[0]));
  const grow = (r: Range, size: number): Range => {
    const extra = (size / unit - (r[1] - r[0])) / 2;
    return [r[0] - extra, r[1] + extra];
  };
  return [grow(x, width), grow(y, height)];
}

/** A pair of axes with a quiet grid; `spare` pixels stay free on the right. */
export function axes(s: SVGSVGElement, spec: AxesSpec, width: number, height: number, spare: number): Axes {
  const top = spec.ylabel && spec.axes ? 24 : 10;
  const bottom = height - (spec.axes ? (spec.xlabel ? 42 : 24) : 6);
  let [xRange, yRange] = [spec.x, spec.y];
  const rows = Math.max(2, Math.round((bottom - top) / 48));
  const yTicks = (): Tick[] => (spec.yticks.length ? given(spec.yticks, yRange) : spec.ylog ? logTicks(yRange, rows) : ticks(yRange, rows));
  const room = (): number => (spec.axes ? Math.ceil(Math.max(12, ...yTicks().map((t) => textWidth(t.text)))) + 9 : 6);
  let left = room();
  const right = width - Math.max(spare, 10);
  if (spec.equal) {
    [xRange, yRange] = equalise(spec.x, spec.y, right - left, bottom - top);
    left = room();
    [xRange, yRange] = equalise(spec.x, spec.y, right - left, bottom - top);
  }
  const columns = Math.max(2, Math.round((right - left) / 80));
  const xTicks = spec.xticks.length ? given(spec.xticks, xRange) : spec.xlog ? logTicks(xRange, columns) : ticks(xRange, columns);
  const x = scale(xRange, [left, right], spec.xlog);
  const y = scale(yRange, [bottom, top], spec.ylog);
  const clip = uid();
  svg("rect", { x: left - 1, y: top - 1, width: right - left + 2, height: bottom - top + 2 }, svg("clipPath", { id: clip }, svg("defs", {}, s)));
  const back = svg("g", { class: "kxe-back", "aria-hidden": "true" }, s);
  const data = svg("g", { "clip-path": `url(#${clip})`, "aria-hidden": "true" }, s);
  const front = svg("g", { class: "kxe-front", "aria-hidden": "true" }, s);
  const at = { x, y, left, right, top, bottom, xRange, yRange, back, data, front };
  if (spec.axes) furnish(at, spec, xTicks, yTicks());
  return at;
}

function furnish(a: Axes, spec: AxesSpec, xTicks: Tick[], yTicks: Tick[]): void {
  let end = -Infinity;
  for (const t of xTicks) {
    const px = a.x(t.at);
    svg("line", { x1: px, x2: px, y1: a.top, y2: a.bottom, class: "kxe-grid" }, a.back);
    const half = textWidth(t.text) / 2;
    if (px - half < end + 6) continue;
    end = px + half;
    const over = Math.max(0, end - (a.right + 10));
    svgText(a.back, t.text, { x: px - over, y: a.bottom + 17, class: "kxe-tick", "text-anchor": "middle" });
  }
  for (const t of yTicks) {
    svg("line", { x1: a.left, x2: a.right, y1: a.y(t.at), y2: a.y(t.at), class: "kxe-grid" }, a.back);
    svgText(a.back, t.text, { x: a.left - 7, y: a.y(t.at) + 4, class: "kxe-tick", "text-anchor": "end" });
  }
  const zero = !spec.ylog && a.yRange[0] < 0 && a.yRange[1] > 0 ? a.y(0) : a.bottom;
  svg("line", { x1: a.left, x2: a.right, y1: zero, y2: zero, class: "kxe-axis" }, a.back);
  if (spec.xlabel) svgText(a.back, spec.xlabel, { x: (a.left + a.right) / 2, y: a.bottom + 36, class: "kxe-label", "text-anchor": "middle" });
  if (spec.ylabel) svgText(a.back, spec.ylabel, { x: 2, y: 12, class: "kxe-label" });
}
