/** Numbers and texts: Python's format specifications (the subset of template.py), and light typography. */

const SPEC = /^([+]?)(,?)(?:\.(\d+))?([dfgeE%s]?)$/;

function exponent(text: string): string {
  return text.replace(/e([+-])0*(\d)/i, "e$1$2");
}

/** Python's `g`: significant digits, no trailing zeros, an exponent where it is shorter. */
function general(x: number, digits: number): string {
  if (x === 0) return "0";
  const p = Math.max(digits, 1);
  const [mantissa, power] = x.toExponential(p - 1).split("e") as [string, string];
  const e = Number(power);
  if (e < -4 || e >= p) {
    const m = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${m}e${e < 0 ? "-" : "+"}${Math.abs(e)}`;
  }
  const fixed = x.toFixed(Math.max(0, p - 1 - e));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** One number in print, with a true minus sign and a dash for what is not a number. */
export function formatNumber(x: number, spec = ""): string {
  if (Number.isNaN(x)) return "–";
  const [, plus, comma, digits, type] = SPEC.exec(spec) ?? ["", "", "", undefined, ""];
  const d = digits === undefined ? 6 : Number(digits);
  let text: string;
  if (type === "d") text = Math.round(x).toString();
  else if (type === "f") text = x.toFixed(d);
  else if (type === "%") text = (100 * x).toFixed(d) + "%";
  else if (type === "e" || type === "E") text = exponent(x.toExponential(d));
  else text = general(x, d);
  if (comma) text = text.replace(/^-?\d+/, (m) => m.replace(/\B(?=(\d{3})+$)/g, ","));
  if (plus && x >= 0) text = "+" + text;
  return text.replaceAll("-", "−");
}

/** A template with its values; `{{` and `}}` are braces. A format asks for the number, no format for the word if there is one. */
export function fill(template: string, get: (name: string, number: boolean) => number | string): string {
  return template.replace(/\{\{|\}\}|\{([^{}:]+)(?::([^{}]*))?\}/g, (whole, name?: string, spec?: string) => {
    if (name === undefined) return whole[0]!;
    const v = get(name, /[defgE%]$|\d$/.test(spec ?? ""));
    return typeof v === "string" ? v : formatNumber(v, spec);
  });
}

export interface Run {
  text: string;
  style: "" | "i" | "sub" | "sup";
}

/** A text with `*italics*`, `_{below}` and `^{above}` in runs of one style. */
export function runs(text: string): Run[] {
  const out: Run[] = [];
  const mark = /\*([^*\s][^*]*)\*|_\{([^{}]*)\}|\^\{([^{}]*)\}/g;
  let end = 0;
  for (const m of text.matchAll(mark)) {
    if (m.index > end) out.push({ text: text.slice(end, m.index), style: "" });
    out.push(m[1] !== undefined ? { text: m[1], style: "i" } : m[2] !== undefined ? { text: m[2], style: "sub" } : { text: m[3]!, style: "sup" });
    end = m.index + m[0].length;
  }
  if (end < text.length) out.push({ text: text.slice(end), style: "" });
  return out;
}

/** The same text without its marks. */
export function plain(text: string): string {
  return runs(text).map((r) => r.text).join("");
}
