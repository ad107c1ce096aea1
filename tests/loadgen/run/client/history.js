// Runs histories, a line of JSON each on stdin, through the smart client's own choice of a node and prints what it did.
// A step: [now in ms, what random() says, what happened, ...]; the answer: for each step what was picked and is stayed with.

import { createInterface } from "node:readline";

import { Nodes } from "../../../../webroot/edge/worker/nodes.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { urls, steps } = JSON.parse(line);
  let random = 0;
  const nodes = new Nodes(urls[0], () => random);
  const found = steps.map(([now, number, what, ...more]) => {
    random = number;
    let picked = -1;
    if (what === "learn") nodes.learn(more[0], now);
    else if (what === "pick") picked = urls.indexOf(nodes.pick(now, new Set(more[0].map((place) => urls[place]))));
    else if (what === "answered") nodes.answered(urls[more[0]], more[1], now);
    else nodes.failed(urls[more[0]], now);
    return [picked, urls.indexOf(nodes.current)];
  });
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
