// Responses of other origins, kept where a rule of the site says so.

import assert from "node:assert/strict";
import test from "node:test";

import { Foreign } from "../../webroot/edge/worker/foreign.js";
import { CurrentRules, defaults, plan } from "../../webroot/edge/worker/rules.js";
import { Clock, MemoryCaches, MemoryDatabase, turns } from "./world.js";

const HERE = "http://n1.example";
const FONTS = "https://fonts.example";
const DAY = 86_400_000;

function world(answer, rule) {
  const clock = new Clock();
  const rules = new CurrentRules({ ...defaults(), rules: [{ paths: [`${FONTS}/**`], use: "stale-first", ...rule }] });
  const caches = new MemoryCaches();
  const database = new MemoryDatabase();
  const log = [];
  const fetch = async (request) => {
    log.push(request.url);
    return answer({ n: log.length, request });
  };
  const make = () => new Foreign(database, rules, { caches, origin: HERE, fetch, now: clock.now });
  const work = [];
  let foreign = make();
  const get = async (path, mode = "cors") => {
    const before = log.length;
    const response = await foreign.answer({ url: FONTS + path, mode, headers: new Headers() }, (one) => work.push(one));
    const asked = log.length - before;
    const body = await response.text();
    for (let i = 0; i < 3; i += 1) await Promise.all(work.splice(0)), await turns();
    return { body, asked, all: log.length - before, response };
  };
  return { clock, rules, caches, database, log, get, restart: () => (foreign = make()) };
}

const opaque = (body) => {
  const response = new Response(body);
  for (const [name, value] of [["type", "opaque"], ["status", 0], ["ok", false]]) Object.defineProperty(response, name, { value });
  response.clone = () => opaque(body);
  return response;
};

test("other origins are left to the browser, unless a rule names them", () => {
  const ask = (url, more) => ({ url, method: "GET", mode: "cors", destination: "font", cache: "default", headers: new Headers(), ...more });
  const rules = new CurrentRules({ ...defaults(), rules: [{ paths: [`${FONTS}/**`], use: "keep" }, { paths: ["https://cdn.example/*.png"], use: "pass" }] });
  for (const [url, more, expected] of [
    [`${FONTS}/a.woff2`, {}, "foreign"], [`${FONTS}/a.woff2`, { mode: "navigate" }, "pass"], [`${FONTS}/a`, { method: "POST" }, "pass"],
    [`${FONTS}/a.mp4`, { headers: new Headers({ range: "bytes=0-" }) }, "pass"], ["https://cdn.example/a.png", {}, "pass"], ["https://other.example/a", {}, "pass"],
  ]) assert.equal(plan(ask(url, more), HERE, rules), expected, url);
});

test("kept for good, or confirmed behind the answer, over a restart", async () => {
  for (const [use, all] of [["keep", 0], ["stale-first", 1]]) {
    const { get, restart } = world(({ n }) => new Response(`font ${n}`), { use });
    await get("/a.woff2?utm_source=x");
    restart();
    const again = await get("/a.woff2");
    assert.deepEqual([again.body, again.all], ["font 1", all], use);
    if (all) assert.equal((await get("/a.woff2")).body, "font 2");
  }
});

test("fresh-first takes what is kept when the network fails, or is broken", async () => {
  const { get } = world(({ n }) => {
    if (n === 2) throw new TypeError("Failed to fetch");
    return new Response(`font ${n}`, { status: n === 3 ? 500 : 200 });
  }, { use: "fresh-first" });
  for (const expected of ["font 1", "font 1", "font 1", "font 4"]) assert.equal((await get("/a")).body, expected);
});

test("what comes after the time of fresh-first is kept all the same, however large it is", async () => {
  const { get } = world(async ({ n }) => {
    if (n > 1) await new Promise((resolve) => setTimeout(resolve, 30));
    return new Response(`${n}`.repeat(600_000));
  }, { use: "fresh-first", timeout_ms: 1 });
  assert.deepEqual([(await get("/a")).body[0], (await get("/a")).body[0]], ["1", "1"]);
  const { body } = await get("/a");
  assert.deepEqual([body[0], body.length], ["2", 600_000]);
});

test("errors, and what says no-store, are not kept", async () => {
  const { get, caches } = world(({ request }) => new Response("x", request.url.endsWith("none") ? { status: 404 } : { headers: { "cache-control": "no-store" } }));
  for (const path of ["/none", "/secret"]) assert.equal((await get(path)).body, "x");
  assert.equal(caches.named.get("edge-foreign").bodies.size, 0);
});

test("opaque: not for who has to read it, never for good", async () => {
  const { get } = world(({ n }) => opaque(`image ${n}`), { use: "keep" });
  await get("/a.png", "no-cors");
  const again = await get("/a.png", "no-cors");
  assert.equal(again.all, 1, "it may be an error: it is asked for again");
  assert.equal((await get("/a.png", "cors")).asked, 1);
});

test("limits of count and age; what no rule names any more goes", async () => {
  const { get, caches, clock, rules } = world(({ n }) => new Response(`x ${n}`), { max_count: 2, max_days: 3 });
  for (const path of ["/a", "/b", "/a", "/c"]) {
    await get(path);
    clock.ms += 1000;
  }
  const kept = () => [...caches.named.get("edge-foreign").bodies.keys()].map((url) => url.slice(FONTS.length)).sort();
  assert.deepEqual(kept(), ["/a", "/c"]);
  clock.ms += 4 * DAY;
  assert.equal((await get("/a")).asked, 1, "too old");
  clock.ms -= 10 * DAY;
  assert.equal((await get("/a")).asked, 1, "from the future");
  rules.use({ ...defaults(), rules: [{ paths: [`${FONTS}/new/**`], use: "keep" }] });
  await get("/new/x");
  assert.deepEqual(kept(), ["/new/x"]);
});

test("a body over its share is passed on, and not kept", async () => {
  const { get, caches, rules } = world(() => new Response("x".repeat(1000)));
  rules.use({ ...rules.current, limit_mib: 4000 / 2 ** 20 });
  assert.equal((await get("/a")).body.length, 1000);
  assert.equal(caches.named.get("edge-foreign").bodies.size, 0);
});
