import { html, rich } from "./dom.ts";
import { Figure } from "./figure.ts";
import { Values, readout } from "./state.ts";
import type { ControlSpec, Nd, Place, Spec, Value } from "./types.ts";

/** The live explorer in JupyterLab: the controls are ipywidgets, Python answers, this draws. */

interface Frame {
  at: Place;
  values?: Record<string, string | { shape: number[]; data: DataView }>;
  error: string;
}

interface Model {
  get(key: "spec"): Spec;
  get(key: "frame"): Frame;
  set(key: "request", value: { at: Place; n: number }): void;
  save_changes(): void;
  on(event: string, act: () => void): void;
  off(event: string, act: () => void): void;
}

/** The numbers of an answer; the buffer may lie anywhere, so it is copied. */
function array({ shape, data }: { shape: number[]; data: DataView }): Nd {
  const copy = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  return { data: new Float64Array(copy as ArrayBuffer), shape };
}

function answered(frame: Frame): Map<string, Value> {
  return new Map(Object.entries(frame.values ?? {}).map(([k, v]) => [k, typeof v === "string" ? v : array(v)]));
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const spec = model.get("spec");
  const values = new Values(spec);
  const figure = new Figure(spec, values);
  const root = html("div", { class: "kxe kxe-live", role: "group", "aria-label": spec.title }, figure.root, buttons(spec, model));
  el.append(root);
  const answer = (): void => {
    const frame = model.get("frame");
    figure.complain(frame.error);
    if (frame.error) return;
    values.move(frame.at, answered(frame));
    figure.invalidate();
  };
  answer();
  figure.watch();
  model.on("change:frame", answer);
  return () => {
    model.off("change:frame", answer);
    figure.stop();
  };
}

/** Presets, critical values and reset; the sliders themselves are ipywidgets below. */
function buttons(spec: Spec, model: Model): HTMLElement {
  let n = 0;
  const button = (label: string, cls: string, at: Place): HTMLButtonElement => {
    const b = html("button", { type: "button", class: cls }, ...rich(label));
    b.addEventListener("click", () => {
      model.set("request", { at, n: ++n });
      model.save_changes();
    });
    return b;
  };
  const critical = (c: ControlSpec, at: number, label: string): HTMLButtonElement => {
    const b = button(label, "kxe-preset", { [c.name]: at });
    b.title = `set ${c.label} to ${readout(c, at)}`;
    return b;
  };
  const start = Object.fromEntries(spec.controls.map((c) => [c.name, c.start]));
  const row = html("div", { class: "kxe-buttons" });
  if (spec.presets.length) row.append(html("span", { class: "kxe-try" }, "Try:"));
  for (const [label, at] of spec.presets) row.append(button(label, "kxe-preset", { ...start, ...at }));
  for (const c of spec.controls) {
    for (const [at, label] of c.marks) row.append(critical(c, at, label));
  }
  row.append(html("span", { class: "kxe-tools" }, button("Reset", "kxe-quiet", start)));
  return row;
}

export default { render };
