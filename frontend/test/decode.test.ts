import assert from "node:assert/strict";
import { test } from "node:test";
import { Table, locate, numbers } from "../src/decode.ts";
import type { TableSpec } from "../src/types.ts";

const base64 = (a: ArrayBufferView): string => Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString("base64");
const u16 = (codes: number[]): string => base64(Uint16Array.from(codes));

const spec = (more: Partial<TableSpec>): TableSpec => ({ deps: ["a"], shape: [], enc: "u2", range: [0, 65534], ...more });

test("codes become numbers, and the code above the top a gap", () => {
  assert.deepEqual([...numbers(spec({ range: [-1, 1], data: u16([0, 32767, 65534, 65535]) }))], [-1, 0, 1, NaN]);
  assert.deepEqual([...numbers(spec({ enc: "u1", range: [0, 254], data: base64(Uint8Array.of(0, 7, 254, 255)) }))], [0, 7, 254, NaN]);
  assert.deepEqual([...numbers(spec({ enc: "f4", data: base64(Float32Array.of(0.5, -3, NaN)) }))], [0.5, -3, NaN]);
  const [low, high] = numbers(spec({ enc: "u2log", range: [Math.log(1e-3), Math.log(10)], data: u16([0, 65534]) }));
  assert.ok(Math.abs(low! - 1e-3) < 1e-15 && Math.abs(high! - 10) < 1e-12);
});

test("a coordinate is found between its neighbours, and kept inside", () => {
  const grid = [0, 1, 4, 10];
  assert.deepEqual(locate(grid, 2.5), { index: 1, part: 0.5 });
  assert.deepEqual(locate(grid, 4), { index: 2, part: 0 });
  assert.deepEqual(locate(grid, -3), { index: 0, part: 0 });
  assert.deepEqual(locate(grid, 99), { index: 3, part: 0 });
  assert.deepEqual(locate([5], 7), { index: 0, part: 0 });
});

const value = (t: Table, ...places: [number, number][]): number[] => {
  const v = t.at(places.map(([index, part]) => ({ index, part })));
  assert.ok(typeof v !== "string");
  return [...v.data];
};

test("a bilinear function is interpolated exactly", () => {
  const f = (a: number, b: number): number => 100 + 30 * a + 500 * b + 20 * a * b;
  const codes = [0, 1, 2].flatMap((a) => [0, 1, 2, 3].map((b) => f(a, b)));
  const t = new Table(spec({ deps: ["a", "b"], lerp: true, data: u16(codes) }), [3, 4]);
  for (const [i, p] of [[0, 0.25], [1, 0.5], [2, 0]] as [number, number][]) {
    for (const [j, q] of [[0, 0], [2, 0.75], [3, 0]] as [number, number][]) {
      assert.ok(Math.abs(value(t, [i, p], [j, q])[0]! - f(i + p, j + q)) < 1e-9);
    }
  }
});

test("without interpolation the nearest state counts", () => {
  const t = new Table(spec({ data: u16([10, 20, 30]) }), [3]);
  assert.deepEqual([value(t, [0, 0.4]), value(t, [0, 0.6]), value(t, [1, 0])], [[10], [30 - 10], [20]]);
});

test("a gap in one corner does not spread where the nearest state has a number", () => {
  const t = new Table(spec({ shape: [2], lerp: true, data: u16([10, 65535, 20, 40]) }), [2]);
  assert.deepEqual(value(t, [0, 0.75]), [17.5, 40]);
  assert.deepEqual(value(t, [0, 0.25]), [12.5, NaN]);
});

test("a table of words answers with the word of the nearest state", () => {
  const t = new Table({ deps: ["a"], shape: [], enc: "s", strings: ["no", "yes"], codes: [1, 0] }, [2]);
  assert.equal(t.at([{ index: 0, part: 0.2 }]), "yes");
  assert.equal(t.at([{ index: 0, part: 0.9 }]), "no");
});
