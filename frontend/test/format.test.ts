import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, formatNumber, plain, runs } from "../src/format.ts";

test("numbers are written as Python writes them, with a true minus sign", () => {
  const cases: [number, string, string][] = [
    [3.14159, ".2f", "3.14"], [-0.5, ".1f", "−0.5"], [1234567, ",d", "1,234,567"], [0.256, ".1%", "25.6%"], [12345, ".3g", "1.23e+4"],
    [0.00001234, ".2g", "1.2e−5"], [100, ".3g", "100"], [0.5, "+.2f", "+0.50"], [2.0, "", "2"], [0.1 + 0.2, "", "0.3"], [1e-7, ".1e", "1.0e−7"],
    [NaN, ".2f", "–"], [2.6, "d", "3"], [0, ".3g", "0"], [1234.5, ",.1f", "1,234.5"],
  ];
  for (const [x, spec, text] of cases) assert.equal(formatNumber(x, spec), text, `${x} as ${spec}`);
});

test("a template takes numbers where a format asks for one, and words elsewhere", () => {
  const asked: [string, boolean][] = [];
  const get = (name: string, number: boolean): number | string => {
    asked.push([name, number]);
    return name === "word" ? "hard" : 0.125;
  };
  assert.equal(fill("{{x}} {a:.2f}, {word} {b:s}", get), "{x} 0.13, hard 0.125");
  assert.deepEqual(asked, [["a", true], ["word", false], ["b", false]]);
});

test("italics and indices become runs", () => {
  assert.deepEqual(runs("*T*_{0} = 10^{−3}"), [
    { text: "T", style: "i" }, { text: "0", style: "sub" }, { text: " = 10", style: "" }, { text: "−3", style: "sup" },
  ]);
  assert.equal(plain("*y*_{A} 2 * 3 * 4"), "yA 2 * 3 * 4");
});
