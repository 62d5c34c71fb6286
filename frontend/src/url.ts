/** The state of explorers in the address: `#temperature:tau=0.1&mode=hard;other:k=3`. */

export interface Wanted {
  name: string;
  values: Record<string, string>;
}

/** A part of the address as text; a broken escape is left as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** The states that an address asks for; an ordinary anchor asks for none. */
export function parseHash(hash: string): Wanted[] {
  const out: Wanted[] = [];
  for (const part of hash.replace(/^#/, "").split(";")) {
    const m = /^([a-z][a-z0-9-]*):(.*)$/.exec(part);
    if (!m) continue;
    const values: Record<string, string> = {};
    for (const pair of m[2]!.split("&")) {
      const k = pair.indexOf("=");
      if (k > 0) values[decode(pair.slice(0, k))] = decode(pair.slice(k + 1));
    }
    out.push({ name: m[1]!, values });
  }
  return out;
}

/** The address of a state. */
export function formatHash(states: Wanted[]): string {
  return states
    .map(({ name, values }) => {
      const pairs = Object.entries(values).map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`);
      return `${name}:${pairs.join("&")}`;
    })
    .join(";");
}
