// The harness itself: what a failure says.

import assert from "node:assert/strict";
import test from "node:test";

import { Cluster } from "./harness.js";

test("a cluster that cannot start says what its node logged", { timeout: 120_000 }, async () => {
  await assert.rejects(Cluster.start({}, ["--no-such-option"]), (error) => {
    assert.match(error.message, /exit code 1/);
    assert.match(error.message, /no-such-option/);
    return true;
  });
});
