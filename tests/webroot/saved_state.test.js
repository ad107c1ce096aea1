import assert from "node:assert/strict";
import test from "node:test";

import { Budget } from "../../webroot/edge/worker/budget.js";
import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { Network } from "../../webroot/edge/worker/network.js";
import { NavigationPreload } from "../../webroot/edge/worker/navigation_preload.js";
import { Prefetcher } from "../../webroot/edge/worker/prefetcher.js";
import { CurrentRules, defaults } from "../../webroot/edge/worker/rules.js";
import { SavedState } from "../../webroot/edge/worker/saved_state.js";
import { SelfUpdate } from "../../webroot/edge/worker/self_update.js";
import { MemoryDatabase, ORIGINS, document } from "./world.js";

function run(database) {
  const parts = { rules: new CurrentRules(), nodes: new Nodes(ORIGINS[0]), retries: new Budget(0.2, 64, 32), prefetcher: new Prefetcher(null, null, null), network: new Network(async () => new Response("answer"), () => 1_000) };
  return { ...parts, state: new SavedState(database, parts) };
}

test("the next run knows rules, load, nodes, the last refresh, and that the plug is pulled", async () => {
  const database = new MemoryDatabase();
  const before = run(database);
  before.rules.use({ ...defaults(), offline: "/away.html" });
  before.nodes.learn(document([0, 0, 1, 0]), 5_000);
  assert.equal(before.prefetcher.begin(0.2), true);
  before.network.unplug(true);
  await before.state.save(true);
  const next = run(database);
  await next.state.restore();
  await assert.rejects(next.network.fetch("/"), TypeError, "a page has pulled the plug, before the worker was stopped");
  next.network.unplug(false);
  assert.equal(await (await next.network.fetch("/")).text(), "answer");
  assert.deepEqual(
    [next.rules.current, next.nodes.load, next.nodes.current, next.prefetcher.refreshed],
    [before.rules.current, before.nodes.load, ORIGINS[2], before.prefetcher.refreshed]);
  assert.equal(next.prefetcher.begin(0.2), false, "ten minutes are not over");
});

test("it is taken up once: what was learned since is not overwritten", async () => {
  const database = new MemoryDatabase();
  const before = run(database);
  before.rules.use({ ...defaults(), offline: "/old.html" });
  await before.state.save(true);
  const next = run(database);
  await next.state.restore();
  next.rules.use({ ...defaults(), offline: "/new.html" });
  await next.state.restore();
  assert.equal(next.rules.current.offline, "/new.html");
});

test("it is not written at every request, but at once where that is asked for", async () => {
  const database = new MemoryDatabase();
  const { state } = run(database);
  for (let i = 0; i < 5; i += 1) await state.save();
  assert.equal(database.writes, 1);
  await state.save(true);
  assert.equal(database.writes, 2);
});

test("a restart brings no new retries: they are written when one is spent, at once", async () => {
  const database = new MemoryDatabase();
  let now = run(database);
  for (let spent = 0; spent < 32; spent += 1) {
    assert.equal(now.retries.spend(), true);
    await now.state.save();
    assert.equal(database.writes, spent + 1);
    now = run(database);
    await now.state.restore();
  }
  assert.equal(now.retries.spend(), false);
  const old = new MemoryDatabase();
  await now.state.save(true);
  const { retries, ...before } = await database.get("state", "worker");
  await old.write("state", [[before, "worker"]]);
  const next = run(old);
  await next.state.restore();
  assert.deepEqual([retries, next.retries.tokens], [0, 32], "of a version that did not write them");
});

test("an unreadable database is a fresh start", async (context) => {
  const warn = context.mock.method(console, "warn", () => {});
  const { state, rules } = run({ get: () => Promise.reject(new Error("corrupt")) });
  await state.restore();
  assert.deepEqual(rules.current, defaults());
  assert.equal(warn.mock.callCount(), 1);
});

test("a busy cluster, or one whose load is not known, is not refreshed from", () => {
  const { prefetcher } = run(new MemoryDatabase());
  for (const utilization of [NaN, 0.5, 0.9]) assert.equal(prefetcher.begin(utilization), false);
  assert.equal(prefetcher.refreshed, 0);
  assert.equal(prefetcher.begin(0.49), true);
});

test("navigation preload is switched off once, and a browser that has none is no error", async () => {
  let disabled = 0;
  const preload = new NavigationPreload({ enable: async () => {}, disable: async () => { disabled += 1; throw new Error("no"); } });
  await preload.disable();
  await preload.disable();
  assert.equal(disabled, 1);
  const none = new NavigationPreload(undefined);
  await none.enable();
  await none.disable();
});

test("only a script that is gone removes the worker", () => {
  let removed = 0;
  const selfUpdate = new SelfUpdate(null, null, new CurrentRules(), { save: null, update: null, remove: async () => { removed += 1; } });
  for (const path of ["/", "/edge.json", "/sw.js.map"]) selfUpdate.onGone(path);
  assert.equal(removed, 0);
  selfUpdate.onGone("/sw.js");
  assert.equal(removed, 1);
});
