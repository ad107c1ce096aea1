// idiomorph's own suite in Chromium, with our morph (webroot/edge/page/patch.js) in the place of its library:
//     node benchmarks/idiomorph_suite.js CLONE [--json]
//
// What its tests call is Idiomorph.morph(old, content, {morphStyle}); below it is made of ours.  Its callbacks and other
// options have no place in ours: tests of those fail.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const PATCH = fileURLToPath(new URL("../webroot/edge/page/patch.js", import.meta.url));
/** Files of tests, in the order of the suite. */
const TESTS = ["bootstrap", "core", "fidelity", "head", "hooks", "htmx-integration", "ops", "preserve-focus", "restore-focus", "retain-hidden-state"];
const LIBRARIES = ["mocha/mocha.js", "chai/chai.js", "chai-dom/chai-dom.js", "sinon/pkg/sinon.js", "htmx.org/dist/htmx.js"];
const HELP = `This measurement needs a clone of the suite and what its tests use, which are no parts of this project:

    git clone https://github.com/bigskysoftware/idiomorph
    (cd idiomorph && npm install --no-save --ignore-scripts mocha@10 chai@4 chai-dom@1 sinon@9 htmx.org@1.9.9)
    node benchmarks/idiomorph_suite.js idiomorph
`;
/** A test of the suite, milliseconds; all of them. */
const TEST_MS = 1_500;
const ALL_MS = 120_000;

/** In the browser: its interface, made of our morph. */
async function adapt() {
  const { morph } = await import("/patch.js");
  const parsed = (html) => new DOMParser().parseFromString(html, "text/html");
  const nodesOf = (content) => {
    if (content == null) return [];
    if (content instanceof Document) return [content.documentElement];
    if (content instanceof Node) return [content];
    if (typeof content !== "string") return [...content];
    const plain = content.replace(/<svg(\s[^>]*>|>)([\s\S]*?)<\/svg>/gim, "");
    if (/<\/html>/.test(plain)) return [parsed(content).documentElement];
    if (/<\/(head|body)>/.test(plain)) return [...parsed(content).documentElement.childNodes];
    return [...parsed(`<body><template>${content}</template>`).querySelector("template").content.childNodes];
  };
  const copy = (node) => {
    const made = node.cloneNode(true);
    if (node.matches?.("input, textarea")) made.value = node.value;
    return made;
  };
  globalThis.Idiomorph = {
    defaults: { morphStyle: "outerHTML" },
    morph(given, content, config = {}) {
      const morphStyle = config.morphStyle ?? Idiomorph.defaults.morphStyle ?? "outerHTML";
      const old = given instanceof Document ? given.documentElement : given;
      const wanted = nodesOf(content);
      if (morphStyle === "outerHTML") return morph(old, wanted);
      if (morphStyle !== "innerHTML") throw `Do not understand how to morph style ${morphStyle}`;
      const like = old.cloneNode(false);
      like.append(...wanted.map((node) => (node.parentNode ? copy(node) : node)));
      morph(old, like);
      return [...old.childNodes];
    },
  };
}

/** In the browser: all tests, one file after the other; what came of each. */
async function runAll({ files, ms }) {
  mocha.setup({ ui: "bdd", timeout: ms });
  for (const file of files) {
    await new Promise((done, failed) => document.head.append(Object.assign(document.createElement("script"), { src: file, onload: done, onerror: failed })));
  }
  const found = [];
  await new Promise((done) => {
    const runner = mocha.run(done);
    const told = (result) => (test, error) => found.push({ result, name: test.fullTitle(), why: error ? String(error.message ?? error).slice(0, 200) : "" });
    for (const result of ["pass", "fail", "pending"]) runner.on(result, told(result));
  });
  return found;
}

const PAGE = `<!doctype html><html><head><link rel="icon" href="data:,">
${LIBRARIES.map((name) => `<script src="/node_modules/${name}"></script>`).join("\n")}
<script>const should = chai.should();</script><script src="/test/lib/utilities.js"></script><script src="/test/lib/wait-for.js"></script>
<script src="/test/lib/morphdom.js"></script></head>
<body><div id="mocha"></div><em>Work Area</em><hr/><pre id="work-area" hx-ext="morph">Output Here...</pre></body></html>`;

/** What the suite says of our morph. @param {string} clone @returns {Promise<{result: string, name: string, why: string}[]>} */
export async function measure(clone) {
  const server = createServer(async ({ url = "/" }, answer) => {
    const { pathname } = new URL(url, "http://localhost");
    const body = pathname === "/" ? PAGE : await readFile(pathname === "/patch.js" ? PATCH : join(clone, pathname)).catch(() => undefined);
    answer.writeHead(body === undefined ? 404 : 200, { "content-type": extname(pathname) === ".js" ? "text/javascript" : "text/html" }).end(body);
  });
  await new Promise((done) => server.listen(0, "localhost", () => done(undefined)));
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(ALL_MS);
    await page.goto(`http://localhost:${server.address().port}/`);
    await page.evaluate(adapt);
    const files = ["/src/idiomorph-htmx.js", ...TESTS.map((name) => `/test/${name}.js`)];
    const ended = new Promise((_, failed) => setTimeout(() => failed(new Error("the suite did not end")), ALL_MS).unref());
    return await Promise.race([page.evaluate(runAll, { files, ms: TEST_MS }), ended]);
  } finally {
    await browser.close();
    server.close();
  }
}

async function main() {
  const [given, ...options] = process.argv.slice(2);
  const clone = resolve(given ?? process.env.IDIOMORPH ?? "idiomorph");
  if (!existsSync(join(clone, "test/fidelity.js")) || !existsSync(join(clone, "node_modules/mocha"))) {
    process.stderr.write(`${clone} is no clone of idiomorph with what its tests use.\n\n${HELP}`);
    process.exit(2);
  }
  const found = await measure(clone);
  if (options.includes("--json")) {
    process.stdout.write(`${JSON.stringify(found)}\n`);
    return;
  }
  for (const { result, name, why } of found) if (result === "fail") console.log(`failed  ${name}\n        ${why}`);
  const count = (/** @type {string} */ wanted) => found.filter(({ result }) => result === wanted).length;
  console.log(`${count("pass")} of ${count("pass") + count("fail")} passed, ${count("pending")} skipped`);
}

await main();
