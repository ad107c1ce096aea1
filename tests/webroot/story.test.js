// The first screen of the demonstration: each state of a browser has its honest sentence, and no figure is made up.

import assert from "node:assert/strict";
import test from "node:test";

import "./site_modules.js";

const { begin, bytes, milliseconds, next, sentence, shown } = await import("/site/story.js");
const { pieces, render, ROWS } = await import("/components/now.js");

const HOME = "http://localhost:8001";
const NODES = [1, 2, 3, 4].map((n) => ({ id: `n${n}`, url: `http://localhost:800${n}`, state: "alive", weight: 0.8, utilization: n / 10 }));
const LOAD = { type: "load", document: { v: 1, seq: 1, ttl_ms: 5000, nodes: NODES } };
const STATUS = { node: "http://localhost:8003", why: "drawn by weight", nodes: NODES.map(({ url, id }) => ({ url, id })), kept: 4321, waiting: 0, unplugged: false };
const CAME = { type: "came", ms: 4.2, bytes: null };
const OWN = { type: "decision", destination: "document", path: "/", how: "stale", status: 200, ms: 2 };
const CONFIRMED = { type: "exchange", at: 1, ms: 1.2, node: "http://localhost:8003", by: "socket", method: "GET", path: "/.edge/changes", status: 304, received: 4 };

const told = (...events) => events.reduce((story, event) => next(story, event, 1_700_000_000_000), begin(HOME, "/"));
const said = (...events) => sentence(told(...events)).join(" ");
const READY = { type: "worker", is: "ready" };

test("with a worker: from the browser, and who confirmed everything with how many bytes", () => {
  assert.equal(said(READY, CAME, OWN, LOAD, CONFIRMED), "This page came from your browser in 4 ms. n3 confirmed everything you have with 4 bytes. No page was sent: your copies are still right.");
  assert.equal(said(READY, CAME, OWN), "This page came from your browser in 4 ms. A node is being asked whether it is still right.");
  assert.equal(said(READY, CAME, { ...OWN, how: "fresh" }), "This page came from your browser in 4 ms. It was fresh: no node had to be asked.");
  const changed = { ...CONFIRMED, status: 200, received: 60 };
  const sent = { ...CONFIRMED, by: "http", path: "/site/colours.css", status: 200, received: 412 };
  assert.match(said(READY, CAME, OWN, LOAD, sent, changed), /n3 told what had changed with 60 bytes\. What is new came behind it: 1 answer, 412 bytes\.$/);
  assert.match(said(READY, CAME, OWN, LOAD, sent, { ...sent, received: null }, CONFIRMED), /confirmed everything you have with 4 bytes\. What is new came behind it: 2 answers\.$/);
  assert.match(said(READY, CAME, OWN, LOAD, changed), /looked through everything you have with 60 bytes\. No page was sent/);
});

test("where a length is not known none is said", () => {
  const text = said(READY, CAME, OWN, LOAD, { ...CONFIRMED, received: null });
  assert.match(text, /n3 confirmed everything you have\. No page/);
  assert.doesNotMatch(text, /null|NaN|undefined|bytes/);
});

test("a first visit: over the network, then kept", () => {
  const came = { ...CAME, ms: 38, bytes: 9234 };
  assert.equal(said({ type: "worker", is: "installing" }, came, LOAD), "This page came from n1 over the network in 38 ms, 9.2 kB. It is your first visit: your browser is being told how to answer by itself.");
  assert.equal(said({ type: "worker", is: "installing" }, came, LOAD, READY), "This page came from n1 over the network in 38 ms, 9.2 kB. Your browser has kept it, and answers by itself from now on.");
  assert.equal(shown(told({ type: "worker", is: "installing" }, came, READY)).offer, "Load it again, and see.");
  assert.match(said({ type: "worker", is: "installing" }, came), /^This page came from localhost:8001 over/, "no node has told its name yet");
});

test("without a worker: why", () => {
  assert.match(said({ type: "worker", is: "insecure" }, CAME), /Over plain http:\/\/ browsers run no Service Worker, except on localhost/);
  assert.match(said({ type: "worker", is: "none" }, CAME), /This browser runs no Service Worker/);
  assert.match(said({ type: "worker", is: "off" }, CAME), /The smart client is switched off/);
  assert.equal(said({ type: "worker", is: "none" }).slice(0, 54), "This page came from localhost:8001 over the network. T", "before the page is loaded no time is said");
});

test("a page that was not kept yet came over the network, worker or not", () => {
  assert.match(said(READY, { ...CAME, ms: 30 }, { ...OWN, how: "ask" }), /^This page came over the network in 30 ms: your browser did not have it yet/);
});

test("offline, on purpose or not: what waits is said", () => {
  const status = { type: "status", status: { ...STATUS, unplugged: true, waiting: 2 } };
  assert.equal(said(READY, CAME, OWN, LOAD, status), "You are offline, and asked to be. This page came from your browser in 4 ms all the same. Go on: pages that you have seen work. 2 changes of yours wait here, to be sent when a node is back.");
  const killed = { type: "answer", said: "All nodes were killed.", nodes: NODES.map(({ id, url }) => ({ name: id, url, is: "killed" })) };
  assert.match(said(READY, CAME, OWN, LOAD, killed), /^No node answers\. This page came from your browser/);
  const back = { ...killed, nodes: killed.nodes.map((one) => ({ ...one, is: "up" })) };
  assert.match(said(READY, CAME, OWN, LOAD, killed, back, CONFIRMED), /^This page came from your browser in 4 ms\. n3 confirmed/);
});

test("nodes are shown as this browser sees them", () => {
  const state = (...events) => shown(told(LOAD, { type: "status", status: STATUS }, ...events)).nodes.map(({ id, is, mine }) => `${id} ${is}${mine ? " mine" : ""}`).join(", ");
  assert.equal(state(), "n1 up, n2 up, n3 up mine, n4 up");
  const dead = { type: "load", document: { ...LOAD.document, nodes: NODES.map((one) => (one.id === "n2" ? { ...one, state: "dead", weight: 0 } : one)) } };
  assert.equal(state(dead), "n1 up, n2 away, n3 up mine, n4 up");
  assert.equal(state({ type: "answer", said: "", nodes: [{ url: NODES[3].url, is: "slow" }] }), "n1 up, n2 up, n3 up mine, n4 slow");
  assert.equal(state({ type: "status", status: { ...STATUS, unplugged: true } }), "n1 away, n2 away, n3 away mine, n4 away");
  let story = told();
  for (let n = 0; n < 100; n += 1) story = next(story, LOAD, n);
  assert.equal(shown(story).nodes[0].use.length, 40, "its history is bounded");
});

test("the timeline: the latest first, as many as there is room for, the same again is counted", () => {
  let story = told(LOAD);
  for (let n = 0; n < 3; n += 1) story = next(story, CONFIRMED, n);
  assert.deepEqual(shown(story).rows.map(({ what, bytes, ms }) => [what, bytes, ms]), [["n3 confirmed everything you have, by the open socket (3 times)", "12 bytes", "1 ms"]]);
  for (let n = 0; n < 50; n += 1) story = next(story, { ...CONFIRMED, by: "http", path: `/page/${n}`, status: 200, received: 10_000 }, n);
  assert.equal(shown(story).rows.length, ROWS);
  assert.equal(shown(story).rows[0].what, "n3 sent /page/49");
  const graphql = next(story, { ...CONFIRMED, by: "http", path: `/graphql/sha256:${"a".repeat(64)}/Ranking?variables=%7B%7D`, received: 128 }, 1);
  const [{ what, bytes: size }] = shown(graphql).rows;
  assert.deepEqual([what, size], ["n3 confirmed the query Ranking", "128 bytes"]);
  assert.equal(next(story, { type: "of the future" }, 1), story);
});

test("what is heard of late stands where it belongs by its time, and is counted with its like there", () => {
  const at = (ms, path, node = HOME) => ({ ...CONFIRMED, node, at: ms, by: "http", path, status: 200, received: 10 });
  const story = told(LOAD, at(1000, "/a"), at(3000, "/c"), at(2000, "/b"), at(500, "/a"), at(3500, "/a"), at(2500, "/c"));
  assert.deepEqual(shown(story).rows.map(({ what }) => what), ["n1 sent /a", "n1 sent /c (2 times)", "n1 sent /b", "n1 sent /a (2 times)"]);
  const times = story.rows.map(({ when }) => when);
  assert.deepEqual(times, [3500, 3000, 2000, 1000], "a row that counts several has the time of the last");
  const many = Array.from({ length: 100 }, (_, n) => at((n * 37) % 101, `/${n}`));
  const shuffled = told(LOAD, ...many).rows.map(({ when }) => when);
  assert.deepEqual(shuffled, [...shuffled].sort((a, b) => b - a));
});

test("with which node the browser stays is said while there is one", () => {
  const all = (is) => ({ type: "answer", said: "", nodes: NODES.map(({ url }) => ({ url, is })) });
  const words = (...events) => shown(told(LOAD, { type: "status", status: STATUS }, ...events)).choice;
  assert.equal(words(), "Your browser stays with n3: drawn by weight.");
  assert.match(words(all("killed")), /^None of them answers/);
  assert.match(words(all("killed"), all("up")), /^Your browser stays with n3/);
  assert.match(words({ type: "status", status: { ...STATUS, unplugged: true } }), /^Your browser asks none of them until you go online/);
});

test("what was put in place stays in the timeline, whatever is asked for behind it before anybody could read it", () => {
  let story = next(told(LOAD), { type: "updated", paths: ["/site/colours.css"] }, 1);
  const asked = (path) => (story = next(story, { ...CONFIRMED, by: "http", path, status: 200, received: 10 }, 2));
  const news = () => shown(story).rows.filter(({ kind }) => kind === "news").map(({ what }) => what);
  for (let n = 0; n < 20; n += 1) asked(`/page/${n}`);
  assert.deepEqual(news(), ["1 new version put in place: /site/colours.css"]);
  assert.equal(shown(story).rows.length, ROWS);
  story = next(story, { type: "updated", paths: ["/other.css"] }, 3);
  for (let n = 0; n < 20; n += 1) asked(`/page/${n}`);
  assert.deepEqual(news(), ["1 new version put in place: /other.css"], "the last news, not all that ever were");
});

test("a reload asks a node first; a node that does not answer is said, and when none does", () => {
  const ask = { ...OWN, how: "ask" };
  const own = { ...CONFIRMED, by: "http", path: "/", received: 136 };
  assert.match(said(READY, { ...CAME, ms: 30 }, { ...ask, version: "v1" }), /^You asked to load it again: it came over the network in 30 ms/, "as the browser preloaded it");
  assert.equal(said(READY, CAME, LOAD, ask, own, CONFIRMED), "You asked to load it again: n3 confirmed this page with 136 bytes, and it came from your browser in 4 ms. By a link it comes at once, and is confirmed behind that.");
  const silent = NODES.map(({ url }) => ({ ...own, node: url, status: 0, received: null }));
  const some = told(READY, CAME, LOAD, OWN, CONFIRMED, ...silent.slice(0, 3));
  assert.match(sentence(some)[0], /^This page came from your browser in 4 ms\. n3 confirmed/);
  assert.deepEqual(shown(some).rows.filter(({ kind }) => kind === "bad").map(({ what }) => what), ["n1, n2 and n3 did not answer (3 times)"]);
  assert.match(said(READY, CAME, LOAD, OWN, CONFIRMED, ...silent), /^No node answers\./);
  assert.match(said(READY, CAME, LOAD, OWN, ...silent, { type: "feed", how: "socket", url: HOME }, CONFIRMED), /n3 confirmed/);
  assert.match(said(READY, CAME, LOAD, { ...OWN, how: "instead" }), /^No node answers\. This page came from your browser/);
});

test("what a button has done is the sentence, once something came of it", () => {
  const press = (order) => ({ type: "order", order, text: order });
  const are = (...all) => ({ type: "answer", said: "", nodes: NODES.map(({ url }, number) => ({ url, is: all[number] })) });
  const at = (node, status = 304) => ({ ...CONFIRMED, at: 1_700_000_000_001, node: NODES[node - 1].url, by: "http", path: "/", status, received: status ? 128 : null });
  const shows = [READY, CAME, OWN, LOAD, CONFIRMED, { type: "status", status: STATUS }];
  const killed = [...shows, press("kill n3"), are("up", "up", "killed", "up")];
  assert.match(said(...killed), /^n3 is dead\. This page did not notice\./);
  assert.match(said(...killed, at(3), at(3, 0), at(1), at(2)), /^n3 is dead\. n1 answers in its place/, "the first one that did; what the dead one had said still is no such answer");
  assert.match(said(...killed, are("up", "up", "up", "up")), /^This page came from your browser/);
  assert.match(said(...killed, are("killed", "killed", "killed", "killed")), /^No node answers/);
  assert.match(said(...shows, press("slow n3"), are("up", "up", "slow", "up")), /^n3 is slow now: it gets a tenth of its time\. Your browser leaves it/);
  const left = { type: "status", status: { ...STATUS, node: NODES[1].url } };
  assert.match(said(...shows, press("slow n3"), are("up", "up", "slow", "up"), left), /^n3 is slow now\. Your browser went on to n2\./);
  assert.match(said(...shows, press("publish")), /^This page came from your browser/, "nothing came of it yet");
  let story = next(told(...shows, press("publish")), { type: "updated", paths: ["/site/colours.css"] }, 1_700_000_000_340);
  story = next(story, { type: "updated", paths: ["/"] }, 1_700_000_009_000);
  assert.match(sentence(story)[0], /^What n1 has published was in place here 340 ms after you pressed the button\.$/);
  for (const order of ["bring-back", "unplug", "of the future", "kill", "kill n9"]) assert.match(said(...shows, press(order)), /^This page came from your browser/, order);
});

test("a confirmation whose bytes are not known does not hide one whose bytes are", () => {
  const strange = { ...CONFIRMED, node: NODES[1].url, by: "http", received: null };
  assert.match(said(READY, CAME, OWN, LOAD, CONFIRMED, strange), /n3 confirmed everything you have with 4 bytes/);
  assert.match(said(READY, CAME, OWN, LOAD, strange, CONFIRMED), /n3 confirmed everything you have with 4 bytes/);
  assert.match(said(READY, CAME, OWN, LOAD, CONFIRMED, { ...strange, status: 200 }), /n2 looked through everything you have\./);
});

test("a node gets its name in what was told before it was known; one that nobody named is a node", () => {
  const story = told(CONFIRMED, { ...CONFIRMED, node: "", at: 2 });
  assert.deepEqual(shown(story).rows.map(({ what }) => what.split(" confirmed")[0]), ["a node", "localhost:8003"]);
  assert.deepEqual(shown(next(story, LOAD, 3)).rows.map(({ what }) => what.split(" confirmed")[0]), ["a node", "n3"]);
});

test("figures are readable", () => {
  assert.deepEqual([0, 1, 999, 1000, 12_345, 412_000, 3_400_000].map(bytes), ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "12.3 kB", "412 kB", "3.4 MB"]);
  assert.deepEqual([0.2, 1, 9_400, 12_000].map(milliseconds), ["less than 1 ms", "1 ms", "9400 ms", "12 s"]);
});

test("the first screen is HTML before anything is known, without figures and without what only scripts can do", () => {
  const { text } = render({ staging: { url: "http://localhost:8010", token: "secret&1" } });
  assert.match(text, /A node made this page/);
  assert.match(text, /value="secret&amp;1"/);
  assert.doesNotMatch(text, /Go offline|undefined|null|NaN|\d+ (bytes|ms)/);
  assert.doesNotMatch(render({}).text, /<form|<button/, "elsewhere there are no buttons");
});

test("what nodes and pages are called is text, never HTML", () => {
  const evil = "<img src=x onerror=alert(1)>";
  const story = told({ type: "load", document: { ...LOAD.document, nodes: [{ ...NODES[0], id: evil }] } }, { ...CONFIRMED, node: HOME, path: `/${evil}`, status: 200 }, { type: "answer", said: evil, nodes: [] }, { type: "status", status: { ...STATUS, node: HOME, why: evil } });
  for (const { text } of pieces({ ...shown(story), staging: { url: HOME, token: "t" } })) assert.doesNotMatch(text, /<img/);
});
