// Runs worlds, a line of JSON each on stdin, through the smart client's own Sender and prints what it did.
// A world: {urls, load, tokens: retries that are left, requests, script: by node, what it says to each attempt};
// the answer: for each request [[[ms, node asked], ...], status or 0, ms at its end].

import { createInterface } from "node:readline";

import { Nodes } from "../../../../webroot/edge/worker/nodes.js";
import { Sender } from "../../../../webroot/edge/worker/sender.js";
import { Clock } from "../../../webroot/world.js";

/** Of each node, ms: what hedges wait for, and an eighth of the patience. */
const P95 = 400;

async function outcome({ urls, load, tokens, requests, script }) {
  const clock = new Clock();
  const begun = clock.ms;
  const random = () => 0.5;
  const nodes = new Nodes(urls[0], random);
  nodes.p95 = () => P95;
  nodes.learn(load, clock.ms);
  const asked = urls.map(() => 0);
  let asks = [];
  const fetch = async (url, { signal }) => {
    const node = urls.indexOf(new URL(url).origin);
    asks.push([clock.ms - begun, node]);
    const { ms, status, later } = script[node][asked[node]++ % script[node].length];
    await clock.wait(ms, signal);
    if (!status) throw new TypeError("no answer");
    return new Response(null, { status, headers: later ? { "retry-after": "1" } : {} });
  };
  const sender = new Sender(nodes, { fetch, now: clock.now, random, wait: clock.wait });
  sender.retries.tokens = tokens;
  const found = [];
  for (let number = 0; number < requests; number += 1) {
    asks = [];
    let status;
    sender.send({ path: "/" }).then((response) => (status = response.status), () => (status = 0)).finally(() => found.push([asks, status, clock.ms - begun]));
    while (found.length === number) await clock.pass(1);
  }
  return found;
}

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
