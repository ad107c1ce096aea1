// Connections that Chromium opens by itself are used, so that it keeps them.

import assert from "node:assert/strict";
import test from "node:test";

import { HomeConnections, isChromium } from "../../webroot/edge/worker/home_connections.js";

function setup(chromium = true) {
  const world = { at: 1_000_000, asked: [], open: 0, most: 0, fails: false };
  world.home = new HomeConnections({
    fetch: async (url, { method }) => {
      world.asked.push(`${method} ${url}`);
      world.most = Math.max(world.most, (world.open += 1));
      await null;
      world.open -= 1;
      if (world.fails) throw new TypeError("Failed to fetch");
      return new Response(null);
    },
    now: () => world.at, isChromium: chromium, wait: async (ms) => world.asked.push(`after ${ms} ms`),
  });
  return world;
}

test("both are used at once, at the first navigation and at one three minutes later", async () => {
  const world = setup();
  await world.home.use();
  assert.deepEqual(world.asked, ["after 5000 ms", "HEAD /sw.js", "HEAD /sw.js"]);
  assert.equal(world.most, 2);
  for (const [after, count] of [[60_000, 3], [119_000, 3], [2_000, 6], [1_000, 6], [600_000, 9]]) {
    world.at += after;
    await world.home.use();
    assert.equal(world.asked.length, count, `${after}`);
  }
});

test("without a network nothing fails, and other browsers ask nothing", async () => {
  const world = setup();
  world.fails = true;
  await world.home.use();
  assert.equal(world.asked.length, 3);
  const other = setup(false);
  await other.home.use();
  assert.deepEqual(other.asked, []);
});

test("Chromium is known by the brands that it names", () => {
  assert.equal(isChromium({ userAgentData: { brands: [{ brand: "Not(A:Brand", version: "8" }, { brand: "Chromium", version: "156" }] } }), true);
  assert.equal(isChromium({ userAgentData: { brands: [] } }), false);
  assert.equal(isChromium({}), false);
});
