import { html, rich, uid } from "./dom.ts";
import { nearest, positions, readout } from "./state.ts";
import type { ControlSpec } from "./types.ts";

/** A control in the page. */
export interface Control {
  spec: ControlSpec;
  root: HTMLElement;
  /** show a coordinate */
  show(at: number): void;
}

/** Called with the coordinate that the reader chose, and the time of the event. */
export type Chosen = (at: number, since: number) => void;

// on the input itself: else JupyterLab takes its arrow keys
const KEYS = { "data-lm-suppress-shortcuts": "true" };

function row(spec: ControlSpec, ...parts: HTMLElement[]): HTMLElement {
  return html("div", { class: `kxe-control kxe-control-${spec.kind}`, "data-control": spec.name }, ...parts);
}

/** Critical values and the two ends under a slider. */
function axis(spec: ControlSpec, list: number[], chosen: Chosen): HTMLElement {
  const last = list.length - 1;
  const place = (at: number): string => `--kxe-at:${nearest(list, at) / last}`;
  const box = html("div", { class: "kxe-axis-row" });
  for (const [end, at] of [["kxe-first", list[0]!], ["kxe-last", list[last]!]] as const) {
    box.append(html("span", { class: `kxe-limit ${end}`, "aria-hidden": "true" }, readout(spec, at)));
  }
  for (const [at, label] of spec.marks) {
    const b = html("button", { type: "button", class: "kxe-critical", style: place(at), title: `set ${spec.label} to ${readout(spec, at)}`, ...KEYS }, html("span", {}, ...rich(label)));
    b.addEventListener("click", (e) => chosen(list[nearest(list, at)]!, e.timeStamp));
    box.append(b);
  }
  return box;
}

function slider(spec: ControlSpec, chosen: Chosen): Control {
  const list = positions(spec);
  const id = uid();
  const input = html("input", { type: "range", id, min: 0, max: list.length - 1, step: 1, ...KEYS });
  const output = html("output", { for: id });
  input.addEventListener("input", (e) => chosen(list[Number(input.value)]!, e.timeStamp));
  const slide = html("div", { class: "kxe-slide" }, input, axis(spec, list, chosen));
  const parts = [html("label", { for: id }, ...rich(spec.label)), slide, output];
  const root = row(spec, ...parts);
  const show = (at: number): void => {
    const k = nearest(list, at);
    input.value = String(k);
    input.style.setProperty("--kxe-at", String(k / (list.length - 1)));
    output.textContent = readout(spec, at);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  if (spec.play) slide.prepend(player(spec, list, () => Number(input.value), chosen));
  return { spec, root, show };
}

const ICONS = { back: "M12 3v10L4 8zM3 3h1.6v10H3z", play: "M4 2.5v11l9-5.5z", pause: "M4 3h3v10H4zM9 3h3v10H9z", step: "M4 3v10l8-5zM11.4 3H13v10h-1.6z" };

function icon(name: keyof typeof ICONS): string {
  return `<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="${ICONS[name]}" fill="currentColor"/></svg>`;
}

/** Buttons for a control that stands for time: back, play, step, and the speed. Nothing plays by itself. */
function player(spec: ControlSpec, list: number[], now: () => number, chosen: Chosen): HTMLElement {
  const button = (name: keyof typeof ICONS, label: string): HTMLButtonElement => {
    const b = html("button", { type: "button", class: "kxe-icon", "aria-label": `${label} ${spec.label}`, ...KEYS });
    b.innerHTML = icon(name);
    return b;
  };
  const [back, play, step] = [button("back", "step back:"), button("play", "play:"), button("step", "step:")];
  const speed = html("select", { "aria-label": `speed of ${spec.label}`, class: "kxe-speed", ...KEYS });
  for (const s of [0.25, 0.5, 1, 2, 4]) speed.append(html("option", { value: s, selected: s === 1 }, `${s}×`));
  let timer = 0;
  const go = (k: number): void => chosen(list[Math.min(Math.max(k, 0), list.length - 1)]!, performance.now());
  const stop = (): void => {
    clearTimeout(timer);
    timer = 0;
    play.innerHTML = icon("play");
    play.setAttribute("aria-label", `play: ${spec.label}`);
  };
  const tick = (): void => {
    if (now() >= list.length - 1 || !play.isConnected) return stop();
    if (play.closest("[data-on-screen='no']") === null) go(now() + 1);
    timer = window.setTimeout(tick, spec.play! / Number(speed.value));
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (now() >= list.length - 1) go(0);
    play.innerHTML = icon("pause");
    play.setAttribute("aria-label", `pause: ${spec.label}`);
    timer = window.setTimeout(tick, spec.play! / Number(speed.value));
  });
  back.addEventListener("click", () => (stop(), go(now() - 1)));
  step.addEventListener("click", () => (stop(), go(now() + 1)));
  return html("div", { class: "kxe-player" }, back, play, step, speed);
}

function radio(spec: ControlSpec, chosen: Chosen): Control {
  const name = uid();
  const inputs = spec.labels!.map((_, i) => html("input", { type: "radio", name, id: uid(), value: i, ...KEYS }));
  const options = inputs.map((input, i) => {
    input.addEventListener("change", (e) => chosen(i, e.timeStamp));
    return html("span", { class: "kxe-option" }, input, html("label", { for: input.id }, ...rich(spec.labels![i]!)));
  });
  const group = html("div", { class: "kxe-options", role: "radiogroup", "aria-label": spec.label }, ...options);
  const root = row(spec, html("span", { class: "kxe-name", "aria-hidden": "true" }, ...rich(spec.label)), group);
  return { spec, root, show: (at) => inputs.forEach((input, i) => (input.checked = i === Math.round(at))) };
}

function select(spec: ControlSpec, chosen: Chosen): Control {
  const id = uid();
  const input = html("select", { id, ...KEYS }, ...spec.labels!.map((l, i) => html("option", { value: i }, l)));
  input.addEventListener("change", (e) => chosen(Number(input.value), e.timeStamp));
  const root = row(spec, html("label", { for: id }, ...rich(spec.label)), input);
  return { spec, root, show: (at) => (input.value = String(Math.round(at))) };
}

function check(spec: ControlSpec, chosen: Chosen): Control {
  const id = uid();
  const input = html("input", { type: "checkbox", id, ...KEYS });
  input.addEventListener("change", (e) => chosen(+input.checked, e.timeStamp));
  const root = row(spec, html("span", { class: "kxe-name" }), html("span", { class: "kxe-checked" }, input, html("label", { for: id }, ...rich(spec.label))));
  return { spec, root, show: (at) => (input.checked = at >= 0.5) };
}

/** A control as the page draws it. */
export function control(spec: ControlSpec, chosen: Chosen): Control {
  const kinds = { range: slider, slider, radio, select, check };
  return kinds[spec.kind](spec, chosen);
}
