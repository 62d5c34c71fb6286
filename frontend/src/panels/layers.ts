import { css, lut, shade } from "../colour.ts";
import { html, ink, inkText, svg, svgText } from "../dom.ts";
import type { Env, Nd, Range } from "../types.ts";
import type { Axes } from "./axes.ts";
import { levelLine } from "./contours.ts";

/** A layer of a plane as Python wrote it; each kind has slots and looks of its own. */
export interface LayerSpec {
  kind: string;
  colour: string;
  label: string;
  opacity: number;
  [more: string]: unknown;
}

export type Update = (env: Env) => void;
export type Layer = (spec: LayerSpec, a: Axes) => Update;

const text = (s: LayerSpec, key: string): string => s[key] as string;
const ROLES = ["one", "two", "three", "four", "five", "six"];
const r1 = (v: number): string => v.toFixed(1);

/** Rows of an array of rank 1 or 2. */
export function rows(a: Nd): Float64Array[] {
  const n = a.shape.at(-1) ?? 1;
  return Array.from({ length: Math.max(1, a.data.length / n) }, (_, i) => a.data.subarray(i * n, (i + 1) * n));
}

/** The `d` of a polyline, broken at what is not a number. */
export function polyline(x: ArrayLike<number>, y: ArrayLike<number>, a: Pick<Axes, "x" | "y">): string {
  let d = "";
  let pen = false;
  for (let i = 0; i < y.length; i++) {
    const [px, py] = [a.x(x[i]!), a.y(y[i]!)];
    const ok = Number.isFinite(px) && Number.isFinite(py);
    if (ok) d += `${pen ? "L" : "M"}${r1(px)},${r1(Math.max(-1e4, Math.min(1e4, py)))}`;
    pen = ok;
  }
  return d;
}

const line: Layer = (s, a) => {
  const level = s["fill"] as number | null;
  const area = level === null ? null : svg("path", { fill: ink(s.colour), "fill-opacity": 0.14 * s.opacity, stroke: "none" }, a.data);
  const path = svg("path", { class: "kxe-line", stroke: ink(s.colour), "stroke-width": s["width"] as number, "stroke-opacity": s.opacity }, a.data);
  if (s["dashed"]) path.setAttribute("stroke-dasharray", "6 4");
  return (env) => {
    const [xs, ys] = [rows(env.get(text(s, "x"))), rows(env.get(text(s, "y")))];
    const pieces = ys.map((y, i) => polyline(xs[i] ?? xs[0]!, y, a));
    path.setAttribute("d", pieces.join(""));
    if (area) area.setAttribute("d", ys.map((y, i) => closed(xs[i] ?? xs[0]!, y, level!, a)).join(""));
  };
};

/** The area between a line and a level; gaps split it. */
function closed(x: Float64Array, y: Float64Array, level: number, a: Axes): string {
  let d = "";
  let from = -1;
  for (let i = 0; i <= y.length; i++) {
    const ok = i < y.length && Number.isFinite(y[i]!);
    if (ok && from < 0) from = i;
    if (!ok && from >= 0) {
      const base = r1(a.y(level));
      d += `M${r1(a.x(x[from]!))},${base}${polyline(x.subarray(from, i), y.subarray(from, i), a).replace("M", "L")}L${r1(a.x(x[i - 1]!))},${base}Z`;
      from = -1;
    }
  }
  return d;
}

const band: Layer = (s, a) => {
  const path = svg("path", { fill: ink(s.colour), "fill-opacity": 0.2 * s.opacity, stroke: "none" }, a.data);
  return (env) => {
    const [x, low, high] = ["x", "low", "high"].map((k) => env.get(text(s, k)).data) as [Float64Array, Float64Array, Float64Array];
    const up = polyline(x, high, a);
    const down = polyline([...x].reverse(), [...low].reverse(), a);
    path.setAttribute("d", up && down ? `${up}${down.replace("M", "L")}Z` : "");
  };
};

/** Dots of one colour as one path of round caps: light, sharp, and it prints. */
function dotPaths(s: LayerSpec, a: Axes, n: number): SVGPathElement[] {
  return Array.from({ length: n }, (_, k) => {
    const colour = ink(n > 1 ? ROLES[k]! : s.colour);
    return svg("path", { class: "kxe-dots", stroke: colour, "stroke-width": s["size"] as number, "stroke-opacity": s.opacity }, a.data);
  });
}

const dots: Layer = (s, a) => {
  const classed = s["classes"] !== null;
  const rims = s["ring"] ? dotPaths(s, a, classed ? 6 : 1) : [];
  const paths = dotPaths(s, a, classed ? 6 : 1);
  if (s["ring"]) paths.forEach((p) => p.setAttribute("style", `stroke:var(--kxe-paper);stroke-width:${(s["size"] as number) - 3}px;stroke-opacity:1`));
  return (env) => {
    const xy = s["xy"] ? env.get(text(s, "xy")).data : null;
    const [x, y] = xy ? [xy, xy] : [env.get(text(s, "x")).data, env.get(text(s, "y")).data];
    const [step, shift] = xy ? [2, 1] : [1, 0];
    const classes = classed ? env.get(text(s, "classes")).data : null;
    const d = paths.map(() => "");
    for (let i = 0; i * step < y.length; i++) {
      const [px, py] = [a.x(x[i * step]!), a.y(y[i * step + shift]!)];
      if (Number.isFinite(px) && Number.isFinite(py)) d[classes ? (classes[i]! | 0) % 6 : 0] += `M${r1(px)},${r1(py)}h0`;
    }
    paths.forEach((p, k) => p.setAttribute("d", d[k]!));
    rims.forEach((p, k) => p.setAttribute("d", d[k]!));
  };
};

const BINS = 24;

const trail: Layer = (s, a) => {
  const [low, high] = s["range"] as Range;
  const [thin, thick] = s["widths"] as Range;
  const map = lut("line", a.data);
  const casing = svg("path", { class: "kxe-line kxe-casing", "stroke-width": thick + 3 }, a.data);
  const paths = Array.from({ length: BINS }, (_, k) => {
    const t = k / (BINS - 1);
    return svg("path", { class: "kxe-line", stroke: css(map, Math.round(255 * t)), "stroke-width": thin + t * (thick - thin) }, a.data);
  });
  return (env) => {
    const [x, y, v] = ["x", "y", "value"].map((k) => env.get(text(s, k)).data) as [Float64Array, Float64Array, Float64Array];
    const d = paths.map(() => "");
    for (let i = 0; i + 1 < x.length; i++) {
      const k = Math.round((shade((v[i]! + v[i + 1]!) / 2, low, high) / 255) * (BINS - 1));
      const p = [a.x(x[i]!), a.y(y[i]!), a.x(x[i + 1]!), a.y(y[i + 1]!)];
      if (p.every(Number.isFinite) && Number.isFinite(v[i]! + v[i + 1]!)) d[k] += `M${r1(p[0]!)},${r1(p[1]!)}L${r1(p[2]!)},${r1(p[3]!)}`;
    }
    paths.forEach((p, k) => p.setAttribute("d", d[k]!));
    casing.setAttribute("d", polyline(x, y, a));
  };
};

const arrows: Layer = (s, a) => {
  const look = { class: "kxe-line", stroke: ink(s.colour), "stroke-width": s["width"] as number, "stroke-opacity": s.opacity };
  const shaft = svg("path", look, a.data);
  const heads = svg("path", { fill: ink(s.colour), "fill-opacity": s.opacity }, a.data);
  const k = s["scale"] as number;
  return (env) => {
    const [x, y, u, v] = ["x", "y", "u", "v"].map((n) => env.get(text(s, n)).data) as Float64Array[];
    let [d, h] = ["", ""];
    for (let i = 0; i < x!.length; i++) {
      const [x0, y0, x1, y1] = [a.x(x![i]!), a.y(y![i]!), a.x(x![i]! + k * u![i]!), a.y(y![i]! + k * v![i]!)];
      const length = Math.hypot(x1 - x0, y1 - y0);
      if (!(length > 0.5) || !Number.isFinite(length)) continue;
      const [ex, ey] = [(x1 - x0) / length, (y1 - y0) / length];
      const size = Math.min(7, 0.6 * length);
      d += `M${r1(x0)},${r1(y0)}L${r1(x1 - ex * size)},${r1(y1 - ey * size)}`;
      h += `M${r1(x1)},${r1(y1)}L${r1(x1 - ex * size - ey * size * 0.45)},${r1(y1 - ey * size + ex * size * 0.45)}`;
      h += `L${r1(x1 - ex * size + ey * size * 0.45)},${r1(y1 - ey * size - ex * size * 0.45)}Z`;
    }
    shaft.setAttribute("d", d);
    heads.setAttribute("d", h);
  };
};

const raster: Layer = (s, a) => {
  const [[x0, x1], [y0, y1], [low, high]] = [s["xRange"], s["yRange"], s["range"]] as [Range, Range, Range];
  const box = { x: a.x(x0), y: a.y(y1), width: a.x(x1) - a.x(x0), height: a.y(y0) - a.y(y1) };
  const place = svg("foreignObject", { ...box, opacity: s.opacity }, a.data);
  const canvas = html("canvas", { class: s["smooth"] ? "kxe-canvas" : "kxe-canvas kxe-pixels" });
  place.append(canvas);
  const map = lut(text(s, "map"), a.data);
  const pen = canvas.getContext("2d")!;
  return (env) => {
    const z = env.get(text(s, "z"));
    const [h, w] = z.shape as [number, number];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const image = pen.createImageData(w, h);
    for (let i = 0; i < z.data.length; i++) {
      const v = z.data[i]!;
      const to = 4 * ((h - 1 - Math.floor(i / w)) * w + (i % w));
      const k = 3 * shade(v, low, high);
      image.data.set([map[k]!, map[k + 1]!, map[k + 2]!, Number.isNaN(v) ? 0 : 255], to);
    }
    pen.putImageData(image, 0, 0);
  };
};

const contours: Layer = (s, a) => {
  const look = { class: "kxe-line", stroke: ink(s.colour), "stroke-width": s["width"] as number, "stroke-opacity": s.opacity };
  const path = svg("path", look, a.data);
  const [[x0, x1], [y0, y1]] = [s["xRange"], s["yRange"]] as [Range, Range];
  return (env) => {
    const z = env.get(text(s, "z"));
    const [h, w] = z.shape as [number, number];
    const x = (i: number): string => r1(a.x(x0 + ((i + 0.5) / w) * (x1 - x0)));
    const y = (j: number): string => r1(a.y(y0 + ((j + 0.5) / h) * (y1 - y0)));
    let d = "";
    for (const level of env.get(text(s, "levels")).data) for (const [i, j, k, l] of levelLine(z.data, w, level)) d += `M${x(i)},${y(j)}L${x(k)},${y(l)}`;
    path.setAttribute("d", d);
  };
};

const bins: Layer = (s, a) => {
  const outline = s["outline"] as boolean;
  const look = outline ? { fill: "none", stroke: ink(s.colour), "stroke-width": 2 } : { fill: ink(s.colour), "fill-opacity": 0.55 * s.opacity };
  const path = svg("path", look, a.data);
  return (env) => {
    const [n, e] = [env.get(text(s, "counts")).data, env.get(text(s, "edges")).data];
    const floor = a.y(Math.max(a.yRange[0], 0));
    let d = outline ? `M${r1(a.x(e[0]!))},${r1(floor)}` : "";
    n.forEach((v, i) => {
      const [l, r, t] = [a.x(e[i]!), a.x(e[i + 1]!), a.y(v)];
      if (outline) d += `L${r1(l)},${r1(t)}L${r1(r)},${r1(t)}`;
      else if (v > 0) d += `M${r1(l + 0.5)},${r1(floor)}V${r1(t)}H${r1(Math.max(l + 1, r - 0.5))}V${r1(floor)}Z`;
    });
    path.setAttribute("d", outline ? `${d}L${r1(a.x(e.at(-1)!))},${r1(floor)}` : d);
  };
};

const mark: Layer = (s, a) => {
  const rule = svg("line", { stroke: ink(s.colour), class: "kxe-mark", "stroke-opacity": s.opacity }, a.data);
  if (s["dashed"]) rule.setAttribute("stroke-dasharray", "4 3");
  const words = s.label ? svgText(a.front, s.label, { class: "kxe-note", fill: inkText(s.colour) }) : null;
  return (env) => {
    const at = env.num(text(s, "at"));
    const vertical = s["along"] === "x";
    const p = vertical ? a.x(at) : a.y(at);
    const inside = vertical ? p >= a.left - 1 && p <= a.right + 1 : p >= a.top - 1 && p <= a.bottom + 1;
    for (const e of [rule, words]) e?.setAttribute("visibility", inside ? "visible" : "hidden");
    if (!inside) return;
    const ends = vertical ? { x1: p, x2: p, y1: a.top, y2: a.bottom } : { x1: a.left, x2: a.right, y1: p, y2: p };
    for (const [k, v] of Object.entries(ends)) rule.setAttribute(k, r1(v));
    if (!words) return;
    const flip = vertical && p > a.left + 0.62 * (a.right - a.left);
    words.setAttribute("text-anchor", vertical ? (flip ? "end" : "start") : "end");
    words.setAttribute("x", r1(vertical ? p + (flip ? -5 : 5) : a.right - 3));
    words.setAttribute("y", r1(vertical ? a.top + 11 + 15 * ((s["lane"] as number) ?? 0) : p - a.top < 16 ? p + 14 : p - 5));
  };
};

const note: Layer = (s, a) => {
  const host = svg("g", {}, a.front);
  return (env) => {
    const place = { x: a.x(env.num(text(s, "x"))), y: a.y(env.num(text(s, "y"))), "text-anchor": text(s, "anchor") };
    host.replaceChildren();
    if (Number.isFinite(place.x) && Number.isFinite(place.y)) svgText(host, env.fill(text(s, "text")), { ...place, class: "kxe-note", fill: inkText(s.colour) });
  };
};

export const LAYERS: Record<string, Layer> = { line, band, dots, trail, arrows, raster, contours, bins, mark, note };
