import { ink, svg } from "../dom.ts";
import type { PanelSpec, Range } from "../types.ts";
import { axes } from "./axes.ts";
import type { Kind } from "./panel.ts";

export interface BarsSpec extends PanelSpec {
  values: string[];
  categories: string[];
  labels: string[];
  colours: string[];
  ylabel: string;
  y: Range;
  reference: string | null;
  referenceLabel: string;
}

const ROLES = ["one", "two", "three", "four", "five", "six"];

export const bars: Kind<BarsSpec> = (spec, stage) => {
  const n = spec.categories.length;
  const role = (i: number): string => ink(spec.colours[i % Math.max(1, spec.colours.length)] ?? ROLES[i % 6]!);
  spec.labels.forEach((label, i) => stage.legend(label, role(i), "area"));
  if (spec.reference && spec.referenceLabel) stage.legend(spec.referenceLabel, ink("text"), "tick");
  const plain = { xlog: false, ylog: false, equal: false, axes: true, xlabel: "", yticks: [] };
  const every = Math.max(1, Math.ceil(n / (stage.width / 28)));
  const names = spec.categories.map((c, i): [number, string] => [i, i % every === 0 ? c : ""]);
  const a = axes(stage.svg(), { ...plain, x: [-0.5, n - 0.5], y: spec.y, xticks: names, ylabel: spec.ylabel }, stage.width, spec.height, 0);
  a.back.querySelectorAll(".kxe-grid").forEach((line) => line.getAttribute("x1") === line.getAttribute("x2") && line.remove());
  const unit = a.x(1) - a.x(0);
  // one series takes a colour for each category when as many are given; several take one each
  const single = spec.values.length === 1 && spec.colours.length === n;
  const width = Math.min((0.76 * unit) / spec.values.length, 64);
  const rects = spec.values.map((_, k) =>
    spec.categories.map((_, i) => {
      const x = a.x(i) + (k - spec.values.length / 2) * width;
      return svg("rect", { x: x + 0.5, width: Math.max(1, width - 1), fill: role(single ? i : k), rx: 1.5 }, a.data);
    }),
  );
  const rules = spec.reference ? svg("path", { class: "kxe-line kxe-reference" }, a.data) : null;
  return (env) => {
    const zero = a.y(Math.min(Math.max(0, spec.y[0]), spec.y[1]));
    spec.values.forEach((name, k) =>
      env.get(name).data.forEach((v, i) => {
        const y = Number.isFinite(v) ? a.y(v) : zero;
        rects[k]![i]!.setAttribute("y", Math.min(y, zero).toFixed(1));
        rects[k]![i]!.setAttribute("height", Math.abs(zero - y).toFixed(1));
      }),
    );
    if (rules) {
      const half = 0.44 * Math.min(unit, 84);
      const d = [...env.get(spec.reference!).data].map((v, i) => `M${(a.x(i) - half).toFixed(1)},${a.y(v).toFixed(1)}h${(2 * half).toFixed(1)}`);
      rules.setAttribute("d", d.join(""));
    }
  };
};
