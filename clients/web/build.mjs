// Build the page: two scripts, one style sheet, and what is copied as it is.
// usage: node build.mjs FOLDER
import { build } from "esbuild";
import { cp, mkdir } from "node:fs/promises";

const folder = process.argv[2];
await mkdir(folder, { recursive: true });
await build({
  entryPoints: { app: "src/main.ts", worklet: "src/capture/worklet.ts", style: "src/style.css" },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox120", "safari17.5"],
  charset: "utf8",
});
for (const name of ["index.html", "icon.svg"]) await cp(`src/${name}`, `${folder}/${name}`);
