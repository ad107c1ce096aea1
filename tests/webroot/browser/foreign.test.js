// Fonts and images of other origins, in Chromium, by a worker that the browser has stopped: what the site's rules name is
// answered at its first event, without a network, too; what they do not name is left to the browser.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { Cluster, browser, stored, tools, until, visited } from "./harness.js";

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

/** A site of another origin: its address, and what it was asked. */
async function elsewhere() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(200, { "content-type": "image/png", "access-control-allow-origin": "*", "cache-control": "max-age=0" });
    response.end(PIXEL);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, asked, stop };
}

let named;
let other;
let cluster;
let chrome;
let home;
let page;

before(async () => {
  [named, other] = [await elsewhere(), await elsewhere()];
  const image = `<img id="image" crossorigin src="${named.url}/pixel.png">`;
  cluster = await Cluster.start({
    "index.html": `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>home</title><script type="module" src="/edge/client.js"></script>${image}</html>`,
    "edge.json": JSON.stringify({ v: 1, rules: [{ paths: [`${named.url}/**`], use: "stale-first" }] }),
  });
  home = cluster.nodes[0].url;
  chrome = await browser();
  page = await visited(chrome.context, `${home}/`);
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
  await named?.stop();
  await other?.stop();
});

/** Have *page* fetch *url*: how many bytes came, and whether a worker has given them. */
async function loaded(url) {
  const [answer, length] = await Promise.all([
    page.waitForEvent("response", (response) => response.url() === url),
    page.evaluate(async (url) => (await (await fetch(url)).arrayBuffer()).byteLength, url),
  ]);
  return { length, byWorker: answer.fromServiceWorker() };
}
const kept = () => page.evaluate(async () => (await (await caches.open("edge-foreign")).keys()).map(({ url }) => url));
const script = () => page.evaluate(async () => (await navigator.serviceWorker.getRegistration("/")).active.scriptURL);

test("at its first event it answers what the rules name, and leaves the rest alone", { timeout: 120_000 }, async () => {
  const { stop } = await tools(page);
  assert.equal(await script(), `${home}/sw.js?${new URLSearchParams({ for: `${named.url}/**` })}`);
  assert.deepEqual(await loaded(`${named.url}/a.png`), { length: PIXEL.length, byWorker: true });
  await until(async () => (await kept()).includes(`${named.url}/a.png`), "it is kept");
  await stop();
  assert.deepEqual(await loaded(`${other.url}/b.png`), { length: PIXEL.length, byWorker: false });
  await stop();
  assert.deepEqual(await loaded(`${named.url}/a.png`), { length: PIXEL.length, byWorker: true });
  assert.equal((await kept()).some((url) => url.startsWith(other.url)), false);
});

test("without a network, too: an image of an open page, and a page with one", { timeout: 120_000 }, async () => {
  const { stop } = await tools(page);
  await page.goto(`${home}/`);
  await stored(page, ["/"]);
  await until(async () => (await kept()).includes(`${named.url}/pixel.png`), "it is kept");
  await stop();
  for (const { name } of cluster.nodes) await cluster.do("kill", name);
  await named.stop();
  assert.deepEqual(await loaded(`${named.url}/a.png`), { length: PIXEL.length, byWorker: true });
  await stop();
  await page.goto(`${home}/`);
  assert.equal(await page.evaluate(() => document.querySelector("#image").naturalWidth), 1);
  for (const { name } of cluster.nodes) await cluster.do("start", name);
});

test("other rules: the worker is another one at the next navigation", { timeout: 120_000 }, async () => {
  const rules = JSON.stringify({ v: 1, rules: [{ paths: [`${other.url}/**`], use: "keep" }] });
  await cluster.write("edge.json", rules);
  await cluster.published("/edge.json", rules);
  await until(async () => {
    await page.goto(`${home}/`);
    return (await script()) === `${home}/sw.js?${new URLSearchParams({ for: `${other.url}/**` })}`;
  }, "its address names the new rule");
  const { stop } = await tools(page);
  await stop();
  assert.deepEqual(await loaded(`${other.url}/c.png`), { length: PIXEL.length, byWorker: true });
});
