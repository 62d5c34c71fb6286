import { Table, locate, scalar } from "./decode.ts";
import { evaluate, names } from "./expr.ts";
import { fill, formatNumber } from "./format.ts";
import type { ControlSpec, Env, Nd, Place, Spec, Value } from "./types.ts";

/** The positions at which a slider may stand. */
export const positions = (c: ControlSpec): number[] => c.positions ?? c.grid;

/** The index of the position nearest to a coordinate. */
export function nearest(list: number[], at: number): number {
  const { index, part } = locate(list, at);
  return part > 0.5 ? index + 1 : index;
}

/** The number that a control stands for at a coordinate: what the function of Python would receive. */
export function valueAt(c: ControlSpec, at: number): number {
  if (c.kind === "range") {
    const v = c.scale === "log" ? c.base! ** at : at;
    return c.integer ? Math.round(v) : v;
  }
  const v = c.values?.[Math.round(at)] ?? at;
  return typeof v === "string" ? Math.round(at) : Number(v);
}

/** What a sentence says of a control: the label of the option unless a number is asked for. */
export function wordAt(c: ControlSpec, at: number, number: boolean): number | string {
  return c.kind === "range" || (number && typeof c.values![Math.round(at)] === "number") ? valueAt(c, at) : c.labels![Math.round(at)]!;
}

/** What is written beside a control. */
export function readout(c: ControlSpec, at: number): string {
  if (c.kind !== "range") return c.labels![Math.round(at)]!;
  return formatNumber(valueAt(c, at), c.integer ? "d" : c.format);
}

/** How a coordinate is written in the address. */
export function toText(c: ControlSpec, at: number): string {
  return c.kind === "range" ? String(Number(valueAt(c, at).toPrecision(6))) : c.labels![Math.round(at)]!;
}

/** The coordinate that an address asks for; `null` where it makes no sense. */
export function fromText(c: ControlSpec, text: string): number | null {
  const list = positions(c);
  if (c.kind !== "range") {
    const i = c.labels!.indexOf(text);
    const k = i >= 0 ? i : c.values!.findIndex((v) => String(v) === text || (typeof v === "number" && v === Number(text)));
    return k >= 0 ? k : null;
  }
  const v = Number(text);
  if (text.trim() === "" || !Number.isFinite(v) || (c.scale === "log" && v <= 0)) return null;
  return list[nearest(list, c.scale === "log" ? Math.log10(v) / Math.log10(c.base!) : v)]!;
}

/** All values in a state: tables (or what Python answered), expressions, controls. */
export class Values implements Env {
  private readonly spec: Spec;
  private readonly tables = new Map<string, Table>();
  private readonly memo = new Map<string, Value>();
  /** for each name the controls that move it */
  private readonly moved = new Map<string, Set<string>>();
  at: Place;
  /** what Python answered, in a live explorer */
  answered: Map<string, Value> | null = null;

  constructor(spec: Spec) {
    this.spec = spec;
    this.at = Object.fromEntries(spec.controls.map((c) => [c.name, c.start]));
    for (const [name, t] of Object.entries(spec.tables)) {
      this.tables.set(name, new Table(t, t.deps.map((d) => this.control(d)!.grid.length)));
      this.moved.set(name, new Set(t.deps));
    }
    for (const c of spec.controls) this.moved.set(c.name, new Set([c.name]));
    for (const [name, tree] of spec.derived) this.moved.set(name, new Set(names(tree).flatMap((n) => [...(this.moved.get(n) ?? [])])));
  }

  control(name: string): ControlSpec | undefined {
    return this.spec.controls.find((c) => c.name === name);
  }

  /** Go to a state. */
  move(at: Place, answered: Map<string, Value> | null = null): void {
    const changed = Object.keys(at).filter((n) => at[n] !== this.at[n]);
    this.at = { ...this.at, ...at };
    this.answered = answered ?? this.answered;
    // what depends on none of the changed controls is kept; a live answer may change anything
    for (const name of [...this.memo.keys()]) if (this.answered || changed.some((c) => this.moved.get(name)?.has(c))) this.memo.delete(name);
  }

  private compute(name: string): Value {
    const given = this.answered?.get(name);
    if (given !== undefined) return given;
    const table = this.tables.get(name);
    if (table) return table.at(table.spec.deps.map((d) => locate(this.control(d)!.grid, this.at[d]!)));
    const c = this.control(name);
    if (c) return scalar(valueAt(c, this.at[name]!));
    const tree = this.spec.derived.find(([n]) => n === name)?.[1];
    if (tree === undefined) throw new Error(`no value is called ${name}`);
    return evaluate(tree, (n) => this.get(n));
  }

  private value(name: string): Value {
    let v = this.memo.get(name);
    if (v === undefined) this.memo.set(name, (v = this.compute(name)));
    return v;
  }

  get(name: string): Nd {
    const v = this.value(name);
    return typeof v === "string" ? scalar(NaN) : v;
  }

  num(name: string): number {
    return this.get(name).data[0] ?? NaN;
  }

  fill(template: string): string {
    return fill(template, (name, number) => {
      const c = this.control(name);
      if (c) return wordAt(c, this.at[name]!, number);
      const v = this.value(name);
      return typeof v === "string" ? v : v.data[0]!;
    });
  }
}
