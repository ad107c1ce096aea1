import assert from "node:assert/strict";
import test from "node:test";

import { Budget } from "../../webroot/edge/worker/budget.js";
import { PeakEwma, Recent } from "../../webroot/edge/worker/latency.js";
import { Nodes, draw, readLoad, redrawShare } from "../../webroot/edge/worker/nodes.js";
import { seeded } from "./random.js";
import { ORIGINS, document } from "./world.js";

const [n1, n2, n3, n4] = ORIGINS;

function four(seed = 1, ...load) {
  const nodes = new Nodes(n1, seeded(seed));
  nodes.learn(document(...load), 0);
  return nodes;
}

/** Share of each node in 4,000 draws by clients that have seen the same latencies. */
function shares(prepare) {
  const counts = Object.fromEntries(ORIGINS.map((origin) => [origin, 0]));
  for (let seed = 0; seed < 4000; seed += 1) {
    const nodes = four(seed);
    prepare(nodes);
    counts[nodes.choose(1000, "test").url] += 1 / 4000;
  }
  return counts;
}

test("an average that follows a peak at once and forgets it with a time constant of 10 s", () => {
  const average = new PeakEwma();
  average.observe(10, 0);
  average.observe(100, 1000);
  assert.equal(average.value, 100);
  average.observe(10, 11_000);
  assert.ok(Math.abs(average.value - (10 + 90 * Math.exp(-1))) < 1e-9);
  assert.ok(average.expected(10, 71_000) < average.value);
});

test("a quantile of the last observations", () => {
  const recent = new Recent();
  assert.equal(recent.quantile(0.95, 500), 500);
  for (let ms = 1; ms <= 164; ms += 1) recent.observe(ms);
  assert.equal(recent.values.length, 64);
  assert.equal(recent.quantile(0.95, 500), 161);
});

test("a node's own p95 counts, once it is known", () => {
  const nodes = four();
  for (let i = 0; i < 20; i += 1) nodes.answered(n1, 30, i);
  assert.equal(nodes.p95(n2), 30, "as elsewhere");
  for (let i = 0; i < 8; i += 1) nodes.answered(n2, 300, i);
  assert.equal(nodes.p95(n2), 300);
  assert.equal(nodes.p95(n1), 30);
});

test("a budget gives out its share and what it has saved", () => {
  const budget = new Budget(0.25, 2, 0);
  assert.equal(budget.spend(), false);
  for (let i = 0; i < 4; i += 1) budget.deposit();
  assert.equal(budget.spend(), true);
  assert.equal(budget.spend(), false);
  for (let i = 0; i < 100; i += 1) budget.deposit();
  assert.equal(budget.tokens, 2);
});

test("drawing is in proportion and never takes what has no score", () => {
  assert.equal(draw(["a", "b"], [0, 0], 0.5), undefined);
  assert.equal(draw(["a", "b", "c"], [0, 1, 0], 0), "b");
  assert.equal(draw(["a", "b", "c"], [1, 1, 0], 0.9999999), "b");
});

test("load documents that are none are not believed", () => {
  const nodes = [{ id: "n1", url: "javascript:alert(1)", weight: 1, utilization: 0 }];
  for (const bad of [null, 7, {}, { v: 2, nodes: [], ttl_ms: 1 }, { v: 1, nodes: {}, ttl_ms: 1 }, { v: 1, nodes, ttl_ms: 1 }, { v: 1, nodes: [], ttl_ms: 0 }]) {
    assert.equal(readLoad(bad), null);
  }
  assert.ok(readLoad(document()));
});

test("equal nodes are drawn equally, and weights count", () => {
  for (const share of Object.values(shares(() => {}))) assert.ok(Math.abs(share - 0.25) < 0.03);
  const lighter = shares((nodes) => nodes.learn(document([1, 0.5, 0.5, 0]), 0));
  assert.ok(Math.abs(lighter[n1] - 0.5) < 0.04);
  assert.equal(lighter[n4], 0);
});

test("the weight alone says whether a node may be chosen: the state is for people", () => {
  // As node_load() of edge/load/document.py has it: a suspicion of a node that doubts itself leaves the weight.
  const load = document([1, 1, 0, 0]);
  load.nodes[1].state = load.nodes[2].state = "suspect";
  load.nodes[3].state = "dead";
  const drawn = shares((nodes) => nodes.learn(load, 0));
  assert.ok(Math.abs(drawn[n1] - 0.5) < 0.04 && Math.abs(drawn[n2] - 0.5) < 0.04, JSON.stringify(drawn));
  assert.deepEqual([drawn[n3], drawn[n4]], [0, 0]);
});

test("a node ten times as slow gets less than 5 %", () => {
  const counts = shares((nodes) => ORIGINS.forEach((origin, i) => nodes.answered(origin, i === 2 ? 300 : 30, 500)));
  assert.ok(counts[n3] < 0.05, `${counts[n3]}`);
});

test("a client stays with its node, until that is slow", () => {
  const nodes = four(3);
  const first = nodes.pick(0);
  for (let now = 0; now < 4000; now += 100) {
    assert.equal(nodes.pick(now), first);
    nodes.answered(first, 20, now);
  }
  nodes.answered(first, 400, 4000);
  assert.notEqual(nodes.pick(4100), first);
  assert.match(nodes.why, /slow/);
});

test("a full node's further requests go to another one", () => {
  const nodes = four(5);
  const first = nodes.pick(0);
  for (let i = 0; i < 6; i += 1) nodes.started(first);
  const others = new Set(Array.from({ length: 50 }, () => nodes.pick(0)));
  assert.ok([...others].some((origin) => origin !== first));
  assert.equal(nodes.current, first);
});

test("two errors in a row eject, longer each time, and the way back is slow", () => {
  const nodes = four(7);
  const node = nodes.all.get(n2);
  nodes.failed(n2, 1000);
  assert.equal(node.trust(1000), 1);
  nodes.failed(n2, 1000);
  assert.equal(node.trust(1001), 0);
  const first = node.until - 1000;
  assert.ok(first >= 3750 && first <= 6250);
  assert.ok(node.trust(node.until) <= 0.11);
  assert.ok(node.trust(node.until + 15_000) === 1);
  const again = node.until + 100;
  nodes.failed(n2, again); // the first error after its return is enough
  assert.ok(node.until - again >= 7500);
});

test("a document says who is away, and what is not in it is forgotten", () => {
  const nodes = four(1);
  const load = document();
  load.nodes[0].state = "dead";
  load.nodes.pop();
  nodes.learn(load, 1);
  assert.notEqual(nodes.pick(1), n1);
  assert.equal(nodes.all.has(n4), false);
  assert.equal(nodes.pick(1, new Set([n2, n3])), n1, "better tried than failed");
  assert.equal(nodes.pick(1, new Set(ORIGINS)), undefined);
});

test("drawing again stays below the bound of stability", () => {
  for (const rho of [0, 0.3, 0.5, 0.8, 0.95]) assert.ok(redrawShare(document([1, 1, 1, 1], rho)) < 2 * (1 - rho) || rho === 1);
  let moved = 0;
  for (let seed = 0; seed < 2000; seed += 1) {
    const nodes = four(seed, [1, 1, 1, 1], 0.8);
    const before = nodes.current;
    nodes.learn(document([1, 1, 1, 1], 0.8, 2), 5000);
    if (nodes.current !== before) moved += 1;
  }
  assert.ok(moved / 2000 < 0.1, `${moved}`);
});

test("a restart forgets neither latencies nor ejections", () => {
  const nodes = four(1);
  nodes.answered(n2, 77, 10);
  nodes.failed(n3, 20);
  nodes.failed(n3, 20);
  const later = new Nodes(n1, seeded(2));
  later.learn(document(), 30);
  later.restore(structuredClone(nodes.save()));
  assert.equal(later.all.get(n2).latency.value, 77);
  assert.equal(later.all.get(n3).trust(30), 0);
  assert.equal(later.current, nodes.current);
});
