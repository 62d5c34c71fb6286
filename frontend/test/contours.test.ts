import assert from "node:assert/strict";
import { test } from "node:test";
import { levelLine } from "../src/panels/contours.ts";

test("the level line of a plane is straight", () => {
  const z = [0, 1, 2, 0, 1, 2, 0, 1, 2]; // z = x on 3 × 3
  assert.deepEqual(levelLine(z, 3, 0.5), [[0.5, 0, 0.5, 1], [0.5, 1, 0.5, 2]]);
  assert.deepEqual(levelLine(z, 3, 5), []);
});

test("the level line of a bowl is a circle, closed and of the right length", () => {
  const n = 81;
  const z = Array.from({ length: n * n }, (_, k) => Math.hypot((k % n) - 40, Math.floor(k / n) - 40));
  const pieces = levelLine(z, n, 25.3);
  const length = pieces.reduce((s, [a, b, c, d]) => s + Math.hypot(c - a, d - b), 0);
  assert.ok(Math.abs(length - 50.6 * Math.PI) < 0.2, `${length}`);
  const ends = new Map<string, number>();
  for (const [a, b, c, d] of pieces) for (const key of [`${a.toFixed(6)},${b.toFixed(6)}`, `${c.toFixed(6)},${d.toFixed(6)}`]) ends.set(key, (ends.get(key) ?? 0) + 1);
  assert.ok([...ends.values()].every((v) => v === 2));
});

test("a saddle has two pieces, on the side that its mean says", () => {
  const around = (z: number[], level: number): number[][] => levelLine(z, 2, level).map((p) => p.map((v) => Math.round(10 * v) / 10));
  // corners in reading order: (0, 0), (1, 0), (0, 1), (1, 1); the diagonal from (0, 0) is high
  assert.deepEqual(around([4, 0, 0, 4], 1), [[0.8, 0, 1, 0.3], [0.3, 1, 0, 0.8]]); // the mean is high: it joins the high corners
  assert.deepEqual(around([4, 0, 0, 4], 3), [[0, 0.3, 0.3, 0], [1, 0.8, 0.8, 1]]);
});

test("a gap has no line, and a level at a corner is met once", () => {
  assert.deepEqual(levelLine([0, 1, NaN, 2], 2, 0.5), []);
  assert.deepEqual(levelLine([0, 0, 1, 1], 2, 1).length, 1);
});
