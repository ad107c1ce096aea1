// The worker's life in Chromium: segments, restarts, versions that fail, the background, policies of content.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, afterEach, before } from "node:test";

import { Cluster, browser, eventually, pause, status, visited } from "./harness.js";

const page = (title, more = "") => `<!doctype html><html lang="en"><link rel="icon" href="data:,">${more}<title>${title}</title><script type="module" src="/edge/client.js"></script><p>${title}</p></html>`;
const POLICY = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'">`;
const FILES = {
  "index.html": page("index"),
  "strict.html": page("strict", POLICY),
  "big.bin": "x".repeat(300_000),
  "offline.html": page("offline"),
  ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`part/${i}.txt`, `part ${i}`])),
};
const PARTS = Object.keys(FILES).filter((name) => name.startsWith("part/"));

let cluster;
let chrome;
let home;

before(async () => {
  const database = join(tmpdir(), `edge-lifecycle-${process.pid}.sqlite`);
  cluster = await Cluster.start(FILES, [`--mount=/favourites=ops.favourites:Favourites:${database}`, "--mount=/out=tests.end_to_end.leading:Leading"]);
  home = cluster.nodes[0].url;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});
afterEach(() => Promise.all(chrome.context.pages().slice(1).map((one) => one.close())));

/** The tools of the browser for workers, and the registration's id. */
async function tools(page) {
  const session = await page.context().newCDPSession(page);
  const found = new Promise((resolve) => session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
    const mine = registrations.find((one) => one.scopeURL === `${home}/` && !one.isDeleted);
    if (mine) resolve(mine.registrationId);
  }));
  await session.send("ServiceWorker.enable");
  return { session, registrationId: await found };
}

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

test("a page's first navigation behind a new worker is preloaded, until the cache answers", { timeout: 60_000 }, async () => {
  const page = await visited(chrome.context, home);
  const preloads = () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).navigationPreload.getState()).enabled);
  assert.equal(await preloads(), true);
  await cluster.log();
  await page.goto(`${home}/strict.html`);
  await pause(500);
  const asked = (await cluster.log()).filter((one) => one.target.startsWith("/strict.html"));
  assert.equal(asked.length, 1, "the preload is the answer; nobody asks again");
  await page.goto(home);
  await page.goto(`${home}/strict.html`);
  await eventually(async () => !(await preloads()), "what is kept needs no preload");
});

test("requests for the node itself do not wake the worker, where the browser has static routes", { timeout: 60_000 }, async () => {
  const page = await visited(chrome.context, home);
  const matched = await page.evaluate(async () => {
    await (await fetch("/.edge/load")).text();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return performance.getEntriesByName(`${location.origin}/.edge/load`).at(-1).workerFinalSourceType;
  });
  assert.equal(matched, "network");
});

test("what the browser lacks decides for a segment", { timeout: 60_000 }, async () => {
  const lacks = {
    shared: () => {},
    leader: () => delete globalThis.SharedWorker,
    worker: () => delete Navigator.prototype.locks,
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

test("where there is a worker alone, it polls: one for all tabs, no socket, and nodes are chosen", { timeout: 60_000 }, async () => {
  const pages = await Promise.all([1, 2, 3].map(async () => {
    const page = await chrome.context.newPage();
    await page.goto(`${home}/?edge=worker`);
    return page;
  }));
  await pause(1000);
  await cluster.log();
  const begun = Date.now();
  while (Date.now() - begun < 8_000) {
    for (const page of pages) await page.evaluate(async () => (await fetch(`/part/1.txt?${Math.random()}`)).text());
    await pause(100);
  }
  const log = await cluster.log();
  const polls = log.filter((one) => one.target.startsWith("/.edge/load"));
  assert.ok(polls.length >= 1 && polls.length <= 3, `${polls.length} polls in 8 s`);
  assert.deepEqual(log.filter((one) => one.target.startsWith("/.edge/socket")), []);
  assert.equal((await status(pages[0])).nodes.length, 4);
});

test("when the Shared Worker dies, the page starts another, and the socket is there within a second", { timeout: 60_000 }, async (context) => {
  const page = await visited(chrome.context, home);
  const { session } = await tools(page);
  const worker = async () => (await session.send("Target.getTargets")).targetInfos.find((one) => one.type === "shared_worker");
  const { targetId } = await eventually(worker, "there is a Shared Worker");
  await pause(1000);
  await page.evaluate(async () => {
    const { edge } = await import("/edge/client.js");
    window.moved = new Promise((resolve) => edge.addEventListener("feed", ({ detail }) => detail.how === "socket" && resolve(Date.now())));
  });
  const begun = Date.now();
  await session.send("Target.closeTarget", { targetId });
  context.diagnostic(`the socket moved in ${(await page.evaluate(() => window.moved)) - begun} ms (goal: 1,000)`);
  assert.notEqual((await worker()).targetId, targetId);
});

test("a worker that the browser stopped knows its node, its copies and its latencies", { timeout: 60_000 }, async () => {
  const page = await visited(chrome.context, home);
  const { session } = await tools(page);
  for (const name of PARTS) await page.evaluate(async (name) => (await fetch(`/${name}`)).text(), name);
  await pause(3000);
  await page.evaluate(async () => (await fetch("/part/1.txt?2")).text()); // and its state is written down
  await pause(500);
  const before = await status(page);
  await session.send("ServiceWorker.stopAllWorkers");
  await pause(300);
  await page.evaluate(async () => (await fetch("/part/2.txt")).text());
  const now = await status(page);
  assert.ok(now.requests < before.requests, "it is another one");
  assert.equal(now.node, before.node);
  assert.equal(now.hits, 1);
  assert.equal(now.kept, before.kept);
  // The node it is to stay with may have been drawn a moment ago, and not asked yet.
  const known = ({ nodes }) => nodes.filter(({ latency }) => latency > 0).map(({ url }) => url);
  assert.ok(known(before).length > 0);
  for (const url of known(before)) assert.ok(known(now).includes(url), url);
});

test("in the background what is kept is confirmed in one request, and only by nodes that are less than half busy", { timeout: 60_000 }, async () => {
  const fresh = await browser(); // the other one may have done it already
  const page = await visited(fresh.context, `${home}/?edge=worker`);
  const { session, registrationId } = await tools(page);
  await page.evaluate((names) => Promise.all(names.map(async (name) => (await fetch(`/${name}`)).text())), PARTS);
  await pause(2000);
  const dispatch = async (utilization) => {
    await say(page, { type: "load", document: load(utilization) });
    await cluster.log();
    await session.send("ServiceWorker.dispatchPeriodicSyncEvent", { origin: home, registrationId, tag: "edge-refresh" });
    await pause(1500);
    return (await cluster.log()).filter((one) => !isFeed(one)).map((one) => [one.method, one.target]);
  };
  assert.deepEqual(await dispatch(0.5), []);
  assert.deepEqual(await dispatch(0.4), [["POST", "/.edge/revalidate"]]);
  assert.deepEqual(await dispatch(0.4), [], "not again within ten minutes");
  await session.send("ServiceWorker.stopAllWorkers");
  await pause(300);
  assert.deepEqual(await dispatch(0.4), [], "nor after a restart");
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
const applied = async (code) => (await (await fetch(`${home}/favourites?visitor=visitor`)).json()).codes.includes(code);
const posts = async () => (await cluster.log()).filter((one) => one.method === "POST" && one.target === "/favourites").length;

test("a change made offline is applied once: by Background Sync", { timeout: 60_000 }, async () => {
  const page = await visited(chrome.context, `${home}/?edge=worker`); // no feed that would tell the page
  const { session, registrationId } = await tools(page);
  await favourite(page, "41");
  await session.send("ServiceWorker.dispatchSyncEvent", { origin: home, registrationId, tag: "edge-outbox", lastChance: false });
  await eventually(() => applied("41"), "it is applied");
  await pause(500);
  assert.equal(await posts(), 1);
});

test("a change made offline is applied once: without Background Sync, too", { timeout: 60_000 }, async () => {
  const page = await visited(chrome.context, home);
  const { session } = await tools(page);
  await session.send("Browser.setPermission", { permission: { name: "background-sync" }, setting: "denied", origin: home });
  await favourite(page, "42");
  await eventually(() => applied("42"), "it is applied", 30_000);
  await pause(500);
  assert.equal(await posts(), 1);
});

test("pages under a strict content security policy work, in each segment", { timeout: 60_000 }, async () => {
  for (const kind of ["shared", "leader", "worker"]) {
    const page = await visited(chrome.context, `${home}/strict.html?edge=${kind}`);
    await page.evaluate(async () => (await fetch("/part/3.txt")).text());
    const wanted = kind === "leader" ? /connect-src/ : /^$/; // a leading page may only open sockets to its own node
    for (const error of page.errors) assert.match(String(error), wanted, kind);
    if (kind !== "worker") {
      await page.evaluate(async () => {
        const { edge } = await import("/edge/client.js");
        await new Promise((resolve) => edge.addEventListener("load", resolve, { once: true }));
      });
    }
    assert.ok((await status(page)).hits > 0, kind);
    await page.close();
  }
});

test("what an application answers at home only is asked there, and leads to another site", { timeout: 60_000 }, async () => {
  const page = await visited(chrome.context, home);
  await cluster.log();
  const other = `${cluster.nodes[1].url}/index.html`;
  for (let i = 0; i < 3; i += 1) {
    await page.goto(`${home}/out?to=${encodeURIComponent(other)}`);
    assert.equal(page.url(), other);
    await page.goto(home);
  }
  const asked = (await cluster.log()).filter((one) => one.target.startsWith("/out"));
  assert.ok(asked.filter((one) => one.node !== "n1").length <= 3, "others are tried once: they do not let pages of n1 read it");
});

test("where there is no room, everything is answered all the same", { timeout: 60_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  const { session } = await tools(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: home, quotaSize: 700_000 });
  const sizes = await page.evaluate(async () => {
    const found = [];
    for (let i = 0; i < 8; i += 1) found.push((await (await fetch(`/big.bin?${i}`)).arrayBuffer()).byteLength);
    await new Promise((resolve) => setTimeout(resolve, 500));
    return found;
  });
  assert.deepEqual(new Set(sizes), new Set([300_000]));
  await page.goto(home);
  assert.equal(await page.textContent("p"), "index");
  const { kept } = await status(page);
  assert.ok(kept < 700_000, `${kept} bytes are kept`);
  assert.deepEqual(page.errors, []);
  await fresh.close();
});

test("a new worker whose installation fails leaves the old one in charge", { timeout: 60_000 }, async () => {
  const script = await (await fetch(`${home}/sw.js`)).text();
  const page = await visited(chrome.context, home);
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
    registration.update().catch(() => {});
    const worker = await installing;
    while (worker.state !== "redundant") await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    return Boolean(registration.active && navigator.serviceWorker.controller && !registration.waiting);
  });
  assert.equal(await failed, true);
  await page.goto(home);
  assert.equal((await status(page)).version, version);
  assert.equal(await page.textContent("p"), "index");
});
