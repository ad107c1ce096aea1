// Questions over the feed's socket: worker, channel, feed and node, each in its bytes, and what is done where one is missing.

import assert from "node:assert/strict";
import test from "node:test";

import { Feed } from "../../webroot/edge/worker/feed.js";
import { Relay } from "../../webroot/edge/worker/relay.js";
import { Clock, ORIGINS, document, turns } from "./world.js";

/** A channel of one browser: all hear what the others say. */
class Channel {
  constructor() {
    this.listeners = [];
  }
  addEventListener(_, listener) {
    this.listeners.push(listener);
  }
  postMessage(data) {
    const copy = structuredClone(data);
    queueMicrotask(() => this.listeners.forEach((listener) => listener({ data: copy })));
  }
}

/** A worker and a feed whose socket a test answers. */
function setup({ feed: runs = true } = {}) {
  const clock = new Clock();
  const channel = new Channel();
  const sockets = [];
  const exchanges = [];
  class Socket {
    constructor() {
      this.readyState = 0;
      this.sent = [];
      sockets.push(this);
    }
    send(bytes) {
      this.sent.push(Buffer.from(bytes).toString("latin1"));
    }
    close() {}
    open() {
      this.readyState = 1;
      this.onmessage({ data: JSON.stringify({ type: "load", document: document() }) });
    }
    answer(text) {
      this.onmessage({ data: new Uint8Array(Buffer.from(text, "latin1")).buffer });
    }
  }
  const feed = new Feed(ORIGINS[0], (message) => channel.postMessage(message), { Socket, fetch: async () => Response.json(document()) });
  const relay = new Relay((message) => channel.postMessage(message), { wait: clock.wait, onExchange: (one) => exchanges.push(one) });
  channel.addEventListener("message", ({ data }) => relay.hear(data));
  if (runs) {
    feed.serve(channel);
    feed.start();
    sockets[0].open();
  }
  return { clock, feed, relay, sockets, socket: sockets[0], channel, exchanges };
}

test("what has changed since a state", async () => {
  const { relay, socket, feed } = setup();
  const answers = [relay.changes("k3Jx9aF"), relay.changes("k3Jx95"), relay.changes("k3Jx9--")];
  await turns();
  assert.deepEqual(socket.sent, ["\x01\x01k3Jx9aF", "\x01\x02k3Jx95", "\x01\x03k3Jx9--"]);
  socket.answer("\x81\x02k3Jx9aF\n/a\n");
  socket.answer("\x81\x01");
  socket.answer("\x81\x03?\n");
  assert.deepEqual(await Promise.all(answers), ["", "k3Jx9aF\n/a\n", "?\n"]);
  feed.stop();
});

test("a question about any number of copies at one state takes at most 120 bytes both ways", async () => {
  const { relay, socket, feed } = setup();
  const asked = relay.changes("k3Jx9a_ABCDEFGHIJ.k4Jx9a_ABCDEFGHIJ.k5Jx9a_ABCDEFGHIJ.k6Jx9a1");
  await turns();
  socket.answer("\x81\x01");
  assert.equal(await asked, "");
  assert.ok(socket.sent[0].length + 6 + 4 <= 120); // with the heads of the frames
  feed.stop();
});

test("which copies are stale, byte by byte", async () => {
  const { relay, socket, feed } = setup();
  const asked = relay.stale([{ etag: "AAAAAAAAAAAAAAAA", path: "/a" }, { etag: "____------------", path: "/ü?b" }]);
  await turns();
  const other = Buffer.from("____------------", "base64url").toString("latin1");
  assert.deepEqual(socket.sent, [`\x02\x01${"\0".repeat(12)}\x02/a${other}\x05/\xc3\xbc?b`]);
  socket.answer("\x82\x01\0\x07k3Jx9aF\0\x01\x01\x02");
  assert.deepEqual(await asked, { state: "k3Jx9aF", stale: new Set([1, 258]) });
  feed.stop();
});

test("what goes over it is told, with node and bytes; the plug that a page pulls ends it, and put in again it goes on", async () => {
  const { relay, socket, sockets, feed, channel, exchanges } = setup();
  await turns();
  const asked = [relay.changes("s"), relay.changes("t")];
  await turns();
  socket.answer("\x81\x01");
  socket.answer(`\x81\x02${"k3Jx9aF\n/page\n".repeat(10)}`);
  await Promise.all(asked);
  assert.deepEqual(exchanges.map(({ at, ms, ...one }) => one), [[304, 4], [200, 146]].map(([status, received]) =>
    ({ type: "exchange", node: ORIGINS[0], by: "socket", method: "GET", path: "/.edge/changes", status, received })));
  channel.postMessage({ type: "unplug", unplugged: true });
  await turns();
  assert.equal(await relay.changes("s"), null);
  channel.postMessage({ type: "unplug", unplugged: true });
  channel.postMessage({ type: "unplug", unplugged: false });
  await turns();
  assert.equal(sockets.length, 2);
  feed.stop();
});

test("what does not fit into a question is asked otherwise", async () => {
  const { relay, socket, feed } = setup();
  const copy = { etag: "AAAAAAAAAAAAAAAA", path: "/a" };
  assert.equal(await relay.stale([{ ...copy, etag: "short" }]), null);
  assert.equal(await relay.stale([{ ...copy, path: `/${"x".repeat(255)}` }]), null);
  assert.equal(await relay.stale(new Array(500).fill(copy)), null);
  assert.deepEqual(socket.sent, []);
  feed.stop();
});

test("without a socket the feed says so at once, and a socket that ends answers nothing more", async () => {
  const { relay, socket, feed } = setup();
  const asked = relay.changes("s");
  await turns();
  socket.onclose();
  assert.equal(await asked, null);
  assert.equal(await relay.changes("s"), null);
  feed.stop();
});

test("where nobody holds a feed that is found out once, until one is heard", async () => {
  const { clock, relay, channel } = setup({ feed: false });
  const asked = relay.changes("s");
  await clock.pass(100);
  assert.equal(await asked, null);
  let said = 0;
  channel.addEventListener("message", ({ data }) => (said += data.type === "question"));
  assert.equal(await relay.changes("s"), null);
  assert.equal(said, 0);
  relay.hear({ type: "load", document: document() });
  const again = relay.changes("s");
  await clock.pass(100);
  assert.equal(await again, null);
  assert.equal(said, 1);
  relay.hear({ type: "feed", how: "poll", url: "" });
  assert.equal(await relay.changes("s"), null);
  assert.equal(said, 1);
});

test("an answer that is late, of another kind or of nobody's question is not taken", async () => {
  const { clock, relay, socket, feed } = setup();
  relay.hear({ type: "feed", how: "socket", url: "" });
  const asked = relay.changes("s");
  await turns();
  socket.answer("\x82\x01");
  assert.equal(await asked, null);
  const late = relay.changes("s");
  await turns();
  await clock.pass(1000);
  assert.equal(await late, null);
  socket.answer("\x81\x02");
  socket.answer("\x81\x77");
  socket.answer("");
  feed.stop();
});

test("a question that went to a feed which is gone does not silence the one that has come since", async () => {
  const { clock, relay, channel } = setup({ feed: false });
  relay.hear({ type: "feed", how: "socket" });
  const lost = relay.changes("k3Jx9aF");
  await clock.pass(500);
  relay.hear({ type: "feed", how: "socket" }); // of another tab that leads now
  await clock.pass(600);
  assert.equal(await lost, null);
  const questions = [];
  channel.addEventListener("message", ({ data }) => data.type === "question" && questions.push(data));
  const asked = relay.groups("kJ3xa95");
  await clock.pass(0);
  await turns();
  assert.equal(questions.length, 1);
  relay.hear({ type: "answer", number: questions[0].number, data: new Uint8Array([131, 1, ...new TextEncoder().encode("kJ3xa96\n7m-zFnsC\n")]) });
  assert.deepEqual(await asked, { state: "kJ3xa96", hashes: ["7m-zFnsC"] });
});
