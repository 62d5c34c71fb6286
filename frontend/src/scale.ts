import { formatNumber } from "./format.ts";
import type { Range } from "./types.ts";

export interface Tick {
  at: number;
  text: string;
}

export type Scale = (v: number) => number;

/** From data to pixels; both ends may be in either order. */
export function scale(domain: Range, pixels: Range, log = false): Scale {
  const t = log ? (v: number): number => Math.log(v > 0 ? v : Number.MIN_VALUE) : (v: number): number => v;
  const [a, b] = [t(domain[0]), t(domain[1])];
  const k = (pixels[1] - pixels[0]) / (b - a || 1);
  return (v) => pixels[0] + (t(v) - a) * k;
}

/** The step 1, 2 or 5 × 10ⁿ that gives about `count` intervals. */
export function niceStep(span: number, count: number): number {
  const raw = span / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / power;
  return power * (lead < 1.414 ? 1 : lead < 3.162 ? 2 : lead < 7.071 ? 5 : 10);
}

/** Round numbers inside a range. */
export function ticks([low, high]: Range, count: number): Tick[] {
  const step = niceStep(high - low, count);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const out: Tick[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
    const at = k * step;
    const big = Math.max(Math.abs(low), Math.abs(high));
    const text = big >= 1e5 || big < 1e-3 ? power(at) : formatNumber(Math.abs(at) < step / 2 ? 0 : at, `.${Math.min(digits, 9)}f`);
    out.push({ at, text });
  }
  return out;
}

/** `2·10^{−4}` for the typography of format.ts. */
export function power(v: number): string {
  if (v === 0) return "0";
  const e = Math.floor(Math.log10(Math.abs(v)) + 1e-9);
  const m = v / 10 ** e;
  const above = `10^{${formatNumber(e, "d")}}`;
  if (Math.abs(Math.abs(m) - 1) < 1e-6) return (m < 0 ? "−" : "") + above;
  return `${formatNumber(m, ".3g")}·${above}`;
}

/** Decades, with 2 and 5 between them where there are few. */
export function logTicks([low, high]: Range, count: number): Tick[] {
  const [a, b] = [Math.floor(Math.log10(low) + 1e-9), Math.ceil(Math.log10(high) - 1e-9)];
  const every = Math.max(1, Math.ceil((b - a + 1) / Math.max(count, 2)));
  const leads = (b - a) * 3 <= count * 1.5 ? [1, 2, 5] : [1];
  const small = a >= -3 && b <= 4;
  const out: Tick[] = [];
  for (let e = a; e <= b; e += every) {
    for (const lead of leads) {
      const at = lead * 10 ** e;
      if (at >= low * (1 - 1e-9) && at <= high * (1 + 1e-9)) out.push({ at, text: small ? formatNumber(at, ".4g") : power(at) });
    }
  }
  return out;
}
