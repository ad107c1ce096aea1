// What belongs together, in Chromium: the switch, the feed of a page whose node is gone, versions of a page's parts.

import assert from "node:assert/strict";
import test, { after, afterEach, before } from "node:test";

import { Cluster, browser, status, stored, until, visited } from "./harness.js";

const page = (title, more = "") => `<!doctype html><html lang="en"><link rel="icon" href="data:,">${more}<title>${title}</title><script type="module" src="/edge/client.js"></script><p>${title}</p></html>`;
const FILES = { "index.html": page("index"), "other.html": page("other") };

let cluster;
let chrome;
let home;

before(async () => {
  cluster = await Cluster.start(FILES);
  home = cluster.nodes[0].url;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});
afterEach(() => Promise.all(chrome.context.pages().slice(1).map((one) => one.close())));

/** What is there of the client in the browser, for the origin of *page*. */
const remains = (page) => page.evaluate(async () => ({
  registrations: (await navigator.serviceWorker.getRegistrations()).length,
  caches: await caches.keys(),
  databases: (await indexedDB.databases()).map(({ name }) => name),
}));
const NOTHING = { registrations: 0, caches: [], databases: [] };

test("while the site says off, visits leave nothing behind; switched back, the client is there at the next navigation", { timeout: 120_000 }, async () => {
  const rules = await (await fetch(`${home}/edge.json`)).text();
  assert.deepEqual(JSON.parse(rules), { v: 1 }, "a site without rules has these: asking for them is no error");
  const off = '{"v":1,"off":true}';
  await cluster.write("edge.json", off);
  await cluster.published("/edge.json", off);
  const fresh = await browser();
  const page = await fresh.context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  for (let i = 0; i < 3; i += 1) {
    await cluster.log();
    await page.goto(home);
    await page.evaluate(async () => (await import("/edge/client.js")).kind);
    await until(async () => (await cluster.log()).some(({ target }) => target === "/edge.json"), "the rules are read");
    assert.deepEqual(await remains(page), NOTHING);
  }
  // Somebody registers all the same, as an older page does: the installation fails, and leaves nothing.
  const failed = await page.evaluate(() => navigator.serviceWorker.register("/sw.js", { type: "module" }).then(async (registration) => {
    const worker = registration.installing ?? registration.waiting;
    while (worker && worker.state !== "redundant") await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    return true;
  }, () => true));
  assert.equal(failed, true);
  await until(async () => !(await remains(page)).registrations, "no registration is left");
  assert.deepEqual(await remains(page), NOTHING);
  assert.deepEqual(errors, []);
  await cluster.remove("edge.json");
  await cluster.published("/edge.json", rules);
  await page.goto(home);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  assert.equal((await remains(page)).registrations, 1);
  await fresh.close();
});

test("a page that is opened while its own node is gone is told of the others by the worker", { timeout: 120_000 }, async () => {
  for (const kind of ["shared", "leader"]) {
    const fresh = await browser();
    const page = await visited(fresh.context, `${home}/?edge=${kind}`);
    await page.goto(`${home}/other.html?edge=${kind}`);
    await stored(page, [`/other.html?edge=${kind}`]);
    await until(async () => (await status(page)).nodes.length === 4, "the worker knows all nodes");
    await page.addInitScript(() => {
      globalThis.heard = [];
      new BroadcastChannel("edge").onmessage = ({ data }) => globalThis.heard.push(data);
    });
    await cluster.do("kill", "n1");
    await page.goto(`${home}/?edge=${kind}`); // the Shared Worker ends with its last page
    const heard = () => page.evaluate(() => globalThis.heard);
    const isLoad = ({ type, document }) => type === "load" && document.nodes.length === 4;
    await until(async () => (await heard()).some(isLoad), "the worker tells of the nodes");
    const isTrue = ({ id, weight }) => (id === "n1") === (weight === 0);
    await until(async () => (await heard()).some((one) => isLoad(one) && one.document.nodes.every(isTrue)), "the feed of another node brings true figures");
    await fresh.close();
    await cluster.do("start", "n1");
  }
});
