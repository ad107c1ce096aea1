import assert from "node:assert/strict";
import test from "node:test";

import { Feed } from "../../webroot/edge/worker/feed.js";
import { seeded } from "./random.js";
import { ORIGINS, document } from "./world.js";

/** Sockets that a test opens, feeds and closes; timers that it fires. */
function world(context) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const sockets = [];
  class Socket {
    constructor(url) {
      this.url = url;
      this.closed = false;
      sockets.push(this);
    }
    close() {
      this.closed = true;
    }
    say(message) {
      this.onmessage({ data: JSON.stringify(message) });
    }
  }
  const said = [];
  const known = { load: null };
  const feed = new Feed(ORIGINS[0], (message) => said.push(message), { known: () => known.load, Socket, random: seeded(4) });
  return { feed, known, sockets, said, tick: (ms) => context.mock.timers.tick(ms) };
}

test("one socket; what comes is passed on", (context) => {
  const { feed, sockets, said } = world(context);
  feed.start();
  sockets[0].say({ type: "load", document: document() });
  sockets[0].say({ type: "changed", seq: 7 });
  sockets[0].say({ type: "load", document: { v: 9 } });
  sockets[0].say({ type: "?" });
  assert.deepEqual(said.map((one) => one.type), ["feed", "load", "changed"]);
  assert.equal(sockets.length, 1);
});

test("a socket that is lost is said to be, once, until there is another one", (context) => {
  const { feed, sockets, said, tick } = world(context);
  const how = () => said.splice(0).filter(({ type }) => type === "feed").map((one) => one.how);
  feed.start();
  sockets[0].onclose();
  assert.deepEqual(how(), [], "it had never said anything");
  tick(200);
  sockets.at(-1).say({ type: "changed", seq: 7 });
  assert.deepEqual(how(), ["socket"]);
  sockets.at(-1).onclose();
  for (let times = 0; times < 3; times += 1) {
    tick(1000);
    sockets.at(-1).onclose();
  }
  assert.deepEqual(how(), ["none"]);
  tick(5000);
  sockets.at(-1).say({ type: "changed", seq: 8 });
  assert.deepEqual(how(), ["socket"]);
});

test("a node that no socket may be opened to is passed over, and nothing of a navigation fails", (context) => {
  const { feed, known, sockets, tick } = world(context);
  const foreign = "http://[nobody";
  known.load = { ...document(), nodes: [{ url: foreign, weight: 1 }] };
  const { Socket } = feed;
  feed.Socket = class extends Socket {
    constructor(url) {
      if (url.includes("nobody")) throw new SyntaxError("no address");
      super(url);
    }
  };
  feed.start();
  assert.equal(sockets.length, 0);
  tick(100);
  assert.ok(sockets[0].url.startsWith(ORIGINS[0].replace("http", "ws")));
});

/** A word of the feed, as edge/node/resources/pushing.py draws it. */
function inWord(word, { seconds = 5, at = 1_763_900_000_123 } = {}) {
  const bytes = new Uint8Array([4, 0, seconds >> 8, seconds & 255, ...[40, 32, 24, 16, 8, 0].map((bits) => Math.floor(at / 2 ** bits) % 256), ...Buffer.from(word)]);
  return { data: bytes.buffer };
}

test("figures in a word are the document's that came before; a word of other nodes is none", (context) => {
  const { feed, sockets, said, tick } = world(context);
  feed.start();
  const [socket] = sockets;
  socket.onmessage(inWord("kJ3xzmzmzmzm")); // of nodes that nobody knows yet
  socket.say({ type: "load", document: { ...document(), tag: "kJ3x" } });
  for (const word of ["kJ3x", "kJ3yzmzmzmzm", "kJ3xzmzmzm", "kJ3xzmzmzmz ", ""]) socket.onmessage(inWord(word));
  socket.onmessage(inWord("kJ3xzmzmzmzm", { seconds: 0 }));
  for (const data of [[4], [4, 0, 0, 5]]) socket.onmessage({ data: new Uint8Array(data).buffer });
  assert.deepEqual(said.map(({ type }) => type), ["feed", "load"]);
  socket.onmessage(inWord("kJ3xz-Vm-0-1", { seconds: 300 }));
  const { document: load } = said.at(-1);
  assert.deepEqual(load.nodes.map(({ weight }) => weight > 0), [true, true, false, false]);
  assert.deepEqual(load.nodes.map(({ url }) => url), document().nodes.map(({ url }) => url));
  assert.equal(load.nodes[0].weight, 1);
  assert.equal(load.nodes[1].utilization, 50 / 48);
  assert.deepEqual([load.ttl_ms, load.at, load.tag], [300_000, 1_763_900_000_123, "kJ3x"]);
  tick(500_000); // a word is a sign of life for as long as it says
  assert.equal(socket.closed, false);
  tick(200_000);
  assert.equal(socket.closed, true);
});

test("a feed that begins while its own node is gone goes to another one that is known elsewhere", (context) => {
  const { feed, known, sockets, said, tick } = world(context);
  feed.start();
  assert.equal(new URL(sockets[0].url).host, new URL(ORIGINS[0]).host);
  known.load = document();
  sockets[0].onclose();
  tick(100);
  assert.equal(sockets.length, 2);
  assert.notEqual(new URL(sockets[1].url).host, new URL(ORIGINS[0]).host);
  sockets[1].say({ type: "load", document: document() });
  assert.deepEqual(said.map(({ type }) => type), ["feed", "load"]);
});

test("a node that goes is replaced by another within 100 ms", (context) => {
  const { feed, sockets, tick } = world(context);
  feed.start();
  sockets[0].say({ type: "load", document: document() });
  sockets[0].onclose();
  tick(100);
  assert.equal(sockets.length, 2);
  assert.notEqual(sockets[1].url, sockets[0].url);
});

test("the next socket is drawn by the weight alone, whatever the state says", (context) => {
  const { feed, sockets, tick } = world(context);
  feed.start();
  const load = document([0, 0, 1, 0]);
  load.nodes[2].state = "suspect";
  sockets[0].say({ type: "load", document: load });
  sockets[0].onclose();
  tick(100);
  assert.equal(sockets[1].url, `${ORIGINS[2].replace("http", "ws")}/.edge/socket?v=2`);
});

test("a socket that falls silent counts as gone", (context) => {
  const { feed, sockets, tick } = world(context);
  feed.start();
  sockets[0].say({ type: "load", document: document() });
  tick(9_000);
  assert.equal(sockets.length, 1);
  tick(1_500);
  tick(500);
  assert.ok(sockets[0].closed && sockets.length === 2);
});

test("where no socket comes through it tries less and less often, and no more when it is stopped", (context) => {
  const { feed, sockets, said, tick } = world(context);
  feed.start();
  for (let i = 0; i < 60; i += 1) {
    sockets.at(-1).onclose?.();
    sockets.at(-1).onclose = null;
    tick(1000);
  }
  assert.ok(sockets.length > 5 && sockets.length < 20, `${sockets.length}`);
  feed.stop();
  const before = sockets.length;
  tick(60_000);
  assert.equal(sockets.length, before);
  assert.deepEqual(said, [{ type: "feed", how: "none", url: "" }]);
});

test("however often pages say that they can be seen, there is one socket; stopped and started again, one more", (context) => {
  const { feed, sockets, said, tick } = world(context);
  for (let i = 0; i < 3; i += 1) feed.start();
  sockets[0].say({ type: "load", document: document() });
  for (let i = 0; i < 5; i += 1) {
    tick(2_000);
    sockets[0].say({ type: "load", document: document() });
    feed.start();
  }
  assert.equal(sockets.length, 1);
  for (let i = 0; i < 3; i += 1) feed.stop();
  assert.ok(sockets[0].closed);
  feed.start();
  sockets[1].say({ type: "load", document: document() });
  assert.equal(sockets.length, 2);
  assert.deepEqual(said.filter(({ type }) => type === "feed").map(({ how }) => how), ["socket", "none", "socket"]);
});
