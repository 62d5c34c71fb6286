import type { PanelSpec } from "../types.ts";
import { bars } from "./bars.ts";
import { matrix } from "./matrix.ts";
import type { Kind } from "./panel.ts";
import { plane } from "./plane.ts";
import { simplex } from "./simplex.ts";
import { strip } from "./strip.ts";
import { text } from "./text.ts";

/** Every kind of panel by the name that Python writes. */
export const KINDS: Record<string, Kind<never>> = { plane, bars, simplex, matrix, strip, text };

export const kind = (spec: PanelSpec): Kind<PanelSpec> => {
  const found = KINDS[spec.kind];
  if (!found) throw new Error(`unknown kind of panel: ${spec.kind}`);
  return found as Kind<PanelSpec>;
};
