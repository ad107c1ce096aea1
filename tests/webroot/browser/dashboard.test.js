// The dashboard on four nodes with something to do; screenshots of it stay.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { Cluster, OUTPUT, browser, pause } from "./harness.js";

const FILES = { "index.html": "<!doctype html><title>x</title>", ...Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f/${i}.txt`, `text ${i}`])) };
let cluster;
let chrome;
let page;
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
    await pause(20);
  }
}

/** What the card of a node, or the totals, say: {name: value}. */
const facts = (where) => page.evaluate((where) => Object.fromEntries([...document.querySelectorAll(`${where} dl > div`)].map((one) => [one.querySelector("dt").textContent, one.querySelector("dd").textContent])), where);
const card = (number) => `#nodes article:nth-child(${number})`;
const says = (selector, text) => page.waitForFunction(([selector, text]) => document.querySelector(selector)?.textContent.includes(text), [selector, text]);

before(async () => {
  await mkdir(OUTPUT, { recursive: true });
  cluster = await Cluster.start(FILES);
  for (const { url } of cluster.nodes) visit(url);
  chrome = await browser({ viewport: { width: 1280, height: 900 } });
  page = await chrome.context.newPage();
  await page.goto(`${cluster.nodes[0].url}/.edge/`);
});
after(async () => {
  busy = false;
  await chrome?.close();
  await cluster?.stop();
});

test("members, load, 304s, table and gossip of four nodes, live", { timeout: 120_000 }, async () => {
  await says("#state", "live");
  await page.waitForFunction(() => document.querySelectorAll("article.node:not(.away)").length === 4);
  await cluster.write("f/1.txt", "another");
  for (const number of [1, 2, 3, 4]) {
    const name = (index) => `${card(number)} dl > div:nth-child(${index}) dd`;
    await page.waitForFunction((selector) => parseInt(document.querySelector(selector).textContent, 10) > 50, name(1)); // 304 of GET
    await page.waitForFunction((selector) => parseInt(document.querySelector(selector).textContent, 10) > 0, name(2)); // confirmed
    const now = await facts(card(number));
    assert.match(now.table, /^\d{3}$/, "the files, and the smart client");
    assert.match(now["reactor lag"], /ms$/);
    assert.match(now.WebSockets, /^[12]$/);
  }
  await says(`${card(2)} dl`, " ms ago");
  await page.waitForFunction((where) => / ms$/.test(document.querySelector(where)?.textContent), `${card(2)} dl > div:nth-child(9) dd`); // gossip lag
  const all = await facts(".totals");
  assert.equal(all["nodes alive"], "4 of 4");
  await page.waitForFunction(() => [...document.querySelectorAll("#matrix td")].filter((cell) => /up to date|behind/.test(cell.textContent)).length === 12);
});

test("where no WebSocket comes through it polls", { timeout: 120_000 }, async () => {
  const first = page;
  page = await chrome.context.newPage();
  await page.addInitScript(() => {
    globalThis.WebSocket = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => this.dispatchEvent(new Event("close")), 10);
      }
      close() {}
    };
  });
  await page.goto(`${cluster.nodes[0].url}/.edge/`);
  await says("#state", "polling");
  await page.waitForFunction(() => document.querySelectorAll("article.node:not(.away)").length === 4);
  await page.waitForFunction((where) => /%$/.test(document.querySelector(where).textContent), `${card(4)} dl dd`);
  await pause(4000);
  assert.match(await page.textContent("#state"), /polling/);
  await page.close();
  page = first;
});

test("a node that hangs is shown so", { timeout: 120_000 }, async () => {
  await cluster.do("pause", "n1"); // this page's own
  await page.waitForFunction(() => document.querySelector("#state").textContent.includes("does not answer; n"), null, { timeout: 40_000 });
  await cluster.do("resume", "n1");
  await page.waitForFunction(() => document.querySelector("#state").textContent === "live", null, { timeout: 40_000 });
});

test("it looks well: light and dark, desk and phone", { timeout: 120_000 }, async () => {
  await pause(5000); // a piece of the charts
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
  await cluster.do("kill", "n3");
  await says(`${card(3)} h3`, "dead");
  await says("#matrix", "dead");
  assert.equal((await facts(card(3))).table, "-");
  await cluster.do("kill", "n1");
  await says("#state", "this node does not answer; n");
  await says(`${card(1)} h3`, "dead");
  await cluster.do("start", "n3");
  await says(`${card(3)} h3`, "alive");
  await cluster.do("start", "n1");
  await says("#state", "live");
  await says(`${card(1)} h3`, "alive");
});
