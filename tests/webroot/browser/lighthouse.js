// What Lighthouse says of the demonstration on a phone: `make bench BENCH=article-lighthouse`, on a quiet machine, or
// `node tests/webroot/browser/lighthouse.js [RUNS]`.
//
// Four nodes as `make run` starts them, Lighthouse 12.2.3 (by npx; the last one for Node 20), a first visit each run.  It
// prints the median of each category for each page, and all of them as a line of JSON; benchmarks/article_live.py knows
// the goals.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { Staging } from "./staging.js";

const run = promisify(execFile);
const RUNS = Number(process.argv[2] ?? 5);
const PAGES = ["/", "/ranking", "/character/2665"];

const staging = await Staging.start();
const folder = await mkdtemp(join(tmpdir(), "edge-lighthouse-"));
const found = {};
try {
  for (const path of PAGES) {
    await fetch(staging.home + path); // made once, as for everybody but the first
    const all = [];
    for (let n = 0; n < RUNS; n += 1) {
      const file = join(folder, "out.json");
      const flags = ["--quiet", "--chrome-flags=--headless=new --no-sandbox --disable-gpu", "--output=json", `--output-path=${file}`];
      await run("npx", ["--yes", "lighthouse@12.2.3", staging.home + path, ...flags], { env: { CHROME_PATH: "/usr/bin/chromium", ...process.env }, timeout: 120_000 });
      const { categories, audits } = JSON.parse(await readFile(file, "utf8"));
      all.push({ ...Object.fromEntries(Object.entries(categories).map(([name, { score }]) => [name, Math.round(score * 100)])), shift: Number(audits["cumulative-layout-shift"].numericValue.toFixed(3)) });
    }
    const median = (name) => all.map((one) => one[name]).sort((a, b) => a - b)[RUNS >> 1];
    found[path] = Object.fromEntries(Object.keys(all[0]).map((name) => [name, median(name)]));
    console.log(`${path}: ${Object.entries(found[path]).map(([name, value]) => `${name} ${value}`).join(", ")}`);
  }
} finally {
  await staging.stop();
  await rm(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(found));
