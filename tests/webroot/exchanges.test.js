import assert from "node:assert/strict";
import test from "node:test";

import { overHttp, received } from "../../webroot/edge/worker/exchanges.js";
import { UNPLUGGED_MS, Network } from "../../webroot/edge/worker/network.js";

test("bytes of an answer are those of its head, as HTTP/1.1 writes it, and of its body", () => {
  const head = "HTTP/1.1 304 \r\netag: \"AAAAAAAAAAAAAAAA\"\r\ncache-control: no-cache\r\n\r\n";
  const fields = { etag: '"AAAAAAAAAAAAAAAA"', "cache-control": "no-cache" };
  assert.equal(received(new Response(null, { status: 304, headers: fields })), head.length);
  const whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
  assert.equal(received(new Response("hello", { statusText: "OK", headers: { "content-length": "5" } }).clone()), whole.length + "content-type: text/plain;charset=UTF-8\r\n".length);
});

test("where the length is not told it is not invented", () => {
  assert.equal(received(new Response("endless")), null);
  assert.equal(received(new Response("", { headers: { "content-length": "many" } })), null);
  assert.equal(received(/** @type {any} */ ({ type: "opaqueredirect", status: 0, statusText: "", headers: new Headers(), redirected: false })), null);
  const told = overHttp({ node: "http://localhost:8001", method: "GET", path: "/", begun: 5, ms: 3, response: new Response("x") });
  assert.deepEqual(told, { type: "exchange", at: 5, ms: 3, node: "http://localhost:8001", by: "http", method: "GET", path: "/", status: 200, received: null });
});

test("whoever forgets to put the plug in again has the network back in a quarter of an hour", async () => {
  let now = 0;
  const network = new Network(async () => new Response("answer"), () => now);
  network.unplug(true);
  now = UNPLUGGED_MS - 1;
  await assert.rejects(network.fetch("/"), TypeError);
  now = UNPLUGGED_MS;
  assert.equal(await (await network.fetch("/")).text(), "answer");
});
