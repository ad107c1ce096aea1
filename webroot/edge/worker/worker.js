// The worker as a whole: its parts, what it remembers, and what pages tell it.

import { CHANNEL } from "./messages.js";
import { StaleWhileRevalidate } from "./stale_while_revalidate.js";
import { Revalidator } from "./revalidator.js";
import { Nodes, readLoad } from "./nodes.js";
import { Outbox } from "./outbox.js";
import { defaults, matches, parseRules } from "./rules.js";
import { Sender } from "./sender.js";
import { CACHE, ResponseStore } from "./response_store.js";
import { Database } from "./database.js";

/** Of the worker's code: the name of the folder it is in; pages show it. */
const VERSION = new URL(import.meta.url).pathname.split("/").at(-2) ?? "";
const RULES = "/edge.json";
const SCRIPT = "/sw.js";
/** Milliseconds between two looks whether the worker is switched off, and two writes of its state. */
const LOOK_MS = 10_000;
const SAVE_MS = 2_000;
/** No refresh in the background above this utilization, nor more often than this. */
const IDLE_UTILIZATION = 0.5;
const REFRESH_MS = 10 * 60_000;

/** @typedef {import("./messages.js").Message} Message */

/** Whether *path* decides over the worker itself. @param {string} path */
const isOurs = (path) => path === RULES || path === SCRIPT;

export class Worker {
  /** @param {ServiceWorkerGlobalScope} scope */
  constructor(scope) {
    this.scope = scope;
    const now = () => Date.now();
    const origin = scope.location.origin;
    const fetch = scope.fetch.bind(scope);
    this.database = new Database();
    this.nodes = new Nodes(origin);
    this.sender = new Sender(this.nodes, { fetch, now });
    /** Since the last look at what decides over the worker. */
    this.navigated = false;
    this.store = new ResponseStore(this.database, { caches: scope.caches, origin, now });
    this.revalidator = new Revalidator(this.store, this.sender, {
      onUpdate: (paths) => this.updated(paths),
      onGone: (path) => path === SCRIPT && this.remove(),
      along: () => {
        if (!this.navigated) return [];
        this.navigated = false;
        return this.ours();
      },
    });
    this.strategy = new StaleWhileRevalidate(this.store, this.sender, this.revalidator, origin);
    this.strategy.rules = defaults();
    this.outbox = new Outbox(this.database, {
      fetch, now,
      onChange: (waiting) => {
        this.waiting = waiting;
        this.say({ type: "outbox", waiting });
      },
      whenBack: async () => /** @type {any} */ (scope.registration).sync?.register("edge-outbox"),
      locked: (work) => scope.navigator.locks.request("edge-outbox", work),
    });
    this.waiting = 0;
    this.looked = 0;
    this.saved = 0;
    this.refreshed = 0;
    this.removed = false;
    /** Whether the browser may still send navigation preloads. */
    this.preloads = true;
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.onmessage = (event) => this.onBroadcast(event.data);
    /** @type {Promise<void> | null} */
    this.waking = null;
  }

  /** @param {Message} message */
  say(message) {
    this.channel.postMessage(message);
  }

  /** Remember what was known before the browser stopped us. */
  wake() {
    this.waking ??= (async () => {
      await this.store.ready();
      try {
        const saved = await this.database.get("state", "worker");
        if (saved) {
          this.use(saved.rules);
          if (saved.load) this.nodes.learn(saved.load, saved.learned);
          this.nodes.restore(saved.nodes);
          this.refreshed = saved.refreshed ?? 0;
        }
      } catch (error) {
        console.warn("edge: its state cannot be read:", error);
      }
    })();
    return this.waking;
  }

  /** @param {import("./rules.js").Rules} rules */
  use(rules) {
    this.strategy.rules = rules;
    this.store.limit = rules.limit_mib * 1024 * 1024;
  }

  /** Write down what a restart should not forget; not at every request. */
  async save(force = false) {
    if (this.removed || (!force && Date.now() < this.saved + SAVE_MS)) return;
    this.saved = Date.now();
    const { rules } = this.strategy;
    const { load, learned } = this.nodes;
    const saved = { rules, load, learned, nodes: this.nodes.save(), refreshed: this.refreshed };
    await this.database.write("state", [[saved, "worker"]]).catch(() => {});
  }

  /** @param {any} event of a request */
  fetch(event) {
    // The site's rules may not be read yet: they only ever leave more to the browser.
    if (this.removed || this.strategy.plan(event.request) === "pass") return;
    event.respondWith(this.respond(event));
  }

  /** @param {any} event */
  async respond(event) {
    const { request } = event;
    await this.wake();
    const plan = this.strategy.plan(request);
    if (plan === "pass") return this.scope.fetch(request);
    if (plan === "mutation") return this.outbox.send(request);
    const waitUntil = (/** @type {Promise<unknown>} */ work) => event.waitUntil(work);
    if (request.mode === "navigate") {
      this.navigated = true;
      waitUntil(this.look());
    }
    waitUntil(this.poll().then(() => this.save()));
    if (request.mode === "navigate" && this.preloads && this.strategy.count.hits) {
      this.preloads = false;
      waitUntil(Promise.resolve(this.scope.registration.navigationPreload?.disable()).catch(() => {}));
    }
    return this.strategy.answer(request, {
      page: request.mode === "navigate" ? event.resultingClientId : event.clientId, waitUntil, preload: event.preloadResponse,
    });
  }

  /** What decides over the worker itself. */
  ours() {
    return [...this.store.rows.values()].filter((row) => isOurs(row.path));
  }

  /** Whether the site's rules are others now, or its worker is gone; batches of a page look, too. */
  async look() {
    if (Date.now() < this.looked + LOOK_MS) return;
    this.looked = Date.now();
    for (const row of this.ours()) {
      // Never the one that goes first.
      row.used = this.looked;
      this.revalidator.add(row);
    }
    await this.revalidator.batch;
    if (!this.store.vary.has(RULES)) await this.learnRules().catch(() => {});
  }

  /** Fetch the site's rules; without any, the defaults count. */
  async learnRules() {
    const { response } = await this.sender.send({ path: RULES });
    if (response.status === 404 || response.status === 410) this.use(defaults());
    if (!response.ok) return;
    const text = await response.clone().text();
    await this.store.commit([{ path: RULES, response, headers: new Headers() }]);
    await this.applyRules(text);
  }

  /** @param {string} text */
  async applyRules(text) {
    try {
      this.use(parseRules(text));
    } catch (error) {
      console.error(`edge: ${/** @type {Error} */ (error).message}; the rules stay as they were`);
      return;
    }
    if (this.strategy.rules.off) await this.remove();
    else await this.save(true);
  }

  /** @param {string[]} paths new versions of which are kept now */
  async updated(paths) {
    if (paths.includes(RULES)) {
      const row = this.store.row(RULES, new Headers());
      const copy = row && (await this.store.find(row));
      if (copy) await this.applyRules(await copy.text());
    }
    if (paths.includes(SCRIPT)) this.scope.registration.update().catch(() => {});
    const shown = paths.filter((path) => !isOurs(path));
    if (shown.length) this.say({ type: "updated", paths: shown });
  }

  /** The load document, if no feed brings it; one poll per browser. */
  async poll() {
    const { nodes } = this;
    const age = Date.now() - nodes.learned;
    const due = (nodes.load?.ttl_ms ?? 5000) * (0.8 + 0.4 * Math.random());
    if (age < due || this.polling) return;
    this.polling = true;
    try {
      await this.scope.navigator.locks.request("edge-poll", { ifAvailable: true }, async (/** @type {unknown} */ lock) => {
        if (!lock) return;
        const { response } = await this.sender.send({ path: "/.edge/load", hedge: false });
        const load = response.ok ? readLoad(await response.json().catch(() => null)) : null;
        if (load) this.onBroadcast({ type: "load", document: load });
      });
    } catch {
      // The next request asks again.
    } finally {
      this.polling = false;
    }
  }
  polling = false;

  /** @param {Message} message */
  onBroadcast(message) {
    if (message.type === "load") {
      const load = readLoad(message.document);
      if (load) this.nodes.learn(load, Date.now());
    } else if (message.type === "ask") {
      // A page that registers while it still has this worker takes it back, in Chromium.
      this.say(this.removed ? { type: "removed" } : { type: "status", status: this.status() });
    }
  }

  /** A page says something that we are kept awake for. @param {Message} message */
  async onMessage(message) {
    await this.wake();
    if (message.type === "shown") await this.shown(message.urls).catch(() => {});
    else if (message.type === "refresh") await this.refresh();
    else if (message.type === "online") await this.outbox.flush().catch(() => {});
    else this.onBroadcast(message);
  }

  /** A page shows *urls*: keep those that are not kept, and confirm the others. @param {string[]} urls */
  async shown(urls) {
    const own = urls.map((url) => new Request(url)).filter((request) => this.strategy.plan(request) === "cache");
    const paths = new Set(own.map(({ url }) => url.slice(this.scope.location.origin.length).split("#")[0]));
    const rows = [...this.store.rows.values()].filter((row) => paths.has(row.path));
    const missing = [...paths].filter((path) => !this.store.vary.has(path));
    const arrivals = await Promise.all(missing.map(async (path) =>
      ({ path, headers: new Headers(), response: (await this.sender.send({ path, hedge: false })).response })));
    await this.store.commit(arrivals.filter((one) => !one.response.redirected));
    await this.revalidator.confirm(rows.filter((row) => !this.store.isFresh(row)));
  }

  /** Confirm everything that is kept, when the nodes have nothing better to do. */
  async refresh() {
    await this.wake();
    if (Date.now() < this.refreshed + REFRESH_MS || !(this.nodes.utilization() < IDLE_UTILIZATION)) return;
    this.refreshed = Date.now();
    await this.save(true);
    await this.revalidator.confirm([...this.store.rows.values()].filter((row) => !this.store.isFresh(row))).catch(() => {});
    await this.store.sweep();
  }

  /** Fetch what has to be there before the first page asks. */
  async install() {
    await this.wake();
    await this.learnRules();
    const { rules } = this.strategy;
    const wanted = [...new Set([...rules.precache, rules.offline, SCRIPT])];
    const arrivals = await Promise.all(wanted.map(async (path) => {
      const { response } = await this.sender.send({ path });
      if (!response.ok && rules.precache.includes(path)) {
        throw new Error(`/edge.json wants ${path}, but the site answers ${response.status}`);
      }
      return { path, response, headers: new Headers() };
    }));
    await this.store.commit(arrivals);
    await this.save(true);
  }

  /** Switched off: nothing of us stays. */
  async remove() {
    if (this.removed) return;
    this.removed = true;
    await this.scope.registration.unregister();
    for (const name of await this.scope.caches.keys()) if (name.startsWith("edge")) await this.scope.caches.delete(name);
    await this.database.remove().catch(() => {});
    this.say({ type: "removed" });
  }

  /** This version is the one that answers from now on. */
  async activate() {
    // While nothing is kept, a page is better asked for before the worker has started.
    await this.scope.registration.navigationPreload?.enable();
    for (const name of await this.scope.caches.keys()) {
      if (name.startsWith("edge") && name !== CACHE) await this.scope.caches.delete(name);
    }
  }

  /** @returns {import("./messages.js").Status} */
  status() {
    const { nodes, sender, store, strategy, revalidator } = this;
    const now = Date.now();
    return {
      version: VERSION, node: nodes.current, why: nodes.why,
      nodes: [...nodes.all.values()].filter((node) => nodes.load?.nodes.some((one) => one.url === node.url) ?? true).map((node) => ({
        url: node.url, id: node.id, weight: node.weight, inFlight: node.inFlight,
        latency: node.latency.value ? node.latency.expected(nodes.best(), now) : 0, ejected: node.trust(now) === 0,
      })),
      hits: strategy.count.hits, misses: strategy.count.misses, saved: strategy.count.saved,
      confirmed: revalidator.count.validators + revalidator.count.notModified, requests: sender.count.requests,
      retries: sender.count.retries, hedges: sender.count.hedges, kept: store.size, puts: store.count.puts, waiting: this.waiting,
    };
  }

  /** Static routes, where the browser has them: paths that need no worker. @param {any} event */
  routes(event) {
    const own = [{ condition: { urlPattern: new URLPattern({ pathname: "/.edge/*" }) }, source: "network" }];
    const { ignore } = this.strategy.rules;
    const plainest = ignore.filter((glob) => /^[\w/.-]+\/\*\*$/.test(glob) && matches([glob], glob.replace("**", "x")));
    const more = plainest.map((glob) => ({ condition: { urlPattern: new URLPattern({ pathname: glob.replace("**", "*") }) }, source: "network" }));
    return event.addRoutes([...own, ...more]);
  }
}
