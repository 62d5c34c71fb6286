// Bundles the front end twice, into the Python package: an ES module for JupyterLab, a classic script for the static page.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../lib/kexue/explorer/static");
const common = { bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none", absWorkingDir: here };

mkdirSync(out, { recursive: true });
await build({ ...common, entryPoints: ["src/live.ts"], format: "esm", outfile: join(out, "explorer.js") });
await build({ ...common, entryPoints: ["src/static.ts"], format: "iife", outfile: join(out, "explorer.static.js") });
copyFileSync(join(here, "src/explorer.css"), join(out, "explorer.css"));
for (const f of ["explorer.js", "explorer.static.js", "explorer.css"]) {
  console.log(`${f}: ${(statSync(join(out, f)).size / 1024).toFixed(1)} KB`);
}
