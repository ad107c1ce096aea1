import assert from "node:assert/strict";
import test from "node:test";

import { Outbox, retryAfter } from "../../webroot/edge/worker/outbox.js";
import { hasSecret } from "../../webroot/edge/worker/secrets.js";
import { MemoryDatabase, turns } from "./world.js";

const DAY = 86_400_000;
const HOME = "http://n1.example";

function world() {
  const server = { up: true, lost: false, applied: new Map(), tries: [], answer: () => new Response("done") };
  const fetch = async (url, { method, headers, body } = {}) => {
    if (url instanceof Request) [{ url, method, headers }, body] = [url, await url.blob()];
    const key = new Headers(headers).get("idempotency-key");
    const what = `${method} ${new URL(url).pathname} ${body ? await body.text() : ""}`;
    server.tries.push(what);
    if (!server.up) throw new TypeError("Failed to fetch");
    const answer = server.answer(what);
    if (answer.status < 400 && !server.applied.has(key)) server.applied.set(key, what);
    if (server.lost) throw new TypeError("reset after it was applied");
    return answer;
  };
  const time = { now: 1_800_000_000_000 };
  const waiting = [];
  const refused = [];
  const unkept = [];
  let tail = Promise.resolve();
  const database = new MemoryDatabase();
  const sent = [];
  const outbox = new Outbox(database, {
    fetch, now: () => time.now, onChange: (n, after) => waiting.push([n, after]), requestSync: async () => {}, onSent: async (url) => sent.push(url),
    onRefused: (row) => refused.push([row.url, row.refused.status]), onUnkept: ({ why }) => unkept.push(why), locked: (work) => (tail = tail.then(work, work)), wait: async () => {},
  });
  const send = (body, { path = "/favourites", lane = "/favourites", page = "", ...more } = {}) => {
    const request = new Request(HOME + path, { method: "POST", body, ...more });
    if (more.form) Object.defineProperty(request, "mode", { value: "navigate" });
    return outbox.send(request, { lane, page });
  };
  const rows = () => [...database.stores.outbox.values()];
  return { server, outbox, waiting, refused, unkept, sent, send, time, rows, database };
}

const offline = async (it, bodies, how) => {
  it.server.up = false;
  for (const body of bodies) assert.equal((await it.send(body, how)).status, 202);
  it.server.up = true;
  it.server.tries.length = 0;
};

test("online it is simply sent, with a key", async () => {
  const { server, send } = world();
  assert.equal((await send("a")).status, 200);
  assert.equal(server.applied.size, 1);
});

test("offline it is kept, and applied once and in order", async () => {
  const { server, outbox, waiting, sent, send } = world();
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
  assert.equal(waiting.at(-1)[0], 0);
  assert.equal(sent.length, 3, "what is stored of them is invalid");
});

test("a change is sent when the one before it in its lane is answered, and fails or waits before it", async () => {
  const it = world();
  const { fetch } = it.outbox;
  let fail;
  it.outbox.fetch = (...change) => (fail ? fetch(...change) : new Promise((_, reject) => (fail = () => reject(new TypeError("Failed to fetch")))));
  const first = it.send("x=1");
  const second = it.send("x=2");
  const given = new AbortController();
  const third = it.send("x=3", { signal: given.signal });
  const elsewhere = it.send("y=1", { path: "/b", lane: "/b" });
  await turns();
  given.abort();
  fail();
  assert.deepEqual([(await first).status, (await second).status, (await elsewhere).status], [202, 202, 200]);
  await assert.rejects(third, { name: "AbortError" }, "nobody wants it any more");
  await it.outbox.flush();
  assert.deepEqual([...it.server.applied.values()], ["POST /b y=1", "POST /favourites x=1", "POST /favourites x=2"]);
  assert.equal((await it.send("x=4")).status, 200, "one that failed holds up nobody");
});

test("a change that waited and is answered by a redirect to another site is done; one within the site counts by its end", async () => {
  const it = world();
  await offline(it, ["order", "second"]);
  const { fetch } = it.outbox;
  it.outbox.fetch = async (url, init) => {
    const answer = await fetch(url, init);
    if ((await init.body.text()) !== "order") return answer;
    if (init.redirect !== "manual") throw new TypeError("redirected to another origin");
    return Object.defineProperties(new Response(), { status: { value: 0 }, type: { value: "opaqueredirect" } });
  };
  await it.outbox.flush();
  assert.deepEqual([...it.server.applied.values()], ["POST /favourites order", "POST /favourites second"]);
  assert.equal(it.rows().length, 0);
  assert.equal(it.sent.length, 2);
  it.outbox.fetch = fetch;
  await offline(it, ["third"]);
  it.server.answer = () => Object.defineProperty(new Response("", { status: 503 }), "redirected", { value: true });
  await assert.rejects(it.outbox.flush(), "it may be of a 307, which has changed nothing yet");
});

test("an answer that was lost does not apply it twice", async () => {
  const { server, outbox, send } = world();
  server.lost = true;
  assert.equal((await send("a")).status, 202);
  server.lost = false;
  await outbox.flush();
  assert.equal(server.tries.length, 2);
  assert.equal(server.applied.size, 1);
});

test("what becomes of a change that waits: the table at the head of the module", async () => {
  const table = [[200, "gone"], [204, "gone"], [408, "waits"], [425, "waits"], [429, "waits"], [500, "waits"], [501, "waits"], [503, "waits"], [599, "waits"],
    [400, "refused"], [401, "refused"], [403, "refused"], [404, "refused"], [409, "refused"], [422, "refused"]];
  for (const [status, becomes] of table) {
    const it = world();
    await offline(it, ["a"]);
    it.server.answer = () => new Response(null, { status });
    await it.outbox.flush().catch(() => {});
    const [row] = it.rows();
    assert.equal(row ? (row.refused ? "refused" : "waits") : "gone", becomes, `${status}`);
    assert.deepEqual(it.refused, becomes === "refused" ? [[`${HOME}/favourites`, status]] : []);
    assert.equal(it.waiting.at(-1)[0], becomes === "waits" ? 1 : 0);
  }
});

test("the first try is the page's: what it is answered, and what makes it wait", async () => {
  const later = { "retry-after": "1" };
  const table = [[200, {}, 200], [409, {}, 409], [500, {}, 500], [500, later, 202], [501, {}, 501], [408, {}, 202], [425, {}, 202], [429, {}, 202],
    [502, {}, 202], [503, {}, 202], [504, {}, 202], [404, later, 404]];
  for (const [status, headers, seen] of table) {
    const it = world();
    it.server.answer = () => new Response(null, { status, headers });
    assert.equal((await it.send("a")).status, seen, `${status} ${JSON.stringify(headers)}`);
    assert.equal(it.rows().length, seen === 202 ? 1 : 0);
  }
});

test("it is not tried before the time that Retry-After names, in either form", async () => {
  for (const form of ["120", "Fri, 15 Jan 2027 08:02:00 GMT"]) {
    const it = world();
    await offline(it, ["a", "b"]);
    it.server.answer = () => new Response(null, { status: 503, headers: { "retry-after": form, date: "Fri, 15 Jan 2027 08:00:00 GMT" } });
    await assert.rejects(it.outbox.flush());
    assert.deepEqual(it.waiting.at(-1), [2, 0], "the second may be tried at once, but not before the first");
    it.server.answer = () => new Response("done");
    it.time.now += 119_000;
    await assert.rejects(it.outbox.flush());
    assert.equal(it.server.tries.length, 1, "neither: order is kept");
    it.time.now += 1_000;
    await it.outbox.flush();
    assert.deepEqual([...it.server.applied.values()], ["POST /favourites a", "POST /favourites b"]);
  }
});

test("Retry-After is read as it may be written, and believed for a day at most", () => {
  const read = (value, more = {}) => retryAfter(new Response(null, { headers: { ...(value === null ? {} : { "retry-after": value }), ...more } }), 1_800_000_000_000);
  const at = (ms) => 1_800_000_000_000 + ms;
  assert.equal(read("5"), at(5000));
  assert.equal(read("0"), at(0));
  assert.equal(read("999999999999"), at(DAY));
  assert.equal(read("Fri, 15 Jan 2027 08:00:30 GMT"), at(30_000));
  assert.equal(read("Thu, 14 Jan 2027 08:00:00 GMT"), at(0), "past");
  assert.equal(read("Fri, 15 Jan 2027 09:00:30 GMT", { date: "Fri, 15 Jan 2027 09:00:00 GMT" }), at(30_000), "by the server's clock");
  for (const wrong of [null, "", "-5", "1.5", "soon"]) assert.equal(read(wrong), undefined, String(wrong));
});

test("what one glob names keeps its order; what another names does not wait for it", async () => {
  const it = world();
  await offline(it, ["a1", "a2"], { path: "/a", lane: "/a" });
  await offline(it, ["b1"], { path: "/b", lane: "/b" });
  it.server.answer = (what) => new Response(null, { status: what.includes("a1") ? 500 : 200 });
  await assert.rejects(it.outbox.flush());
  assert.deepEqual(it.server.tries, ["POST /a a1", "POST /b b1"]);
  assert.equal((await it.send("b2", { path: "/b", lane: "/b" })).status, 200, "nothing of its own is before it");
  it.server.answer = (what) => new Response(null, { status: what.includes("a1") ? 409 : 200 });
  await it.outbox.flush();
  assert.deepEqual([...it.server.applied.values()], ["POST /b b1", "POST /b b2", "POST /a a2"], "a refusal holds up nobody");
});

test("a refused one is kept until a page takes it, or has it go again with a key of its own", async () => {
  const it = world();
  await offline(it, ["a"]);
  it.server.answer = () => new Response(null, { status: 401 });
  await it.outbox.flush();
  await it.outbox.flush();
  assert.equal(it.server.tries.length, 1, "it is not tried again by itself");
  const [{ number, headers }] = it.rows();
  it.server.answer = () => new Response("done");
  const taken = await it.outbox.take(number, true);
  assert.equal(new TextDecoder().decode(taken.body), "a");
  assert.deepEqual([...it.server.applied.values()], ["POST /favourites a"]);
  assert.notEqual([...it.server.applied.keys()][0], new Headers(headers).get("idempotency-key"));
  assert.equal(it.rows().length, 0);
  assert.equal(await it.outbox.take(number, true), undefined, "another tab was first");

  const other = world();
  await offline(other, ["b"]);
  other.server.answer = () => new Response(null, { status: 409 });
  await other.outbox.flush();
  assert.equal((await other.outbox.take(other.rows()[0].number, false)).refused.status, 409);
  assert.equal(other.rows().length, 0);
});

test("what is too old is refused untried, and nothing stays for ever; a clock that was wrong loses nothing", async () => {
  const it = world();
  await offline(it, ["a"]);
  it.time.now -= 400 * DAY; // made in the future
  await it.outbox.flush();
  assert.equal(it.server.applied.size, 1);

  await offline(it, ["b"]);
  it.time.now += 8 * DAY;
  await it.outbox.flush();
  assert.deepEqual(it.refused, [[`${HOME}/favourites`, 0]]);
  assert.equal(it.server.tries.length, 0);
  it.time.now += 31 * DAY;
  await it.outbox.flush();
  assert.equal(it.rows().length, 0);
});

const LARGE = "x".repeat(1024 * 1024 + 1);

test("what is too large to wait is an error as without us, and pages are told why", async () => {
  const { server, send, rows, unkept } = world();
  server.up = false;
  await assert.rejects(send(LARGE), TypeError);
  assert.deepEqual([rows().length, unkept], [0, ["size"]]);
  server.up = true;
  assert.equal((await send(LARGE)).status, 200);
  server.answer = () => new Response("busy", { status: 503 });
  assert.equal((await send(LARGE)).status, 503);
  assert.deepEqual(unkept, ["size"], "who has an answer needs no other word");
});

test("what may not wait goes before nothing that does: that is sent first, or it fails; what comes behind it keeps its place", async () => {
  for (const [may, why] of [[LARGE, "size"], ["password=x", "secret"]]) {
    const it = world();
    const size = () => [...it.server.applied.values()].map((what) => (what.length > 100 ? "large" : what.split(" ").at(-1)));
    await offline(it, ["a"]);
    it.rows()[0].after = it.time.now + 1000; // the server has named a time
    await assert.rejects(it.send(may), TypeError);
    assert.deepEqual([it.server.tries, it.unkept], [[], [why]]);
    assert.equal((await it.send("b")).status, 202);
    it.time.now += 1000;
    assert.equal((await it.send(may)).status, 200, "now all of them can go");
    assert.equal((await it.send("c")).status, 200);
    assert.deepEqual(size(), ["a", "b", why === "size" ? "large" : may, "c"]);
    assert.equal(it.rows().length, 0);
  }
});

test("a thousand changes wait, and one more is an error that pages are told of", async () => {
  const { server, send, rows, unkept } = world();
  server.up = false;
  for (let i = 0; i < 1000; i += 1) await send("x", { path: `/${i}`, lane: `/${i}` });
  await assert.rejects(send("x"), TypeError);
  assert.deepEqual([rows().length, unkept], [1000, ["full"]]);
});

test("a form that waits shows a page, which sends nothing again when it is loaded again", async () => {
  const it = world();
  it.server.up = false;
  const form = { form: true, headers: { "content-type": "application/x-www-form-urlencoded" } };
  it.outbox.announce(`${HOME}/favourites`, false);
  const own = await it.send("text=hello", form);
  assert.deepEqual([own.status, own.headers.get("content-type")], [202, "text/html;charset=utf-8"]);
  assert.match(await own.text(), /is kept in this browser/);
  it.outbox.announce(`${HOME}/favourites`, false);
  const named = await it.send("text=hello", { ...form, page: "/waiting.html" });
  assert.deepEqual([named.status, named.headers.get("location")], [303, "/waiting.html"]);
  assert.equal(it.rows().length, 2);
});

test("a form waits only if its page has looked at it and found no secret", async () => {
  const it = world();
  it.server.up = false;
  const form = { form: true, headers: { "content-type": "application/x-www-form-urlencoded" } };
  await assert.rejects(it.send("x=1", form), "nobody has looked");
  it.outbox.announce(`${HOME}/favourites`, true);
  await assert.rejects(it.send("x=1", form), "it has a field of type password");
  it.outbox.announce(`${HOME}/favourites`, false);
  it.time.now += 6_000;
  await assert.rejects(it.send("x=1", form), "that was another time");
  it.outbox.announce(`${HOME}/favourites`, false);
  assert.equal((await it.send("x=1", form)).status, 202);
  await assert.rejects(it.send("x=1", form), "said once, it holds once");
  it.server.up = true;
  it.server.answer = () => new Response("busy", { status: 503 });
  it.database.stores.outbox.clear();
  it.outbox.announce(`${HOME}/favourites`, true);
  assert.equal((await it.send("x=1", form)).status, 503, "then it has the answer that there is");
});

test("no body with a field that is called like a secret waits", async () => {
  const bytes = (text) => new TextEncoder().encode(text).buffer;
  const secret = (type, text) => hasSecret(type, bytes(text));
  for (const name of ["password", "user[password]", "passwort", "pwd", "pass", "newPassword", "otp", "otp_code", "one-time-code", "oneTimeCode", "cvc", "cvv2", "cardNumber", "card_number", "cc-csc", "client_secret", "pin"]) {
    assert.ok(secret("application/x-www-form-urlencoded", `a=1&${encodeURIComponent(name)}=x`), name);
    assert.ok(secret("application/json", JSON.stringify({ a: [{ [name]: 1 }] })), name);
    assert.ok(secret("multipart/form-data; boundary=b", `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nx\r\n--b--`), name);
    assert.ok(secret("text/plain", `a=1\r\n${name}=x\r\n`), name);
  }
  for (const name of ["text", "passenger", "compass", "shipping", "pinned", "discard", "postcard", "csrf_token", "accessory", "description", "spins"]) {
    assert.ok(!secret("application/x-www-form-urlencoded", `${name}=password`), name);
    assert.ok(!secret("application/json", JSON.stringify({ [name]: "password" })), name);
  }
  assert.ok(!secret("application/json", "{"));
  assert.ok(!secret("application/octet-stream", "\0password=1"));
  const it = world();
  it.server.up = false;
  await assert.rejects(it.send(JSON.stringify({ user: "a".repeat(200), password: "b" })), TypeError, "as a script sends it: text/plain");
  assert.equal(it.rows().length, 0);
});
