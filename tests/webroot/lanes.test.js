// Requests that no page waits for: how many at once, and what becomes of all.

import assert from "node:assert/strict";
import test from "node:test";

import { inLanes } from "../../webroot/edge/worker/lanes.js";

test("two at once, all in the end, and what they come to in their order", async () => {
  let running = 0;
  let most = 0;
  const work = async (number) => {
    most = Math.max(most, (running += 1));
    for (let turns = 0; turns < 10 - number; turns += 1) await null;
    running -= 1;
    return number * 2;
  };
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  assert.deepEqual(await inLanes(numbers, work), numbers.map((number) => number * 2));
  assert.equal(most, 2);
  assert.deepEqual(await inLanes([], work), []);
});

test("one that fails fails the whole, and the others are done all the same", async () => {
  const done = [];
  const work = async (number) => {
    if (number === 1) throw new Error("no");
    done.push(number);
  };
  await assert.rejects(inLanes([0, 1, 2, 3], work), /no/);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(done, [0, 2, 3]);
});
