// The smart client's own choice, for tests of its twin in Python: a case a line in, its answers a line out.

import { createInterface } from "node:readline";

import { PeakEwma } from "../../../webroot/edge/worker/latency.js";
import { Nodes, draw, redrawShare } from "../../../webroot/edge/worker/nodes.js";
import { seeded } from "../../webroot/random.js";

/** Nodes as a case describes them. */
function prepared({ load, now, nodes }, random) {
  const made = new Nodes(load.nodes[0].url, random);
  made.learn(load, now);
  load.nodes.forEach((given, i) => {
    const node = made.all.get(given.url);
    node.latency = new PeakEwma(nodes[i].latency, nodes[i].at);
    node.until = nodes[i].until;
    node.inFlight = nodes[i].inFlight;
  });
  made.floor = Math.min(...nodes.map((node) => node.latency));
  return made;
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const { load, now, numbers } = asked;
  const urls = load.nodes.map((node) => node.url);
  const made = prepared(asked, () => 0);
  const all = urls.map((url) => made.all.get(url));
  const best = made.best();
  const expected = all.map((node) => node.latency.expected(best, now));
  const scores = all.map((node) => made.score(node, now));
  let number = 0;
  made.random = () => numbers[number++];
  const drawn = urls.indexOf(made.drawTwo(now, new Set())?.url);
  made.random = seeded(asked.seed);
  const counts = urls.map(() => 0);
  for (let i = 0; i < asked.draws; i += 1) {
    const place = urls.indexOf(made.drawTwo(now, new Set())?.url);
    if (place >= 0) counts[place] += 1;
  }
  const one = draw(urls, scores, numbers[0]);
  const trusts = all.map((node) => node.trust(now));
  console.log(JSON.stringify({
    redraw: redrawShare(load), best, expected, trusts, scores, one: urls.indexOf(one), drawn, counts,
  }));
}
