import { scalar } from "./decode.ts";
import type { Nd, Tree } from "./types.ts";

/** The expressions of lib/kexue/explorer/expressions.py, with the same meaning. */

const BINARY: Record<string, (a: number, b: number) => number> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "**": (a, b) => a ** b,
  "<": (a, b) => +(a < b),
  "<=": (a, b) => +(a <= b),
  ">": (a, b) => +(a > b),
  ">=": (a, b) => +(a >= b),
  "==": (a, b) => +(a === b),
  "!=": (a, b) => +(a !== b),
  minimum: (a, b) => Math.min(a, b),
  maximum: (a, b) => Math.max(a, b),
};

const UNARY: Record<string, (a: number) => number> = {
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  floor: Math.floor,
  sigmoid: (a) => 0.5 * (1 + Math.tanh(0.5 * a)),
};

const argmax = (row: Float64Array): number => row.reduce((best, v, i) => (v > row[best]! ? i : best), 0);
const sum = (row: Float64Array): number => row.reduce((a, b) => a + b, 0);

const REDUCE: Record<string, (row: Float64Array) => number> = {
  sum,
  mean: (row) => sum(row) / row.length,
  max: (row) => row.reduce((a, b) => Math.max(a, b), -Infinity),
  min: (row) => row.reduce((a, b) => Math.min(a, b), Infinity),
  argmax,
};

const ROWS: Record<string, (row: Float64Array) => Float64Array> = {
  cumsum: (row) => {
    let total = 0;
    return row.map((v) => (total += v));
  },
  softmax: (row) => {
    const top = REDUCE["max"]!(row);
    const e = row.map((v) => Math.exp(v - top));
    const total = sum(e);
    return e.map((v) => v / total);
  },
  argsort: (row) => Float64Array.from(Array.from(row, (_, i) => i).sort((i, j) => row[i]! - row[j]! || i - j)),
  onehot: (row) => {
    const best = argmax(row);
    return row.map((_, i) => +(i === best));
  },
};

const size = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);

/** NumPy's broadcasting of two shapes. */
function broadcast(a: number[], b: number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new Error(`shapes (${a.join(", ")}) and (${b.join(", ")}) do not broadcast`);
    return m === 1 ? n : m;
  });
}

const known = new Map<string, Int32Array>();

/** For each element of the broadcast shape, which element of `from` it is; the shapes of a figure are few, so they are kept. */
function indices(from: number[], to: number[]): Int32Array {
  const key = `${from.join()}>${to.join()}`;
  let found = known.get(key);
  if (!found) known.set(key, (found = spread(from, to)));
  return found;
}

function spread(from: number[], to: number[]): Int32Array {
  const out = new Int32Array(size(to));
  const strides = to.map(() => 0);
  let stride = 1;
  for (let i = from.length - 1; i >= 0; i--) {
    strides[i + to.length - from.length] = from[i] === 1 ? 0 : stride;
    stride *= from[i]!;
  }
  const at = to.map(() => 0);
  let flat = 0;
  for (let k = 0; k < out.length; k++) {
    out[k] = flat;
    for (let d = to.length - 1; d >= 0; d--) {
      flat += strides[d]!;
      if (++at[d]! < to[d]!) break;
      flat -= strides[d]! * to[d]!;
      at[d] = 0;
    }
  }
  return out;
}

function binary(f: (a: number, b: number) => number, a: Nd, b: Nd): Nd {
  const shape = broadcast(a.shape, b.shape);
  const [x, y] = [a.data, b.data];
  const out = new Float64Array(size(shape));
  const n = out.length;
  if (y.length === 1) for (let i = 0, v = y[0]!; i < n; i++) out[i] = f(x[i]!, v);
  else if (x.length === 1) for (let i = 0, v = x[0]!; i < n; i++) out[i] = f(v, y[i]!);
  else if (x.length === n && y.length === n) for (let i = 0; i < n; i++) out[i] = f(x[i]!, y[i]!);
  else {
    const [ia, ib] = [indices(a.shape, shape), indices(b.shape, shape)];
    for (let i = 0; i < n; i++) out[i] = f(x[ia[i]!]!, y[ib[i]!]!);
  }
  return { data: out, shape };
}

function byRow(x: Nd, f: (row: Float64Array) => Float64Array | number): Nd {
  const n = x.shape.at(-1) ?? 1;
  const rows = Array.from({ length: x.data.length / n }, (_, i) => f(x.data.subarray(i * n, (i + 1) * n)));
  if (typeof rows[0] === "number") return { data: Float64Array.from(rows as number[]), shape: x.shape.slice(0, -1) };
  const data = new Float64Array(x.data.length);
  rows.forEach((row, i) => data.set(row as Float64Array, i * n));
  return { data, shape: x.shape };
}

/** The last two axes exchanged. */
function transpose(x: Nd): Nd {
  const [m, n] = [x.shape.at(-2) ?? 1, x.shape.at(-1) ?? 1];
  const data = x.data.map((_, k) => {
    const [block, inside] = [Math.floor(k / (m * n)), k % (m * n)];
    return x.data[block * m * n + (inside % m) * n + Math.floor(inside / m)]!;
  });
  return { data, shape: [...x.shape.slice(0, -2), n, m] };
}

/** The elements of each row at the places `at`. */
function gather(x: Nd, at: Nd): Nd {
  const n = x.shape.at(-1) ?? 1;
  const [rows, wide] = [x.data.length / n, at.data.length];
  const data = new Float64Array(rows * wide);
  for (let i = 0; i < rows; i++) for (let j = 0; j < wide; j++) data[i * wide + j] = x.data[i * n + Math.round(at.data[j]!)]!;
  return { data, shape: [...x.shape.slice(0, -1), ...at.shape] };
}

/** For each row o of `orders` the sum over i, j of a[i, j] b[o[i], o[j]]; rows of zeros in `a` cost nothing. */
function relabelled(a: Nd, b: Nd, orders: Nd): Nd {
  const n = a.shape.at(-1)!;
  const places = Int32Array.from(orders.data, Math.round);
  const out = new Float64Array(places.length / n);
  const lines: number[] = [];
  for (let i = 0; i < n; i++) if (a.data.subarray(i * n, (i + 1) * n).some((v) => v !== 0)) lines.push(i);
  for (let k = 0; k < out.length; k++) {
    let total = 0;
    for (const i of lines) {
      const from = places[k * n + i]! * n;
      for (let j = 0; j < n; j++) total += a.data[i * n + j]! * b.data[from + places[k * n + j]!]!;
    }
    out[k] = total;
  }
  return { data: out, shape: [out.length] };
}

function call(name: string, args: Nd[]): Nd {
  const [a, b, c] = args as [Nd, Nd, Nd];
  if (name in BINARY) return binary(BINARY[name]!, a, b);
  if (name in UNARY) return { data: a.data.map(UNARY[name]!), shape: a.shape };
  if (name in REDUCE) return byRow(a, REDUCE[name]!);
  if (name in ROWS) return byRow(a, ROWS[name]!);
  if (name === "take") return byRow(a, (row) => row.at(b.data[0]!)!);
  if (name === "gather") return gather(a, b);
  if (name === "relabelled") return relabelled(a, b, c);
  if (name === "column") return { data: a.data, shape: [...a.shape, 1] };
  if (name === "flat") return { data: a.data, shape: [a.data.length] };
  if (name === "transpose") return transpose(a);
  if (name === "where") {
    const shape = broadcast(broadcast(a.shape, b.shape), c.shape);
    const [ia, ib, ic] = [indices(a.shape, shape), indices(b.shape, shape), indices(c.shape, shape)];
    const out = new Float64Array(size(shape));
    for (let i = 0; i < out.length; i++) out[i] = a.data[ia[i]!] !== 0 ? b.data[ib[i]!]! : c.data[ic[i]!]!;
    return { data: out, shape };
  }
  throw new Error(`unknown function ${name}`);
}

/** The names that an expression reads. */
export function names(tree: Tree): string[] {
  if (typeof tree === "number") return [];
  const [head, ...rest] = tree;
  return head === "name" ? [rest[0] as string] : rest.flatMap((t) => names(t as Tree));
}

/** The value of an expression. */
export function evaluate(tree: Tree, get: (name: string) => Nd): Nd {
  if (typeof tree === "number") return scalar(tree);
  const [head, ...rest] = tree;
  if (head === "name") return get(rest[0] as string);
  return call(head, rest.map((t) => evaluate(t as Tree, get)));
}
