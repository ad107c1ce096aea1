// The dashboard on four nodes with something to do; screenshots of it stay.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import test, { after, afterEach, before } from "node:test";

import { Cluster, OUTPUT, browser, closePages, until } from "./harness.js";

const FILES = { "index.html": "<!doctype html><title>x</title>", ...Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f/${i}.txt`, `text ${i}`])) };
let cluster;
let chrome;
let busy = true;

/** Ask *url* for files again and again, nearly always with their validator. */
async function visit(url) {
  const tags = new Map();
  for (let n = 0; busy; n += 1) {
    const path = `/f/${n % 100}.txt`;
    const tag = n % 10 ? tags.get(path) : undefined;
    const answer = await fetch(url + path, { headers: tag ? { "if-none-match": tag } : {} }).catch(() => null);
    if (answer?.ok) tags.set(path, answer.headers.get("etag"));
    await answer?.arrayBuffer();
    if (n % 50 === 49) {
      const lines = [...tags].map(([one, etag]) => `${etag.slice(1, -1)} ${one}`).join("\n");
      await fetch(`${url}/.edge/revalidate`, { method: "POST", headers: { "content-type": "text/plain" }, body: lines }).catch(() => null);
    }
    await new Promise((resolve) => setTimeout(resolve, 20)); // a load, not a flood
  }
}

const card = (name) => `article[data-node="${name}"]`;
const fact = (where, name) => `${where} dd[data-fact="${name}"]`;
const NODES = ["n1", "n2", "n3", "n4"];

/** Wait until what *selector* shows matches *pattern*. */
const shows = (page, selector, pattern) => until(async () => {
  const text = await page.evaluate((selector) => document.querySelector(selector)?.textContent ?? "", selector);
  return pattern.test(text);
}, `${selector} shows ${pattern}`);
/** Wait until the number that *selector* begins with is above *least*. */
const exceeds = (page, selector, least) => until(
  () => page.evaluate((selector) => parseInt(document.querySelector(selector)?.textContent, 10), selector).then((number) => number > least),
  `${selector} is above ${least}`);

/** The dashboard of n1, when it shows four nodes. */
async function dashboard(prepare = () => {}) {
  const page = await chrome.context.newPage();
  await page.addInitScript(prepare);
  await page.goto(`${cluster.nodes[0].url}/.edge/`);
  await until(() => page.evaluate(() => document.querySelectorAll("article.node:not(.away)").length === 4), "four nodes are alive");
  return page;
}

before(async () => {
  await mkdir(OUTPUT, { recursive: true });
  cluster = await Cluster.start(FILES);
  for (const { url } of cluster.nodes) visit(url);
  chrome = await browser({ viewport: { width: 1280, height: 900 } });
});
after(async () => {
  busy = false;
  await chrome?.close();
  await cluster?.stop();
});
// Each test opens its own page, and leaves four nodes alive; the first page is the browser's own.
afterEach(() => closePages(chrome.context));

test("members, load, 304s, table and gossip of four nodes, live", { timeout: 120_000 }, async () => {
  const page = await dashboard();
  await shows(page, "#state", /^live$/);
  await cluster.write("f/1.txt", `another ${Date.now()}`);
  for (const name of NODES) {
    await exceeds(page, fact(card(name), "304 of GET"), 50);
    await exceeds(page, fact(card(name), "confirmed"), 0);
    await shows(page, fact(card(name), "table"), /^\d{3}$/); // the files, and the smart client
    await shows(page, fact(card(name), "reactor lag"), /ms$/);
    await shows(page, fact(card(name), "WebSockets"), /^[12]$/);
    await shows(page, fact(card(name), "heard of"), / ms ago$/);
  }
  await shows(page, fact(card("n2"), "gossip lag"), / ms$/);
  await shows(page, fact(".totals", "nodes alive"), /^4 of 4$/);
  const tooWide = () => page.evaluate(() => [...document.querySelectorAll(".totals dd")].filter((one) => {
    const [shown, { style }] = [one.textContent, one];
    one.textContent = "88.8 Mbit/s";
    style.overflow = "hidden";
    const isCut = one.scrollWidth > one.clientWidth;
    one.textContent = shown;
    style.overflow = "";
    return isCut;
  }).length);
  for (const width of [1280, 1024, 768, 390]) {
    await page.setViewportSize({ width, height: 800 });
    assert.equal(await tooWide(), 0, `totals at ${width} px`);
  }
  const cells = () => page.evaluate(() => [...document.querySelectorAll("#matrix td")].filter((cell) => /up to date|behind/.test(cell.textContent)).length);
  await until(async () => (await cells()) === 12, "each node says something of the three others");
});

test("where no WebSocket comes through it polls", { timeout: 120_000 }, async () => {
  const page = await dashboard(() => {
    globalThis.WebSocket = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new Event("close")), 10);
      }
      close() {}
    };
  });
  await shows(page, "#state", /polling/);
  await shows(page, fact(card("n4"), "304 of GET"), /%$/);
  const polls = () => page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => name === `${location.origin}/.edge/load`).length);
  const before = await polls();
  await until(async () => (await polls()) >= before + 3, "it has polled three times more");
  assert.match(await page.textContent("#state"), /polling/);
});

test("a node that hangs is shown so", { timeout: 120_000 }, async () => {
  const page = await dashboard();
  await shows(page, "#state", /^live$/);
  await cluster.do("pause", "n1"); // this page's own
  await shows(page, "#state", /does not answer; n/);
  await cluster.do("resume", "n1");
  await shows(page, "#state", /^live$/);
});

test("it looks well: light and dark, desk and phone", { timeout: 120_000 }, async () => {
  const page = await dashboard();
  await until(() => page.evaluate(() => [...document.querySelectorAll("path.line")].every((line) => line.getAttribute("d")?.split("L").length > 4)), "there is a piece of each chart");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: join(OUTPUT, `dashboard-${colorScheme}.png`), fullPage: true });
    await page.setViewportSize({ width: 390, height: 844 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out on a phone");
    await page.screenshot({ path: join(OUTPUT, `dashboard-phone-${colorScheme}.png`), fullPage: true });
  }
  const sticking = await page.evaluate(() => [...document.querySelectorAll("article *")].filter((one) => one.getBoundingClientRect().right > one.closest("article").getBoundingClientRect().right).length);
  assert.equal(sticking, 0);
});

test("a node that is killed is shown so; when it is this page's own, another one tells", { timeout: 120_000 }, async () => {
  const page = await dashboard();
  await cluster.do("kill", "n3");
  await shows(page, `${card("n3")} h3`, /dead/);
  await shows(page, "#matrix", /dead/);
  await shows(page, fact(card("n3"), "table"), /^-$/);
  await cluster.do("kill", "n1");
  await shows(page, "#state", /this node does not answer; n/);
  await shows(page, `${card("n1")} h3`, /dead/);
  await cluster.do("start", "n3");
  await shows(page, `${card("n3")} h3`, /alive/);
  await cluster.do("start", "n1");
  await shows(page, "#state", /^live$/);
  await shows(page, `${card("n1")} h3`, /alive/);
});
