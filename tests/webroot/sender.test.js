import assert from "node:assert/strict";
import test from "node:test";

import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { Sender, Unreachable } from "../../webroot/edge/worker/sender.js";
import { seeded } from "./random.js";
import { Clock, FakeSite, ORIGINS, document } from "./world.js";

const FILES = { "/a": { body: "a1", etag: "tag-of-a-0000000" }, "/.edge/load": { body: "{}", etag: "x" } };

function world(seed = 1) {
  const clock = new Clock();
  const site = new FakeSite(clock, FILES);
  const nodes = new Nodes(ORIGINS[0], seeded(seed));
  nodes.learn(document(), clock.ms);
  return { clock, site, nodes, sender: new Sender(nodes, { fetch: site.fetch, now: clock.now, random: seeded(seed), wait: clock.wait }) };
}

/** Which node has given *response*. */
const nodeOf = (response) => response.headers.get("node");

/** What *promise* comes to while at most *ms* pass. */
async function through(clock, promise, ms = 60_000) {
  let settled = false;
  const watched = promise.finally(() => (settled = true)).catch((error) => ({ error }));
  for (let passed = 0; passed < ms && !settled; passed += 10) await clock.pass(10);
  return watched;
}

test("at home the validator is a field, elsewhere it is in the query: no preflight", async () => {
  const { clock, site, nodes, sender } = world();
  for (const origin of ORIGINS) {
    nodes.current = origin;
    const response = await through(clock, sender.send({ path: "/a?x=1", etag: "tag-of-a-0000000" }));
    assert.equal(response.status, 304);
    const { headers } = site.log.at(-1);
    assert.deepEqual([...headers.keys()], origin === ORIGINS[0] ? ["if-none-match"] : []);
  }
});

test("what other origins may not be told without a preflight, home alone is asked with; it is not hedged", async () => {
  const { clock, site, nodes, sender } = world();
  for (const [fields, isAlone] of [
    [{ "x-tenant": "a" }, true], [{ accept: "a/b;profile=\"x\"" }, true], [{ accept: "a/b,".repeat(40) }, true],
    [{ accept: "text/html,*/*;q=0.8" }, false], [{ accept: "application/json", "accept-language": "de-DE, en;q=0.5" }, false],
  ]) {
    [, nodes.current] = ORIGINS;
    site.delay.set(ORIGINS[0], 900);
    await through(clock, sender.send({ path: "/a", fields }));
    const asked = site.log.splice(0);
    assert.deepEqual(asked.map(({ origin }) => origin), [ORIGINS[isAlone ? 0 : 1]]);
    assert.deepEqual(Object.fromEntries(asked[0].headers), fields);
  }
  site.down.add(ORIGINS[0]);
  const { error } = await through(clock, sender.send({ path: "/a", fields: { "x-tenant": "a" } }));
  assert.ok(error instanceof Unreachable);
  assert.deepEqual([...new Set(site.log.map(({ origin }) => origin))], [ORIGINS[0]]);
});

test("a node that a request names is asked first, and is waited for; one that is away or unknown is not", async () => {
  const { clock, site, nodes, sender } = world();
  [nodes.current] = ORIGINS;
  const asked = async (node) => {
    const begun = site.log.length;
    const response = await through(clock, sender.send({ path: "/a", node, hedge: false }));
    assert.equal(response.status, 200);
    return site.log.slice(begun).map(({ origin }) => ORIGINS.indexOf(origin));
  };
  site.delay.set(ORIGINS[2], 900); // what is being made anew takes its time
  assert.deepEqual(await asked(ORIGINS[2]), [2]);
  site.delay.clear();
  assert.deepEqual(await asked(""), [0]);
  assert.deepEqual(await asked("http://elsewhere.example"), [0]);
  site.down.add(ORIGINS[3]);
  assert.deepEqual(await asked(ORIGINS[3]), [3, 0]);
  for (let times = 0; times < 3; times += 1) nodes.failed(ORIGINS[3], clock.now());
  assert.deepEqual(await asked(ORIGINS[3]), [0]);
  nodes.all.get(ORIGINS[1]).weight = 0;
  assert.deepEqual(await asked(ORIGINS[1]), [0]);
});

test("a redirect that another origin's node answers is home's to tell, which is asked at first from then on", async () => {
  const { clock, site, nodes, sender } = world();
  const { fetch } = site;
  sender.fetch = async (url, options) => {
    const response = await fetch(url, options);
    if (!url.includes("/old")) return response;
    assert.equal(options.redirect, "manual");
    return { type: "opaqueredirect", status: 0, headers: new Headers(), redirected: false, node: new URL(url).origin };
  };
  for (let i = 0; i < 3; i += 1) {
    [, nodes.current] = ORIGINS;
    assert.equal((await through(clock, sender.send({ path: `/old?${i}` }))).node, ORIGINS[0]);
  }
  assert.deepEqual(site.log.splice(0).map(({ origin }) => ORIGINS.indexOf(origin)), [1, 0, 0, 0]);
  assert.equal(sender.count.retries, 0);
  site.down.add(ORIGINS[0]);
  const { error } = await through(clock, sender.send({ path: "/old" }));
  assert.ok(error instanceof Unreachable, "no other node says where it leads");
});

test("what may use something up goes to home, and to no other node before that has failed", async () => {
  const { clock, site, nodes, sender } = world();
  [, nodes.current] = ORIGINS;
  site.delay.set(ORIGINS[0], 9_000);
  assert.equal(nodeOf(await through(clock, sender.send({ path: "/a?code=1", once: true }))), ORIGINS[0]);
  assert.deepEqual(site.log.splice(0).map(({ origin }) => origin), [ORIGINS[0]]);
  site.down.add(ORIGINS[0]);
  assert.notEqual(nodeOf(await through(clock, sender.send({ path: "/a?code=1", once: true }))), ORIGINS[0]);
  site.down.clear();
  site.hanging.add(ORIGINS[0]);
  assert.notEqual(nodeOf(await through(clock, sender.send({ path: "/a?code=1", once: true }))), ORIGINS[0]);
});

test("a dead node's requests go to the next at once, and it is ejected after two", async () => {
  const { clock, site, nodes, sender } = world();
  const dead = nodes.current;
  site.down.add(dead);
  for (let i = 0; i < 50; i += 1) {
    const response = await through(clock, sender.send({ path: "/a" }));
    assert.equal(await response.text(), "a1");
  }
  assert.ok(site.log.filter((one) => one.origin === dead).length <= 3);
  assert.ok(sender.count.retries <= 10);
  assert.equal([...nodes.all.values()].reduce((sum, node) => sum + node.inFlight, 0), 0);
});

test("a node made ten times slower gets less than 5 % of the requests", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const { clock, site, nodes, sender } = world(seed);
    ORIGINS.forEach((origin) => site.delay.set(origin, 10));
    const ask = async (count) => {
      for (let i = 0; i < count; i += 1) {
        await through(clock, sender.send({ path: "/a" }));
        await clock.pass(10); // a reader's pace
      }
    };
    await ask(100);
    const victim = nodes.current;
    site.delay.set(victim, 100);
    site.log.length = 0;
    await ask(400); // with those that it takes to notice
    const share = site.log.filter((one) => one.origin === victim).length / site.log.length;
    assert.ok(site.log.length >= 400 && share < 0.05, `seed ${seed}: ${share} of ${site.log.length}`);
  }
});

test("5xx is tried elsewhere; when all are sick, that is the answer", async () => {
  const { clock, site, nodes, sender } = world();
  site.sick.add(nodes.current);
  assert.equal((await through(clock, sender.send({ path: "/a" }))).status, 200);
  ORIGINS.forEach((origin) => site.sick.add(origin));
  assert.equal((await through(clock, sender.send({ path: "/a" }))).status, 503);
});

test("without any load document it is asked at home, like by any other worker", async () => {
  const clock = new Clock();
  const site = new FakeSite(clock, { "/a": { body: "a", etag: "t" } });
  const sender = new Sender(new Nodes(ORIGINS[0], seeded(1)), { fetch: site.fetch, now: clock.now, random: seeded(1), wait: clock.wait });
  for (let i = 0; i < 10; i += 1) assert.equal(nodeOf(await sender.send({ path: "/a" })), ORIGINS[0]);
  site.down.add(ORIGINS[0]);
  const failing = assert.rejects(sender.send({ path: "/a" }), Unreachable);
  await clock.pass(20_000);
  await failing;
  site.down.clear();
  assert.equal((await sender.send({ path: "/a" })).status, 200, "and again as soon as it is back");
});

test("what only the page's own node answers is asked there from then on", async () => {
  const clock = new Clock();
  const site = new FakeSite(clock, { "/app": { body: "a", etag: "t" }, "/a": { body: "a", etag: "t" } });
  const nodes = new Nodes(ORIGINS[0], seeded(1));
  nodes.learn(document([0.01, 1, 1, 1]), clock.ms);
  const blind = (url, options) => (new URL(url).pathname === "/app" && !url.startsWith(ORIGINS[0]) ? Promise.reject(new TypeError("CORS")) : site.fetch(url, options));
  const sender = new Sender(nodes, { fetch: blind, now: clock.now, random: seeded(1), wait: clock.wait });
  for (let i = 0; i < 5; i += 1) assert.equal(nodeOf(await sender.send({ path: `/app?${i}` })), ORIGINS[0]);
  assert.ok(sender.count.retries <= 3, "only the first time");
  assert.deepEqual([...nodes.all.values()].filter((node) => !node.trust(clock.ms)), []);
  assert.notEqual(nodeOf(await sender.send({ path: "/a" })), ORIGINS[0]);
  site.down.add(ORIGINS[0]);
  assert.notEqual(nodeOf(await sender.send({ path: "/a" })), ORIGINS[0]);
});

test("with no retry left, a path that only the page's own node answers is answered all the same", async () => {
  const clock = new Clock();
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`/app/${i}`, { body: "a", etag: "t" }]));
  const site = new FakeSite(clock, files);
  const nodes = new Nodes(ORIGINS[0], seeded(1));
  nodes.learn(document([0.9, 0.1, 0.1, 0.1]), clock.ms);
  const blind = (url, options) => (url.startsWith(ORIGINS[0]) ? site.fetch(url, options) : Promise.reject(new TypeError("CORS")));
  const sender = new Sender(nodes, { fetch: blind, now: clock.now, random: seeded(1), wait: clock.wait });
  sender.retries.tokens = 0;
  for (let i = 0; i < 200; i += 1) {
    nodes.current = ORIGINS[1 + (i % 3)]; // each path is a new one
    assert.equal(nodeOf(await through(clock, sender.send({ path: `/app/${i}` }))), ORIGINS[0]);
  }
});

test("nobody there: an error that says so, after a few rounds", async () => {
  const { clock, site, sender } = world();
  ORIGINS.forEach((origin) => site.down.add(origin));
  const { error } = await through(clock, sender.send({ path: "/a" }));
  assert.ok(error instanceof Unreachable);
  assert.ok(site.log.length <= 12 && site.log.length > 4);
});

test("retries stay within their budget", async () => {
  const { clock, site, sender } = world();
  ORIGINS.forEach((origin) => site.down.add(origin));
  for (let i = 0; i < 200; i += 1) await through(clock, sender.send({ path: "/a" }));
  assert.ok(sender.count.retries <= 200 * 0.2 + 32, `${sender.count.retries}`);
});

test("who is told when to come again asks each node once, and no more", async () => {
  const { clock, site, sender } = world();
  const busy = new Response("busy", { status: 503, headers: { "retry-after": "1" } });
  sender.fetch = async (url, options) => (await site.fetch(url, options), busy);
  const begun = clock.ms;
  assert.equal(await through(clock, sender.send({ path: "/a" })), busy);
  assert.deepEqual(site.log.map(({ origin }) => origin).sort(), ORIGINS);
  assert.ok(clock.ms - begun < 100);
});

test("a slow request is hedged after the p95, within 5 %", async () => {
  const { clock, site, nodes, sender } = world();
  for (const origin of ORIGINS) for (let i = 0; i < 10; i += 1) nodes.answered(origin, 30, clock.ms);
  const slow = nodes.current;
  site.delay.set(slow, 900);
  const begun = clock.ms;
  const response = await through(clock, sender.send({ path: "/a" }));
  assert.equal(sender.count.hedges, 1);
  assert.notEqual(nodeOf(response), slow);
  assert.ok(clock.ms - begun < 100, `${clock.ms - begun}`);
  assert.equal(nodes.all.get(slow).inFlight, 0);
  ORIGINS.forEach((origin) => site.delay.set(origin, 200));
  for (let i = 0; i < 100; i += 1) await through(clock, sender.send({ path: "/a" }));
  assert.ok(sender.count.hedges <= 101 * 0.05 + 1, `${sender.count.hedges}`);
});

test("a node that hangs is not waited for", async () => {
  const { clock, site, nodes, sender } = world();
  site.hanging.add(nodes.current);
  const begun = clock.ms;
  const response = await through(clock, sender.send({ path: "/a", hedge: false }));
  assert.equal(response.status, 200);
  assert.ok(clock.ms - begun <= 4100);
});

test("a body that breaks off is fetched elsewhere", async () => {
  const { clock, site, nodes, sender } = world();
  const broken = nodes.current;
  const { fetch } = site;
  sender.fetch = async (url, options) => {
    const response = await fetch(url, options);
    if (new URL(url).origin !== broken) return response;
    const body = new ReadableStream({ pull: (controller) => controller.error(new TypeError("reset")) });
    return new Response(body, { headers: { "content-length": "2" } });
  };
  const response = await through(clock, sender.send({ path: "/a" }));
  assert.equal(await response.text(), "a1");
  assert.notEqual(nodeOf(response), broken);
});
