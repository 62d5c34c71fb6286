import assert from "node:assert/strict";
import { test } from "node:test";
import { contrast, css, fromOklab, parseHex, ramp, shade, toOklab } from "../src/colour.ts";
import { equalise } from "../src/panels/axes.ts";
import { corners, latticeIndex } from "../src/panels/simplex.ts";
import { logTicks, niceStep, power, scale, ticks } from "../src/scale.ts";

test("scales map ends to ends, linearly or by decades", () => {
  const y = scale([0, 10], [200, 0]);
  assert.deepEqual([y(0), y(2.5), y(10)], [200, 150, 0]);
  const x = scale([0.01, 100], [0, 400], true);
  assert.deepEqual([0.01, 1, 100].map((v) => Math.round(x(v))), [0, 200, 400]);
});

test("ticks are round, inside the range, and free of rounding noise", () => {
  assert.deepEqual(ticks([0, 1], 5).map((t) => t.text), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assert.deepEqual(ticks([-1, 1], 4).map((t) => t.text), ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
  assert.deepEqual(ticks([0, 3e6], 3).map((t) => t.text), ["0", "10^{6}", "2·10^{6}", "3·10^{6}"]);
  for (const range of [[0.13, 0.97], [-7, 1234], [2, 2.001]] as [number, number][]) {
    const found = ticks(range, 5);
    assert.ok(found.length >= 2 && found.length <= 9);
    assert.ok(found.every((t) => t.at >= range[0] - 1e-9 && t.at <= range[1] + 1e-9));
  }
  assert.equal(niceStep(10, 5), 2);
  assert.equal(power(-0.00025), "−2.5·10^{−4}");
});

test("logarithmic ticks are decades, with 2 and 5 between them where there is room", () => {
  assert.deepEqual(logTicks([0.1, 10], 6).map((t) => t.text), ["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
  assert.deepEqual(logTicks([1e-8, 1], 4).map((t) => t.text), ["10^{−8}", "10^{−5}", "10^{−2}"]);
});

test("equal scales make a unit equally long on both axes", () => {
  const [x, y] = equalise([0, 4], [0, 1], 200, 100);
  assert.ok(Math.abs(200 / (x[1] - x[0]) - 100 / (y[1] - y[0])) < 1e-9);
  assert.deepEqual(x, [0, 4]);
  assert.equal((y[0] + y[1]) / 2, 0.5);
});

test("colours survive the way through OKLab, and a ramp meets its stops", () => {
  for (const hex of ["#4162db", "#ffffff", "#000000", "#ad7f14"]) {
    const rgb = parseHex(hex)!;
    fromOklab(toOklab(rgb)).forEach((v, i) => assert.ok(Math.abs(v - rgb[i]!) < 2e-4));
  }
  const map = ramp([parseHex("#ffffff")!, parseHex("#4162db")!, parseHex("#000000")!]);
  assert.equal(css(map, 0), "rgb(255 255 255)");
  assert.equal(css(map, 255), "rgb(0 0 0)");
  assert.equal(contrast(map, 0), "#000");
  assert.equal(contrast(map, 255), "#fff");
  assert.equal(parseHex("red"), null);
  assert.deepEqual([shade(-1, 0, 1), shade(0.5, 0, 1), shade(9, 0, 1)], [0, 128, 255]);
});

test("on the triangle a linear function is met exactly from its lattice", () => {
  const m = 9;
  const f = (a: number, b: number): number => 3 * a - 2 * b + 1;
  const z: number[] = [];
  for (let i = 0; i <= m; i++) for (let j = 0; j <= m - i; j++) z[latticeIndex(i, j, m)] = f((i + 1 / 3) / (m + 1), (j + 1 / 3) / (m + 1));
  assert.equal(z.length, ((m + 1) * (m + 2)) / 2);
  for (const [a, b] of [[0.3, 0.3], [0.5, 0.2], [0.11, 0.62], [1 / 3, 1 / 3], [0.2, 0.15]] as [number, number][]) {
    const found = corners(a, b, m);
    assert.ok(Math.abs(found.reduce((s, [, w]) => s + w, 0) - 1) < 1e-12);
    assert.ok(Math.abs(found.reduce((s, [i, w]) => s + w * z[i]!, 0) - f(a, b)) < 1e-9, `${a}, ${b}`);
  }
});
