import { html, rich } from "../dom.ts";
import type { PanelSpec, Range } from "../types.ts";
import type { Kind } from "./panel.ts";

export interface StripSpec extends PanelSpec {
  images: string;
  labels: string[];
  columns: number | null;
  range: Range;
  size: number;
  invert: boolean;
}

export const strip: Kind<StripSpec> = (spec, stage, env) => {
  const [n, h, w] = env.get(spec.images).shape as [number, number, number];
  const columns = spec.columns ? `repeat(${spec.columns}, minmax(0, ${spec.size}px))` : `repeat(auto-fill, minmax(0, ${spec.size}px))`;
  const grid = html("div", { class: "kxe-strip", style: `grid-template-columns:${columns}`, role: "img", "aria-label": stage.label });
  stage.box.append(grid);
  const pens = Array.from({ length: n }, (_, i) => {
    const canvas = html("canvas", { width: w, height: h, class: "kxe-pixels" });
    const cell = html("div", { class: "kxe-tile" }, canvas);
    if (spec.labels[i]) cell.append(html("span", {}, ...rich(spec.labels[i]!)));
    grid.append(cell);
    return canvas.getContext("2d")!;
  });
  const [low, high] = spec.range;
  return (now) => {
    const z = now.get(spec.images).data;
    pens.forEach((pen, i) => {
      const image = pen.createImageData(w, h);
      for (let k = 0; k < w * h; k++) {
        const t = Math.min(Math.max((z[i * w * h + k]! - low) / (high - low || 1), 0), 1);
        const grey = 255 * (spec.invert ? t : 1 - t);
        image.data.set([grey, grey, grey, 255], 4 * k);
      }
      pen.putImageData(image, 0, 0);
    });
  };
};
