import { contrast, css, lut, shade } from "../colour.ts";
import { svg, svgText, textWidth } from "../dom.ts";
import { formatNumber } from "../format.ts";
import type { PanelSpec, Range } from "../types.ts";
import type { Kind } from "./panel.ts";

export interface MatrixSpec extends PanelSpec {
  values: string;
  rows: string[];
  columns: string[];
  range: Range;
  map: string;
  digits: number | null;
}

export const matrix: Kind<MatrixSpec> = (spec, stage, env) => {
  const [m, n] = env.get(spec.values).shape as [number, number];
  const s = stage.svg();
  const left = spec.rows.length ? Math.max(...spec.rows.map(textWidth)) + 10 : 2;
  const top = spec.columns.length ? 22 : 2;
  const [w, h] = [(stage.width - left - 2) / n, (spec.height - top - 2) / m];
  const g = svg("g", { "aria-hidden": "true" }, s);
  spec.rows.forEach((r, i) => svgText(g, r, { x: left - 6, y: top + (i + 0.5) * h + 4, class: "kxe-tick", "text-anchor": "end" }));
  spec.columns.forEach((c, j) => {
    if (textWidth(c) < w + 8) svgText(g, c, { x: left + (j + 0.5) * w, y: 14, class: "kxe-tick", "text-anchor": "middle" });
  });
  const map = lut(spec.map, s);
  const gap = Math.min(w, h) > 8 ? 1 : 0;
  const cells = Array.from({ length: m * n }, (_, k) => {
    const [x, y] = [left + (k % n) * w, top + Math.floor(k / n) * h];
    return svg("rect", { x: x + gap / 2, y: y + gap / 2, width: w - gap, height: h - gap, rx: gap * 2 }, g);
  });
  const written = spec.digits !== null && w >= 24 && h >= 14;
  const words = written
    ? cells.map((_, k) => svg("text", { x: left + ((k % n) + 0.5) * w, y: top + (Math.floor(k / n) + 0.5) * h + 4, class: "kxe-cell" }, g))
    : [];
  return (now) =>
    now.get(spec.values).data.forEach((v, k) => {
      const colour = shade(v, spec.range[0], spec.range[1]);
      cells[k]!.setAttribute("fill", Number.isNaN(v) ? "none" : css(map, colour));
      if (written) {
        words[k]!.textContent = formatNumber(v, `.${spec.digits}f`);
        words[k]!.setAttribute("fill", Number.isNaN(v) ? "currentColor" : contrast(map, colour));
      }
    });
};
