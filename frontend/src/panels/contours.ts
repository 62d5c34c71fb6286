/** A piece of a level line, in units of cells: x0, y0, x1, y1; (0, 0) is the first value. */
export type Piece = [number, number, number, number];

/** Where a level lies between two values. */
const between = (a: number, b: number, level: number): number => (level - a) / (b - a);

/**
 * The level line of values on a lattice (row-major, `columns` wide), by marching squares. A saddle is decided by the mean of its
 * four corners; a cell with a gap has no line.
 */
export function levelLine(z: ArrayLike<number>, columns: number, level: number): Piece[] {
  const out: Piece[] = [];
  const rows = Math.floor(z.length / columns);
  for (let j = 0; j + 1 < rows; j++) {
    for (let i = 0; i + 1 < columns; i++) {
      const at = j * columns + i;
      const [a, b, c, d] = [z[at]!, z[at + 1]!, z[at + columns + 1]!, z[at + columns]!]; // around the cell
      const mean = (a + b + c + d) / 4;
      if (Number.isNaN(mean)) continue;
      const ends: [number, number][] = [];
      const [ha, hb, hc, hd] = [a >= level, b >= level, c >= level, d >= level];
      if (ha !== hb) ends.push([i + between(a, b, level), j]);
      if (hb !== hc) ends.push([i + 1, j + between(b, c, level)]);
      if (hc !== hd) ends.push([i + between(d, c, level), j + 1]);
      if (hd !== ha) ends.push([i, j + between(a, d, level)]);
      // at a saddle the ends are those of the bottom, right, top and left edge
      const pairs = ends.length === 4 ? (mean >= level === ha ? [0, 1, 2, 3] : [3, 0, 1, 2]) : [0, 1];
      for (let k = 0; k + 1 < pairs.length && ends.length; k += 2) out.push([...ends[pairs[k]!]!, ...ends[pairs[k + 1]!]!]);
    }
  }
  return out;
}
