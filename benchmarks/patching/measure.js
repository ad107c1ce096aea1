// Serves page.js and what it compares with, and prints what Chromium measures:  node benchmarks/patching/measure.js [TIMES [KIND...]]

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import { browser } from "../../tests/webroot/browser/harness.js";

const TIMES = Number(process.argv[2] ?? 50);
const ONLY = process.argv.slice(3);
/** Of one kind and change in a round, milliseconds. */
const ENOUGH_MS = 200;
const ROUNDS = 3;
const IMPORTS = { "lit-html": "/npm/lit-html/lit-html.js", "lit-html/": "/npm/lit-html/", preact: "/npm/preact/dist/preact.mjs", idiomorph: "/npm/idiomorph/dist/idiomorph.esm.js" };
const PAGE = `<!doctype html><title>patching</title><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports: IMPORTS })}</script><script type=module src=/page.js></script>`;
/** @param {string} path */
const file = (path) => new URL(path === "/page.js" ? "page.js" : path.startsWith("/npm/") ? `node_modules/${path.slice(5)}` : `../../webroot${path}`, import.meta.url);

const server = createServer(async (request, answer) => {
  answer.setHeader("content-type", request.url === "/" ? "text/html" : "text/javascript");
  answer.end(request.url === "/" ? PAGE : await readFile(file(/** @type {string} */ (request.url))).catch(() => ""));
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const chrome = await browser();
const page = await chrome.context.newPage();
page.on("pageerror", (error) => console.error(error));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.waitForFunction(() => window.right);

// CPU time of the page's thread, with layout: what others do on this machine is not counted.
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable", { timeDomain: "threadTicks" });
const busy = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value * 1000;
/** Milliseconds of CPU time for each of *times* patches. */
const patches = async (times, really) => {
  const before = await busy();
  const least = await page.evaluate(([times, really]) => window.patch(times, really), [times, really]);
  return { cpu: ((await busy()) - before) / times, least };
};

// In rounds, the kinds by turns: what others do on this machine hits all of them.
const kinds = (await page.evaluate(() => window.kinds)).filter((kind) => !ONLY.length || ONLY.includes(kind));
const changes = await page.evaluate(() => window.changes);
const found = Object.fromEntries(kinds.map((kind) => [kind, {}]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const change of changes) {
    for (const kind of kinds) {
      await page.evaluate(([kind, change]) => window.prepare(kind, change), [kind, change]);
      const { cpu: first } = await patches(3, true); // warm, and how long it takes
      const times = Math.max(3, Math.min(TIMES, Math.round(ENOUGH_MS / first)));
      const { cpu: nothing } = await patches(times, false);
      const { cpu, least } = await patches(times, true);
      const waited = await page.evaluate((times) => window.waited(times), times);
      const right = await page.evaluate(() => window.right(2));
      const last = found[kind][change] ?? { ms: Infinity, wall: Infinity, held: Infinity, right: true };
      found[kind][change] = {
        ms: Math.min(last.ms, Math.max(0, cpu - nothing)), wall: Math.min(last.wall, least), held: Math.min(last.held, waited), right: last.right && right,
      };
    }
  }
}
console.log(JSON.stringify(found));
await chrome.close();
server.close();
process.exit(0);
