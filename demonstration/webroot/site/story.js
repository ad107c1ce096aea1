// The story of this page, as its browser has seen it: events in, what the first screen shows out.  Pure; nothing is made up:
// a figure that nobody has told is not there.
//
//     came       the page is here: from where, how soon (Navigation Timing)
//     worker     whether one runs, may run, is on its way
//     decision   of the worker: how it answered a request of this page
//     exchange   a question that a node has answered (webroot/edge/worker/messages.js)
//     status, load, feed, changed, updated, outbox, edge:changed    as the worker and the feed say
//     order, answer    a button was pressed; what came of it

import { ROWS, SAMPLES } from "/components/now.js";

/** Bytes that a person can read. @param {number} n */
export const bytes = (n) => (n === 1 ? "1 byte" : n < 1000 ? `${n} bytes` : n < 99_500 ? `${(n / 1000).toFixed(1)} kB` : n < 999_500 ? `${Math.round(n / 1000)} kB` : `${(n / 1e6).toFixed(1)} MB`);

/** @param {number} ms */
export const milliseconds = (ms) => (ms < 0.95 ? "less than 1 ms" : ms < 9_500 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`);

/** @param {number} n @param {string} one @param {string} [more] */
const count = (n, one, more = `${one}s`) => `${n} ${n === 1 ? one : more}`;

/** What is said of nodes that do not answer; however many there are, it is one row. */
const SILENT = "did not answer";

/**
 * @typedef {import("/components/now.js").NodeShown} NodeShown
 *
 * @typedef {object} Told something that happened
 * @property {import("/components/now.js").Row["kind"]} kind
 * @property {string[]} [who] origins of the nodes that did it
 * @property {string} what
 * @property {string} [ms]
 * @property {number | null} [size] in bytes; null: nobody knows
 *
 * @typedef {Told & {id: number, when: number, times: number}} Row of the timeline; *when*: the last time, Unix milliseconds
 *
 * @typedef {object} Story
 * @property {string} home origin of this page
 * @property {string} path of this page
 * @property {"waits" | "none" | "insecure" | "off" | "installing" | "ready"} worker
 * @property {{ms: number, bytes: number | null} | null} came
 * @property {any} decision of the worker, for this page itself
 * @property {any} confirmed the last exchange that confirmed what is kept, rather all of it than a part
 * @property {any} own the exchange that this page itself came by, or was confirmed by
 * @property {Set<string>} silent origins that did not answer, since one did
 * @property {any} status @property {any} load
 * @property {Map<string, string>} names of nodes by origin
 * @property {{answers: number, bytes: number | null}} sent what came from nodes behind this page, of the site
 * @property {string} feed origin of the node that pushes, "" for none
 * @property {Map<string, number[]>} use utilization of nodes by origin
 * @property {{requests: number, bytes: number}} spared
 * @property {number} waiting changes that are not sent yet
 * @property {boolean} alone no node could be reached lately
 * @property {Map<string, string>} conditions of nodes, as the buttons' server says, by origin
 * @property {string} pending @property {string} answer
 * @property {Pressed | null} pressed the last button
 * @property {Row[]} rows the latest first @property {number} number of the last row
 *
 * @typedef {object} Pressed
 * @property {string} order @property {string} node name of the node that it was for; "" for none
 * @property {number} at Unix milliseconds
 * @property {string} by origin of the first other node that answered after that
 * @property {number | null} shown when a new version was put in place, after that
 */

/** @param {string} home @param {string} path @param {Partial<Story>} [more] @returns {Story} */
export const begin = (home, path, more = {}) => ({
  home, path, worker: "waits", came: null, decision: null, confirmed: null, own: null, silent: new Set(), status: null, load: null, names: new Map(), sent: { answers: 0, bytes: 0 }, feed: "", use: new Map(),
  spared: { requests: 0, bytes: 0 }, waiting: 0, alone: false, conditions: new Map(), pending: "", answer: "", pressed: null, rows: [], number: 0, ...more,
});

/** What a node is called. @param {Story} story @param {string} origin */
export const nameOf = ({ names }, origin) => names.get(origin) || origin.replace(/^https?:\/\//, "") || "a node";

/** The time of the day. @param {number} at Unix milliseconds */
const clock = (at) => new Date(at).toTimeString().slice(0, 8);

/** Words as a list: "a, b and c". @param {string[]} words */
const listed = (words) => [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");

/**
 * With one row more, where it belongs by its time; like a row beside it, it is counted there.
 * @param {Story} story @param {Told} told @param {number} at @returns {Story}
 */
function told(story, { who = [], ...more }, at) {
  const rows = [...story.rows];
  const later = rows.filter(({ when }) => when > at).length;
  const isLike = (/** @type {Row | undefined} */ row) => row?.kind === more.kind && row.what === more.what && (more.what === SILENT || String(row.who) === String(who));
  const same = [later, later - 1].find((place) => isLike(rows[place]));
  if (same === undefined) {
    const id = story.number + 1;
    rows.splice(later, 0, { id, when: at, times: 1, who, ...more });
    return { ...story, number: id, rows: latest(rows) };
  }
  const row = rows[same];
  const size = typeof more.size === "number" && typeof row.size === "number" ? row.size + more.size : more.size;
  rows[same] = { ...row, ...more, who: [...new Set([...(row.who ?? []), ...who])], when: Math.max(at, row.when), times: row.times + 1, size };
  return { ...story, rows };
}

/** A row, as it is shown. @param {Story} story @param {Row} row @returns {import("/components/now.js").Row} */
function written(story, { id, when, kind, who = [], what, times, size, ms }) {
  const names = listed(who.map((one) => nameOf(story, one)).sort());
  return { id, at: clock(when), kind, what: `${names} ${what}${times > 1 ? ` (${times} times)` : ""}`.trim(), bytes: typeof size === "number" ? bytes(size) : "", ms: ms ?? "" };
}

/** Those that there is room for; the last news stay, however many requests come at once behind them. @param {Row[]} rows */
function latest(rows) {
  const room = rows.slice(0, ROWS);
  const news = rows.find(({ kind }) => kind === "news");
  return !news || room.includes(news) ? room : [...room.slice(0, -1), news];
}

/** A name for people of what is at *path*. @param {string} path */
function thing(path) {
  const query = /^\/graphql\/sha256:[^/]+\/(\w+)/.exec(path);
  if (query) return `the query ${query[1]}`;
  if (path.startsWith("/edge/") || path === "/sw.js") return "a file of the smart client";
  if (path === "/edge.json") return "the site's rules";
  return path.length > 40 ? `${path.slice(0, 39)}…` : path;
}

/** An exchange, in words. @param {any} exchange @returns {Told} */
function exchanged({ node, by, method, path, status, received, ms }) {
  const [name] = path.split("?");
  const way = by === "socket" ? ", by the open socket" : "";
  const row = (/** @type {string} */ what, /** @type {Told["kind"]} */ kind = "node") => ({ kind, who: [node], what, size: received, ms: milliseconds(ms) });
  if (!status) return { ...row(SILENT, "bad"), size: null };
  if (name === "/.edge/load") return row("told the load of all nodes");
  if (name === "/.edge/changes") return row(status === 304 ? `confirmed everything you have${way}` : `told what has changed${way}`);
  if (name === "/.edge/revalidate") return row(`compared your copies with its own${way}`);
  if (status === 304) return row(`confirmed ${thing(path)}`);
  if (status >= 500) return row(`could not answer ${thing(path)}`, "bad");
  return row(`${method === "GET" ? "sent" : "took"} ${thing(path)}`);
}

/** @param {Story} story @param {any} decision of the worker @returns {Story} */
function decided(story, decision) {
  const { destination, path, how, status, ms } = decision;
  const own = destination === "document" && path.split("#")[0] === story.path;
  if (own && !story.decision) story = { ...story, decision };
  if (how === "instead") story = { ...story, alone: true };
  else if (how !== "fresh" && how !== "stale") return status ? story : told({ ...story, alone: true }, { kind: "bad", what: `${thing(path)} is not kept, and no node answers` }, decision.at);
  if (!destination && path.split("#")[0] === story.path) return story; // to be compared with what is shown
  const what = own ? "this page came from your browser" : destination ? "a part of the page came from your browser" : `${thing(path)} came from your browser`;
  return told(story, { kind: "browser", what, size: 0, ms: milliseconds(ms) }, decision.at);
}

/** @param {Story} story @param {any} load @returns {Story} */
function loaded(story, load) {
  const use = new Map(story.use);
  for (const node of load.nodes) use.set(node.url, [...(use.get(node.url) ?? []), node.utilization].slice(-SAMPLES));
  return { ...story, load, use, names: new Map(load.nodes.map((/** @type {any} */ { url, id }) => [url, id])) };
}

/**
 * What becomes of the story.
 * @param {Story} story @param {any} event @param {number} now Unix milliseconds @returns {Story}
 */
export function next(story, event, now) {
  switch (event.type) {
    case "came": return { ...story, came: event };
    case "worker": return { ...story, worker: event.is };
    case "decision": return decided(story, { ...event, at: now });
    case "exchange": {
      const isSilent = !event.status;
      const silent = isSilent ? new Set(story.silent).add(event.node) : new Set(/** @type {string[]} */ ([]));
      const isAll = /^\/\.edge\/(changes|revalidate)/.test(event.path);
      const confirms = isAll ? !isLess(event, story.confirmed) : event.status === 304 && !story.confirmed?.path.startsWith("/.edge/");
      const own = !story.own && !isSilent && event.path === story.path ? event : story.own;
      const nodes = story.load?.nodes.length ?? 1;
      const isNew = event.status === 200 && event.method === "GET" && !/^\/(\.edge|edge)\//.test(event.path);
      const bytes = story.sent.bytes === null || event.received === null ? null : story.sent.bytes + event.received;
      const sent = isNew ? { answers: story.sent.answers + 1, bytes } : story.sent;
      const pressed = story.pressed && !isSilent && !story.pressed.by && event.at >= story.pressed.at && nameOf(story, event.node) !== story.pressed.node ? { ...story.pressed, by: event.node } : story.pressed;
      const known = { ...story, silent, own, sent, pressed, alone: isSilent ? story.alone || silent.size >= nodes : false, confirmed: confirms && !isSilent ? event : story.confirmed };
      return told(known, exchanged(event), event.at);
    }
    case "status": return { ...story, status: event.status, waiting: event.status.waiting };
    case "spared": return { ...story, spared: event };
    case "load": return loaded(story, event.document);
    case "feed": {
      const feed = event.how === "none" ? "" : event.url;
      if (feed === story.feed) return feed ? { ...story, alone: false, silent: new Set() } : story;
      if (!feed) return told({ ...story, feed }, { kind: "bad", what: story.status?.unplugged ? "the socket is closed: you are offline" : "the socket to the nodes is gone" }, now);
      return told({ ...story, feed, alone: false }, { kind: "news", who: [feed], what: "pushes news from now on" }, now);
    }
    case "updated": return told({ ...story, pressed: story.pressed && { ...story.pressed, shown: story.pressed.shown ?? now } }, { kind: "news", what: `${count(event.paths.length, "new version")} put in place: ${event.paths.map(thing).join(", ")}` }, now);
    case "edge:changed": return told(story, { kind: "news", what: `news of ${event.groups.filter((/** @type {string} */ name) => !name.startsWith("page:")).join(", ")}: ${count(event.queries.length, "answer")} redrawn` }, now);
    case "outbox": return event.waiting === story.waiting ? story : told({ ...story, waiting: event.waiting }, event.waiting
      ? { kind: "you", what: `${count(event.waiting, "change")} of yours wait to be sent` } : { kind: "you", what: "your changes have been sent" }, now);
    case "alone": return { ...story, alone: true };
    case "order": return told({ ...story, pending: event.order, answer: "", pressed: pressedNow(event.order, now) }, { kind: "you", what: `you pressed “${event.text}”` }, now);
    case "answer": return {
      ...story, pending: "", answer: event.said,
      conditions: event.nodes?.length ? new Map(event.nodes.map((/** @type {any} */ { url, is }) => [url, is])) : story.conditions,
    };
    default: return story;
  }
}

/** Whether *exchange* says as much as *before*, and less of its bytes. @param {any} exchange @param {any} before */
const isLess = (exchange, before) => exchange.received === null && exchange.status === 304 && before?.status === 304 && before.path.startsWith("/.edge/") && typeof before.received === "number";

/** @param {string} order as a button has it @param {number} at @returns {Pressed} */
function pressedNow(order, at) {
  const [name, node = ""] = order.split(" ");
  return { order: name, node, at, by: "", shown: null };
}

/** What a button has done, once something came of it; null: nothing is to be said. @param {Story} story @returns {[string, string] | null} */
function followed(story) {
  const { pressed, status, conditions, names } = story;
  if (!pressed) return null;
  const { order, node, at, by, shown } = pressed;
  const origin = [...names].find(([, name]) => name === node)?.[0] ?? "";
  const is = conditions.get(origin);
  if (order === "kill" && is === "killed") {
    return by
      ? [`${node} is dead. ${nameOf(story, by)} answers in its place, and no request was lost.`, "Any node confirms any page, so none has to take over. Look around: it all goes on."]
      : [`${node} is dead. This page did not notice.`, "It is your browser's own copy. What has to be asked for next, another node answers."];
  }
  if (order === "slow" && is === "slow") {
    const why = "Nodes tell how loaded they are, and browsers measure how soon each answers: no balancer stands between.";
    return status?.node && status.node !== origin ? [`${node} is slow now. Your browser went on to ${nameOf(story, status.node)}.`, why] : [`${node} is slow now: it gets a tenth of its time. Your browser leaves it when its answers are late.`, why];
  }
  if (order === "publish" && shown) return [`What n1 has published was in place here ${milliseconds(shown - at)} after you pressed the button.`, "No page was loaded again: nodes tell browsers what changed, and only that is fetched."];
  return null;
}

/** What just happened: a sentence, and what is behind it. @param {Story} story @returns {[string, string]} */
export function sentence(story) {
  const { came, decision, confirmed, status, worker, home, waiting } = story;
  const soon = came ? ` in ${milliseconds(came.ms)}` : "";
  const size = came?.bytes ? `, ${bytes(came.bytes)}` : "";
  const from = nameOf(story, home);
  const fromNode = `This page came from ${from} over the network${soon}${size}.`;
  if (worker === "insecure") return [fromNode, "Over plain http:// browsers run no Service Worker, except on localhost. With https://, or on localhost, the next page would come from your browser."];
  if (worker === "none") return [fromNode, "This browser runs no Service Worker, or not in this window: the site works as any other."];
  if (worker === "off") return [fromNode, "The smart client is switched off here: the site works as any other."];
  const kept = decision && ["fresh", "stale", "instead"].includes(decision.how);
  const wait = waiting ? ` ${count(waiting, "change")} of yours ${waiting === 1 ? "waits" : "wait"} here, to be sent when a node is back.` : "";
  const fromBrowser = `This page came from your browser${soon}`;
  const away = status?.unplugged ? "You are offline, and asked to be" : story.alone || isDeserted(story) ? "No node answers" : "";
  if (away && (kept || worker === "ready")) return [kept ? `${away}. ${fromBrowser} all the same.` : `${away}. This page stays, and so does what your browser has kept.`, `Go on: pages that you have seen work.${wait}`];
  const button = followed(story);
  if (button) return button;
  if (kept) {
    if (!confirmed) return [`${fromBrowser}.`, decision.how === "fresh" ? "It was fresh: no node had to be asked." : "A node is being asked whether it is still right."];
    const who = nameOf(story, confirmed.node);
    const cost = confirmed.received === null ? "" : ` with ${bytes(confirmed.received)}`;
    const size = story.sent.bytes === null ? "" : `, ${bytes(story.sent.bytes)}`;
    const everything = confirmed.path.startsWith("/.edge/") ? "everything you have" : "it";
    const { answers } = story.sent;
    const what = confirmed.status === 304 ? `confirmed ${everything}${cost}` : answers ? `told what had changed${cost}` : `looked through ${everything}${cost}`;
    const behind = answers ? `What is new came behind it: ${count(answers, "answer")}${size}.` : "No page was sent: your copies are still right.";
    return [`${fromBrowser}. ${who} ${what}.`, behind + wait];
  }
  if (decision && story.own?.status === 304) {
    const { node, received } = story.own;
    const cost = received === null ? "" : ` with ${bytes(received)}`;
    return [`You asked to load it again: ${nameOf(story, node)} confirmed this page${cost}, and it came from your browser${soon}.`, "By a link it comes at once, and is confirmed behind that."];
  }
  if (worker === "installing") return [fromNode, "It is your first visit: your browser is being told how to answer by itself."];
  if (worker === "waits" || !decision) return [fromNode, worker === "ready" ? "Your browser has kept it, and answers by itself from now on." : ""];
  // A browser that preloads navigations asks beside its worker: nothing is told of a confirmation then.
  if (decision.version) return [`You asked to load it again: it came over the network${soon}${size}.`, "By a link it comes at once, and is confirmed behind that."];
  return [`This page came over the network${soon}${size}: your browser did not have it yet.`, "It is kept now, and comes from here the next time."];
}

/** Whether the figures say that no node is left. @param {Story} story */
const isDeserted = ({ conditions }) => conditions.size > 0 && [...conditions.values()].every((is) => is === "killed");

/** With which node a browser stays, and why. @param {Story} story @param {import("/components/now.js").NodeShown[]} nodes */
function choice(story, nodes) {
  const { status } = story;
  if (!status?.node || !nodes.length) return "";
  if (status.unplugged) return "Your browser asks none of them until you go online.";
  if (nodes.every(({ is }) => is === "away")) return "None of them answers: your browser goes on asking until one does.";
  const name = nameOf(story, status.node);
  return `Your browser stays with ${name}${status.why && !status.why.startsWith(`${name} `) ? `: ${status.why}` : ""}.`;
}

/** What the first screen shows. @param {Story} story @returns {import("/components/now.js").Now} */
export function shown(story) {
  const { load, status, use, conditions, worker, decision, spared, pending, answer, rows } = story;
  /** @type {any[]} */
  const known = load?.nodes ?? status?.nodes ?? [];
  /** @type {NodeShown[]} */
  const nodes = known.map(({ id, url, weight, state }) => {
    const said = conditions.get(url);
    const gone = said === "killed" || said === "starting" || status?.unplugged || (story.alone && !story.feed) || (weight === 0 && state !== undefined && state !== "alive") || (weight === 0 && said === undefined && !story.feed);
    return { id, url, is: gone ? "away" : said === "slow" ? "slow" : weight === 0 && state !== undefined ? "away" : "up", mine: url === status?.node, use: use.get(url) ?? [] };
  });
  const first = worker === "ready" && !decision;
  return {
    said: sentence(story).map((text) => text.replace(/(\d) (ms|s|bytes?|kB|MB)\b/g, "$1\u00a0$2")),
    offer: first ? "Load it again, and see." : undefined,
    spared: { requests: String(spared.requests), bytes: bytes(spared.bytes), kept: status ? bytes(status.kept) : "" },
    nodes,
    choice: choice(story, nodes),
    unplugged: status?.unplugged, pending, answer,
    rows: rows.map((row) => written(story, row)),
  };
}
