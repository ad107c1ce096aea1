// Answers that are kept current by their cache groups: what is followed, what is asked, what pages are told - and random
// histories of changes, nodes that lag, lost sockets and restarts, after which nothing old is shown.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import { parseGroups } from "../../webroot/edge/worker/groups.js";
import { Live, SAVED, groupHash } from "../../webroot/edge/worker/live.js";
import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { ResponseStore } from "../../webroot/edge/worker/response_store.js";
import { Revalidator } from "../../webroot/edge/worker/revalidator.js";
import { CurrentRules } from "../../webroot/edge/worker/rules.js";
import { Sender } from "../../webroot/edge/worker/sender.js";
import { seeded } from "./random.js";
import { Clock, FakeSite, MemoryCaches, MemoryDatabase, ORIGINS, document, turns } from "./world.js";

const HERE = ORIGINS[0];
/** As groupHash, at once. */
const hash = async (name) => createHash("sha256").update(name).digest().subarray(0, 6).toString("base64url");

/** An application on two nodes: *feed* answers what goes over the socket, *site* over HTTP; each has changes in its own time. */
class World {
  constructor(queries) {
    this.clock = new Clock();
    this.queries = queries; // path -> groups
    this.truth = Object.fromEntries(Object.keys(queries).map((path) => [path, 1]));
    this.log = []; // groups that changed, in order
    this.feed = { at: 0, has: { ...this.truth } };
    this.site = new FakeSite(this.clock, {});
    this.http = { at: 0, has: { ...this.truth } };
    this.connected = true;
    this.isOne = false; // the node of the feed is another one than that asked over HTTP
    this.asked = []; // over the socket
    this.said = [];
    this.followed = []; // lists of groups, one for each time
    this.database = new MemoryDatabase();
    this.caches = new MemoryCaches();
    this.publish();
  }

  /** What nodes answer over HTTP. */
  publish() {
    for (const [path, version] of Object.entries(this.http.has)) {
      const groups = this.queries[path].map((name) => `"${name}"`).join(", ");
      this.site.files[path] = {
        body: `${path} ${version}`, etag: tag(path, version),
        headers: { "cache-control": "max-age=0, stale-while-revalidate=1000000", "cdn-cache-control": "max-age=3600", ...(groups && { "cache-groups": groups }) },
      };
    }
  }

  /** Somebody changes *group*: in force at the feed's node at once, or later. */
  change(group) {
    this.log.push(group);
    for (const [path, groups] of Object.entries(this.queries)) if (groups.includes(group)) this.truth[path] += 1;
    this.log[this.log.length - 1] = { group, truth: { ...this.truth }, at: this.clock.now() };
  }

  /** A node has all changes up to number *at*. */
  apply(node, at = this.log.length) {
    node.at = Math.max(node.at, at);
    if (node.at) node.has = this.log[node.at - 1].truth;
    this.publish();
  }

  /** A worker, with what was stored. */
  async worker() {
    const { clock, site } = this;
    const nodes = new Nodes(HERE, seeded(1));
    nodes.learn({ ...document([1]), nodes: document().nodes.slice(0, 1) }, clock.now());
    const sender = new Sender(nodes, { fetch: site.fetch, now: clock.now, random: seeded(1), wait: clock.wait });
    const store = new ResponseStore(this.database, new CurrentRules(), { caches: this.caches, origin: HERE, now: clock.now });
    await store.ready();
    let alive = true; // until the browser stops it
    const isOne = () => this.isOne;
    const questions = {
      get node() {
        return isOne() ? HERE : "";
      },
      follow: (groups) => this.followed.push(groups),
      changes: async () => null,
      groups: async (state) => {
        if (!this.connected || !alive) return null;
        this.asked.push(`since ${state}`);
        const from = /^s\d+$/.test(state) ? Number(state.slice(1)) : -1;
        if (from < 0) return { state: `s${this.feed.at}`, hashes: null };
        const changed = new Set(this.log.slice(from, this.feed.at).map(({ group }) => group));
        return { state: `s${Math.max(from, this.feed.at)}`, hashes: await Promise.all([...changed].map(hash)) };
      },
      stale: async (copies) => {
        if (!this.connected) return null;
        this.asked.push(`copies ${copies.length}`);
        return { state: "", stale: new Set(copies.flatMap(({ etag, path }, number) => (tag(path, this.feed.has[path]) === etag ? [] : [number]))) };
      },
    };
    const timer = (then, ms) => void clock.wait(ms).then(() => alive && then());
    const updated = [];
    const revalidator = new Revalidator(store, sender, {
      onUpdate: (paths) => updated.push(...paths), onGone: () => {}, questions, unconfirmed: (asked) => live.unconfirmed(asked), node: () => live.node, changed: (row) => live.lastTold(row), timer,
    });
    const live = new Live(store, questions, { check: (rows, likely) => revalidator.check(rows, likely), say: (message) => this.said.push(structuredClone(message)), now: clock.now, timer, hash });
    live.restore(await this.database.get("state", SAVED));
    const give = async (page, path) => {
      const asked = clock.now();
      const begun = store.moment;
      const response = await sender.send({ path });
      const { headers } = response;
      await store.commit([{ path, response, headers: new Headers(), begun, asked }]);
      live.gave(page, path, headers);
    };
    const rows = (...paths) => paths.map((path) => store.lookup(path));
    const shown = async (path) => (await store.open(store.lookup(path))).text();
    const stop = () => {
      alive = false;
      return clock.pass(1500);
    };
    return { stop, store, live, revalidator, sender, give, rows, shown, updated };
  }

  changed() {
    return this.said.filter(({ type }) => type === "edge:changed");
  }
}

/** 16 characters of base64url, as ETags of nodes are. */
const tag = (path, version) => `${Buffer.from(path).toString("base64url")}${"0".repeat(16)}${version}`.slice(-16);

const QUERIES = { "/ranking": ["ranking"], "/recent": ["recent", "ranking"], "/a": ["character:41"], "/plain": [] };

/** A worker whose page shows all of QUERIES, followed and up to date. */
async function settled() {
  const world = new World(QUERIES);
  world.isOne = true;
  const worker = await world.worker();
  for (const path of Object.keys(QUERIES)) await worker.give("page", path);
  await world.clock.pass(50);
  await worker.live.hear({ at: "s0" });
  await world.clock.pass(5000);
  world.asked.length = world.said.length = world.followed.length = world.site.log.length = 0;
  return { world, ...worker };
}

test("a group is known to nodes by the beginning of its SHA-256", async () => {
  assert.equal(await groupHash("ranking"), "7m-zFnsC");
  assert.equal(await hash("ranking"), "7m-zFnsC");
});

test("the field Cache-Groups is read as a list of strings, and nothing else is", () => {
  assert.deepEqual(parseGroups('"ranking", "glyph:41";since=4;x="a,b" ,"ranking","a\\"b\\\\"'), ["ranking", "glyph:41", 'a"b\\']);
  for (const text of ["", "ranking", '"a" "b"', '"a', '"a",,"b"', '"\u00e4"', "1, 2", Array.from({ length: 65 }, (_, n) => `"${n}"`).join()]) {
    assert.deepEqual(parseGroups(text), [], text);
  }
  const begun = performance.now();
  parseGroups(`"${"a".repeat(1e5)}`);
  parseGroups(`"a"${";a=".repeat(1e5)}`);
  parseGroups(`${" ".repeat(1e5)}"`);
  assert.ok(performance.now() - begun < 2000);
});

test("the groups of what pages show are followed, each once, and again only when they are others", async () => {
  const world = new World(QUERIES);
  const { give, live } = await world.worker();
  for (const path of Object.keys(QUERIES)) await give("page", path);
  await world.clock.pass(50);
  assert.equal(world.followed.length, 1);
  assert.deepEqual(world.followed[0].sort(), (await Promise.all(["ranking", "recent", "character:41"].map(hash))).sort());
  await give("other", "/ranking");
  await world.clock.pass(50);
  assert.equal(world.followed.length, 1);
  live.close(new Set());
  await live.follow();
  assert.deepEqual(world.followed[1], []);
});

test("a change is asked for once, in one batch of its queries, and pages get one message", async () => {
  const { world, live, shown } = await settled();
  world.change("ranking");
  world.apply(world.feed);
  world.apply(world.http);
  await live.hear({ at: "s1" });
  assert.deepEqual(world.asked, ["since s0", "copies 2"]);
  assert.deepEqual(world.site.log.map(({ path }) => path).sort(), ["/ranking", "/recent"]);
  assert.deepEqual(world.changed(), [{ type: "edge:changed", groups: ["ranking", "recent"], queries: ["/ranking", "/recent"] }]);
  assert.equal(await shown("/ranking"), "/ranking 2");
  await live.hear({ at: "s1" }); // of another tab
  await world.clock.pass(2000);
  assert.deepEqual(world.asked, ["since s0", "copies 2"]);
});

test("what has changed and differs in nothing is told to nobody", async () => {
  const { world, live } = await settled();
  world.log.push({ group: "ranking", truth: { ...world.truth } });
  world.apply(world.feed);
  await live.hear({ at: "s1" });
  await world.clock.pass(2000);
  assert.deepEqual(world.changed(), []);
  assert.deepEqual(world.asked, ["since s0", "copies 2"]);
});

test("a storm: one question in flight, and one after it", async () => {
  const { world, live, shown } = await settled();
  const release = [];
  const { groups } = live.questions;
  live.questions.groups = (state) => new Promise((resolve) => release.push(async () => resolve(await groups(state))));
  for (let number = 1; number <= 1000; number += 1) {
    world.change("ranking");
    world.apply(world.feed);
    world.apply(world.http);
    live.hear({ at: `s${number}` });
  }
  assert.equal(release.length, 1);
  await release[0]();
  await world.clock.pass(0);
  assert.equal(release.length, 2);
  await release[1]();
  await world.clock.pass(5000);
  assert.equal(release.length, 2);
  assert.equal(await shown("/ranking"), "/ranking 1001");
  assert.equal(world.changed().length, 1);
});

test("groups of which nothing is kept cost nothing but the one question", async () => {
  const { world, live } = await settled();
  world.change("character:42");
  world.apply(world.feed);
  await live.hear({ at: "s1" });
  assert.deepEqual(world.asked, ["since s0"]);
  assert.deepEqual(world.site.log, []);
});

test("what is used is confirmed by its groups: one question for all, and none for what was told just now", async () => {
  const { world, live, revalidator, rows } = await settled();
  await world.clock.pass(10_000);
  await revalidator.revalidate(rows("/ranking", "/recent", "/a"));
  assert.deepEqual(world.asked, ["since s0"]);
  assert.deepEqual(world.site.log, []);
  assert.ok(rows("/ranking", "/a").every(({ checked }) => checked === world.clock.now()));
  await revalidator.revalidate(rows("/ranking", "/recent", "/a"));
  assert.deepEqual(world.asked, ["since s0"]);
  assert.equal(live.count.confirmed, 6);
});

test("groups confirm nothing that has none, or that nodes give no longer", async () => {
  const { world, revalidator, rows } = await settled();
  await world.clock.pass(10_000);
  await revalidator.revalidate(rows("/plain"));
  assert.deepEqual(world.asked, []);
  assert.deepEqual(world.site.log.map(({ path }) => path), ["/plain"]);
  await world.clock.pass(3_600_000);
  await revalidator.revalidate(rows("/ranking", "/a"));
  assert.deepEqual(world.asked, ["copies 2"]);
});

test("a node that has not heard of a change yet is asked once more", async () => {
  const { world, live, shown } = await settled();
  world.isOne = false;
  world.change("character:41");
  world.apply(world.feed);
  await live.hear({ at: "s1" }); // one row: asked over HTTP, of a node that lags
  assert.equal(await shown("/a"), "/a 1");
  world.apply(world.http);
  await world.clock.pass(250);
  assert.equal(await shown("/a"), "/a 2");
  assert.deepEqual(world.changed().map(({ queries }) => queries), [["/a"]]);
  await world.clock.pass(2_000); // what it brought may have been older, too
  const { length } = world.asked;
  await world.clock.pass(10_000);
  assert.equal(world.asked.length, length);
});

test("the node that has told of a change is asked for what is new, and once: it knows of that", async () => {
  const { world, live, shown, revalidator, rows } = await settled();
  world.change("character:41");
  world.apply(world.feed);
  world.apply(world.http);
  const used = rows("/a"); // a navigation, whose turn comes before the feed's news
  const [asked] = await Promise.all([revalidator.revalidate(used).then(() => live.node), live.hear({ at: "s1" })]);
  assert.equal(await shown("/a"), "/a 2");
  await world.clock.pass(10_000);
  assert.equal(asked, live.questions.node);
  assert.deepEqual(world.asked.filter((one) => one.startsWith("copies")), [], "nothing is looked at once more");
  assert.deepEqual(world.site.log.map(({ path }) => path), ["/a"]);
  assert.ok(rows("/a").every(({ sure, told }) => sure && told));
});

test("what a navigation has asked for before a change is asked for again, what it asks for after it is not", async () => {
  const { world, live, shown, revalidator, rows } = await settled();
  world.site.delay.set(HERE, 80);
  const early = revalidator.check(rows("/a"));
  await world.clock.pass(10);
  world.change("character:41");
  world.apply(world.feed);
  world.apply(world.http);
  const heard = live.hear({ at: "s1" });
  await world.clock.pass(10);
  const late = revalidator.check(rows("/a")); // what the news asks for is waited for
  await world.clock.pass(500);
  await Promise.all([early, heard, late]);
  assert.equal(await shown("/a"), "/a 2");
  assert.deepEqual(world.site.log.map(({ path }) => path), ["/a", "/a"]);
});

test("what is looked at once more, as the node that was asked may lag, is asked for over the socket", async () => {
  const { world, live, shown } = await settled();
  world.isOne = false;
  world.change("character:41");
  world.apply(world.feed);
  world.apply(world.http);
  await live.hear({ at: "s1" });
  assert.equal(await shown("/a"), "/a 2");
  await world.clock.pass(5_000);
  assert.deepEqual(world.site.log.map(({ path }) => path), ["/a"], "one GET, of the new version");
  assert.deepEqual(world.asked.filter((one) => one.startsWith("copies")), ["copies 1"]);
});

test("what a page has used, and is replaced before it is its turn to be revalidated, is not asked for again", async () => {
  const { world, live, revalidator, rows } = await settled();
  world.isOne = false;
  const used = rows("/a");
  world.change("character:41");
  world.apply(world.feed);
  world.apply(world.http);
  await live.hear({ at: "s1" });
  await revalidator.revalidate(used);
  assert.deepEqual(world.site.log.map(({ path }) => path), ["/a"]);
});

test("what changed while there was no socket is asked for with the state from before", async () => {
  const { world, live, shown, revalidator, rows } = await settled();
  world.connected = false;
  world.change("ranking");
  world.apply(world.feed);
  world.apply(world.http);
  await live.resume();
  await world.clock.pass(10_000);
  await revalidator.revalidate(rows("/a"));
  assert.deepEqual(world.site.log.map(({ path }) => path), ["/a"], "without a socket what is used is asked for as ever");
  world.connected = true;
  await live.resume();
  assert.equal(await shown("/ranking"), "/ranking 2");
  assert.equal(world.followed.length, 0, "the feed tells each new node of the groups itself");
  assert.equal(world.asked[0], "since s0");
});

test("a page shows the newest of what it was given: a change asks for 64 of its answers at most, and for another when it is used", async () => {
  const { live, store, rows } = await settled();
  const paths = Array.from({ length: 100 }, (_, number) => `/ranking?page=${number}`);
  for (const path of paths) store.add({ ...store.lookup("/ranking"), key: `${path} `, path, sure: true });
  for (const path of ["/ranking", ...paths, "/ranking"]) live.gave("page", path, new Headers({ "cache-groups": '"ranking"' }));
  assert.deepEqual([...live.pages.get("page")], [...paths.slice(-63), "/ranking"]);
  await live.learn({ state: "s9", hashes: [await hash("ranking")] });
  assert.deepEqual(rows(...paths).filter(({ sure }) => sure), [], "none is taken to be current");
});

test("after a change of this browser all copies are written down together, and no answer from before is stored of any", async () => {
  const { world, live, store } = await settled();
  for (let number = 0; number < 2000; number += 1) {
    store.add({ ...store.lookup("/ranking"), key: `/r?${number} `, path: `/r?${number}` });
  }
  world.connected = false; // nobody knows which
  const before = store.moment;
  const { writes } = world.database;
  await live.mutated();
  assert.ok(world.database.writes - writes <= 2, `${world.database.writes - writes} transactions`);
  const copies = store.filter(({ path }) => path.startsWith("/r?"));
  assert.ok(copies.every((row) => row.invalid && !store.isSince(row.path, before)), "also those whose paths are forgotten again");
  assert.ok(store.isSince("/r?0"), "what is asked for from now on");
});

test("a restart knows the state, what is shown, and what it is sure of", async () => {
  const { world } = await settled();
  world.change("ranking");
  world.apply(world.feed);
  world.apply(world.http);
  const { live, shown, revalidator, rows } = await world.worker();
  await revalidator.revalidate(rows("/a"));
  assert.deepEqual(world.asked, ["since s0"]);
  assert.deepEqual(world.site.log, []);
  await live.hear({ at: "s1" });
  await live.update();
  assert.equal(await shown("/ranking"), "/ranking 2");
});

test("private answers are followed and asked for, but silence confirms them no longer than they say", async () => {
  const { world, revalidator, rows, live, shown } = await settled();
  const file = world.site.files["/a"];
  file.headers = { "cache-control": "private, max-age=0, stale-while-revalidate=1000000", "cache-groups": '"character:41"' };
  const row = rows("/a")[0];
  world.queries["/a"] = ["character:41"];
  await world.clock.pass(3_600_001);
  await revalidator.check([row]);
  await revalidator.revalidate(rows("/a"));
  world.change("character:41");
  world.apply(world.feed);
  world.apply(world.http);
  await live.hear({ at: "s1" });
  assert.equal(await shown("/a"), "/a 2");
});

test("random histories end with nothing old shown", async () => {
  const seeds = Number(process.env.LIVE_HISTORIES ?? 40);
  let messages = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seeded(seed);
    const one = (list) => list[Math.floor(random() * list.length)];
    const world = new World({ "/q0": ["g0"], "/q1": ["g1", "g0"], "/q2": ["g2"], "/q3": ["g3", "g1"] });
    let worker = await world.worker();
    for (let step = 0; step < 60; step += 1) {
      const action = Math.floor(random() * 9);
      if (action < 3) world.change(one(["g0", "g1", "g2", "g3", "unknown"]));
      else if (action === 3) world.apply(world.http, world.http.at + 1 > world.log.length ? world.log.length : world.http.at + 1);
      else if (action === 4) {
        world.apply(world.feed, Math.min(world.log.length, world.feed.at + 1));
        if (world.connected) worker.live.hear({ at: `s${world.feed.at}` });
      } else if (action === 5) await worker.give(one(["page", "other"]), one(Object.keys(world.queries)));
      else if (action === 6) {
        world.connected = !world.connected;
        if (world.connected) worker.live.resume();
      } else if (action === 7 && random() < 0.3) {
        await worker.stop();
        worker = await world.worker();
      } else worker.revalidator.revalidate(Object.keys(world.queries).flatMap((path) => worker.store.rowsOf(path))).catch(() => {});
      await world.clock.pass(random() * 100);
      // No node lags by more than 0.6 s.
      for (const node of [world.feed, world.http]) {
        if (!(world.log[node.at]?.at < world.clock.now() - 500)) continue;
        world.apply(node);
        if (node === world.feed && world.connected) worker.live.hear({ at: `s${node.at}` });
      }
    }
    world.apply(world.feed);
    world.apply(world.http);
    world.connected = true;
    worker.live.resume();
    await world.clock.pass(5000);
    await turns();
    for (const row of worker.live.shown()) {
      assert.equal(await worker.shown(row.path), `${row.path} ${world.truth[row.path]}`, `seed ${seed}: ${row.path}`);
    }
    // What is sure without being shown is right as well.
    await worker.live.ask();
    for (const row of worker.store.filter((stored) => worker.live.isSure(stored))) {
      assert.equal(await worker.shown(row.path), `${row.path} ${world.truth[row.path]}`, `seed ${seed}: ${row.path} is believed to be current`);
    }
    messages += world.changed().length;
  }
  assert.ok(messages > seeds, "the histories try something");
});

test("of data that change all the time one version is kept, and all versions go with a page's files", async () => {
  const { world, live, store, rows } = await settled();
  const page = store.versions.open("page", world.clock.now());
  store.versions.give(page, { path: "/app.js", version: "1", states: store.versions.at("k3Jx9aF") });
  const { size } = world.caches.bodies;
  for (let number = 1; number <= 20; number += 1) {
    world.change("ranking");
    world.apply(world.feed);
    world.apply(world.http);
    await live.hear({ at: `s${number}` });
    assert.ok(store.versions.fits(page, rows("/ranking")[0]));
  }
  assert.equal(world.caches.bodies.size, size);
  assert.equal([...store.all()].length, Object.keys(QUERIES).length);
});
