// The conformance suite of http-tests/cache-tests in Chromium, once with the browser's cache alone and once with the
// smart client in front of it:  node benchmarks/cache_tests.js CLONE [--json] [--only=TEST-ID,...]
//
// The suite's own server gives pages, scripts and answers; the worker is that of this checkout.  All of the suite's
// requests have header fields of their own (Test-ID, Req-Num, Test-Name), with which a request is left to the browser;
// `ignore_fields` in /edge.json lets the worker answer them, so it is its store that is measured.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { chromium } from "playwright-core";

const WEBROOT = fileURLToPath(new URL("../webroot/", import.meta.url));
const RULES = { v: 1, ignore_fields: ["test-id", "req-num", "test-name"] };
const HELP = `This measurement needs a clone of the suite, which is not a part of this project:

    git clone https://github.com/http-tests/cache-tests
    node benchmarks/cache_tests.js cache-tests
`;

/** A port that nobody listens on. */
function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "localhost", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** A folder that the suite's server serves: the suite, and the smart client beside it. */
async function site(clone) {
  const folder = await mkdtemp(join(tmpdir(), "edge-cache-tests-"));
  for (const name of ["test-engine", "tests", "asset"]) await symlink(join(clone, name), join(folder, name));
  for (const name of ["sw.js", "edge"]) await symlink(join(WEBROOT, name), join(folder, name));
  await writeFile(join(folder, "edge.json"), JSON.stringify(RULES));
  await writeFile(join(folder, "blank.html"), "<!doctype html><title>cache-tests</title>");
  return folder;
}

/** The suite's server in *folder*, when it listens. */
async function serve(clone, folder, port) {
  const server = spawn(process.execPath, [join(clone, "test-engine/server/server.mjs")], {
    cwd: folder, stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, npm_config_protocol: "http", npm_config_port: String(port), npm_config_pidfile: join(folder, "pid") },
  });
  await new Promise((done, failed) => {
    server.once("exit", (code) => failed(new Error(`the suite's server ended with ${code}`)));
    server.stdout.once("data", done);
  });
  server.stdout.resume();
  return server;
}

/** Results by test, in a browser of its own. */
async function results(origin, withWorker, only) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/blank.html`);
    if (withWorker) {
      await page.evaluate(async () => {
        await navigator.serviceWorker.register("/sw.js", { type: "module" }); // as it is in the checkout
        await navigator.serviceWorker.ready;
      });
      await page.reload();
      await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    }
    return await page.evaluate(async (only) => {
      const { runTests, getResults } = await import("/test-engine/client/runner.mjs");
      let { default: suites } = await import("/tests/index.mjs");
      if (only) suites = suites.map((suite) => ({ ...suite, tests: suite.tests.filter(({ id }) => only.includes(id)) }));
      await runTests(suites, true);
      return getResults();
    }, only);
  } finally {
    await browser.close();
  }
}

/** Measure both; by way: {passed, of, byTest}. */
export async function measure(clone, only) {
  const { default: suites } = await import(pathToFileURL(join(clone, "tests/index.mjs")).href);
  const { determineTestResult, resultTypes } = await import(pathToFileURL(join(clone, "test-engine/lib/results.mjs")).href);
  const folder = await site(clone);
  const port = await freePort();
  const server = await serve(clone, folder, port);
  try {
    const told = {};
    for (const way of ["without", "with"]) {
      const found = await results(`http://localhost:${port}`, way === "with", only);
      const byTest = {};
      const count = { required: 0, passed: 0, optimal: 0, optimalPassed: 0 };
      for (const { tests } of suites) {
        for (const test of tests) {
          if (!(test.id in found)) continue;
          const verdict = determineTestResult(suites, test.id, found);
          const kind = test.kind ?? "required";
          const name = Object.keys(resultTypes).find((key) => resultTypes[key] === verdict);
          byTest[test.id] = { kind, verdict: name, why: found[test.id] === true ? "" : String(found[test.id][1]) };
          const right = found[test.id] === true;
          if (kind === "required") count.required += 1, count.passed += right;
          if (kind === "optimal") count.optimal += 1, count.optimalPassed += right;
        }
      }
      told[way] = { ...count, byTest };
    }
    return told;
  } finally {
    server.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function main() {
  const [given, ...options] = process.argv.slice(2);
  const clone = resolve(given ?? process.env.CACHE_TESTS ?? "cache-tests");
  if (!existsSync(join(clone, "test-engine/server/server.mjs"))) {
    process.stderr.write(`${clone} is no clone of cache-tests.\n\n${HELP}`);
    process.exit(2);
  }
  const only = options.find((one) => one.startsWith("--only="))?.slice(7).split(",");
  const told = await measure(clone, only);
  if (options.includes("--json")) {
    process.stdout.write(`${JSON.stringify(told)}\n`);
    return;
  }
  for (const [way, { passed, required, optimal, optimalPassed }] of Object.entries(told)) {
    console.log(`${way.padEnd(8)} the worker: ${passed} of ${required} required passed, ${optimalPassed} of ${optimal} optimal`);
  }
  for (const [id, { kind, why }] of Object.entries(told.with.byTest)) {
    const without = told.without.byTest[id];
    if (kind === "required" && (why || without?.why)) console.log(`${why ? (without?.why ? "both  " : "WORSE ") : "better"} ${id}: ${why || without.why}`);
  }
}

await main();
