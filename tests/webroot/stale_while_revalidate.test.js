// The strategy with its store and its revalidator, over a database and caches in memory.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import { StaleWhileRevalidate } from "../../webroot/edge/worker/stale_while_revalidate.js";
import { PageParts } from "../../webroot/edge/worker/page_parts.js";
import { Revalidator } from "../../webroot/edge/worker/revalidator.js";
import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { CurrentRules, defaults } from "../../webroot/edge/worker/rules.js";
import { Sender } from "../../webroot/edge/worker/sender.js";
import { ResponseStore, leastRecentlyUsed } from "../../webroot/edge/worker/response_store.js";
import { seeded } from "./random.js";
import { Clock, FakeSite, MemoryCaches, MemoryDatabase, ORIGINS, document, turns } from "./world.js";

const [HERE] = ORIGINS;

function world(files = {}) {
  const clock = new Clock();
  const site = new FakeSite(clock, files);
  const database = new MemoryDatabase();
  const caches = new MemoryCaches();
  const nodes = new Nodes(HERE, seeded(1));
  nodes.learn(document(), clock.ms);
  const sender = new Sender(nodes, { fetch: site.fetch, now: clock.now, random: seeded(1), wait: clock.wait });
  const rules = new CurrentRules();
  const store = new ResponseStore(database, rules, { caches, origin: HERE, now: clock.now });
  const updates = [];
  const gone = [];
  const timer = (then, ms) => clock.wait(ms).then(then);
  const revalidator = new Revalidator(store, sender, { onUpdate: (paths) => updates.push(paths.sort()), onGone: (path) => gone.push(path), timer });
  const outdated = [];
  const parts = new PageParts(store, {
    now: clock.now, wait: clock.wait, changes: (since) => revalidator.changes(since), validate: (asked) => revalidator.validate(asked),
    outdated: (page, path) => outdated.push(`${page} ${path}`),
  });
  const strategy = new StaleWhileRevalidate(store, sender, revalidator, HERE, rules, parts, site.fetch);
  const work = [];
  const get = async (path, { mode = "cors", destination = "", headers = {}, page = "p", cache = "default", integrity = "" } = {}) => {
    const request = { url: HERE + path, method: "GET", mode, destination, cache, headers: new Headers(headers), integrity, signal: new AbortController().signal };
    const answer = strategy.answer(request, { page, waitUntil: (one) => work.push(one) });
    await turns();
    return answer;
  };
  /** Let what runs behind the answers come to its end. */
  const settle = async () => {
    await clock.pass(1000);
    await Promise.all(work.splice(0));
  };
  return { clock, site, database, caches, nodes, sender, rules, store, revalidator, strategy, updates, gone, parts, get, settle };
}

const file = (body, etag = `tag-${body}`, headers = {}) => ({ body, etag, headers });

test("kept at the first request, answered from there at the second, confirmed behind it", async () => {
  const { site, get, settle, caches, store, database } = world({ "/a": file("a1") });
  assert.equal(await (await get("/a")).text(), "a1");
  await settle();
  assert.equal(site.log.length, 1);
  assert.equal(await (await get("/a")).text(), "a1");
  await settle();
  assert.equal(site.log.length, 2);
  assert.equal(store.count.puts, 1, "a 304 writes nothing to the Cache");
  assert.equal(caches.bodies.size, 1);
  assert.ok(database.stores.rows.get("/a ").checked > database.stores.rows.get("/a ").since);
});

test("fifty unchanged copies are one request of at most 6 KB both ways", async () => {
  const paths = Array.from({ length: 50 }, (_, i) => `/assets/some-name-${i}.js`);
  const { site, get, settle } = world(Object.fromEntries(paths.map((path, i) => [path, file("x", `tag-${i}-0123456789`.slice(0, 16))])));
  for (const path of paths) await get(path);
  await settle();
  const before = site.log.length;
  for (const path of paths) await get(path);
  await settle();
  assert.equal(site.log.length, before + 1);
  assert.ok(site.log.at(-1).body.length < 5000);
});

test("what changed is committed together and told once", async () => {
  const { site, get, settle, updates } = world({ "/p": file("p1"), "/s": file("s1"), "/same": file("x") });
  for (const path of ["/p", "/s", "/same"]) await get(path);
  await settle();
  site.files["/p"] = file("p2");
  site.files["/s"] = file("s2");
  for (const path of ["/p", "/s", "/same"]) await get(path);
  await settle();
  assert.deepEqual(updates, [["/p", "/s"]]);
  assert.equal(await (await get("/p")).text(), "p2");
});

test("a page never gets parts of another version than its own", async () => {
  const { site, get, settle, clock } = world({ "/p": file("p1"), "/s": file("s1") });
  for (const path of ["/p", "/s"]) await get(path);
  await settle();
  await get("/p", { mode: "navigate", page: "one" });
  site.files["/p"] = file("p2");
  site.files["/s"] = file("s2");
  await settle();
  await get("/s", { destination: "", page: "other" });
  await settle();
  assert.equal(await (await get("/s", { destination: "style", page: "one" })).text(), "s1");
  assert.equal(await (await get("/s", { page: "one" })).text(), "s1", "what scripts fetch while a page loads is a part of it");
  clock.ms += 10_000;
  assert.equal(await (await get("/s", { page: "one" })).text(), "s2", "afterwards it is the newest");
  assert.equal(await (await get("/s", { destination: "style", page: "one" })).text(), "s1");
  await get("/p", { mode: "navigate", page: "two" });
  assert.equal(await (await get("/s", { destination: "style", page: "two" })).text(), "s2");
});

test("a page that was left has its own versions for half an hour, as its reader may come back to it; an open one for good", async () => {
  const { site, get, settle, clock, store } = world({ "/p": file("p1"), "/s": file("s1") });
  for (const path of ["/p", "/s"]) await get(path);
  await settle();
  for (const page of ["left", "open"]) await get("/p", { mode: "navigate", page });
  Object.assign(site.files, { "/p": file("p2"), "/s": file("s2") });
  await settle();
  await get("/s", { page: "other" });
  await settle();
  const navigate = async (times, ms) => {
    for (let i = 0; i < times; i += 1) {
      clock.ms += ms;
      await get("/p", { mode: "navigate", page: `at ${clock.ms}` });
      store.versions.close(new Set(["open"]), clock.ms);
      await store.tidy();
    }
  };
  const style = async (page) => (await get("/s", { destination: "style", page })).text();
  await navigate(20, 60_000);
  assert.deepEqual([await style("left"), await style("open")], ["s1", "s1"]);
  await navigate(100, 6_100);
  assert.deepEqual([store.versions.pages.has("left"), await style("open")], [false, "s1"]);
  assert.ok(store.versions.pages.size <= 64);
  store.versions.close(new Set(), clock.ms + 31 * 60_000);
  await store.tidy();
  assert.deepEqual([store.versions.pages.size, store.past.get("/s ")], [0, []], "then nothing of before is kept");
});

test("a page gets its own document as it was given, with word of a newer one; what it puts in place it is then of", async () => {
  const { site, get, settle, parts } = world({ "/p": file("p1"), "/s": file("s1"), "/t": file("t") });
  for (const path of ["/p", "/s", "/t"]) await get(path);
  await settle();
  await get("/p", { mode: "navigate", page: "one" });
  for (const path of ["/s", "/t"]) await get(path, { destination: "style", page: "one" });
  await settle();
  const own = () => get("/p", { cache: "only-if-cached", page: "one" });
  const requests = site.log.length;
  const first = await own();
  assert.deepEqual([await first.text(), first.headers.get("edge-newer")], ["p1", null]);
  assert.equal(site.log.length, requests, "nobody is asked");
  site.files["/p"] = file("p2");
  site.files["/s"] = file("s2");
  await get("/p", { page: "other" });
  await get("/s", { page: "other" });
  await settle();
  const later = await own();
  assert.deepEqual([await later.text(), later.headers.get("edge-newer")], ["p1", "1"]);
  assert.equal(await (await get("/s", { destination: "style", page: "one" })).text(), "s1");
  await parts.renew("one", ["/s"]);
  assert.equal(await (await get("/s", { destination: "style", page: "one" })).text(), "s2");
  assert.equal(await (await get("/t", { destination: "style", page: "one" })).text(), "t");
  const renewed = await own();
  assert.deepEqual([await renewed.text(), renewed.headers.get("edge-newer")], ["p2", null]);
});

test("a page whose new version is not put in place has its former parts again, and is told which of its scripts are others", async () => {
  const { site, get, settle, parts, store } = world({ "/p": file("p1"), "/a.js": file("a1"), "/b": file("b1"), "/same": file("same") });
  site.state = "one";
  const script = (path) => get(path, { destination: "script", page: "one" }).then((answer) => answer.text());
  for (const path of ["/p", "/a.js", "/b", "/same"]) await get(path);
  await settle();
  await get("/p", { mode: "navigate", page: "one" });
  for (const path of ["/a.js", "/same"]) await script(path);
  await settle();
  Object.assign(site, { state: "two", since: { one: ["/p", "/a.js", "/b"] } });
  Object.assign(site.files, { "/p": file("p2"), "/a.js": file("a2"), "/b": file("b2") });
  for (const path of ["/p", "/a.js", "/b"]) await get(path, { page: "other", cache: "reload" });
  await settle();
  assert.deepEqual(await parts.renew("one", ["/p"]), ["/a.js"], "that one goes with nothing new, though nobody has named it");
  assert.deepEqual(await parts.renew("one", [], true), []);
  assert.equal(await script("/b"), "b1", "what it imports later goes with what it is");
  const late = parts.renew("one", ["/p"]);
  await parts.renew("one", [], true); // before that is done
  await late;
  assert.equal(await script("/a.js"), "a1");
  await parts.renew("one", ["/p"]);
  store.versions.compact(); // bits mean other states, in what it may have again, too
  await parts.renew("one", [], true);
  assert.deepEqual(store.versions.named(store.versions.of(store.versions.pages.get("one"))), []);
});

test("what names its digest is never answered with anything else that is kept", async () => {
  const { site, get, settle } = world({ "/s.js": file("one") });
  const named = (text) => `sha384-${createHash("sha384").update(text).digest("base64")}`;
  await get("/s.js");
  await settle();
  assert.equal(await (await get("/s.js", { destination: "script", integrity: named("one") })).text(), "one");
  await settle();
  site.files["/s.js"] = file("two");
  const begun = site.log.length;
  const answer = await get("/s.js", { destination: "script", page: "new", integrity: `sha256-AAAA ${named("two")}` });
  assert.equal(await answer.text(), "two", "the network has it");
  assert.equal(site.log.length, begun + 1);
  await settle();
  assert.equal(await (await get("/s.js", { destination: "script", page: "newer", integrity: named("two") })).text(), "two");
});

test("while fresh there is no request at all", async () => {
  const { site, get, settle } = world({ "/a": file("a", "t", { "cache-control": "max-age=100" }) });
  for (let i = 0; i < 5; i += 1) await get("/a");
  await settle();
  assert.equal(site.log.length, 1);
});

test("no-store and errors are not kept; private is, by the cache of one user", async () => {
  const { get, settle, store } = world({ "/a": file("a", "t", { "cache-control": "no-store" }), "/b": file("b", "t", { "cache-control": "private" }) });
  for (const path of ["/a", "/b", "/none"]) await get(path);
  await settle();
  assert.deepEqual(store.filter(() => true).map(({ path }) => path), ["/b"]);
  assert.equal((await get("/none")).status, 404);
});

test("what is not published any more goes", async () => {
  const { site, get, settle, caches, gone } = world({ "/a": file("a"), "/b": file("b") });
  await get("/a");
  await get("/b");
  await settle();
  delete site.files["/a"];
  await get("/a");
  await get("/b");
  await settle();
  assert.deepEqual(gone, ["/a"]);
  assert.equal(caches.bodies.size, 1);
});

test("with no node to be reached, what is kept still answers; other pages get the offline page", async () => {
  const { site, get, settle, clock, rules } = world({ "/a": file("a"), "/offline.html": file("<p>off") });
  await get("/a");
  await get("/offline.html");
  await settle();
  ORIGINS.forEach((origin) => site.down.add(origin));
  assert.equal(await (await get("/a", { mode: "navigate" })).text(), "a");
  const answer = get("/never", { mode: "navigate" });
  await clock.pass(20_000);
  assert.deepEqual([(await answer).status, await (await answer).text()], [503, "<p>off"]);
  rules.use({ ...defaults(), confirm: ["/a"] });
  const confirmed = get("/a");
  await clock.pass(20_000);
  assert.equal(await (await confirmed).text(), "a");
});

test("parts of two deploys, asked for together while nobody answers, do not both stand for the answers", async () => {
  const { clock, site, caches, get, settle, rules, store } = world({ "/": file("page"), "/app.js": file("app1"), "/style.css": file("style1") });
  rules.use({ ...defaults(), confirm: ["/**"] });
  const ask = (page, ...all) => Promise.allSettled(all.map(async ([path, destination]) => {
    const answer = await get(path, { page, destination, mode: destination === "document" ? "navigate" : "cors" });
    if (answer.type === "error") throw new TypeError("Failed to fetch");
    return answer.text();
  }));
  const [index, app, style] = [["/", "document"], ["/app.js", "script"], ["/style.css", "style"]];
  site.state = "one";
  await ask("first", index);
  await ask("first", app, style);
  await settle();
  site.state = "two";
  site.since = { one: ["/app.js", "/style.css"] };
  Object.assign(site.files, { "/app.js": file("app2"), "/style.css": file("style2") });
  await ask("second", index);
  assert.equal((await ask("second", style))[0].value, "style2", "of the second deploy, as its page is known to be");
  await settle();
  store.versions.moved("one", "two", site.since.one); // the page is the same at both
  site.down = new Set(ORIGINS);
  const offline = async (page, ...all) => {
    const answers = ask(page, ...all);
    await clock.pass(20_000);
    return (await answers).map(({ value = "none" }) => value);
  };
  assert.deepEqual(await offline("third", index), ["page"]);
  caches.named.get("edge-bodies").match = async (url) => {
    await clock.wait(5_000); // a busy disk: both are looked for at once
    return caches.bodies.get(url)?.clone();
  };
  const given = await offline("third", app, style);
  assert.ok(["app1 none", "none style2"].includes(given.join(" ")), `one of them: ${given}`);
});

test("a navigation with a query may use it up: home is asked; campaigns and parts go to the best node", async () => {
  for (const [path, mode, node] of [["/p?code=1", "navigate", 0], ["/p?utm_source=x", "navigate", 1], ["/p?n=1", "cors", 1]]) {
    const { site, get, nodes } = world({ "/p": file("p") });
    [, nodes.current] = ORIGINS;
    await get(path, { mode });
    assert.deepEqual(site.log.map(({ origin }) => origin), [ORIGINS[node]], path);
  }
});

test("ranges are cut out of the kept whole", async () => {
  const { site, get, settle } = world({ "/v": file("0123456789") });
  await get("/v");
  await settle();
  const part = await get("/v", { headers: { range: "bytes=3-5" } });
  assert.deepEqual([part.status, await part.text()], [206, "345"]);
  assert.equal(site.log.length, 1);
});

test("several that want the same wait for one answer", async () => {
  const { site, get, clock, nodes } = world({ "/a": file("a") });
  site.delay.set(nodes.current, 10);
  const answers = [get("/a"), get("/a"), get("/a")];
  await clock.pass(20);
  assert.deepEqual(await Promise.all(answers.map(async (one) => (await one).text())), ["a", "a", "a"]);
  assert.equal(site.log.length, 1);
});

test("no room: half of it goes, and the answer is given in any case", async () => {
  const { get, settle, caches, store } = world({ "/a": file("a".repeat(60)), "/b": file("b".repeat(60)), "/c": file("c".repeat(200)) });
  caches.room = 100;
  await get("/a");
  await settle();
  assert.equal((await (await get("/b")).text()).length, 60);
  await settle();
  assert.equal(caches.bodies.size, 1);
  assert.deepEqual([store.lookup("/a"), store.lookup("/b")?.size], [undefined, 60]);
  assert.equal((await (await get("/c")).text()).length, 200);
  await settle();
});

test("the least recently used go first", async () => {
  const rows = [5, 1, 3].map((used) => ({ key: `${used}`, used, size: 10 }));
  assert.deepEqual(leastRecentlyUsed(rows, 15).map((row) => row.used), [1, 3]);
  const { get, settle, rules, store, caches, clock } = world(Object.fromEntries([..."abcdefghi"].map((name) => [`/${name}`, file(name.repeat(100))])));
  rules.use({ ...defaults(), limit_mib: 800 / 2 ** 20 });
  for (const name of "abcdefghai") {
    await get(`/${name}`);
    await settle();
    clock.ms += 100;
  }
  assert.deepEqual(store.filter(() => true).map(({ path }) => path).sort(), [..."adefghi"].map((name) => `/${name}`));
  assert.equal(caches.bodies.size, 7);
});

test("a restart knows what is stored, and sweeps bodies that nothing refers to", async () => {
  const { get, settle, database, caches, clock } = world({ "/a": file("a") });
  await get("/a");
  await settle();
  caches.bodies.set(`${HERE}/.edge/shelf/x?y`, new Response("orphan"));
  const again = new ResponseStore(database, new CurrentRules(), { caches, origin: HERE, now: clock.now });
  await again.ready();
  const stored = again.lookup("/a");
  assert.equal(await (await again.open(stored)).text(), "a");
  await again.sweep();
  assert.equal(caches.bodies.size, 1);
  caches.bodies.clear();
  assert.equal(await again.open(stored), undefined);
  assert.equal(again.lookup("/a"), undefined);
});

test("a page that was there before its worker has what it shows, and gets no part of a later deploy", async () => {
  const { site, get, settle, parts, store } = world({ "/p": file("p1"), "/s": file("s1"), "/late.js": file("l1") });
  site.state = "one";
  for (const path of ["/p", "/s"]) await get(path, { page: "other" });
  await settle();
  await get("/s", { destination: "style", page: "first" }); // before it is told what else there is
  parts.adopt("first", ["/p", "/s", "/unknown"]);
  assert.deepEqual(store.versions.pages.get("first").parts.map(({ path }) => path), ["/p", "/s"]);
  Object.assign(site, { state: "two", since: { one: ["/p", "/s", "/late.js"] } });
  Object.assign(site.files, { "/p": file("p2"), "/s": file("s2"), "/late.js": file("l2") });
  assert.equal((await get("/late.js", { destination: "script", page: "first" })).type, "error");
  assert.equal(await (await get("/s", { destination: "style", page: "first" })).text(), "s1");
  await settle();
  parts.adopt("first", ["/p"]);
  assert.equal(await (await get("/s", { destination: "style", page: "first" })).text(), "s1", "once");
});

test("pages that the worker before has answered while a new one was installed are as whole as before", async () => {
  for (const isApart of [false, true]) {
    const { site, get, settle, store, database, caches, clock } = world({ "/p": file("p1"), "/s": file("s1") });
    site.state = "one";
    for (const path of ["/p", "/s"]) await get(path, { mode: "navigate", page: `of ${path}` });
    await settle();
    await store.flush();
    const next = new ResponseStore(database, new CurrentRules(), { caches, origin: HERE, now: clock.now });
    next.isGuest = true;
    await next.ready();
    Object.assign(site, { state: "two", since: { one: ["/p", "/s"] } });
    Object.assign(site.files, { "/p": file("p2"), "/s": file("s2") });
    await get("/p", { mode: "navigate", page: "meanwhile", cache: "reload" });
    await settle();
    await store.flush();
    const [row] = next.filter(({ path }) => path === "/s");
    if (isApart) next.versions.confirmed([row], "three"); // the first that it hears of
    await next.flush();
    assert.deepEqual(database.stores.state.get("worker.versions").pages.map(({ id }) => id), ["of /p", "of /s", "meanwhile"], "a guest writes nothing over");
    await next.takeOver();
    const page = next.versions.pages.get("meanwhile");
    if (!isApart) {
      assert.deepEqual([page.parts.map(({ version }) => version), next.versions.named(next.versions.of(page))], [["tag-p2"], ["two"]]);
      assert.ok(!next.versions.fits(page, row), "the style is of the first deploy");
    } else {
      assert.equal(page, undefined);
      const third = new ResponseStore(database, new CurrentRules(), { caches, origin: HERE, now: clock.now });
      await third.ready();
      const known = ["/p", "/s"].map((path) => third.lookup(path)).map(({ version, states }) => [version, third.versions.named(states)]);
      assert.deepEqual(known, [["tag-p2", []], ["tag-s1", []]], "bits of the one mean nothing to the other");
    }
  }
});

test("what the worker before has stored, invalidated and removed while a new one was installed is known to that", async () => {
  const { store: old, database, caches, clock } = world({});
  await old.ready();
  const commit = (store, path, body) => store.commit([{ path, response: new Response(body, { headers: { "cache-control": "max-age=600" } }), headers: new Headers() }]);
  for (const path of ["/cart", "/left"]) await commit(old, path, "empty");
  const begin = () => new ResponseStore(database, new CurrentRules(), { caches, origin: HERE, now: clock.now });
  const next = Object.assign(begin(), { isGuest: true });
  await next.ready();
  await commit(next, "/new.js", "precached");
  await old.invalidate(["/cart"]); // it answers a POST
  await commit(old, "/order", "thanks");
  await old.remove(old.rowsOf("/left"));
  await next.takeOver();
  const again = begin();
  await again.ready();
  for (const store of [next, again]) {
    assert.deepEqual(["/cart", "/order", "/new.js"].map((path) => store.use(store.lookup(path))), ["ask", "fresh", "fresh"]);
    assert.equal(store.lookup("/left"), undefined);
    assert.equal(store.size, [...store.all()].reduce((sum, { size }) => sum + size, 0));
    await store.sweep();
    assert.equal(await (await store.open(store.lookup("/order"))).text(), "thanks", "its body is not taken for one that nobody has");
  }
});

test("a page that was there before its worker gets what is stored, and asks once", async () => {
  const { site, get, settle } = world({ "/a": file("a"), "/b": file("b") });
  site.state = "S1";
  for (const path of ["/a", "/b"]) await get(path, { mode: "navigate", page: `of ${path}` });
  await settle();
  const before = site.log.filter(({ path }) => path === "/b").length;
  for (let i = 0; i < 3; i += 1) assert.equal(await (await get("/b", { page: "unknown" })).text(), "b");
  assert.equal(site.log.filter(({ path }) => path === "/b").length, before, "answered from the store");
});
