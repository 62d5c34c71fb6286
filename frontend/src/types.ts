/** The JSON that Python writes for one explorer (lib/kexue/explorer/explorer.py, `_compile`). */

export type Range = [number, number];
export type Encoding = "u1" | "u2" | "u2log" | "f4" | "s";

export interface TableSpec {
  deps: string[];
  shape: number[];
  enc: Encoding;
  range?: Range;
  /** base64 */
  data?: string;
  /** interpolate between grid states */
  lerp?: boolean;
  strings?: string[];
  codes?: number[];
}

export interface ControlSpec {
  name: string;
  kind: "range" | "slider" | "select" | "radio" | "check";
  label: string;
  /** coordinates on the control's own scale: exponents if logarithmic, indices for options */
  start: number;
  grid: number[];
  marks: [number, string][];
  /** where the slider may stand, if finer than the grid */
  positions?: number[];
  scale?: "linear" | "log";
  base?: number;
  integer?: boolean;
  format?: string;
  labels?: string[];
  values?: (number | string | boolean)[];
  /** milliseconds between two steps, for controls that play */
  play?: number;
}

export type Tree = number | [string, ...unknown[]];
export type Place = Record<string, number>;

export interface PanelSpec {
  kind: string;
  title: string;
  alt: string;
  width: number | null;
  height: number;
}

export interface Spec {
  v: 1;
  name: string;
  title: string;
  alt: string;
  say: string;
  controls: ControlSpec[];
  panels: PanelSpec[];
  presets: [string, Place][];
  derived: [string, Tree][];
  tables: Record<string, TableSpec>;
}

/** An array of numbers, row-major. */
export interface Nd {
  data: Float64Array;
  shape: number[];
}

export type Value = Nd | string;

/** What a panel may ask while it draws. */
export interface Env {
  get(name: string): Nd;
  num(name: string): number;
  fill(template: string): string;
}
