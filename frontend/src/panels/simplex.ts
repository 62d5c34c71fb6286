import { lut, shade } from "../colour.ts";
import { html, ink, inkText, svg, svgText, textWidth } from "../dom.ts";
import type { PanelSpec, Range } from "../types.ts";
import type { Draw, Kind } from "./panel.ts";

export interface SimplexSpec extends PanelSpec {
  points: string | null;
  corners: string[];
  classes: string | null;
  colours: string[];
  density: string | null;
  m?: number;
  range?: Range;
  size: number;
  opacity: number;
  marks: [string, string, string][];
}

/** Three corners in pixels: two below, the third on top. */
interface Triangle {
  corner: [number, number][];
}

const at = (t: Triangle, a: number, b: number, c: number): [number, number] => [
  a * t.corner[0]![0] + b * t.corner[1]![0] + c * t.corner[2]![0],
  a * t.corner[0]![1] + b * t.corner[1]![1] + c * t.corner[2]![1],
];

/** The index of lattice point (i, j) when a side has m divisions: rows of falling length. */
export const latticeIndex = (i: number, j: number, m: number): number => i * (m + 1) - (i * (i - 1)) / 2 + j;

/** The three lattice points around a place, and their weights. */
export function corners(a: number, b: number, m: number): [number, number][] {
  const clamp = (v: number): number => Math.min(Math.max(v, 0), m);
  const u = clamp(a * (m + 1) - 1 / 3);
  const v = Math.min(clamp(b * (m + 1) - 1 / 3), m - u);
  const [i, j] = [Math.min(Math.floor(u), m), Math.min(Math.floor(v), m)];
  const [p, q] = [u - i, v - j];
  const index = (x: number, y: number): number => latticeIndex(x, Math.min(y, m - x), m);
  if (p + q <= 1) {
    return [
      [index(i, j), 1 - p - q],
      [index(Math.min(i + 1, m), j), p],
      [index(i, j + 1), q],
    ];
  }
  return [
    [index(Math.min(i + 1, m), j + 1), p + q - 1],
    [index(Math.min(i + 1, m), j), 1 - q],
    [index(i, j + 1), 1 - p],
  ];
}

/** The density as a picture: for every pixel the three lattice points are found once, then only numbers change. */
function heat(root: SVGSVGElement, spec: SimplexSpec, box: { x: number; y: number; width: number; height: number }): Draw {
  const [w, h, m] = [Math.round(box.width / 2), Math.round(box.height / 2), spec.m!];
  const canvas = html("canvas", { class: "kxe-canvas", width: w, height: h });
  svg("foreignObject", { ...box, "clip-path": `polygon(0 100%, 100% 100%, 50% 0)` }, root).append(canvas);
  const map = lut(spec.points ? "quiet" : "sequential", root);
  const pen = canvas.getContext("2d")!;
  const image = pen.createImageData(w, h);
  const [index, weight] = [new Int32Array(3 * w * h), new Float64Array(3 * w * h)];
  for (let k = 0; k < w * h; k++) {
    const c = 1 - (Math.floor(k / w) + 0.5) / h;
    const b = ((k % w) + 0.5) / w - 0.5 * c;
    corners(Math.max(0, 1 - b - c), Math.max(0, b), m).forEach(([i, p], n) => ((index[3 * k + n] = i), (weight[3 * k + n] = p)));
  }
  const [low, high] = spec.range!;
  return (env) => {
    const z = env.get(spec.density!).data;
    for (let k = 0; k < w * h; k++) {
      const v = weight[3 * k]! * z[index[3 * k]!]! + weight[3 * k + 1]! * z[index[3 * k + 1]!]! + weight[3 * k + 2]! * z[index[3 * k + 2]!]!;
      const c = 3 * shade(v, low, high);
      image.data[4 * k] = map[c]!;
      image.data[4 * k + 1] = map[c + 1]!;
      image.data[4 * k + 2] = map[c + 2]!;
      image.data[4 * k + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
  };
}

function frame(s: SVGSVGElement, t: Triangle, spec: SimplexSpec): void {
  const g = svg("g", { class: "kxe-back", "aria-hidden": "true" }, s);
  for (let k = 1; k < 4; k++) {
    const v = k / 4;
    for (const [p, q] of [[at(t, v, 1 - v, 0), at(t, v, 0, 1 - v)], [at(t, 1 - v, v, 0), at(t, 0, v, 1 - v)], [at(t, 1 - v, 0, v), at(t, 0, 1 - v, v)]]) {
      svg("line", { x1: p![0], y1: p![1], x2: q![0], y2: q![1], class: "kxe-grid" }, g);
    }
  }
  svg("path", { d: `M${t.corner.map((c) => c.join(",")).join("L")}Z`, class: "kxe-rim" }, g);
  spec.corners.forEach((name, i) => {
    const [x, y] = t.corner[i]!;
    const place = i === 2 ? { x, y: y - 8, "text-anchor": "middle" } : { x: x + (i ? 4 : -4), y: y + 17, "text-anchor": "middle" };
    svgText(g, name, { ...place, class: "kxe-corner", fill: inkText(spec.colours[i % spec.colours.length]!) });
  });
}

/** Where the label of a mark stands: marks come close to each other, so they take turns. */
function beside(i: number, n: number): { x: number; y: number; "text-anchor": string } {
  if (n > 1 && i % 2 === 0) return { x: -9, y: -7, "text-anchor": "end" };
  return { x: 9, y: i % 2 ? 18 : -7, "text-anchor": "start" };
}

export const simplex: Kind<SimplexSpec> = (spec, stage) => {
  const s = stage.svg();
  const margin = 6 + Math.max(...spec.corners.slice(0, 2).map((c) => textWidth(c) / 2));
  const side = Math.min(stage.width - 2 * margin, (spec.height - 50) / Math.sqrt(0.75));
  const [cx, base] = [stage.width / 2, (spec.height + side * Math.sqrt(0.75)) / 2];
  const t: Triangle = { corner: [[cx - side / 2, base], [cx + side / 2, base], [cx, base - side * Math.sqrt(0.75)]] };
  const box = { x: cx - side / 2, y: t.corner[2]![1], width: side, height: side * Math.sqrt(0.75) };
  const warm = spec.density ? heat(s, spec, box) : null;
  frame(s, t, spec);
  const paths = spec.points
    ? spec.colours.map((c) => svg("path", { class: "kxe-dots", stroke: ink(c), "stroke-width": spec.size, "stroke-opacity": spec.opacity }, s))
    : [];
  const marks = spec.marks.map(([, label, colour], i) => {
    const g = svg("g", { "aria-hidden": "true" }, s);
    svg("path", { d: "M-7,0H7M0,-7V7", class: "kxe-cross-rim" }, g);
    svg("path", { d: "M-7,0H7M0,-7V7", class: "kxe-cross", stroke: ink(colour) }, g);
    if (label) svgText(g, label, { ...beside(i, spec.marks.length), class: "kxe-note", fill: inkText(colour) });
    return g;
  });
  return (env) => {
    warm?.(env);
    if (spec.points) {
      const p = env.get(spec.points).data;
      const classes = spec.classes ? env.get(spec.classes).data : null;
      const d = paths.map(() => "");
      for (let i = 0; 3 * i < p.length; i++) {
        const [a, b, c] = [p[3 * i]!, p[3 * i + 1]!, p[3 * i + 2]!];
        const k = classes ? classes[i]! | 0 : a >= b && a >= c ? 0 : b >= c ? 1 : 2;
        const [x, y] = at(t, a, b, c);
        if (Number.isFinite(x + y)) d[k % d.length] += `M${x.toFixed(1)},${y.toFixed(1)}h0`;
      }
      paths.forEach((path, k) => path.setAttribute("d", d[k]!));
    }
    spec.marks.forEach(([name], i) => {
      const [a, b, c] = env.get(name).data;
      const [x, y] = at(t, a!, b!, c!);
      marks[i]!.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    });
  };
};
