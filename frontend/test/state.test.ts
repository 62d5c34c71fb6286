import assert from "node:assert/strict";
import { test } from "node:test";
import { Values, fromText, nearest, positions, readout, toText, valueAt } from "../src/state.ts";
import type { ControlSpec, Spec } from "../src/types.ts";
import { formatHash, parseHash } from "../src/url.ts";

const tau: ControlSpec = { name: "tau", kind: "range", label: "τ", scale: "log", base: 10, start: 0, grid: [-1, 0, 1], positions: [-1, -0.5, 0, 0.5, 1], marks: [], format: ".2f" };
const k: ControlSpec = { name: "k", kind: "range", label: "k", scale: "linear", integer: true, start: 2, grid: [1, 2, 3], marks: [], format: "d" };
const mode: ControlSpec = { name: "mode", kind: "radio", label: "mode", start: 0, grid: [0, 1], marks: [], labels: ["soft & slow", "hard"], values: ["s", "h"] };
const size: ControlSpec = { name: "size", kind: "slider", label: "size", start: 1, grid: [0, 1], marks: [], labels: ["small", "large"], values: [0.1, 8] };
const flag: ControlSpec = { name: "flag", kind: "check", label: "flag", start: 0, grid: [0, 1], marks: [], labels: ["off", "on"], values: [false, true] };

test("a state survives the way through the address", () => {
  const states = [{ name: "temperature", values: { tau: "0.1", mode: "soft & slow=;" } }, { name: "rope", values: { k: "3" } }];
  assert.deepEqual(parseHash("#" + formatHash(states)), states);
  for (const [c, at] of [[tau, 0.5], [tau, -1], [k, 3], [mode, 0], [mode, 1], [size, 1], [flag, 1]] as [ControlSpec, number][]) {
    assert.equal(fromText(c, toText(c, at)), at, `${c.name} at ${at}`);
  }
});

test("ordinary anchors and nonsense ask for nothing", () => {
  assert.deepEqual(parseHash("#section-3"), []);
  assert.deepEqual(parseHash(""), []);
  assert.deepEqual(parseHash("#a:%E0%A4%A=1&x"), [{ name: "a", values: { "%E0%A4%A": "1" } }]);
  assert.deepEqual([fromText(tau, "abc"), fromText(tau, "-1"), fromText(tau, ""), fromText(mode, "none")], [null, null, null, null]);
});

test("an address goes to the nearest position, options by label or value", () => {
  assert.equal(fromText(tau, "0.3"), -0.5);
  assert.equal(fromText(tau, "1e9"), 1);
  assert.deepEqual([fromText(mode, "hard"), fromText(mode, "h"), fromText(size, "8.0"), fromText(flag, "true")], [1, 1, 1, 1]);
  assert.deepEqual([positions(tau).length, positions(k), nearest([0, 1, 4], 2.6)], [5, [1, 2, 3], 2]);
});

test("controls stand for the numbers that Python would receive", () => {
  assert.deepEqual([valueAt(tau, -1), valueAt(k, 2.2), valueAt(size, 1), valueAt(flag, 1), valueAt(mode, 1)], [0.1, 2, 8, 1, 1]);
  assert.deepEqual([readout(tau, 0.5), readout(k, 3), readout(mode, 1)], ["3.16", "3", "hard"]);
});

const base64 = (codes: number[]): string => Buffer.from(Uint16Array.from(codes).buffer).toString("base64");
const spec: Spec = {
  v: 1, name: "x", title: "", alt: "", say: "", panels: [], presets: [],
  controls: [tau, mode, size],
  derived: [["y", ["*", ["name", "a"], ["name", "tau"]]], ["z", ["+", ["name", "y"], ["name", "size"]]]],
  tables: {
    a: { deps: ["tau"], shape: [], enc: "u2", range: [0, 65534], lerp: true, data: base64([10, 20, 40]) },
    w: { deps: ["mode"], shape: [], enc: "s", strings: ["calm", "wild"], codes: [0, 1] },
  },
};

test("tables, expressions and controls answer together", () => {
  const v = new Values(spec);
  assert.deepEqual([v.num("a"), v.num("y"), v.num("z")], [20, 20, 28]);
  v.move({ tau: 0.5, mode: 1, size: 0 });
  assert.ok(Math.abs(v.num("y") - 30 * 10 ** 0.5) < 1e-9);
  assert.equal(v.fill("{w}, {mode}, {size} {size:.1f}, {tau:.2f}"), "wild, hard, small 0.1, 3.16");
  assert.throws(() => v.num("nothing"), /no value is called nothing/);
});

test("what Python answered counts before the tables", () => {
  const v = new Values(spec);
  v.move({ tau: -1 }, new Map<string, { data: Float64Array; shape: number[] } | string>([["a", { data: Float64Array.of(7), shape: [] }], ["w", "live"]]));
  assert.ok(Math.abs(v.num("y") - 0.7) < 1e-12);
  assert.equal(v.fill("{w}"), "live");
});
