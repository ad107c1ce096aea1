// The worker's life in Chromium: its feed, restarts, versions that fail, the background, policies of content.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, afterEach, before } from "node:test";

import { Cluster, assertOneQuestion, browser, closePages, connected, database, status, stored, tools, until, visited } from "./harness.js";

const page = (title, more = "") => `<!doctype html><html lang="en"><link rel="icon" href="data:,">${more}<title>${title}</title><script type="module" src="/edge/client.js"></script><p>${title}</p></html>`;
const POLICY = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'">`;
const FILES = {
  "index.html": page("index"),
  "strict.html": page("strict", POLICY),
  "big.bin": "x".repeat(300_000),
  "former.html": '<!doctype html><link rel="icon" href="data:,"><title>former</title>',
  "former.js": "addEventListener('install', () => skipWaiting()); addEventListener('activate', (event) => event.waitUntil(clients.claim()));",
  "offline.html": page("offline"),
  "edge.json": JSON.stringify({ v: 1, home: ["/favourites"], queue: ["/favourites"] }),
  ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`part/${i}.txt`, `part ${i}`])),
};
const PARTS = Object.keys(FILES).filter((name) => name.startsWith("part/")).map((name) => `/${name}`);

let cluster;
let chrome;
let home;

before(async () => {
  const favourites = join(tmpdir(), `edge-lifecycle-${process.pid}.sqlite`);
  cluster = await Cluster.start(FILES, [`--mount=/favourites=tests.end_to_end.favourites:Favourites:${favourites}`, "--mount=/out=tests.end_to_end.leading:Leading"]);
  home = cluster.nodes[0].url;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});
afterEach(() => closePages(chrome.context));

/** A message on the channel of worker and pages, as another one's. */
const say = (page, message) => page.evaluate((message) => {
  const channel = new BroadcastChannel("edge");
  channel.postMessage(message);
  channel.close();
}, message);

const load = (utilization) => ({
  v: 1, cluster: "test", seq: 1, at: 0, ttl_ms: 60_000,
  nodes: cluster.nodes.map(({ name, url }) => ({ id: name, url, state: "alive", weight: Math.max(0.01, 1 - utilization), utilization })),
});
const isFeed = (one) => one.target.startsWith("/.edge/load") || one.target.startsWith("/.edge/socket");

test("a page's first navigation behind a new worker is preloaded, until the cache answers", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  const preloads = () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).navigationPreload.getState()).enabled);
  assert.equal(await preloads(), true);
  await cluster.log();
  await page.goto(`${home}/strict.html`);
  await stored(page, ["/strict.html"]); // behind the answer, whoever asked for it
  const asked = (await cluster.log()).filter((one) => one.target.startsWith("/strict.html"));
  assert.equal(asked.length, 1, "the preload is the answer; nobody asks again");
  await page.goto(home);
  await until(async () => !(await preloads()), "what is stored needs no preload");
  await cluster.log();
  await page.goto(`${home}/strict.html`);
  assert.deepEqual((await cluster.log()).filter((one) => one.target.startsWith("/strict.html")), []);
  await fresh.close();
});

test("requests for the node itself do not wake the worker, where the browser has static routes", { timeout: 120_000 }, async () => {
  const page = await visited(chrome.context, home);
  const matched = await page.evaluate(async () => {
    await (await fetch("/.edge/load")).text();
    const entries = () => performance.getEntriesByName(`${location.origin}/.edge/load`);
    while (!entries().length) await new Promise((resolve) => setTimeout(resolve, 10));
    return entries().at(-1).workerFinalSourceType;
  });
  assert.equal(matched, "network");
});

test("a browser that lacks what the client needs gets plain pages", { timeout: 120_000 }, async () => {
  const lacks = {
    socket: () => {},
    off: () => delete Navigator.prototype.serviceWorker,
  };
  for (const [kind, remove] of Object.entries(lacks)) {
    const page = await chrome.context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error));
    await page.addInitScript(remove);
    await page.goto(home);
    assert.equal(await page.evaluate(async () => (await import("/edge/client.js")).kind), kind);
    assert.deepEqual(errors, [], kind);
    await page.close();
  }
});

test("a worker without a socket for the load once for all tabs, and none opens: what changes rides along", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  await cluster.log();
  const pages = [];
  for (let i = 0; i < 3; i += 1) pages.push(await visited(fresh.context, `${home}/?edge=worker`));
  await until(async () => (await status(pages[0])).nodes.length === 4, "the worker knows all nodes");
  for (const page of pages) await page.evaluate(async () => (await fetch(`/part/1.txt?${Math.random()}`)).text());
  const log = await cluster.log();
  assert.equal(log.filter((one) => one.target.startsWith("/.edge/load")).length, 1);
  assert.deepEqual(log.filter((one) => one.target.startsWith("/.edge/socket")), []);
  await fresh.close();
});

test("a worker that the browser stopped has a socket again as soon as a page says that it is seen", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  await connected(page);
  const { stop } = await tools(page);
  await stop();
  await page.evaluate(async () => {
    const { edge } = await import("/edge/client.js");
    window.opened = new Promise((resolve) => edge.addEventListener("feed", ({ detail }) => detail.how === "socket" && resolve(detail.url)));
    document.dispatchEvent(new Event("visibilitychange")); // as when its tab is chosen; else within 20 s
  });
  const opened = await page.evaluate(() => window.opened);
  assert.ok(cluster.nodes.some(({ url }) => url === opened), opened);
  await fresh.close();
});

test("a worker that the browser stopped knows its node, its copies and its latencies", { timeout: 120_000 }, async () => {
  const page = await visited(chrome.context, home);
  const { stop } = await tools(page);
  const get = (path) => page.evaluate(async (path) => (await fetch(path)).text(), path);
  for (const path of PARTS) await get(path);
  await stored(page, PARTS);
  // The node it is to stay with may have been drawn a moment ago, and not asked yet.
  const known = ({ nodes }) => nodes.filter(({ latency }) => latency > 0).map(({ url }) => url);
  let before;
  await until(async () => {
    await get("/part/1.txt"); // its state is written down behind some request
    const [[saved], now] = [await database(page, "state"), await status(page)];
    before = now;
    const written = new Set(saved?.nodes.nodes.filter(({ value }) => value > 0).map(({ url }) => url));
    return saved && saved.nodes.current === now.node && known(now).length > 0 && known(now).every((url) => written.has(url));
  }, "its state is written down");
  await stop();
  await get("/part/2.txt");
  const now = await status(page);
  assert.ok(now.requests < before.requests, "it is another one");
  assert.equal(now.node, before.node);
  assert.equal(now.hits, 1);
  assert.equal(now.kept, before.kept);
  for (const url of known(before)) assert.ok(known(now).includes(url), url);
});

test("in the background what is kept is confirmed in one request, and only by nodes that are less than half busy", { timeout: 120_000 }, async () => {
  const fresh = await browser(); // the other one may have done it already
  const page = await visited(fresh.context, `${home}/?edge=worker`);
  const { session, registrationId, stop } = await tools(page);
  await page.evaluate((paths) => Promise.all(paths.map(async (path) => (await fetch(path)).text())), PARTS);
  await stored(page, PARTS);
  const dispatch = async (utilization) => {
    await say(page, { type: "load", document: load(utilization) });
    await session.send("ServiceWorker.dispatchPeriodicSyncEvent", { origin: home, registrationId, tag: "edge-refresh" });
    await status(page); // it has taken the event: an answer comes behind it
  };
  /** When it was done last: written down before anything is sent. */
  const refreshed = async () => (await database(page, "state"))[0]?.refreshed ?? 0;
  await dispatch(0.5);
  assert.equal(await refreshed(), 0, "the nodes are too busy");
  const begun = Date.now();
  const { hedges } = await status(page);
  await cluster.log();
  await say(page, { type: "changed", seq: 0 }); // else what a node has confirmed for the page would do
  await dispatch(0.4);
  await stored(page, PARTS, begun);
  const at = await refreshed();
  assert.ok(at >= begun);
  const log = (await cluster.log()).filter((one) => !isFeed(one));
  assertOneQuestion(log, (await status(page)).hedges - hedges);
  await dispatch(0.4);
  assert.equal(await refreshed(), at, "not again within ten minutes");
  await stop();
  await dispatch(0.4);
  assert.equal(await refreshed(), at, "nor after a restart");
  await fresh.close();
});

/** Change something while n1 is down, so that it waits; the code. */
async function favourite(page, code) {
  await cluster.do("kill", "n1");
  const answer = await page.evaluate(async (code) => {
    const body = JSON.stringify({ visitor: "visitor", code, favourite: true });
    const answer = await fetch("/favourites", { method: "POST", headers: { "content-type": "application/json" }, body });
    return [answer.status, await answer.json()];
  }, code);
  assert.equal(answer[0], 202);
  assert.equal(answer[1].queued, true);
  await cluster.log();
  await cluster.do("start", "n1");
}
/** Wait until *code* is applied, and nothing waits in the outbox: whoever sends does so behind a lock, and is done. */
async function applied(page, code) {
  await until(() => isApplied(code), "it is applied");
  await until(async () => !(await database(page, "outbox")).length, "the outbox is empty");
}
const isApplied = async (code) => (await (await fetch(`${home}/favourites?visitor=visitor`)).json()).codes.includes(code);
const posts = async () => (await cluster.log()).filter((one) => one.method === "POST" && one.target === "/favourites").length;

test("a change made offline is applied once: by Background Sync", { timeout: 120_000 }, async () => {
  const page = await visited(chrome.context, `${home}/?edge=worker`); // no feed that would tell the page
  const { session, registrationId } = await tools(page);
  await favourite(page, "41");
  await session.send("ServiceWorker.dispatchSyncEvent", { origin: home, registrationId, tag: "edge-outbox", lastChance: false });
  await applied(page, "41");
  assert.equal(await posts(), 1);
});

test("a change made offline is applied once: without Background Sync, too", { timeout: 120_000 }, async () => {
  const page = await visited(chrome.context, home);
  const { session } = await tools(page);
  await session.send("Browser.setPermission", { permission: { name: "background-sync" }, setting: "denied", origin: home });
  await favourite(page, "42"); // pages try again after two seconds, and then less often
  await applied(page, "42");
  assert.equal(await posts(), 1);
});

test("pages under a strict content security policy work: what their worker asks and opens is not theirs", { timeout: 120_000 }, async () => {
  for (const kind of ["socket", "worker"]) {
    const page = await visited(chrome.context, `${home}/strict.html?edge=${kind}`);
    await page.evaluate(async () => (await fetch("/part/3.txt")).text());
    await stored(page, ["/part/3.txt"]);
    await page.evaluate(async () => (await fetch("/part/3.txt")).text());
    assert.deepEqual(page.errors, [], kind);
    if (kind === "socket") await connected(page);
    assert.ok((await status(page)).hits > 0, kind);
    await page.close();
  }
});

test("under a policy for all paths the worker reaches the other nodes", { timeout: 120_000 }, async () => {
  const policy = async (path) => (await fetch(home + path)).headers.get("content-security-policy");
  await cluster.write("_headers", "/*\n  Content-Security-Policy: default-src 'self'; img-src 'self' data:\n");
  await until(async () => await policy("/"), "pages have a policy");
  assert.equal(await policy("/sw.js"), null);
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  await connected(page);
  await cluster.do("kill", cluster.nodes[0].name);
  await page.goto(`${home}/strict.html`);
  assert.equal(await page.title(), "strict", "never seen, and home is gone");
  await cluster.do("start", cluster.nodes[0].name);
  await fresh.close();
  await cluster.remove("_headers");
  await until(async () => !(await policy("/")), "pages have none");
});

test("what an application answers at home only is asked there, and leads to another site", { timeout: 120_000 }, async () => {
  const page = await visited(chrome.context, home);
  await cluster.log();
  const { hedges } = await status(page);
  const other = `${cluster.nodes[1].url}/index.html`;
  for (let i = 0; i < 3; i += 1) {
    await page.goto(`${home}/out?to=${encodeURIComponent(other)}`);
    assert.equal(page.url(), other);
    await page.goto(home);
  }
  const asked = (await cluster.log()).filter((one) => one.target.startsWith("/out"));
  const hedged = (await status(page)).hedges - hedges; // as slow requests may be
  assert.ok(asked.filter((one) => one.node !== "n1").length <= 3 + hedged, "others are tried once: they do not let pages of n1 read it");
});

test("where there is no room, everything is answered all the same", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  const { session } = await tools(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: home, quotaSize: 700_000 });
  const { puts } = await status(page);
  const sizes = await page.evaluate(async () => {
    const found = [];
    for (let i = 0; i < 8; i += 1) found.push((await (await fetch(`/big.bin?${i}`)).arrayBuffer()).byteLength);
    return found;
  });
  await until(async () => (await status(page)).puts >= puts + 8, "all were to be stored");
  assert.deepEqual(new Set(sizes), new Set([300_000]));
  await page.goto(home);
  assert.equal(await page.textContent("p"), "index");
  const { kept } = await status(page);
  assert.ok(kept < 700_000, `${kept} bytes are kept`);
  assert.deepEqual(page.errors, []);
  await fresh.close();
});

test("a new worker whose installation fails leaves the old one in charge", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const script = await (await fetch(`${home}/sw.js`)).text();
  const page = await visited(fresh.context, home);
  const { version } = await status(page);
  const rules = '{"v":1,"precache":["/missing.css"]}';
  await cluster.write("edge.json", rules);
  await cluster.published("/edge.json", rules);
  const changed = `${script}\n// another version\n`;
  await cluster.write("sw.js", changed);
  await cluster.published("/sw.js", changed);
  const failed = page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    const installing = new Promise((resolve) => registration.addEventListener("updatefound", () => resolve(registration.installing), { once: true }));
    const worker = await installing;
    while (worker.state !== "redundant") await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    return Boolean(registration.active && navigator.serviceWorker.controller && !registration.waiting);
  });
  await (await fresh.context.newPage()).goto(home); // at a navigation the worker looks for a newer one
  assert.equal(await failed, true);
  await page.goto(home);
  assert.equal((await status(page)).version, version);
  assert.equal(await page.textContent("p"), "index");
  await fresh.close();
  for (const name of ["edge.json", "sw.js"]) await cluster.remove(name);
  await cluster.published("/sw.js", script);
});

test("a site that had another worker has this one at the next visit", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await fresh.context.newPage();
  await page.goto(`${home}/former.html`);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/former.js");
    await navigator.serviceWorker.ready;
  });
  await page.goto(home);
  const script = () => page.evaluate(async () => (await navigator.serviceWorker.getRegistration("/")).active?.scriptURL);
  await until(async () => (await script()) === `${home}/sw.js`, "ours is there");
  assert.equal(typeof (await status(page)).version, "string", "and answers the page");
  await fresh.close();
});

test("a first visit gets its worker, also if a node does not give the script at first, and an installation fails", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const rules = '{"v":1,"precache":["/late.css"]}';
  await cluster.write("edge.json", rules);
  await cluster.published("/edge.json", rules);
  await cluster.log();
  const page = await fresh.context.newPage();
  await page.addInitScript(() => {
    const container = ServiceWorkerContainer.prototype;
    const { register } = container;
    container.register = function () {
      container.register = register;
      return Promise.reject(new TypeError("a bad HTTP response code (503) was received when fetching the script"));
    };
  });
  await page.goto(home);
  await until(async () => (await cluster.log()).some(({ target, status }) => target === "/late.css" && status === 404), "an installation fails");
  await cluster.write("late.css", "p {}");
  await until(() => page.evaluate(() => navigator.serviceWorker.controller !== null), "the page has a worker");
  await stored(page, ["/late.css"]);
  await fresh.close();
  for (const name of ["edge.json", "late.css"]) await cluster.remove(name);
});

test("a page hears of changes before its worker is registered: what it fetches at first may be old by then", { timeout: 120_000 }, async () => {
  const page = await chrome.context.newPage();
  await page.addInitScript(() => {
    ServiceWorkerContainer.prototype.getRegistration = () => new Promise(() => {});
    document.addEventListener("edge-changed", (event) => {
      event.preventDefault();
      window.heard = event.detail;
    });
  });
  await page.goto(home);
  await say(page, { type: "edge:changed", groups: ["a"], queries: ["/a"] });
  assert.deepEqual(await until(() => page.evaluate(() => window.heard), "it is heard"), { groups: ["a"], queries: ["/a"] });
});
