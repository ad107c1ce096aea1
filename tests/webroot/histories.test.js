// A page never runs with parts of two deploys: random histories of a site and its readers.
//
// HISTORIES is how many (60), SEED the first one's seed: what fails names its own.

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./histories.js";

const HISTORIES = Number(process.env.HISTORIES ?? 60);
const SEED = Number(process.env.SEED ?? 1);

test("in random histories no page is given parts of two deploys, and in the end everybody has the newest", async (context) => {
  const sum = {};
  for (let seed = SEED; seed < SEED + HISTORIES; seed += 1) {
    const world = new World(seed);
    const mixed = await world.run();
    assert.deepEqual(mixed.map(({ page, path, why }) => ({ why, path, parts: page.parts })), [], `SEED=${seed} HISTORIES=1`);
    assert.ok(await world.settle(), `SEED=${seed} HISTORIES=1: the newest, in the end`);
    for (const [name, value] of Object.entries(world.count)) sum[name] = (sum[name] ?? 0) + value;
  }
  context.diagnostic(`${HISTORIES} histories: ${JSON.stringify(sum)}`);
  assert.ok(sum.whole > 0.7 * sum.views, "pages are mostly there at once");
});

test("the same histories are mixed where nothing holds versions together", async () => {
  let mixed = 0;
  for (let seed = SEED; seed < SEED + 20; seed += 1) mixed += (await new World(seed, { broken: true }).run()).length;
  assert.ok(mixed > 20, `${mixed}`);
});
