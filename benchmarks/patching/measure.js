// Serves page.js and what it compares with, and prints what Chromium measures:  node benchmarks/patching/measure.js [TIMES]

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import { browser } from "../../tests/webroot/browser/harness.js";

const TIMES = Number(process.argv[2] ?? 31);
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
page.on("console", (one) => console.error(one.text()));
page.on("pageerror", (error) => console.error(error));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.waitForFunction(() => window.measure);
console.log(JSON.stringify(await page.evaluate((times) => window.measure(times), TIMES)));
await chrome.close();
server.close();
process.exit(0);
