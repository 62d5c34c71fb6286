import type { Nd, TableSpec, Value } from "./types.ts";

/** The bytes of a base64 text. */
export function bytes(text: string): Uint8Array {
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/** The numbers of a table: the inverse of `quantise` in Python. */
export function numbers(spec: TableSpec): Float64Array {
  const raw = bytes(spec.data ?? "");
  const view = new DataView(raw.buffer);
  if (spec.enc === "f4") return Float64Array.from({ length: raw.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  const wide = spec.enc !== "u1";
  const top = wide ? 65534 : 254;
  const [low, high] = spec.range ?? [0, 0];
  const step = (high - low) / top;
  return Float64Array.from({ length: wide ? raw.length / 2 : raw.length }, (_, i) => {
    const code = wide ? view.getUint16(2 * i, true) : raw[i]!;
    if (code > top) return NaN;
    const v = low + code * step;
    return spec.enc === "u2log" ? Math.exp(v) : v;
  });
}

/** A place between two grid points: `index` and `index + 1`, `part` of the way. */
export interface Between {
  index: number;
  part: number;
}

/** Where a coordinate lies in an ascending grid. */
export function locate(grid: number[], at: number): Between {
  let low = 0;
  let high = grid.length - 1;
  if (high <= 0 || at <= grid[0]!) return { index: 0, part: 0 };
  if (at >= grid[high]!) return { index: high, part: 0 };
  while (high - low > 1) {
    const mid = (low + high) >> 1;
    if (grid[mid]! <= at) low = mid;
    else high = mid;
  }
  return { index: low, part: (at - grid[low]!) / (grid[high]! - grid[low]!) };
}

/** One output over the grid of the controls on which it depends. */
export class Table {
  readonly spec: TableSpec;
  private readonly sizes: number[];
  private readonly length: number;
  private decoded: Float64Array | null = null;

  constructor(spec: TableSpec, sizes: number[]) {
    this.spec = spec;
    this.sizes = sizes;
    this.length = spec.shape.reduce((a, b) => a * b, 1);
  }

  /** The value at a place: multilinear between grid states where the table allows it, else the nearest state. */
  at(places: Between[]): Value {
    if (this.spec.enc === "s") return this.spec.strings![this.spec.codes![this.nearest(places)]!]!;
    this.decoded ??= numbers(this.spec);
    const shape = this.spec.shape;
    const nearest = this.nearest(places) * this.length;
    const parts = places.filter((p) => p.part > 0).length;
    if (!this.spec.lerp || parts === 0) return { data: this.decoded.subarray(nearest, nearest + this.length), shape };
    return { data: this.blend(places, nearest), shape };
  }

  private nearest(places: Between[]): number {
    return places.reduce((flat, p, k) => flat * this.sizes[k]! + p.index + (p.part > 0.5 ? 1 : 0), 0);
  }

  private blend(places: Between[], nearest: number): Float64Array {
    const all = this.decoded!;
    const out = new Float64Array(this.length);
    for (let corner = 0; corner < 1 << places.length; corner++) {
      let weight = 1;
      let flat = 0;
      places.forEach((p, k) => {
        const up = (corner >> k) & 1;
        weight *= up ? p.part : 1 - p.part;
        flat = flat * this.sizes[k]! + p.index + up;
      });
      if (weight > 0) for (let i = 0, o = flat * this.length; i < this.length; i++) out[i]! += weight * all[o + i]!;
    }
    // a gap in one corner is no gap everywhere: there the nearest state counts
    for (let i = 0; i < this.length; i++) if (Number.isNaN(out[i])) out[i] = all[nearest + i]!;
    return out;
  }
}

/** A number as an array. */
export function scalar(v: number): Nd {
  return { data: Float64Array.of(v), shape: [] };
}
