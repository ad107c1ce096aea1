// 1,000 clients that read figures 10 s old, at a mean utilization of 0.8: the policy of the smart client, and
// the one that everybody thinks of first.

import assert from "node:assert/strict";
import test from "node:test";

import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { seeded } from "./random.js";
import { ORIGINS, document } from "./world.js";

const CLIENTS = 1000;
const STALE_MS = 10_000;
const SECONDS = 600;
/** Time constant of the weights that nodes publish, as in edge/load/weight.py. */
const WEIGHT_SECONDS = 22.4;

/** Standard deviation of the nodes' load over its mean, over the last half of the time. @param {"smart" | "least"} policy */
function variation(policy, seed) {
  const random = seeded(seed);
  const clients = Array.from({ length: CLIENTS }, () => new Nodes(ORIGINS[0], random));
  const reads = clients.map(() => Math.floor(random() * 5));
  const chosen = clients.map((_, i) => ORIGINS[i % 4]);
  const weights = [0.2, 0.2, 0.2, 0.2];
  const history = [];
  const variations = [];
  for (let second = 0; second < SECONDS; second += 1) {
    const loads = ORIGINS.map((origin) => chosen.filter((one) => one === origin).length);
    const utilization = loads.map((n) => (0.8 * n * 4) / CLIENTS);
    utilization.forEach((u, i) => (weights[i] += (1 - Math.exp(-1 / WEIGHT_SECONDS)) * (Math.max(0, 1 - u) - weights[i])));
    history.push(document(weights.map((w) => Math.max(0.01, w)), utilization, second + 1));
    const read = history[second - STALE_MS / 1000];
    if (read) {
      clients.forEach((nodes, i) => {
        if (second % 5 !== reads[i]) return; // each reads every 5 s, not all at once
        if (policy === "least") {
          chosen[i] = read.nodes.reduce((a, b) => (b.utilization < a.utilization ? b : a)).url;
          return;
        }
        const at = ORIGINS.indexOf(nodes.current);
        // Answers get slower as a node fills up: an M/M/1 queue with a service time of 2 ms, and the way.
        nodes.answered(nodes.current, 20 + 2 / Math.max(0.02, 1 - utilization[at]), second * 1000);
        nodes.learn(read, second * 1000);
        chosen[i] = nodes.pick(second * 1000);
      });
    }
    if (second > SECONDS / 2) {
      const mean = CLIENTS / 4;
      variations.push(Math.sqrt(loads.reduce((sum, n) => sum + (n - mean) ** 2, 0) / 4) / mean);
    }
  }
  return variations.reduce((a, b) => a + b) / variations.length;
}

test("the smart client spreads the load; going to the least loaded does not", (context) => {
  for (const seed of [1, 2, 3]) {
    const smart = variation("smart", seed);
    const least = variation("least", seed);
    context.diagnostic(`seed ${seed}: coefficient of variation ${(smart * 100).toFixed(1)} % smart, ${(least * 100).toFixed(0)} % least loaded`);
    assert.ok(smart <= 0.1, `seed ${seed}: ${smart}`);
    assert.ok(least > 0.3, `seed ${seed}: ${least}`);
  }
});
