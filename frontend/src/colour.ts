/** Colour maps: stops from CSS variables, blended in OKLab, so that equal steps look equal and dark pages get dark maps. */

export type Rgb = [number, number, number];
export type Lut = Uint8ClampedArray; // 256 × 3

const FALLBACK: Record<string, string[]> = {
  sequential: ["#f4f8fb", "#bcdcf0", "#62a8d8", "#1f6fb0", "#0b3c6f"],
  diverging: ["#7a3b00", "#d98a3d", "#f6f5f3", "#6aa3cf", "#08457e"],
  quiet: ["#ffffff", "#f0f2f4", "#dfe3e8", "#c9cfd7", "#aeb6c1"],
  line: ["#2f6fde", "#7d4fc4", "#b8358a", "#c8321f", "#8f2d00"],
};

const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const gamma = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

/** sRGB in 0 … 1 to OKLab. */
export function toOklab([r, g, b]: Rgb): Rgb {
  const [lr, lg, lb] = [linear(r), linear(g), linear(b)];
  const l = Math.cbrt(0.4122214708 * lr + 0.5363325363 * lg + 0.0514459929 * lb);
  const m = Math.cbrt(0.2119034982 * lr + 0.6806995451 * lg + 0.1073969566 * lb);
  const s = Math.cbrt(0.0883024619 * lr + 0.2817188376 * lg + 0.6299787005 * lb);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** The inverse of `toOklab`. */
export function fromOklab([L, a, b]: Rgb): Rgb {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** `#rrggbb` in 0 … 1; `null` for anything else. */
export function parseHex(text: string): Rgb | null {
  const m = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text.trim());
  return m ? [parseInt(m[1]!, 16) / 255, parseInt(m[2]!, 16) / 255, parseInt(m[3]!, 16) / 255] : null;
}

/** 256 colours through the stops. */
export function ramp(stops: Rgb[]): Lut {
  const lab = stops.map(toOklab);
  const out = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const t = (i / 255) * (lab.length - 1);
    const k = Math.min(Math.floor(t), lab.length - 2);
    const rgb = fromOklab([0, 1, 2].map((c) => lab[k]![c]! + (t - k) * (lab[k + 1]![c]! - lab[k]![c]!)) as Rgb);
    rgb.forEach((v, c) => (out[3 * i + c] = Math.round(255 * v)));
  }
  return out;
}

/** The colour map called `name` as the page's theme has it. */
export function lut(name: string, host: Element): Lut {
  const style = getComputedStyle(host);
  const stops = FALLBACK[name]!.map((hex, i) => parseHex(style.getPropertyValue(`--kxe-${name}-${i}`)) ?? parseHex(hex)!);
  return ramp(stops);
}

/** The place of a value in a map: 0 … 255. */
export function shade(v: number, low: number, high: number): number {
  const t = (v - low) / (high - low || 1);
  return Math.round(255 * Math.min(Math.max(t, 0), 1));
}

export const css = (map: Lut, i: number): string => `rgb(${map[3 * i]} ${map[3 * i + 1]} ${map[3 * i + 2]})`;

/** Black or white: which reads better on a colour of the map. */
export function contrast(map: Lut, i: number): string {
  const [r, g, b] = [0, 1, 2].map((c) => linear(map[3 * i + c]! / 255)) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}
