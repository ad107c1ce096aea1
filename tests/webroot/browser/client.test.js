import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { Cluster, browser, eventually, pause, visited } from "./harness.js";

const IMAGES = Array.from({ length: 50 }, (_, i) => `assets/part-${i}.css`);
const FILES = {
  "index.html": `<!doctype html><html lang="en"><title>one</title><script type="module" src="/edge/client.js"></script>
${IMAGES.map((name) => `<link rel="stylesheet" href="/${name}">`).join("\n")}
<main><p id="text">first</p><input id="typed"><a href="/other.html">other</a></main></html>`,
  "other.html": `<!doctype html><title>other</title><script type="module" src="/edge/client.js"></script><p>other page</p>`,
  "folder/index.html": `<!doctype html><title>folder</title><script type="module" src="/edge/client.js"></script><p>in a folder</p>`,
  "offline.html": "<!doctype html><title>offline</title><p>the site's offline page</p>",
  "data.json": '{"n":1}',
  "big.bin": "0123456789".repeat(1000),
  ...Object.fromEntries(IMAGES.map((name, i) => [name, `.part-${i} { color: rgb(${i}, 0, 0) }`])),
};

let cluster;
let chrome;
let home;

before(async () => {
  cluster = await Cluster.start(FILES);
  home = cluster.nodes[0].url;
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});

/** Without what the feed asks for, and the browser's own look whether there is a new worker. */
const sites = (log) => log.filter((one) => !one.target.startsWith("/.edge/load") && !one.target.startsWith("/.edge/socket") && one.target !== "/sw.js");

test("first visit: the worker takes over and keeps the page and what it uses", async () => {
  chrome = await browser();
  const page = await visited(chrome.context, home);
  await eventually(() => page.evaluate(async () => (await (await caches.open("edge-bodies")).keys()).length > 52), "all parts are kept");
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a visit with nothing changed is one small request, and no preflight", async (context) => {
  const page = await chrome.context.newPage();
  for (let i = 0; i < 2; i += 1) {
    await page.goto(home);
    await pause(1500);
  }
  await cluster.log();
  await page.goto(home);
  assert.equal(await page.textContent("#text"), "first");
  await pause(1500);
  const log = sites(await cluster.log());
  context.diagnostic(JSON.stringify(log.map((one) => [one.node, one.method, one.target, one.status, one.sent])));
  assert.deepEqual(log.map((one) => [one.method, one.target]), [["POST", "/.edge/revalidate"]]);
  await page.close();
});

test("a new version is kept in the background, and the page shows it without a reload", async () => {
  const page = await chrome.context.newPage();
  await page.goto(home);
  await page.fill("#typed", "kept text");
  await cluster.write("index.html", FILES["index.html"].replace("first", "second"));
  await page.waitForFunction(() => document.querySelector("#text").textContent === "second", null, { timeout: 15_000 });
  assert.equal(await page.inputValue("#typed"), "kept text");
  assert.equal(await page.evaluate(() => document.activeElement.id), "typed");
  await page.close();
});

test("a redirect leads to the address that relative links need", async () => {
  const page = await chrome.context.newPage();
  await page.goto(`${home}/folder`);
  assert.equal(page.url(), `${home}/folder/`);
  await page.close();
});

test("ranges come out of the kept whole", async () => {
  const page = await chrome.context.newPage();
  await page.goto(home);
  const got = await page.evaluate(async () => {
    await (await fetch("/big.bin")).arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const part = await fetch("/big.bin", { headers: { range: "bytes=5-9" } });
    return [part.status, await part.text()];
  });
  assert.deepEqual(got, [206, "56789"]);
  await page.close();
});

test("twenty tabs hold one socket; when the leader goes, another one has it within a second", async (context) => {
  for (const kind of ["shared", "leader"]) {
    const pages = [];
    for (let i = 0; i < 20; i += 1) {
      const page = await chrome.context.newPage();
      await page.goto(`${home}/other.html?edge=${kind}`);
      pages.push(page);
    }
    const sockets = async () => {
      let all = 0;
      for (const { url } of cluster.nodes) {
        const load = await (await fetch(`${url}/.edge/load`)).json();
        all = load.nodes.length;
      }
      return all;
    };
    assert.equal(await sockets(), 4);
    // Held locks say who runs the feed, and how many.
    const held = await pages[3].evaluate(async () => (await navigator.locks.query()).held.filter((one) => one.name === "edge-feed").length);
    assert.equal(held, 1, kind);
    if (kind === "leader") {
      const heard = pages[5].evaluate(() => new Promise((resolve) => {
        const channel = new BroadcastChannel("edge");
        channel.onmessage = ({ data }) => {
          if (data.type === "feed" && data.how === "socket") resolve(performance.now());
        };
      }));
      const begun = Date.now();
      await pages[0].close();
      await heard;
      context.diagnostic(`the socket moved in ${Date.now() - begun} ms`);
      assert.ok(Date.now() - begun < 1000);
    }
    for (const page of pages) if (!page.isClosed()) await page.close();
  }
});

test("kill -9 of a node: four pages see no failed request, and the whole is within its budgets", async (context) => {
  const pages = await Promise.all(Array.from({ length: 4 }, async () => {
    const page = await chrome.context.newPage();
    await page.goto(home);
    return page;
  }));
  await pause(1000);
  const status = () => pages[0].evaluate(() => new Promise((resolve) => {
    const channel = new BroadcastChannel("edge");
    channel.onmessage = ({ data }) => data.type === "status" && resolve(data.status);
    channel.postMessage({ type: "ask" });
  }));
  const before = await status();
  const victim = cluster.nodes.find((node) => node.url === before.node);
  const running = pages.map((page, number) => page.evaluate(async (number) => {
    const failed = [];
    for (let i = 0; i < 150; i += 1) {
      try {
        const answer = await fetch(`/data.json?${number}-${i}`);
        if (!answer.ok) failed.push(answer.status);
        await answer.text();
      } catch (error) {
        failed.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return failed;
  }, number));
  await pause(500);
  await cluster.do("kill", victim.name);
  assert.deepEqual((await Promise.all(running)).flat(), []);
  const now = await status();
  const requests = now.requests - before.requests;
  context.diagnostic(`${victim.name} killed; ${requests} requests, ${now.retries - before.retries} retries, ${now.hedges - before.hedges} hedges; then ${now.node}: ${now.why}`);
  assert.ok(requests >= 600);
  assert.ok(now.retries - before.retries <= requests * 0.2);
  assert.ok(now.hedges - before.hedges <= requests * 0.05 + 1);
  await cluster.do("start", victim.name);
  for (const page of pages) await page.close();
});

test("with all nodes gone, visited pages work and others get the site's offline page", async (context) => {
  const page = await visited(chrome.context, home);
  for (const { name } of cluster.nodes) await cluster.do("kill", name);
  const begun = Date.now();
  await page.goto(home);
  assert.equal(await page.textContent("#text"), "second");
  const ms = Date.now() - begun;
  context.diagnostic(`usable after ${ms} ms`);
  await page.goto(`${home}/other.html`);
  assert.match(await page.textContent("p"), /other page/);
  const answer = await page.goto(`${home}/never-seen.html`);
  assert.equal(answer.status(), 503);
  assert.match(await page.textContent("p"), /offline page/);
  for (const { name } of cluster.nodes) await cluster.do("start", name);
  await page.close();
});

test("no request of all these needed a preflight", async () => {
  const log = await cluster.log();
  assert.deepEqual(log.filter((one) => one.method === "OPTIONS"), []);
  assert.ok(new Set(log.map((one) => one.node)).size > 1, "and several nodes were asked");
});

test("the kill switch removes worker and caches in one navigation", async () => {
  await cluster.write("edge.json", '{"v":1,"off":true}');
  await cluster.published("/edge.json", '{"v":1,"off":true}');
  const page = await chrome.context.newPage();
  await pause(10_000); // the last look is long enough ago
  await page.goto(home);
  await eventually(() => page.evaluate(async () => !(await navigator.serviceWorker.getRegistration()) && (await caches.keys()).length === 0), "it is gone");
  await page.close();
});
