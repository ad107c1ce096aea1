// Questions over the feed's socket: worker, feed and node, each in its bytes, and what is done where one is missing.

import assert from "node:assert/strict";
import test from "node:test";

import { Feed } from "../../webroot/edge/worker/feed.js";
import { Questions } from "../../webroot/edge/worker/questions.js";
import { Clock, ORIGINS, document, turns } from "./world.js";

/** Questions, and a feed whose socket a test answers; *opens*: at once. */
function setup({ opens = true } = {}) {
  const clock = new Clock();
  const sockets = [];
  const exchanges = [];
  class Socket {
    constructor() {
      this.readyState = 0;
      this.sent = [];
      sockets.push(this);
    }
    send(bytes) {
      this.sent.push(typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1"));
    }
    close() {}
    open() {
      this.readyState = 1;
      this.onopen();
      this.onmessage({ data: JSON.stringify({ type: "load", document: document() }) });
    }
    answer(text) {
      this.onmessage({ data: new Uint8Array(Buffer.from(text, "latin1")).buffer });
    }
  }
  const feed = new Feed(ORIGINS[0], () => {}, { Socket });
  const questions = new Questions(feed, { wait: clock.wait, onExchange: (one) => exchanges.push(one) });
  feed.start();
  if (opens) sockets[0].open();
  return { clock, feed, questions, sockets, socket: sockets[0], exchanges };
}

test("what has changed since a state", async () => {
  const { questions, socket, feed } = setup();
  const answers = [questions.changes("k3Jx9aF"), questions.changes("k3Jx95"), questions.changes("k3Jx9--")];
  await turns();
  assert.deepEqual(socket.sent, ["\x01\x01k3Jx9aF", "\x01\x02k3Jx95", "\x01\x03k3Jx9--"]);
  socket.answer("\x81\x02k3Jx9aF\n/a\n");
  socket.answer("\x81\x01");
  socket.answer("\x81\x03?\n");
  assert.deepEqual(await Promise.all(answers), ["", "k3Jx9aF\n/a\n", "?\n"]);
  feed.stop();
});

test("a question about any number of copies at one state takes at most 120 bytes both ways", async () => {
  const { questions, socket, feed } = setup();
  const asked = questions.changes("k3Jx9a_ABCDEFGHIJ.k4Jx9a_ABCDEFGHIJ.k5Jx9a_ABCDEFGHIJ.k6Jx9a1");
  await turns();
  socket.answer("\x81\x01");
  assert.equal(await asked, "");
  assert.ok(socket.sent[0].length + 6 + 4 <= 120); // with the heads of the frames
  feed.stop();
});

test("which copies are stale, byte by byte", async () => {
  const { questions, socket, feed } = setup();
  const asked = questions.stale([{ etag: "AAAAAAAAAAAAAAAA", path: "/a" }, { etag: "____------------", path: "/ü?b" }]);
  await turns();
  const other = Buffer.from("____------------", "base64url").toString("latin1");
  assert.deepEqual(socket.sent, [`\x02\x01${"\0".repeat(12)}\x02/a${other}\x05/\xc3\xbc?b`]);
  socket.answer("\x82\x01\0\x07k3Jx9aF\0\x01\x01\x02");
  assert.deepEqual(await asked, { state: "k3Jx9aF", stale: new Set([1, 258]) });
  feed.stop();
});

test("what goes over it is told, with node and bytes", async () => {
  const { questions, socket, feed, exchanges } = setup();
  const asked = [questions.changes("s"), questions.changes("t")];
  await turns();
  socket.answer("\x81\x01");
  socket.answer(`\x81\x02${"k3Jx9aF\n/page\n".repeat(10)}`);
  await Promise.all(asked);
  assert.deepEqual(exchanges.map(({ at, ms, ...one }) => one), [[304, 4], [200, 146]].map(([status, received]) =>
    ({ type: "exchange", node: ORIGINS[0], by: "socket", method: "GET", path: "/.edge/changes", status, received })));
  feed.stop();
});

test("what does not fit into a question is asked otherwise", async () => {
  const { questions, socket, feed } = setup();
  const copy = { etag: "AAAAAAAAAAAAAAAA", path: "/a" };
  assert.equal(await questions.stale([{ ...copy, etag: "short" }]), null);
  assert.equal(await questions.stale([{ ...copy, path: `/${"x".repeat(255)}` }]), null);
  assert.equal(await questions.stale(new Array(500).fill(copy)), null);
  assert.deepEqual(socket.sent, []);
  feed.stop();
});

test("a question waits for the socket that is being opened, for a second", async () => {
  const { clock, questions, sockets, socket, feed } = setup({ opens: false });
  const asked = questions.changes("s");
  await turns();
  socket.open();
  await turns();
  assert.deepEqual(socket.sent, ["\x01\x01s"]);
  socket.answer("\x81\x01");
  assert.equal(await asked, "");
  feed.stop();
  feed.start();
  const late = questions.changes("s");
  await turns();
  await clock.pass(1000);
  assert.equal(await late, null);
  sockets[1].onclose();
  feed.stop();
  feed.start();
  const refused = questions.changes("s");
  await turns();
  sockets[2].onclose();
  assert.equal(await refused, null);
  feed.stop();
});

test("without a socket nobody is waited for: none runs, it has ended, or the last one failed", async () => {
  const { questions, socket, feed } = setup();
  const asked = questions.changes("s");
  await turns();
  socket.onclose();
  assert.equal(await asked, null);
  assert.equal(await questions.changes("s"), null);
  feed.stop();
  assert.equal(await questions.changes("s"), null);
  assert.deepEqual(socket.sent, ["\x01\x01s"]);
});

test("groups are followed by the socket that there is, and by those that come after it", async () => {
  const { questions, sockets, socket, feed } = setup();
  questions.follow(["7m-zFnsC"]);
  const follow = JSON.stringify({ type: "follow", groups: ["7m-zFnsC"] });
  assert.deepEqual(socket.sent, [follow]);
  feed.stop();
  feed.start();
  sockets[1].open();
  assert.deepEqual(sockets[1].sent, [follow]);
  const asked = questions.groups("kJ3xa95");
  await turns();
  sockets[1].answer("\x83\x01kJ3xa96\n7m-zFnsC\n");
  assert.deepEqual(await asked, { state: "kJ3xa96", hashes: ["7m-zFnsC"] });
  feed.stop();
});

test("an answer that is late, of another kind or of nobody's question is not taken", async () => {
  const { clock, questions, socket, feed } = setup();
  const asked = questions.changes("s");
  await turns();
  socket.answer("\x82\x01");
  assert.equal(await asked, null);
  const late = questions.changes("s");
  await turns();
  await clock.pass(1000);
  assert.equal(await late, null);
  assert.equal(await questions.changes("s"), null);
  assert.equal(socket.sent.length, 2, "who has not answered is not waited for again");
  socket.answer("\x81\x02");
  socket.answer("\x81\x77");
  socket.answer("");
  const again = questions.changes("s");
  await turns();
  socket.answer("\x81\x03");
  assert.equal(await again, "", "before it says something");
  feed.stop();
});
