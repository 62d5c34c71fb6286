import { html, rich } from "../dom.ts";
import type { PanelSpec } from "../types.ts";
import type { Kind } from "./panel.ts";

export interface TextSpec extends PanelSpec {
  rows: [string, string][];
}

export const text: Kind<TextSpec> = (spec, stage) => {
  const values = spec.rows.map(([what]) => {
    const value = html("dd", {});
    return { term: html("div", { class: "kxe-read" }, html("dt", {}, ...rich(what)), value), value };
  });
  stage.box.append(html("dl", { class: "kxe-reads" }, ...values.map((v) => v.term)));
  return (env) => spec.rows.forEach(([, template], i) => values[i]!.value.replaceChildren(...rich(env.fill(template))));
};
