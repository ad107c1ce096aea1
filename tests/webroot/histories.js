// Random histories of a site and its readers, in simulated time: deploys by two publishers to three nodes, readers who
// open pages, load modules later, leave; copies that are evicted, nodes that fail, workers that are restarted.  The
// worker's modules are the real ones; what is simulated is the cluster as docs/reference/http.md tells it, and the browser.
//
// Every file names itself and its version in its body, so what a page has been given says of itself whether it goes
// together: there has to be a deploy of each publisher at which all of the page's parts were current.

import { Nodes } from "../../webroot/edge/worker/nodes.js";
import { PageParts } from "../../webroot/edge/worker/page_parts.js";
import { ResponseStore } from "../../webroot/edge/worker/response_store.js";
import { Revalidator } from "../../webroot/edge/worker/revalidator.js";
import { CurrentRules } from "../../webroot/edge/worker/rules.js";
import { Sender } from "../../webroot/edge/worker/sender.js";
import { StaleWhileRevalidate } from "../../webroot/edge/worker/stale_while_revalidate.js";
import { seeded } from "./random.js";
import { Clock, MemoryCaches, MemoryDatabase, ORIGINS, document, turns } from "./world.js";

const HERE = ORIGINS[0];
const PAGES = ["/", "/two.html", "/three.html"];
/** Who publishes what: "a" the pages and what runs in them, "b" what they show. */
const FILES = {
  a: [...PAGES, "/app.js", "/lib.js", "/lazy.js", "/extra.js", "/style.css"],
  b: ["/photo.jpg", "/data.json", "/more.json"],
};
const PUBLISHERS = Object.keys(FILES);
const OWNER = Object.fromEntries(PUBLISHERS.flatMap((name) => FILES[name].map((path) => [path, name])));
/** What a page uses while it loads, level by level, and what it may ask for later. */
const LEVELS = [["/app.js", "/style.css", "/photo.jpg"], ["/lib.js", "/data.json"]];
const LATER = ["/lazy.js", "/extra.js"];
const DESTINATIONS = { js: "script", css: "style", jpg: "image", json: "" };
const destination = (path) => DESTINATIONS[path.split(".")[1]] ?? "document";

/** What a deploy of a publisher has: versions by path; a path that is missing is not there. */
class History {
  constructor(random) {
    this.random = random;
    /** Of each publisher, all its deploys. */
    this.deploys = Object.fromEntries(PUBLISHERS.map((name) => [name, [Object.fromEntries(FILES[name].map((path) => [path, 1]))]]));
    this.newest = 1;
  }

  /** The next deploy of *name*: some files changed, a few gone or back, now and then all as it was before. */
  next(name) {
    const { random } = this;
    const all = this.deploys[name];
    const deploy = { ...all.at(-1) };
    this.newest += 1;
    if (random() < 0.15) Object.assign(deploy, all[Math.floor(random() * all.length)]);
    else {
      const share = random();
      for (const path of FILES[name]) {
        if (random() > share && path !== "/") continue;
        if (LATER.includes(path) && random() < 0.3) delete deploy[path];
        else if (random() < 0.8) deploy[path] = this.newest;
      }
    }
    all.push(deploy);
    return deploy;
  }

  /** Whether all *parts* ([path, version]) were there at one deploy of each publisher. */
  isWhole(parts) {
    return PUBLISHERS.every((name) => {
      const mine = parts.filter(([path]) => OWNER[path] === name);
      return this.deploys[name].some((deploy) => mine.every(([path, version]) => deploy[path] === version));
    });
  }
}

/** One node: what it has of each publisher, change by change. */
class Node {
  constructor(history) {
    this.files = {};
    /** The last complete deploy of each publisher, and whether another one has begun. */
    this.marks = {};
    this.open = {};
    for (const name of PUBLISHERS) {
      Object.assign(this.files, history.deploys[name][0]);
      this.marks[name] = 0;
      this.open[name] = false;
    }
    /** Paths by the deploy in which they changed last: [publisher, deploy, path]. */
    this.log = [];
    this.isDown = false;
  }

  apply({ publisher, deploy, path, version, ends }) {
    if (ends) {
      this.marks[publisher] = deploy;
      this.open[publisher] = false;
      return;
    }
    this.open[publisher] = true;
    if (version === undefined) delete this.files[path];
    else this.files[path] = version;
    this.log.push([publisher, deploy, path]);
  }

  get state() {
    return PUBLISHERS.some((name) => this.open[name]) ? "?" : PUBLISHERS.map((name) => `${name}${this.marks[name]}`).join(".");
  }

  /** Paths that changed since *state*; null: it cannot say. */
  since(state, remembered) {
    const then = Object.fromEntries(state.split(".").map((one) => [one[0], Number(one.slice(1))]));
    if (this.state === "?" || PUBLISHERS.some((name) => !(then[name] <= this.marks[name]) || then[name] < this.marks[name] - remembered)) return null;
    return [...new Set(this.log.filter(([name, deploy]) => deploy > then[name]).map(([, , path]) => path))];
  }
}

export class World {
  /** @param {number} seed @param {{broken?: boolean}} options *broken*: without what is tested, for the test of the test */
  constructor(seed, { broken = false } = {}) {
    this.random = seeded(seed);
    this.broken = broken;
    this.clock = new Clock();
    this.history = new History(this.random);
    this.nodes = Object.fromEntries(ORIGINS.slice(0, 3).map((origin) => [origin, new Node(this.history)]));
    /** Deploys that a node remembers the changes of. */
    this.remembered = 1 + Math.floor(this.random() * 5);
    this.database = new MemoryDatabase();
    this.caches = new MemoryCaches();
    this.pages = new Map();
    /** Pages that were left, and that the browser may bring back as they are. */
    this.left = [];
    this.clients = 0;
    /** Whoever deploys does one thing after the other. */
    this.deploying = {};
    this.count = { views: 0, whole: 0, broken: 0, reloads: 0, told: 0, back: 0, given: 0, requests: 0, offline: 0 };
    this.mixed = [];
    this.work = new Set();
    this.start();
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** A worker begins, with what is in database and caches. */
  start() {
    const { clock, database, caches, random } = this;
    const nodes = new Nodes(HERE, random);
    nodes.learn({ ...document([1, 1, 1, 1]), nodes: document().nodes.slice(0, 3) }, clock.ms);
    const sender = new Sender(nodes, { fetch: (...asked) => this.fetch(...asked), now: clock.now, random, wait: clock.wait });
    const rules = new CurrentRules();
    this.store = new ResponseStore(database, rules, { caches, origin: HERE, now: clock.now });
    const timer = (then, ms) => clock.wait(ms).then(then);
    const revalidator = new Revalidator(this.store, sender, { onUpdate: () => {}, onGone: () => {}, timer });
    const parts = new PageParts(this.store, {
      now: clock.now, wait: clock.wait,
      changes: (since) => revalidator.changes(since), validate: (asked) => revalidator.validate(asked),
      outdated: (page, path, again) => this.outdated(page, path, again),
    });
    if (this.broken) this.store.versions.fits = () => true;
    this.parts = parts;
    this.strategy = new StaleWhileRevalidate(this.store, sender, revalidator, HERE, rules, parts);
  }

  // The cluster

  async fetch(url, { method = "GET", headers = {}, body, signal } = {}) {
    const { origin, pathname, searchParams } = new URL(url);
    const node = this.nodes[origin];
    this.count.requests += 1;
    await this.clock.wait(1 + this.random() * 40, signal);
    if (node.isDown || this.random() < 0.01) throw new TypeError("Failed to fetch");
    const answer = this.answer(node, method, pathname, searchParams, new Headers(headers), body);
    await this.clock.wait(1 + this.random() * 40, signal); // on its way
    return answer;
  }

  answer(node, method, path, query, headers, body) {
    const tag = (name) => `v${node.files[name]}-${name.length}`;
    if (method === "POST") {
      const lines = body.split("\n").map((line) => line.split(" "));
      const stale = lines.flatMap(([etag, name], number) => (name in node.files && tag(name) === etag ? [] : [number]));
      return Response.json({ v: 1, seq: 1, stale, ...(node.state === "?" ? {} : { s: node.state }) });
    }
    if (path === "/.edge/changes") {
      const changed = node.since(query.get("since"), this.remembered);
      if (!changed) return new Response("?\n");
      if (node.state === query.get("since")) return new Response(null, { status: 304 });
      return new Response([node.state, ...changed].map((line) => `${line}\n`).join(""));
    }
    if (!(path in node.files)) return new Response("none", { status: 404 });
    const fields = { etag: `"${tag(path)}"`, "cache-control": "no-cache", "edge-client-cache-control": "stale-while-revalidate=2592000", "content-type": "text/plain" };
    const known = headers.get("if-none-match")?.replaceAll('"', "") ?? query.get("~etag");
    if (known === tag(path)) return new Response(null, { status: 304, headers: fields });
    // What the node is at is read before and after its files are: it is the same here, where nothing comes between.
    const bytes = `${path} ${node.files[path]}`;
    return new Response(bytes, { headers: { ...fields, "edge-state": node.state, "content-length": String(bytes.length) } });
  }

  /** Somebody publishes: change by change on one node, and later, in the same order, on the others. */
  async deploy(publisher) {
    while (this.deploying[publisher]) await this.deploying[publisher];
    this.deploying[publisher] = this.publish(publisher).finally(() => delete this.deploying[publisher]);
    await this.deploying[publisher];
  }

  async publish(publisher) {
    const before = this.history.deploys[publisher].at(-1);
    const after = this.history.next(publisher);
    const deploy = this.history.deploys[publisher].length - 1;
    const slow = this.random() < 0.2 ? 1500 : 60;
    const changes = FILES[publisher].filter((path) => before[path] !== after[path]).sort(() => this.random() - 0.5).map((path) => ({ publisher, deploy, path, version: after[path] }));
    changes.push({ publisher, deploy, ends: true });
    const lags = Object.values(this.nodes).map((node) => ({ node, queue: Promise.resolve(), lag: this.random() < 0.2 ? 3000 : 50 }));
    lags[PUBLISHERS.indexOf(publisher)].lag = 0;
    for (const change of changes) {
      await this.clock.wait(this.random() * slow);
      for (const one of lags) {
        const at = this.clock.wait(one.lag * this.random());
        one.queue = one.queue.then(() => at).then(() => one.node.apply(change));
      }
    }
    await Promise.all(lags.map(({ queue }) => queue));
  }

  // The browser

  async request(path, { mode = "no-cors", page, becomes }) {
    const request = {
      url: HERE + path, method: "GET", mode, destination: destination(path), cache: "default", headers: new Headers(), integrity: "",
      signal: new AbortController().signal, credentials: "same-origin", redirect: "follow", referrer: "", body: null,
    };
    return this.strategy.answer(request, { page, becomes, waitUntil: (one) => this.keep(one) });
  }

  keep(work) {
    const kept = Promise.resolve(work).catch(() => {}).finally(() => this.work.delete(kept));
    this.work.add(kept);
  }

  /** A reader opens *path* in *tab*. */
  async view(tab, path, again = 0) {
    const page = { id: `client${(this.clients += 1)}`, path, parts: [], again, opened: this.clock.ms, failed: false, is: "loading" };
    this.leave(tab);
    this.pages.set(tab, page);
    page.tab = tab;
    this.forget();
    this.count.views += 1;
    if (!(await this.give(page, path, { mode: "navigate" }))) return this.done(page);
    for (const level of LEVELS) {
      await Promise.all(level.map(async (part) => {
        await this.clock.wait(this.random() * 100);
        await this.give(page, part);
      }));
    }
    this.done(page);
  }

  /** The page in *tab* goes: for good, or until its reader comes back to it. */
  leave(tab) {
    const page = this.pages.get(tab);
    if (!page) return;
    if (page.is === "open" && this.random() < 0.5) this.left = [...this.left.slice(-5), page];
    page.is = "gone";
  }

  /** A reader goes back to a page that the browser has kept as it was, which asks for more. */
  async back() {
    const page = this.pick(this.left);
    if (!page) return;
    this.left = this.left.filter((one) => one !== page);
    this.leave(page.tab);
    this.pages.set(page.tab, page);
    page.is = "open";
    this.count.back += 1;
    await this.give(page, this.pick(LATER));
  }

  /** As at each navigation: what pages no one can come back to need goes. */
  forget() {
    this.store.versions.close(new Set([...this.pages.values()].map(({ id }) => id)), this.clock.ms);
    this.keep(this.store.tidy());
  }

  done(page) {
    if (page.is !== "loading") return;
    page.is = "open";
    this.count[page.failed ? "broken" : "whole"] += 1;
  }

  /** The page is given *path*: whether it is. */
  async give(page, path, { mode } = {}) {
    if (page.is === "gone") return false;
    const loading = this.clock.ms < page.opened + 9_000;
    const response = await this.request(path, { mode, page: page.id }).catch(() => Response.error());
    const text = response.ok ? await response.text() : "";
    if (page.is === "gone") return false;
    if (!response.ok) {
      page.failed ||= response.status !== 404;
      return false;
    }
    const [name, version] = text.split(" ");
    if (name !== path) throw new Error(`${path} was answered by ${text}`);
    this.count.given += 1;
    page.parts.push([path, Number(version)]);
    // What a page fetches, or shows, later is the newest; it cannot be older than the page, and is no part of it.
    if (!(loading || destination(path) === "script")) page.parts.pop();
    else if (destination(path) === "" && !this.history.isWhole(page.parts)) {
      page.parts.pop();
      if (!page.told) this.mixed.push({ page, path, why: "data of another deploy, and it was not told" });
    } else if (!this.history.isWhole(page.parts)) this.mixed.push({ page, path, why: "parts of two deploys" });
    return true;
  }

  outdated(id, path, again) {
    const page = [...this.pages.values()].find((one) => one.id === id);
    if (!page) return;
    page.told = true;
    if (again && page.again < 3) {
      this.count.reloads += 1;
      this.keep(this.view(page.tab, page.path, page.again + 1));
    } else this.count.told += 1;
  }

  /** One thing happens. */
  step() {
    const { random } = this;
    const at = random();
    if (at < 0.34) this.keep(this.view(this.pick(["x", "y", "z"]), this.pick(PAGES)));
    else if (at < 0.4) this.keep(this.back());
    else if (at < 0.55) {
      const page = this.pick([...this.pages.values()]);
      if (page) this.keep(this.give(page, this.pick([...LATER, "/photo.jpg", "/more.json", "/data.json"])));
    } else if (at < 0.75) this.keep(this.deploy(this.pick(["a", "a", "b"])));
    else if (at < 0.85) {
      const rows = [...this.store.all()].filter(() => random() < 0.3);
      if (random() < 0.5) this.keep(this.store.remove(rows));
      else for (const row of rows) this.caches.bodies.delete(this.store.address(row));
    } else if (at < 0.9) this.pick(Object.values(this.nodes)).isDown = random() < 0.5;
    else if (at < 0.92) for (const node of Object.values(this.nodes)) node.isDown = true;
    else if (at < 0.95) for (const node of Object.values(this.nodes)) node.isDown = false;
    else return this.restart();
    return undefined;
  }

  /** The browser stops the worker, which has nothing to do, and starts it for the next event. */
  async restart() {
    while (this.work.size) await this.clock.pass(1000);
    this.start();
    await this.store.ready();
    this.forget();
  }

  /** A whole history; what was mixed. */
  async run(steps = 40) {
    for (let i = 0; i < steps; i += 1) {
      await this.step();
      await this.clock.pass(this.random() < 0.3 ? 12_000 * this.random() : 300 * this.random());
    }
    return this.mixed;
  }

  /** In the end everybody has the newest: nodes are up, and a page is opened as often as it takes. */
  async settle() {
    for (const node of Object.values(this.nodes)) node.isDown = false;
    while (this.work.size) await this.clock.pass(1000);
    for (let i = 0; i < 3; i += 1) {
      await Promise.all([this.view("x", "/"), this.clock.pass(5_000)]);
      while (this.work.size) await this.clock.pass(1000);
    }
    const page = this.pages.get("x");
    return page.parts.every(([path, version]) => this.history.deploys[OWNER[path]].at(-1)[path] === version) && page.parts.length === 6;
  }
}
export { turns };
