// The worker as a cache of an application: what RFC 9111 says of one, against an origin that a test scripts.

import assert from "node:assert/strict";
import test from "node:test";

import { invalidate } from "../../webroot/edge/worker/invalidation.js";
import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { PageParts } from "../../webroot/edge/worker/page_parts.js";
import { Prefetcher } from "../../webroot/edge/worker/prefetcher.js";
import { ResponseStore } from "../../webroot/edge/worker/response_store.js";
import { Revalidator } from "../../webroot/edge/worker/revalidator.js";
import { CurrentRules, defaults } from "../../webroot/edge/worker/rules.js";
import { Sender } from "../../webroot/edge/worker/sender.js";
import { StaleWhileRevalidate } from "../../webroot/edge/worker/stale_while_revalidate.js";
import { heldBy } from "../../webroot/edge/worker/waiting.js";
import { seeded } from "./random.js";
import { Clock, MemoryCaches, MemoryDatabase, ORIGINS, turns } from "./world.js";

const [HERE] = ORIGINS;
const DAY = 86_400_000;

/**
 * A worker in front of *application*: ({path, headers, n, clock}) -> {status, headers, body, url} or a Response; what it
 * throws is a failed fetch.
 */
function world(application, rules = {}) {
  const clock = new Clock();
  clock.ms = Date.parse("2026-11-24T00:00:00Z");
  const log = [];
  const fetch = async (url, { method = "GET", headers = {}, signal, cache, redirect = "follow", mode } = {}) => {
    signal?.throwIfAborted();
    const { pathname, search } = new URL(url.url ?? url);
    const asked = { path: pathname + search, method, headers: new Headers(headers), signal, cache, redirect, mode };
    log.push(asked);
    const told = await application({ ...asked, n: log.length, clock });
    if (told instanceof Response) return told;
    if (told.redirected && redirect === "manual") return { type: "opaqueredirect", status: 0, ok: false, headers: new Headers(), redirected: false, url: "", body: null };
    const { status = 200, headers: fields = {}, body = "", ...more } = told;
    const response = new Response([204, 304].includes(status) ? null : body, { status, headers: fields });
    for (const [name, value] of Object.entries({ url, ...more })) Object.defineProperty(response, name, { value });
    return response;
  };
  const database = new MemoryDatabase();
  const caches = new MemoryCaches();
  const nodes = new Nodes(HERE, seeded(1));
  const sender = new Sender(nodes, { fetch, now: clock.now, random: seeded(1), wait: clock.wait });
  const current = new CurrentRules({ ...defaults(), ...rules });
  const store = new ResponseStore(database, current, { caches, origin: HERE, now: clock.now });
  const updates = [];
  const revalidator = new Revalidator(store, sender, {
    onUpdate: (paths) => updates.push(...paths), onGone() {}, timer: (then, ms) => clock.wait(ms).then(then),
  });
  const parts = new PageParts(store, {
    now: clock.now, wait: clock.wait, changes: async () => null, validate: async () => null, outdated() {},
  });
  const strategy = new StaleWhileRevalidate(store, sender, revalidator, HERE, current, parts, fetch);
  const work = [];
  const ask = (path, { headers = {}, mode = "cors", destination = "", cache = "default", page = "", signal = new AbortController().signal, waitUntil = (one) => work.push(one) } = {}) => {
    const request = { url: HERE + path, method: "GET", mode, destination, cache, credentials: "same-origin", redirect: "follow", integrity: "", headers: new Headers(headers), signal };
    return strategy.answer(request, { page, waitUntil });
  };
  const settle = async () => {
    await clock.pass(1500);
    while (work.length) await Promise.all(work.splice(0));
    await turns();
  };
  /** The answer with its body, and how many requests it cost before it came, and behind it. */
  const get = async (path, options) => {
    const begun = log.length;
    const response = await ask(path, options);
    const before = log.length - begun;
    const body = await response.text();
    await settle();
    return { status: response.status, headers: response.headers, body, before, behind: log.length - begun - before, response };
  };
  return { clock, log, caches, database, store, sender, revalidator, strategy, current, updates, ask, get, settle, fetch };
}

/** Answers are numbered. */
const numbered = (headers) => ({ n }) => ({ body: `v${n}`, headers: typeof headers === "function" ? headers(n) : headers });

test("what is reused: as HTTP says, of an application", async () => {
  for (const [control, after, expected] of [
    ["max-age=100", 50, "v1"], ["max-age=100", 100, "v2"], ["max-age=100, must-revalidate", 50, "v1"], ["max-age=100, must-revalidate", 101, "v2"],
    ["no-cache", 0, "v2"], ["no-cache, max-age=100", 0, "v2"], ["no-store", 0, "v2"], ["private, max-age=100", 50, "v1"], ["", 0, "v2"],
    ["max-age=0", 0, "v2"], ["s-maxage=100", 0, "v2"], ["max-age=1, stale-while-revalidate=100", 50, "v1"], ["max-age=1, stale-while-revalidate=100", 102, "v2"],
    ["no-cache, stale-while-revalidate=100", 1, "v2"], ["max-age=100, immutable", 50, "v1"], ["max-age=1, immutable", 3, "v2"],
  ]) {
    const { get, clock } = world(numbered({ "cache-control": control }));
    await get("/a");
    clock.ms += after * 1000 - 1500;
    assert.equal((await get("/a")).body, expected, `${control} after ${after} s`);
  }
});

test("A1: a page that nothing changes on asks for nothing more, whatever its validator", async () => {
  for (const [name, application] of Object.entries({
    plain: () => ({ body: "same" }),
    weak: ({ headers }) => (headers.get("if-none-match") === 'W/"1"' ? { status: 304 } : { body: "same", headers: { etag: 'W/"1"' } }),
    dated: ({ headers }) => (headers.get("if-modified-since") ? { status: 304 } : { body: "same", headers: { "last-modified": "Tue, 24 Nov 2026 00:00:00 GMT" } }),
    permitted: () => ({ body: "same", headers: { "cache-control": "stale-while-revalidate=1000" } }),
    tags: ({ n }) => ({ body: "same", headers: { etag: `W/"${n}"`, "cache-control": "stale-while-revalidate=1000" } }),
  })) {
    const { get, log, updates, store } = world(application);
    for (let i = 0; i < 5; i += 1) await get("/a");
    assert.deepEqual(updates, [], `${name}: nothing counts as new that is the same`);
    assert.ok(log.length <= 5, name);
    assert.equal(store.count.puts, 1, `${name}: one body`);
  }
});

test("A1: a page whose bytes always differ is told once for each question, and its own refetch asks nothing", async () => {
  const { get, log, updates } = world(numbered({ "cache-control": "stale-while-revalidate=1000" }));
  await get("/clock");
  await get("/clock", { mode: "navigate" });
  assert.deepEqual(updates, ["/clock"]);
  const before = log.length;
  assert.equal((await get("/clock", { cache: "force-cache" })).body, "v2");
  assert.equal(log.length, before);
});

test("weak validators and dates are sent, a 304 updates stored fields", async () => {
  const { get, log } = world(({ headers }) => (headers.has("if-none-match")
    ? { status: 304, headers: { etag: 'W/"1"', "content-security-policy": "new", "cache-control": "max-age=100", "content-length": "99" } }
    : { body: "x", headers: { etag: 'W/"1"', "content-security-policy": "old", "content-length": "1", "x-kept": "1" } }));
  await get("/a");
  const validated = await get("/a");
  assert.equal(log[1].headers.get("if-none-match"), 'W/"1"');
  const fresh = await get("/a");
  for (const { body, headers, before } of [validated, fresh]) {
    assert.deepEqual([body, headers.get("content-security-policy"), headers.get("content-length"), headers.get("x-kept")], ["x", "new", "1", "1"]);
    assert.ok(before <= 1);
  }
  assert.equal(fresh.before, 0, "the 304 has made it fresh");
});

test("A7: fields of the page are sent on; they select if Vary names them, else the request passes", async () => {
  const { get, log } = world(({ headers, path }) => ({
    body: headers.get("accept")?.includes("json") ? "json" : headers.get("hx-request") ? "part" : "html",
    headers: { "cache-control": "max-age=100", ...(path === "/vary" ? { vary: "Accept, HX-Request" } : {}) },
  }));
  for (const path of ["/vary", "/silent"]) {
    assert.equal((await get(path, { mode: "navigate", headers: { accept: "text/html,*/*" } })).body, "html");
    assert.equal((await get(path, { headers: { accept: "application/json", "x-kind": "5" } })).body, "json");
    assert.equal((await get(path, { headers: { "hx-request": "true", accept: "*/*" } })).body, "part");
    assert.equal((await get(path, { headers: { accept: "application/json" } })).body, "json");
    assert.equal((await get(path, { mode: "navigate", headers: { accept: "text/html,*/*" } })).body, "html");
  }
  assert.equal(log.find(({ headers }) => headers.get("x-kind") === "5")?.headers.get("accept"), "application/json");
  const again = await get("/vary", { headers: { accept: "application/json" } });
  assert.deepEqual([again.body, again.before], ["json", 0], "kept, under what Vary names");
  assert.equal((await get("/vary", { headers: { accept: "application/json", "x-kind": "6" } })).before, 1, "Vary does not name x-kind");
});

test("A7: fields that the site ignores are sent on, and select nothing; none matter to what a node has published", async () => {
  const { get, log } = world(({ path }) => ({ body: "x", headers: { "cache-control": "max-age=100", ...(path === "/file" ? { "edge-client-cache-control": "max-age=100" } : {}) } }), { ignore_fields: ["traceparent"] });
  await get("/a", { headers: { traceparent: "1" } });
  assert.equal(log[0].headers.get("traceparent"), "1");
  assert.equal((await get("/a", { headers: { traceparent: "2" } })).before, 0);
  await get("/file");
  assert.equal((await get("/file", { headers: { "x-requested-with": "fetch" } })).before, 0);
});

test("Vary: each selects its own; what a worker does not see keeps nothing", async () => {
  const { get, store } = world(({ headers, path, n }) => ({
    body: `${headers.get("x-a") ?? ""}${headers.get("x-b") ?? ""} ${n}`,
    headers: { "cache-control": "max-age=100", vary: { "/a": "x-a", "/two": "X-B,x-a", "/star": "*", "/cookie": "Cookie", "/mode": "Sec-Fetch-Mode" }[path] },
  }));
  for (const [path, one, two] of [["/a", { "x-a": "1" }, { "x-a": "2" }], ["/two", { "x-a": "1", "x-b": "1" }, { "x-a": "1" }], ["/a", { "x-a": "3" }, {}]]) {
    const first = (await get(path, { headers: one })).body;
    const other = (await get(path, { headers: two })).body;
    assert.notEqual(first, other);
    assert.equal((await get(path, { headers: one })).body, first);
    assert.equal((await get(path, { headers: two })).body, other);
  }
  for (const path of ["/star", "/cookie", "/mode"]) await get(path);
  assert.deepEqual(store.filter(({ path }) => !["/a", "/two"].includes(path)), []);
});

test("what a request says of caches is obeyed", async () => {
  const { get, clock } = world(numbered({ "cache-control": "max-age=1000", etag: '"1"' }), { ignore_fields: [] });
  await get("/a");
  clock.ms += 60_000;
  for (const [options, asks] of [
    [{}, 0], [{ headers: { "cache-control": "no-cache" } }, 1], [{ headers: { pragma: "no-cache" } }, 1], [{ headers: { "cache-control": "max-age=0" } }, 1],
    [{ headers: { "cache-control": "max-age=100" } }, 0], [{ headers: { "cache-control": "min-fresh=5000" } }, 1],
    [{ cache: "no-cache" }, 1], [{ cache: "reload" }, 1], [{ cache: "force-cache" }, 0],
  ]) assert.equal((await get("/a", options)).before, asks, JSON.stringify(options));
  clock.ms += 2_000_000;
  assert.equal((await get("/a", { cache: "only-if-cached" })).before, 0, "whatever its age");
});

test("a stored response says how old it is, and keeps its other fields", async () => {
  const date = "Tue, 24 Nov 2026 00:00:00 GMT";
  const { get, clock } = world(() => ({ body: "x", headers: { "cache-control": "max-age=1000", age: "30", date, "content-length": "1", connection: "x-hop", "x-hop": "1", "x-more": "1" } }));
  await get("/a");
  clock.ms += 10_000;
  const { headers } = await get("/a");
  assert.ok(Number(headers.get("age")) >= 40, headers.get("age"));
  assert.deepEqual([headers.get("date"), headers.get("content-length"), headers.get("x-more"), headers.get("x-hop")], [date, "1", "1", null]);
});

test("A8: what POST, PUT and DELETE change is asked for anew, and what the answer names", async () => {
  for (const [status, headers, asked, led] of [
    [200, {}, ["/target"]], [201, { location: "/new" }, ["/target", "/new"]], [200, { "content-location": `${HERE}/other#x` }, ["/target", "/other"]],
    [303, { location: "https://elsewhere.example/new", "content-location": "http://[" }, ["/target"]], [404, { location: "/new" }, []], [500, {}, []],
    [404, {}, ["/target", "/new"], `${HERE}/new`], // done, and led to a page that is not there
  ]) {
    const { get, store, current } = world(numbered({ "cache-control": "max-age=1000" }));
    for (const path of ["/target", "/new", "/other"]) await get(path);
    await invalidate(store, current, `${HERE}/target?utm_source=x`, { status, headers: new Headers(headers), redirected: Boolean(led), url: led ?? `${HERE}/target`, type: "basic" });
    const again = [];
    for (const path of ["/target", "/new", "/other"]) if ((await get(path)).before) again.push(path);
    assert.deepEqual(again, asked, `${status} ${JSON.stringify(headers)}`);
  }
});

test("A8: what a change has made invalid is not given to a page that comes later, though it would go with its other parts", async () => {
  const file = { "edge-state": "S1", "cache-control": "max-age=1000" };
  let state = 0;
  const { get, store, current } = world(({ path }) => (path === "/" ? { body: "page", headers: file } : { body: `state ${state}`, headers: { "cache-control": "max-age=1000" } }));
  const visit = (page) => get("/", { mode: "navigate", destination: "document", page });
  await visit("one");
  assert.equal((await get("/state", { page: "one" })).body, "state 0");
  state = 1;
  await invalidate(store, current, `${HERE}/state`, { status: 200, headers: new Headers() });
  assert.equal((await get("/state", { page: "one" })).body, "state 1");
  await visit("two");
  assert.equal((await get("/state", { page: "two" })).body, "state 1");
});

test("A8: an answer that was asked for before a change is neither stored nor given to who asks after it", async () => {
  const waiting = [];
  const { ask, store, current, settle, get } = world(({ n }) => new Promise((resolve) => waiting.push(() => resolve({ body: `v${n}`, headers: { "cache-control": "max-age=1000" } }))));
  const before = ask("/a");
  await turns();
  store.now = () => Date.parse("2026-11-24T00:00:01Z");
  await invalidate(store, current, `${HERE}/a`, { status: 200, headers: new Headers() });
  const after = ask("/a");
  await turns();
  assert.equal(waiting.length, 2, "not collapsed with one from before");
  waiting[1]();
  assert.equal(await (await after).text(), "v2");
  waiting[0]();
  assert.equal(await (await before).text(), "v1");
  await settle();
  assert.equal((await get("/a")).body, "v2");
});

test("A8: a 304 to a question from before a change confirms nothing after it", async () => {
  const waiting = [];
  const { ask, get, store, current, settle } = world(({ n }) => (n === 1
    ? { body: "v1", headers: { etag: '"1"', "cache-control": "no-cache" } }
    : n === 2 ? new Promise((resolve) => waiting.push(() => resolve({ status: 304, headers: { "cache-control": "max-age=1000" } }))) : { body: "v2" }));
  await get("/a");
  const before = ask("/a");
  await turns();
  await invalidate(store, current, `${HERE}/a`, { status: 204, headers: new Headers() });
  waiting[0]();
  assert.equal(await (await before).text(), "v1");
  await settle();
  assert.equal((await get("/a")).body, "v2");
});

test("A8: what a change names is asked of its origin, though the browser's own cache has it from before", async () => {
  const { ask, get, log, store, current, settle } = world(numbered({ "cache-control": "max-age=1000", vary: "x-own" }));
  const options = { headers: { "x-own": "1" } };
  const before = await ask("/new", options);
  await invalidate(store, current, `${HERE}/target`, { status: 201, headers: new Headers({ location: "/new" }) });
  assert.equal(await before.text(), "v1"); // read too late: it is not stored here
  await settle();
  assert.equal((await get("/new", options)).body, "v2");
  assert.deepEqual(log.map(({ cache }) => cache), ["default", "reload"]);
});

test("A9: where a new version has no room, the old one is not given as if it were current", async () => {
  let version = "1";
  const { get, caches } = world(({ headers }) => (headers.get("if-none-match") === `"${version}"` ? { status: 304 } : {
    body: `v${version}`, headers: { etag: `"${version}"`, "cache-control": "max-age=1, stale-while-revalidate=1000" },
  }));
  await get("/older"); // goes first, and is not enough
  await get("/a");
  caches.room = 0;
  version = "2";
  assert.equal((await get("/a")).body, "v1"); // it asks behind that
  assert.equal((await get("/a")).body, "v2");
  assert.equal((await get("/a")).body, "v2");
});

test("A9: one body over its share passes by, and nothing goes for it; what it was before goes", async () => {
  const sizes = { "/big": 300, "/small": 30 };
  const { get, store, caches } = world(({ path }) => ({ body: "x".repeat(sizes[path]), headers: { "cache-control": "max-age=1000" } }), { limit_mib: 800 / 2 ** 20 });
  await get("/small");
  assert.equal((await get("/big")).body.length, 300);
  assert.equal((await get("/big")).body.length, 300);
  assert.deepEqual(store.filter(() => true).map(({ path }) => path), ["/small"]);
  sizes["/small"] = 400;
  assert.equal((await get("/small", { cache: "reload" })).body.length, 400);
  assert.equal(caches.bodies.size, 1, "an answer that is not stored changes nothing by itself");
});

test("A9: the precache is never evicted, and is none of the limit", async () => {
  const { get, store, caches, current } = world(({ path }) => ({ body: path.repeat(20), headers: { "cache-control": "max-age=1000" } }), { limit_mib: 400 / 2 ** 20 });
  await store.commit([{ path: "/page-", response: new Response("p".repeat(5000), { headers: { etag: '"p"' } }), headers: new Headers() }], true);
  for (let i = 10; i < 40; i += 1) await get(`/${i}`);
  assert.ok(store.size <= 400);
  assert.equal(caches.precache.size, 1);
  caches.room = 5200;
  for (let i = 50; i < 60; i += 1) await get(`/${i}`);
  assert.equal(await (await store.open(store.lookup("/page-"))).text(), "p".repeat(5000));
  assert.equal(current.current.limit_mib, 400 / 2 ** 20);
  await store.sweep();
  assert.equal(caches.precache.size, 1);
});

test("A9: abort ends the request, and the body of a response, at its source", async () => {
  for (const headers of [{}, { "x-own": "1" }]) {
    const controller = new AbortController();
    let seen;
    const { ask } = world(({ signal }) => new Promise((_, reject) => {
      seen = signal;
      signal.addEventListener("abort", () => reject(signal.reason));
    }));
    const coming = ask("/a", { signal: controller.signal, headers });
    await turns();
    controller.abort();
    await assert.rejects(coming, { name: "AbortError" });
    assert.ok(seen.aborted);
  }
  let given = 0;
  let cancelled = false;
  const endless = () => new ReadableStream({
    pull(controller) {
      given += 65536;
      controller.enqueue(new Uint8Array(65536));
    },
    cancel() {
      cancelled = true;
    },
  });
  const { ask, store, settle } = world(() => ({ body: endless(), headers: { "cache-control": "max-age=1000" } }));
  const response = await ask("/endless");
  const reader = response.body.getReader();
  for (let i = 0; i < 10; i += 1) await reader.read();
  await turns();
  assert.ok(given < 2 ** 20, `no further ahead of the page than that: ${given}`);
  await reader.cancel();
  await settle();
  assert.ok(cancelled);
  assert.deepEqual(store.filter(() => true), []);
});

test("of several that wait for one answer, who gives up leaves the others theirs; when all have, it ends", async () => {
  let finish;
  let signal;
  const { ask, log } = world((asked) => new Promise((resolve, reject) => {
    ({ signal } = asked);
    finish = () => resolve({ body: "x" });
    signal.addEventListener("abort", () => reject(signal.reason));
  }));
  const [one, two] = [new AbortController(), new AbortController()];
  const answers = [ask("/a", { signal: one.signal }), ask("/a", { signal: two.signal })];
  await turns();
  one.abort();
  await assert.rejects(answers[0], { name: "AbortError" });
  assert.ok(!signal.aborted);
  finish();
  assert.equal(await (await answers[1]).text(), "x");
  const again = [ask("/b", { signal: two.signal }), ask("/b", { signal: two.signal })];
  await turns();
  two.abort();
  await Promise.all(again.map((each) => assert.rejects(each, { name: "AbortError" })));
  assert.ok(signal.aborted);
  assert.equal(log.length, 2);
});

test("A10: campaigns make no other page, and No-Vary-Search is believed; other queries do", async () => {
  const { get } = world(({ path, n }) => ({ body: `${path} ${n}`, headers: { "cache-control": "max-age=1000", ...(path.startsWith("/nvs") ? { "no-vary-search": 'key-order, params=("ref" "a b")' } : {}) } }));
  for (const [first, second, same] of [
    ["/a?utm_source=x&b=1", "/a?b=1&fbclid=2", true], ["/a", "/a?utm_source=news", true], ["/c?x=1", "/c?x=2", false], ["/d?b=1&c=2", "/d?c=2&b=1", false],
    ["/nvs?x=1&y=2&ref=5", "/nvs?y=2&ref=7&x=1", true], ["/nvs2?x=1&a+b=1", "/nvs2?x=1", true], ["/nvs3?x=1", "/nvs3?x=2", false],
  ]) {
    const { body } = await get(first);
    assert.equal((await get(second)).body === body, same, `${first} and ${second}`);
  }
});

test("A10: offline, an index stands for its folder, and the folder for its index", async () => {
  let off = false;
  const { get, ask, clock } = world(() => {
    if (off) throw new TypeError("Failed to fetch");
    return { body: "page" };
  });
  await get("/a/");
  await get("/b/index.html");
  off = true;
  for (const path of ["/a/index.html", "/b/", "/a/?utm_source=x"]) {
    const coming = ask(path, { mode: "navigate" });
    await clock.pass(20_000);
    assert.equal(await (await coming).text(), "page", path);
  }
});

/** Leads from /old to /new, as an application does; from /file to /file/, as a node for what it has published. */
const leading = ({ path }) => {
  const [plain] = path.split("?");
  if (plain === "/old") return { body: "new", url: `${HERE}/new`, redirected: true, headers: { "cache-control": "max-age=1000" } };
  if (plain === "/file") return { body: "file", url: `${HERE}/file/`, redirected: true, headers: { "edge-client-cache-control": "max-age=1000" } };
  if (plain === "/away") return { body: "away", url: "https://elsewhere.example/x", redirected: true };
  return { status: 203, body: "x" };
};

test("A11: a redirect of a navigation is the browser's, one of a part is followed: either way the application is asked once", async () => {
  for (const path of ["/old", "/old?code=1", "/away"]) {
    const { ask, log, store, settle } = world(leading);
    const page = await ask(path, { mode: "navigate", page: "p" });
    await settle();
    assert.deepEqual([page.type, log.length, store.filter(() => true)], ["opaqueredirect", 1, []], path);
    for (const [mode, headers] of [["cors", {}], ["no-cors", {}], ["cors", { "x-own": "1" }]]) {
      log.length = 0;
      const part = await ask(path, { mode, headers });
      assert.deepEqual([await part.text(), part.redirected, part.url], [path === "/away" ? "away" : "new", true, path === "/away" ? "https://elsewhere.example/x" : `${HERE}/new`]);
      await settle();
      assert.deepEqual([log.length, log[0].mode, store.filter(() => true)], [1, mode, []], "under the address that redirects, nothing is stored");
    }
  }
  const { ask } = world(leading);
  assert.equal((await ask("/file")).headers.get("location"), `${HERE}/file/`, "a file is kept under the address that it has");
  assert.equal((await ask("/x")).status, 203);
});

test("a part that is kept and becomes a redirect is followed in its own way", async () => {
  for (const mode of ["cors", "no-cors"]) {
    let moved = false;
    const { get, clock } = world((asked) => (moved ? leading(asked) : { body: "kept", headers: { etag: '"1"', "cache-control": "max-age=1" } }));
    await get("/old", { mode });
    clock.ms += 5000;
    moved = true;
    const { body, response } = await get("/old", { mode });
    assert.deepEqual([body, response.redirected], ["new", true], mode);
  }
});

test("where a redirect leads is learned from the navigation behind it, without a question, and stands for it offline", async () => {
  let off = false;
  const { ask, log, settle, clock, store } = world((asked) => {
    if (off) throw new TypeError("Failed to fetch");
    return asked.path === "/new" ? { body: "page", headers: { "cache-control": "max-age=1000" } } : leading(asked);
  });
  for (const path of ["/old", "/old?code=1"]) {
    await ask(path, { mode: "navigate", page: path });
    await (await ask("/new", { mode: "navigate", page: path })).text();
    await settle();
  }
  assert.deepEqual(log.map(({ path }) => path), ["/old", "/new", "/old?code=1"]);
  assert.deepEqual(store.filter(({ location }) => location).map(({ path, location }) => [path, location]), [["/old", "/new"]]);
  off = true;
  const coming = ask("/old", { mode: "navigate", page: "later" });
  await clock.pass(20_000);
  assert.equal((await coming).headers.get("location"), `${HERE}/new`);
});

test("a variant that a script's own fields have chosen is confirmed and replaced with these, and by nobody who is not told them", async () => {
  for (const name of ["x-tenant", "accept-language", "accept"]) {
    let day = 1;
    const { get, ask, clock, updates } = world(({ headers }) => {
      if (headers.get(name) === "lost") throw new TypeError("Failed to fetch");
      const etag = `"${headers.get(name) ?? "none"} ${day}"`;
      const fields = { vary: name, etag, "cache-control": "max-age=1, stale-while-revalidate=1000" };
      return headers.get("if-none-match") === etag ? { status: 304, headers: fields } : { body: etag, headers: fields };
    });
    const alice = { headers: { [name]: "alice" } };
    assert.equal((await get("/api", alice)).body, '"alice 1"', name);
    clock.ms += 5000;
    assert.equal((await get("/api", alice)).body, '"alice 1"');
    assert.deepEqual(updates, [], "the variant of none is no new version of it");
    clock.ms += 5000;
    day = 2;
    assert.equal((await get("/api", alice)).body, '"alice 1"');
    assert.deepEqual([(await get("/api", alice)).body, updates], ['"alice 2"', ["/api"]]);
    if (name === "x-tenant") await assert.rejects(ask("/api", { headers: { [name]: "lost" } }), TypeError, "what is said to none does not stand for it");
  }
});

/** Answers that come when `go` is called, all at once. */
function gated(application, rules) {
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  return { ...world(async (asked) => (await gate, application(asked)), rules), go };
}

test("an answer that may not be stored is for one request alone, and one from before a change is for none after it", async () => {
  for (const [more, expected, requests] of [
    [{ headers: { "cache-control": "no-store" } }, ["v1", "v2", "v3"], 3], [{ headers: { vary: "Cookie" } }, ["v1", "v2", "v3"], 3], [{ status: 404 }, ["v1", "v2", "v3"], 3],
    [{ headers: { "cache-control": "max-age=9" } }, ["v1", "v1", "v1"], 1],
  ]) {
    const { ask, log, go } = gated(({ n }) => ({ body: `v${n}`, ...more }));
    const all = Promise.all(["", "", ""].map(async () => (await ask("/ticket")).text()));
    await turns();
    assert.equal(log.length, 1, "they wait for the first");
    go();
    assert.deepEqual([await all, log.length], [expected, requests]);
  }
  const { ask, current, store, go } = gated(({ path, n }) => ({ body: `${path} ${n}`, headers: { "cache-control": "private, max-age=9" } }));
  const before = ask("/api/me");
  await turns();
  await invalidate(store, current, `${HERE}/login`, { status: 200, headers: new Headers(), redirected: false, url: `${HERE}/login`, type: "basic" });
  const after = ask("/api/me");
  await turns();
  go();
  assert.deepEqual(await Promise.all([before, after].map(async (one) => (await one).text())), ["/api/me 1", "/api/me 2"]);
});

test("who has joined a request gets its answer, and it is stored, when who began it has given up", async () => {
  const { ask, get, log, settle, go } = gated(() => ({ body: "fine", headers: { "cache-control": "max-age=60" } }));
  let isOver = false;
  const held = [];
  const waitUntil = heldBy({
    waitUntil(work) {
      if (isOver) throw new DOMException("the event handler is already finished", "InvalidStateError");
      held.push(work);
    },
  });
  const controller = new AbortController();
  const first = ask("/x", { signal: controller.signal, waitUntil });
  const second = ask("/x");
  await turns();
  controller.abort();
  await assert.rejects(first, { name: "AbortError" });
  await Promise.all(held);
  isOver = true;
  go();
  assert.equal(await (await second).text(), "fine");
  await settle();
  assert.deepEqual([(await get("/x")).body, log.length], ["fine", 1]);
});

test("a redirect is remembered for want of a network alone, whatever the site's rules and the page say", async () => {
  for (const use of ["keep", "stale-first", "fresh-first"]) {
    for (const cache of ["default", "force-cache"]) {
      const { get, store } = world(() => ({ body: "the page itself" }), { rules: [{ paths: ["/app"], use }] });
      await store.ready();
      await store.commitRedirect("/app", "/login");
      assert.equal((await get("/app", { mode: "navigate", cache })).body, "the page itself", `${use} ${cache}`);
    }
  }
});

/** What Chromium accepts of pages; longer than what may cross origins without a preflight. */
const CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";

test("a route of an application in the browser is kept, confirmed and there offline, and what is missing stays missing", async () => {
  let off = false, version = 1;
  // As a node with a fallback answers: by Accept alone, for a worker's own requests go to no destination.
  const { get, log, ask, clock, revalidator, store, updates } = world(({ path, headers }) => {
    if (off) throw new TypeError("Failed to fetch");
    if (path === "/.edge/revalidate") return { body: JSON.stringify({ v: 1, seq: version, stale: [0] }) };
    if (!/^text\/html\b/.test(headers.get("accept") ?? "")) return { status: 404, headers: { vary: "Accept" } };
    if (headers.get("if-none-match") === `"v${version}"`) return { status: 304, headers: { vary: "Accept-Encoding, Accept" } };
    return { body: `v${version}`, headers: { etag: `"v${version}"`, vary: "Accept-Encoding, Accept", "cache-control": "no-cache", "edge-client-cache-control": "stale-while-revalidate=1000" } };
  });
  const navigation = { mode: "navigate", destination: "document", headers: { accept: CHROMIUM } };
  assert.equal((await get("/app/route", navigation)).body, "v1");
  assert.equal((await get("/app/missing.js", { destination: "script", headers: { accept: "*/*" } })).status, 404);
  assert.deepEqual(store.filter(() => true).map(({ path }) => path), ["/app/route"]);
  version = 2;
  await revalidator.replace(store.filter(() => true));
  assert.ok(log.every(({ headers }) => (headers.get("accept") ?? "").length <= 128), "no preflight");
  assert.equal((await (await ask("/app/route", navigation)).text()), "v2", "a new version takes its place");
  off = true;
  const coming = ask("/app/route", navigation);
  await clock.pass(20_000);
  assert.equal(await (await coming).text(), "v2");
  assert.deepEqual(updates, updates.filter((path) => path === "/app/route"));
});

test("offline: what HTTP lets one use, within the limit of age", async () => {
  let off = false;
  const { get, ask, clock } = world(({ path }) => {
    if (off) throw new TypeError("Failed to fetch");
    return { body: path, headers: { "cache-control": { "/plain": "", "/fresh": "max-age=5", "/strict": "max-age=5, must-revalidate", "/always": "no-cache", "/confirmed": "no-cache" }[path] } };
  }, { confirm: ["/confirmed"] });
  for (const path of ["/plain", "/fresh", "/strict", "/always", "/confirmed"]) await get(path);
  off = true;
  const offline = async (path) => {
    const coming = ask(path).then((response) => response.text(), () => "error");
    await clock.pass(20_000);
    return coming;
  };
  clock.ms += DAY;
  assert.deepEqual(await Promise.all(["/plain", "/fresh", "/strict", "/always", "/confirmed"].map(offline)), ["/plain", "/fresh", "error", "error", "/confirmed"]);
  clock.ms += 30 * DAY;
  assert.deepEqual(await Promise.all(["/plain", "/confirmed"].map(offline)), ["error", "error"]);
});

test("stale-if-error: an error is answered by what is stored, as long as that was permitted", async () => {
  let sick = false;
  const { get, clock } = world(() => (sick ? { status: 500, body: "sick" } : { body: "well", headers: { "cache-control": "max-age=1, stale-if-error=1000" } }));
  await get("/a", { headers: { "x-own": "1" } });
  await get("/a");
  sick = true;
  clock.ms += 60_000;
  const coming = get("/a");
  await clock.pass(20_000);
  assert.equal((await coming).body, "well");
  clock.ms += 2_000_000;
  const later = get("/a");
  await clock.pass(20_000);
  assert.equal((await later).body, "sick");
});

test("clocks are not trusted: what was confirmed in the future is asked for", async () => {
  const { get, clock } = world(numbered({ "cache-control": "max-age=1000, stale-while-revalidate=100000" }));
  await get("/a");
  clock.ms -= 5 * DAY;
  assert.equal((await get("/a")).body, "v2");
  assert.equal((await get("/a")).body, "v2", "and is fresh by the clock as it is now");
});

test("rules for paths: fresh-first, stale-first, keep, pass; limits of age and count", async () => {
  let off = false;
  let slow = false;
  const { get, ask, clock, store, strategy, log } = world(({ path, n, clock: time }) => {
    if (off) throw new TypeError("Failed to fetch");
    const told = { body: `${path} ${n}`, headers: { "cache-control": "max-age=1000" } };
    if (path.startsWith("/first") || path.startsWith("/keep")) told.headers["cache-control"] = "no-cache";
    return slow ? time.wait(5000).then(() => told) : told;
  }, {
    rules: [
      { paths: ["/news/**"], use: "fresh-first", timeout_ms: 1 }, { paths: ["/first/**"], use: "stale-first", max_days: 2 },
      { paths: ["/keep/**"], use: "keep" }, { paths: ["/pass/**"], use: "pass" }, { paths: ["/few/**"], use: "stale-first", max_count: 2 },
    ],
  });
  const plan = (path) => strategy.plan({ url: HERE + path, method: "GET", mode: "cors", destination: "", cache: "default", headers: new Headers() });
  assert.deepEqual(["/news/a", "/first/a", "/keep/a", "/pass/a", "/other"].map(plan), ["confirm", "cache", "cache", "pass", "cache"]);

  await get("/news/a");
  assert.equal((await get("/news/a")).body, "/news/a 2", "although it is fresh");
  slow = true;
  const coming = ask("/news/a");
  await turns();
  await new Promise((resolve) => setTimeout(resolve, 20)); // its timeout is the browser's
  assert.equal(await (await coming).text(), "/news/a 2", "the network says nothing in time");
  await clock.pass(20_000);
  slow = false;

  const { body } = await get("/first/a");
  const stale = await get("/first/a");
  assert.deepEqual([stale.body, stale.before, stale.behind], [body, 0, 1], "although it says no-cache");
  clock.ms += 3 * DAY;
  assert.equal((await get("/first/a")).before, 1, "older than the rule lets it be");

  const kept = (await get("/keep/a")).body;
  clock.ms += 1000 * DAY;
  const again = await get("/keep/a");
  assert.deepEqual([again.body, again.before, again.behind], [kept, 0, 0]);

  for (const name of "abc") await get(`/few/${name}`);
  assert.deepEqual(store.filter(({ path }) => path.startsWith("/few")).map(({ path }) => path).sort(), ["/few/b", "/few/c"]);
  off = true;
  const offline = assert.rejects(ask("/news/a"), "a thousand days old");
  await clock.pass(20_000);
  await offline;
  assert.ok(log.length);
});

test("the sweep takes what is older than it may be, and leaves what is kept for good", async () => {
  const { get, clock, store, caches } = world(numbered({}), { rules: [{ paths: ["/keep"], use: "keep" }], max_days: 3 });
  await get("/a");
  await get("/keep");
  clock.ms += 4 * DAY;
  await store.sweep();
  assert.deepEqual(store.filter(() => true).map(({ path }) => path), ["/keep"]);
  assert.equal(caches.bodies.size, 1);
});

test("what is not stored here, the browser's own cache may have at the next time; what is stored it does not get", async () => {
  const caches = [];
  const { get } = world(({ path, cache }) => {
    caches.push([path, cache]);
    return path === "/big" ? { body: "x".repeat(300), headers: { "content-length": "300", "cache-control": "max-age=1000" } } : { body: "small" };
  }, { limit_mib: 800 / 2 ** 20 });
  for (const path of ["/big", "/big", "/small", "/small"]) await get(path);
  assert.deepEqual(caches, [["/big", "no-store"], ["/big", "default"], ["/small", "no-store"], ["/small", "no-store"]]);
});

test("an application's own error is its answer, and no fault of the node", async () => {
  const { get, log } = world(() => ({ status: 500, body: "no" }));
  for (let i = 0; i < 4; i += 1) assert.deepEqual([(await get("/a")).status, log.length], [500, i + 1]);
});

test("new rules: what they precache is fetched, what they do not precache any more goes", async () => {
  const { store, log, sender, revalidator } = world(({ path }) => ({ body: path, headers: { etag: '"1"' } }));
  const prefetcher = new Prefetcher(store, sender, revalidator);
  const rules = (precache) => ({ ...defaults(), precache });
  await prefetcher.precache(rules(["/a", "/b"]));
  const before = log.length;
  await prefetcher.precache(rules(["/b", "/c"]), true);
  assert.deepEqual(log.slice(before).map(({ path }) => path), ["/c"]);
  assert.deepEqual(store.filter(({ precached }) => precached).map(({ path }) => path).sort(), ["/b", "/c", "/offline.html", "/sw.js"]);
});

test("rows of earlier workers, which do not say what may become of them, are not used", async () => {
  const { get, database, store } = world(numbered({}));
  database.stores.rows.set("/a ", { key: "/a ", path: "/a", version: "x", etag: "x", vary: [], size: 1, since: 0, checked: 0, fresh: 1e15, used: 0, location: "", modified: "" });
  assert.equal((await get("/a")).body, "v1");
  assert.equal(store.lookup("/a")?.path, "/a");
});
