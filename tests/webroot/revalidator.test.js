// One question for everything that is kept: what confirms, what is replaced, and when nodes cannot say.

import assert from "node:assert/strict";
import test from "node:test";

import { LoadPoller } from "../../webroot/edge/worker/load_poller.js";
import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { ResponseStore } from "../../webroot/edge/worker/response_store.js";
import { Revalidator } from "../../webroot/edge/worker/revalidator.js";
import { CurrentRules } from "../../webroot/edge/worker/rules.js";
import { Sender } from "../../webroot/edge/worker/sender.js";
import { seeded } from "./random.js";
import { Clock, FakeSite, MemoryCaches, MemoryDatabase, ORIGINS, document } from "./world.js";

const HERE = ORIGINS[0];
const NAMES = [..."abcd"].map((name) => `/${name}`);

/** A worker that keeps /a to /d, at the state s1. */
async function setup() {
  const clock = new Clock();
  const site = new FakeSite(clock, Object.fromEntries(NAMES.map((path) => [path, { body: path, etag: `${path.slice(1)}1` }])));
  site.state = "s1";
  const nodes = new Nodes(HERE, seeded(1));
  nodes.learn({ ...document(), tag: "kJ3x" }, clock.now());
  const sender = new Sender(nodes, { fetch: site.fetch, now: clock.now, random: seeded(1), wait: clock.wait });
  const store = new ResponseStore(new MemoryDatabase(), new CurrentRules(), { caches: new MemoryCaches(), origin: HERE, now: clock.now });
  await store.ready();
  const updates = [];
  const revalidator = new Revalidator(store, sender, { onUpdate: (paths) => updates.push(paths.sort()), onGone: () => {} });
  await store.commit(await Promise.all(NAMES.map(async (path) => ({ path, response: await sender.send({ path }), headers: new Headers() }))));
  site.log.length = 0;
  const rows = () => NAMES.map((path) => store.lookup(path));
  const asked = () => site.log.map(({ method, path, query }) => `${method} ${path}${query.startsWith("since") ? `?${query}` : ""}`);
  return { clock, site, nodes, sender, store, revalidator, updates, rows, asked };
}

test("what is kept at one state of the site is confirmed by one question, however much there is", async () => {
  const { clock, revalidator, rows, asked, updates } = await setup();
  await clock.pass(5000);
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s1"]);
  assert.ok(rows().every(({ checked }) => checked === clock.now()));
  assert.deepEqual(updates, []);
  assert.equal(revalidator.count.validators, 4);
});

test("what has changed is replaced, and all is at the new state", async () => {
  const { site, revalidator, rows, asked, updates, store } = await setup();
  site.state = "s2";
  site.since = { s1: ["/b", "/elsewhere"] };
  site.files["/b"] = { body: "new", etag: "b2" };
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s1", "GET /b"]);
  assert.deepEqual(updates, [["/b"]]);
  site.log.length = 0;
  revalidator.forget();
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s2"]);
  assert.equal(store.versions.token, "s2");
});

test("what was replaced while it waited is not asked for again", async () => {
  const { site, revalidator, rows, asked } = await setup();
  const before = rows();
  site.state = "s2";
  site.since = { s1: ["/b"] };
  site.files["/b"] = { body: "new", etag: "b2" };
  await revalidator.revalidate(before);
  site.log.length = 0;
  revalidator.forget();
  await revalidator.revalidate(before);
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s2"]);
  await revalidator.revalidate([before[1]]);
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s2"]);
});

test("what has changed and was changed back is known to be current at the new state, too", async () => {
  const { site, revalidator, rows, asked, updates, store } = await setup();
  site.state = "s3";
  site.since = { s1: ["/b"] };
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s1", "GET /b", "POST /.edge/revalidate"]);
  assert.deepEqual(updates, []);
  assert.deepEqual(rows().map(({ states }) => store.versions.named(states)), NAMES.map(() => ["s3", "s1"]));
});

test("a node that cannot say is asked with a batch, whose answer names the state", async () => {
  const { site, revalidator, rows, asked } = await setup();
  site.state = "s3";
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s1", "POST /.edge/revalidate"]);
  site.log.length = 0;
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s3"]);
});

test("in the middle of a deploy nothing is replaced", async () => {
  const { site, revalidator, rows, asked, updates } = await setup();
  site.state = "?";
  site.files["/b"] = { body: "new", etag: "b2" };
  await revalidator.revalidate(rows());
  assert.deepEqual(asked(), ["GET /.edge/changes?since=s1", "POST /.edge/revalidate"]);
  assert.deepEqual(updates, []);
});

test("without states of the site everything is asked for as before", async () => {
  const { site, revalidator, asked, store, sender } = await setup();
  delete site.state;
  site.files = { "/x": { body: "x", etag: "x1" }, "/y": { body: "y", etag: "y1" } };
  await store.commit(await Promise.all(["/x", "/y"].map(async (path) => ({ path, response: await sender.send({ path }), headers: new Headers() }))));
  site.log.length = 0;
  await revalidator.revalidate([store.lookup("/x"), store.lookup("/y")]);
  await revalidator.revalidate([store.lookup("/x")]);
  assert.deepEqual(asked(), ["POST /.edge/revalidate", "GET /x"]);
});

test("questions have short heads", async () => {
  const { site, revalidator, rows, sender } = await setup();
  await revalidator.revalidate(rows());
  await revalidator.validate([{ etag: "a1", path: "/a" }]);
  await sender.send({ path: "/a", etag: "a1" });
  await sender.send({ path: "/a" });
  const [question, batch, conditional, plain] = site.log;
  for (const one of site.log) assert.equal(one.options.referrerPolicy, "no-referrer");
  assert.deepEqual([...question.headers], [["accept-language", "*"]]);
  assert.deepEqual([...batch.headers], [["accept-language", "*"], ["content-type", "text/plain"]]);
  assert.deepEqual([question, batch, conditional, plain].map(({ options }) => options.cache), ["default", "default", "default", "no-store"]);
});

test("the load that rides on an answer is learned, and nobody polls who talks", async () => {
  const { clock, site, nodes, revalidator, sender, rows } = await setup();
  const locks = { request: async (_, __, then) => then({}) };
  const poller = new LoadPoller(nodes, sender, locks, clock.wait);
  site.riding = "kJ3x" + "Z0" + "--" + "zk" + "0-";
  const polls = () => site.log.filter(({ path }) => path === "/.edge/load").length;
  for (let minute = 0; minute < 60; minute += 1) {
    const polling = poller.poll();
    await revalidator.revalidate(rows());
    await clock.pass(60_000);
    await polling;
  }
  assert.equal(polls(), 0);
  const [one, two, three, four] = ORIGINS.map((origin) => nodes.all.get(origin));
  assert.ok(Math.abs(one.weight - 36 / 63) < 0.001 && Math.abs(one.utilization - 1 / 48) < 0.001);
  assert.equal(two.weight, 0);
  assert.ok(three.weight === 1 && three.utilization > 0.9 && four.weight > 0 && four.utilization === 0);
  // In silence: once in two minutes at most.
  site.files["/.edge/load"] = { body: JSON.stringify({ ...document(), tag: "kJ3x" }), etag: "load" };
  for (let second = 0; second < 600; second += 10) {
    const polling = poller.poll();
    await clock.pass(10_000);
    await polling;
  }
  assert.ok(polls() >= 3 && polls() <= 5, `${polls()} polls in ten minutes`);
});

test("what rides of other nodes, or is garbage, is not taken, and the document is asked for", async () => {
  const { clock, site, nodes, revalidator, rows, sender } = await setup();
  const before = [...nodes.all.values()].map(({ weight }) => weight);
  for (const word of ["AAAAZ0Z0Z0Z0", "kJ3xZ0", "kJ3x", "kJ3xZ0Z0Z0Z0Z0", "x"]) {
    nodes.learned = clock.now();
    site.riding = word;
    revalidator.forget();
    await revalidator.revalidate(rows());
    assert.deepEqual([...nodes.all.values()].map(({ weight }) => weight), before);
    assert.equal(new LoadPoller(nodes, sender, {}).isDue(), true, word);
  }
});

test("a node's own load is read where ORCA's field is sent", async () => {
  const { nodes, clock } = await setup();
  const [one] = ORIGINS;
  const headers = (text) => new Headers({ "endpoint-load-metrics": text });
  nodes.overhear(one, headers("TEXT application_utilization=0.9,cpu_utilization=0.11,rps_fractional=4123,eps=0"), clock.now());
  assert.equal(nodes.all.get(one).utilization, 0.9);
  assert.ok(nodes.all.get(one).weight < 1 && nodes.all.get(one).weight > 0.5);
  nodes.overhear(one, headers("TEXT cpu_utilization=0.11"), clock.now());
  nodes.overhear(one, headers("JSON {}"), clock.now());
  nodes.overhear("http://nobody", headers("TEXT application_utilization=0.9"), clock.now());
  assert.equal(nodes.all.get(one).utilization, 0.9);
});

test("parts of a page that come late are not asked for again, unless a page is navigated to", async () => {
  const { clock, revalidator, rows, asked } = await setup();
  await revalidator.revalidate(rows().slice(2));
  await clock.pass(1500);
  await revalidator.revalidate(rows().slice(0, 2));
  assert.equal(asked().length, 1);
  revalidator.forget();
  await revalidator.revalidate(rows().slice(0, 2));
  assert.equal(asked().length, 2);
  await clock.pass(2000);
  await revalidator.revalidate(rows());
  assert.equal(asked().length, 3);
});

test("what was confirmed lately is not asked for again by an idle page", async () => {
  const { clock, site, revalidator, rows } = await setup();
  assert.equal(revalidator.isKnown(rows()[0], 1000), false);
  await revalidator.revalidate(rows().slice(1));
  assert.ok(rows().every((row) => revalidator.isKnown(row, 1000)), "one question confirms all");
  await clock.pass(1000);
  assert.equal(revalidator.isKnown(rows()[0], 1000), false);
  site.state = "s2";
  site.since = { s1: ["/a"] };
  site.files["/a"] = { body: "new", etag: "a2" };
  revalidator.forget();
  await revalidator.revalidate(rows().slice(1));
  assert.deepEqual(rows().map((row) => revalidator.isKnown(row, 1000)), [false, true, true, true]);
});
