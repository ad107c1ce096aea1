// The worker whole, between doubles of what the browser gives it: what becomes of messages of pages, and of what they change.

import assert from "node:assert/strict";
import test from "node:test";

import { Worker } from "../../webroot/edge/worker/worker.js";
import { MemoryCaches, MemoryDatabase, turns } from "./world.js";

const HERE = "http://n1.example";
const LANE = "/favourites/**";

/** A worker that is awake, at a site that answers by *answer*. */
async function worker(context, answer, { database = new MemoryDatabase(), caches = new MemoryCaches(), script = "/sw.js" } = {}) {
  const log = [];
  const scope = {
    location: new URL(script, HERE),
    caches,
    navigator: { locks: { request: async (...all) => all.at(-1)() } },
    registration: {},
    clients: { get: async () => undefined, matchAll: async () => [] },
    fetch: async (resource, init) => {
      const request = new Request(resource, init);
      const { pathname } = new URL(request.url);
      log.push(`${request.method} ${pathname}`);
      const given = answer(pathname, request);
      Object.defineProperty(given, "url", { value: request.url });
      return given;
    },
  };
  globalThis.indexedDB ??= {}; // taken, and not used
  const made = new Worker(scope, "test");
  context.after(() => made.channel.close());
  for (const name of ["all", "get", "write"]) made.database[name] = database[name].bind(database);
  if (!database.stores.state.size) {
    made.rules.use({ ...made.rules.current, queue: [LANE] });
    await made.save(true);
  }
  const asked = (path) => log.filter((one) => one === `GET ${path}`).length;
  return { worker: made, log, asked, database, caches };
}

const kept = (body) => new Response(body, { headers: { "cache-control": "max-age=600" } });

test("what a page shows is fetched once, when it was there before its worker; what may not be stored ends, and a stream holds up nothing", { timeout: 10_000 }, async (context) => {
  let ended = 0;
  const endless = (headers) => new Response(new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(1000)), cancel: () => void (ended += 1) }), { headers });
  const it = await worker(context, (path) => {
    if (path === "/events") return endless({ "content-type": "text/event-stream", "cache-control": "no-cache" });
    return path === "/poll" ? endless({ "cache-control": "no-store" }) : kept(path);
  });
  const shown = { type: "shown", urls: ["/", "/style.css", "/poll", "/events"].map((path) => HERE + path) };
  for (let changes = 0; changes < 3; changes += 1) await it.worker.onMessage(shown, "a page");
  assert.deepEqual(["/", "/style.css", "/poll", "/events"].map(it.asked), [1, 1, 1, 1]);
  assert.deepEqual(["/style.css", "/poll", "/events"].map((path) => Boolean(it.worker.store.lookup(path))), [true, false, false]);
  assert.equal(ended, 2);
  it.worker.store.versions.open("another", Date.now()); // navigated to with this worker: it has asked for all that it shows
  await it.worker.onMessage(shown, "another");
  assert.equal(it.asked("/poll"), 1);
});

test("what the outbox sends later makes invalid what a change does, its groups too, by a worker that Background Sync has woken", async (context) => {
  let up = true;
  const site = (path, { method }) => {
    if (!up) throw new TypeError("Failed to fetch");
    return method === "POST" ? new Response("done") : new Response(path, { headers: { "cache-control": "max-age=600", "cache-groups": '"favourites"' } });
  };
  const first = await worker(context, site);
  await first.worker.onMessage({ type: "shown", urls: [`${HERE}/favourites/1`, `${HERE}/list`] }, "a page");
  up = false;
  const change = new Request(`${HERE}/favourites/1`, { method: "POST", body: "x" });
  assert.equal((await first.worker.mutate(change)).status, 202);
  const uses = ({ worker: { store } }) => ["/favourites/1", "/list"].map((path) => store.use(store.lookup(path)));
  const { store } = first.worker;
  store.freshen(store.rowsOf("/favourites/1")); // it was asked for again meanwhile
  await store.flush();
  assert.deepEqual(uses(first), ["fresh", "fresh"]);
  up = true;
  const woken = await worker(context, site, first);
  await woken.worker.outbox.flush();
  await turns();
  assert.deepEqual(uses(woken), ["ask", "ask"]);
});

test("who is switched off sends what waits, and leaves what cannot be sent to the next worker; who is told to forget all leaves nothing", async (context) => {
  for (const [up, what, left] of [[true, "off", []], [false, "off", ["x"]], [false, "all", []]]) {
    let isUp = false;
    const it = await worker(context, () => {
      if (isUp) return new Response("done");
      throw new TypeError("Failed to fetch");
    });
    it.worker.scope.registration.unregister = async () => {};
    it.caches.keys = async () => [];
    let stays;
    it.worker.database.remove = async (rows) => (stays = rows.map(({ body }) => new TextDecoder().decode(body)));
    await it.worker.mutate(new Request(`${HERE}/favourites/1`, { method: "POST", body: "x" }));
    isUp = up;
    if (what === "off") await it.worker.selfUpdate.applyRules('{"v":1,"off":true}');
    else await it.worker.reset("all");
    assert.deepEqual(stays, left, `${up} ${what}`);
  }
});

test("of other origins a worker that was stopped answers at its first event what its site's rules name, and leaves all others to the browser", async (context) => {
  const font = "https://fonts.example/a.woff2";
  const rules = [{ paths: ["/news/**", "https://fonts.example/**"], use: "keep" }, { paths: ["https://ads.example/**"], use: "pass" }];
  let up = true;
  const site = () => {
    if (!up) throw new TypeError("Failed to fetch");
    return kept("font");
  };
  const event = (url) => {
    const request = Object.defineProperty(new Request(url), "mode", { value: "cors" });
    const one = { request, respondWith: (answer) => (one.answer = answer), waitUntil: (work) => (one.work = work) };
    return one;
  };
  const first = await worker(context, site);
  await first.worker.selfUpdate.applyRules(JSON.stringify({ v: 1, rules }));
  const script = await first.worker.onMessage({ type: "script" }, "a page");
  assert.equal(script, "/sw.js?for=https%3A%2F%2Ffonts.example%2F**");
  const visit = event(font);
  first.worker.fetch(visit);
  await (await visit.answer).text();
  await visit.work;
  up = false;
  const woken = await worker(context, site, { ...first, script });
  for (const url of ["https://ads.example/a", "https://elsewhere.example/a"]) {
    const other = event(url);
    woken.worker.fetch(other);
    assert.equal(other.answer, undefined, url);
  }
  const again = event(font);
  woken.worker.fetch(again);
  assert.equal(await (await again.answer).text(), "font");
  // Its address names no rule that the site has still: it is fetched as without us.
  up = true;
  await woken.worker.selfUpdate.applyRules('{"v":1}');
  const late = await worker(context, site, { ...woken, script });
  const passed = event(font);
  late.worker.fetch(passed);
  assert.equal(await (await passed.answer).text(), "font");
  assert.equal(late.asked("/a.woff2"), 1);
  assert.equal(await late.worker.onMessage({ type: "script" }, "a page"), "/sw.js");
});

test("what is stored goes when the site says so, before its answer is given, and what was asked for before is not stored any more", async (context) => {
  for (const [field, value, goes] of [["clear-site-data", '"cookies", "cache"', true], ["edge-clear-site-data", '"cache"', true], ["clear-site-data", '"cookies"', false]]) {
    let late;
    const it = await worker(context, (path) => {
      if (path === "/favourites/out") return new Response("bye", { headers: { [field]: value } });
      if (path === "/late") return new Response(new ReadableStream({ start: (stream) => (late = stream) }), { headers: { "cache-control": "max-age=600" } });
      return kept(path);
    });
    const { store, strategy } = it.worker;
    await it.worker.prefetcher.precache({ ...it.worker.rules.current, precache: ["/logo.svg"] });
    await it.worker.onMessage({ type: "shown", urls: [`${HERE}/mine`] }, "a page");
    const work = [];
    const slow = await strategy.answer(new Request(`${HERE}/late`), { page: "", waitUntil: (one) => work.push(one) });
    assert.equal(await (await it.worker.mutate(new Request(`${HERE}/favourites/out`, { method: "POST" }))).text(), "bye");
    late.enqueue(new TextEncoder().encode("of the one before"));
    late.close();
    assert.equal(await slow.text(), "of the one before");
    await Promise.all(work);
    const uses = ["/mine", "/late", "/logo.svg"].map((path) => store.lookup(path) && store.use(store.lookup(path)));
    assert.deepEqual(uses, goes ? [undefined, undefined, "ask"] : ["fresh", "fresh", "fresh"], `${field}: ${value}`);
    const bodies = [...it.caches.bodies.keys()].filter((url) => url.includes("mine"));
    assert.equal(bodies.length, goes ? 0 : 1);
  }
});
