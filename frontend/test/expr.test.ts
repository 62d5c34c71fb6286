import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "../src/expr.ts";
import type { Nd, Tree } from "../src/types.ts";

const nd = (shape: number[], ...data: number[]): Nd => ({ shape, data: Float64Array.from(data) });
const values: Record<string, Nd> = {
  s: nd([], 2),
  v: nd([3], 1, -2, 3),
  m: nd([2, 3], 1, 2, 3, 4, 5, 6),
};
const run = (tree: Tree): Nd => evaluate(tree, (n) => values[n]!);
const n = (name: string): Tree => ["name", name];

test("arithmetic broadcasts like NumPy", () => {
  assert.deepEqual(run(["+", n("m"), n("v")]), nd([2, 3], 2, 0, 6, 5, 3, 9));
  assert.deepEqual(run(["-", n("s"), n("v")]), nd([3], 1, 4, -1));
  assert.deepEqual(run(["/", n("m"), ["column", ["sum", n("m")]]]).data[3], 4 / 15);
  assert.deepEqual(run(["**", n("v"), 2]), nd([3], 1, 4, 9));
  assert.deepEqual(run(["where", [">", n("v"), 0], n("m"), n("s")]), nd([2, 3], 1, 2, 3, 4, 2, 6));
});

test("rows are reduced along the last axis", () => {
  assert.deepEqual(run(["sum", n("m")]), nd([2], 6, 15));
  assert.deepEqual(run(["mean", ["flat", n("m")]]), nd([], 3.5));
  assert.deepEqual(run(["argmax", n("v")]), nd([], 2));
  assert.deepEqual(run(["-", ["max", n("m")], ["min", n("m")]]), nd([2], 2, 2));
  assert.deepEqual(run(["cumsum", n("m")]), nd([2, 3], 1, 3, 6, 4, 9, 15));
  assert.deepEqual(run(["onehot", n("v")]), nd([3], 0, 0, 1));
  assert.deepEqual(run(["take", n("m"), 1]), nd([2], 2, 5));
});

test("rows are sorted, and elements fetched by their places", () => {
  assert.deepEqual(run(["argsort", n("v")]), nd([3], 1, 0, 2));
  assert.deepEqual(run(["argsort", ["*", n("v"), 0]]), nd([3], 0, 1, 2));
  assert.deepEqual(run(["gather", n("m"), ["argsort", n("v")]]), nd([2, 3], 2, 1, 3, 5, 4, 6));
  assert.deepEqual(run(["gather", n("v"), ["+", ["argsort", n("v")], 0.3]]), nd([3], -2, 1, 3));
});

test("a matrix against relabellings of another", () => {
  const [a, b] = [["*", ["column", n("v")], n("v")] as Tree, ["+", ["column", n("v")], ["*", n("v"), 10]] as Tree];
  const orders = ["argsort", ["*", ["column", ["+", ["sum", n("m")], -10]], n("v")]] as Tree; // a falling and a rising row
  const [x, y] = [run(a).data, run(b).data];
  const by = (o: number[]): number => o.reduce((t, p, i) => t + o.reduce((u, q, j) => u + x[i * 3 + j]! * y[p * 3 + q]!, 0), 0);
  assert.deepEqual(run(["relabelled", a, b, orders]), nd([2], by([2, 0, 1]), by([1, 0, 2])));
});

test("softmax sums to one, also for large numbers", () => {
  const p = run(["softmax", ["*", n("m"), 1000]]);
  assert.deepEqual(p, nd([2, 3], 0, 0, 1, 0, 0, 1));
  const q = run(["softmax", n("v")]).data;
  assert.ok(Math.abs(q.reduce((a, b) => a + b, 0) - 1) < 1e-15);
  assert.ok(Math.abs(q[0]! / q[1]! - Math.exp(3)) < 1e-12);
});

test("what is unknown or does not fit is said", () => {
  assert.throws(() => run(["foo", n("v")]), /unknown function foo/);
  assert.throws(() => run(["+", n("v"), ["take", ["column", n("m")], 0]]) && run(["+", n("v"), ["sum", n("m")]]), /do not broadcast/);
});
