import assert from "node:assert/strict";
import test from "node:test";

import { Outbox } from "../../webroot/edge/worker/outbox.js";
import { MemoryDatabase } from "./world.js";

function world() {
  const server = { up: true, lost: false, applied: new Map(), tries: 0 };
  const fetch = async (url, { method, headers, body }) => {
    server.tries += 1;
    if (!server.up) throw new TypeError("Failed to fetch");
    const key = new Headers(headers).get("idempotency-key");
    if (!server.applied.has(key)) server.applied.set(key, `${method} ${new URL(url).pathname} ${new TextDecoder().decode(body)}`);
    if (server.lost) throw new TypeError("reset after it was applied");
    return new Response("done");
  };
  const waiting = [];
  let tail = Promise.resolve();
  const outbox = new Outbox(new MemoryDatabase(), {
    fetch, now: () => 1, onChange: (n) => waiting.push(n), requestSync: async () => {},
    locked: (work) => (tail = tail.then(work, work)),
  });
  const send = (body) => outbox.send(new Request("http://n1.example/favourites", { method: "POST", body }));
  return { server, outbox, waiting, send };
}

test("online it is simply sent, with a key", async () => {
  const { server, send } = world();
  assert.equal((await send("a")).status, 200);
  assert.equal(server.applied.size, 1);
});

test("offline it is kept, and applied once and in order", async () => {
  const { server, outbox, waiting, send } = world();
  server.up = false;
  for (const body of ["a", "b"]) {
    const answer = await send(body);
    assert.equal(answer.status, 202);
    assert.equal((await answer.json()).queued, true);
  }
  await assert.rejects(outbox.flush());
  server.up = true;
  assert.equal((await send("c")).status, 202, "what came before goes first");
  await Promise.all([outbox.flush(), outbox.flush()]);
  assert.deepEqual([...server.applied.values()], ["POST /favourites a", "POST /favourites b", "POST /favourites c"]);
  assert.equal(waiting.at(-1), 0);
});

test("an answer that was lost does not apply it twice", async () => {
  const { server, outbox, send } = world();
  server.lost = true;
  assert.equal((await send("a")).status, 202);
  server.lost = false;
  await outbox.flush();
  assert.equal(server.tries, 2);
  assert.equal(server.applied.size, 1);
});

test("too much is refused, clearly", async () => {
  const { server, send } = world();
  server.up = false;
  assert.equal((await send("x".repeat(1024 * 1024 + 1))).status, 503);
});
