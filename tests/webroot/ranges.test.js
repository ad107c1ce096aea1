import assert from "node:assert/strict";
import test from "node:test";

import { parseRange, slice } from "../../webroot/edge/worker/ranges.js";

test("ranges come out of the whole", async () => {
  assert.deepEqual(parseRange("bytes=0-3", 10), [0, 3]);
  assert.deepEqual(parseRange("bytes=-3", 10), [7, 9]);
  assert.deepEqual(parseRange("bytes=5-99", 10), [5, 9]);
  assert.equal(parseRange("bytes=10-", 10), "none");
  for (const none of ["bytes=3-1", "bytes=-", "lines=1-2", "bytes=0-1,3-4"]) assert.equal(parseRange(none, 10), null);
  const whole = () => new Response("0123456789", { headers: { etag: '"x"' } });
  const part = await slice(whole(), "bytes=2-4");
  assert.deepEqual([part.status, part.headers.get("content-range"), await part.text()], [206, "bytes 2-4/10", "234"]);
  assert.equal((await slice(whole(), "bytes=20-")).status, 416);
  assert.equal((await slice(whole(), "bytes=0-1,3-4")).status, 200);
});
