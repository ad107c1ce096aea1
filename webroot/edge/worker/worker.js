// The Service Worker: its parts, and what becomes of each of the browser's events.
//
//     install         the rules are fetched (self_update.js), and the precache (prefetcher.js)
//     activate        caches of versions before go
//     fetch           by the plan (rules.js): to the browser, the outbox (outbox.js), or the strategy
//                     (stale_while_revalidate.js); a poll for load figures behind it (load_poller.js)
//     message         from a page that keeps us awake for it; others come over the channel (messages.js)
//     sync            the outbox is sent
//     periodicsync    what is stored is revalidated (prefetcher.js)
//
// The browser stops a worker that has nothing to do: `wake` and `save` carry over what it should not forget.

import { Database } from "./database.js";
import { LoadPoller } from "./load_poller.js";
import { CHANNEL } from "./messages.js";
import { Nodes, readLoad } from "./nodes.js";
import { Outbox } from "./outbox.js";
import { Prefetcher } from "./prefetcher.js";
import { CACHE, ResponseStore } from "./response_store.js";
import { Revalidator } from "./revalidator.js";
import { defaults, staticRoutes } from "./rules.js";
import { SCRIPT, SelfUpdate } from "./self_update.js";
import { Sender } from "./sender.js";
import { StaleWhileRevalidate } from "./stale_while_revalidate.js";

/** Of the worker's code: the name of the folder it is in; pages show it. */
const VERSION = new URL(import.meta.url).pathname.split("/").at(-2) ?? "";
/** Milliseconds between two writes of its state. */
const SAVE_MS = 2_000;

/** @typedef {import("./messages.js").Message} Message */

export class Worker {
  /** @param {ServiceWorkerGlobalScope} scope */
  constructor(scope) {
    this.scope = scope;
    const now = () => Date.now();
    const { origin } = scope.location;
    const { locks } = scope.navigator;
    const fetch = scope.fetch.bind(scope);
    this.database = new Database();
    this.nodes = new Nodes(origin);
    this.sender = new Sender(this.nodes, { fetch, now });
    this.store = new ResponseStore(this.database, { caches: scope.caches, origin, now });
    this.revalidator = new Revalidator(this.store, this.sender, {
      onUpdate: (paths) => this.onUpdate(paths),
      onGone: (path) => path === SCRIPT && this.remove(),
      along: () => this.selfUpdate.along(),
    });
    this.strategy = new StaleWhileRevalidate(this.store, this.sender, this.revalidator, origin, defaults());
    this.selfUpdate = new SelfUpdate(this.store, this.sender, this.revalidator, {
      use: (rules) => this.use(rules),
      save: () => this.save(true),
      remove: () => this.remove(),
      update: () => scope.registration.update(),
    });
    this.prefetcher = new Prefetcher(this.store, this.sender, this.revalidator);
    this.poller = new LoadPoller(this.nodes, this.sender, locks);
    this.outbox = new Outbox(this.database, {
      fetch, now,
      onChange: (waiting) => {
        this.waiting = waiting;
        this.say({ type: "outbox", waiting });
      },
      requestSync: async () => /** @type {any} */ (scope.registration).sync?.register("edge-outbox"),
      locked: (work) => locks.request("edge-outbox", work),
    });
    /** Mutations in the outbox. */
    this.waiting = 0;
    this.saved = 0;
    this.removed = false;
    /** Whether the browser may still send navigation preloads. */
    this.preloads = true;
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.onmessage = (event) => this.onBroadcast(event.data);
    /** @type {Promise<void> | null} */
    this.waking = null;
  }

  /** @param {any} event */
  async install(event) {
    await this.wake();
    await this.selfUpdate.fetchRules();
    await this.prefetcher.precache(this.strategy.rules);
    await this.save(true);
    if (event.addRoutes) await event.addRoutes(staticRoutes(this.strategy.rules));
    await this.scope.skipWaiting();
  }

  /** This version is the one that answers from now on. */
  async activate() {
    // While nothing is stored, a page is better asked for before the worker has started.
    await this.scope.registration.navigationPreload?.enable();
    await this.deleteCaches((name) => name !== CACHE);
    await this.scope.clients.claim();
  }

  /** @param {any} event */
  fetch(event) {
    // The site's rules may not be read yet: they only ever leave more to the browser.
    if (this.removed || this.strategy.plan(event.request) === "pass") return;
    event.respondWith(this.respond(event));
  }

  /** @param {any} event @returns {Promise<Response>} */
  async respond(event) {
    const { request } = event;
    await this.wake();
    const plan = this.strategy.plan(request);
    if (plan === "pass") return this.scope.fetch(request);
    if (plan === "mutation") return this.outbox.send(request);
    const navigation = request.mode === "navigate";
    const waitUntil = (/** @type {Promise<unknown>} */ work) => event.waitUntil(work);
    if (navigation) waitUntil(this.selfUpdate.onNavigation());
    waitUntil(this.poller.poll().then(() => this.save()));
    if (navigation && this.preloads && this.strategy.count.hits) {
      this.preloads = false;
      waitUntil(Promise.resolve(this.scope.registration.navigationPreload?.disable()).catch(() => {})); // a wasted request at worst
    }
    const page = navigation ? event.resultingClientId : event.clientId;
    return this.strategy.answer(request, { page, waitUntil, preload: event.preloadResponse });
  }

  /** A page says something that we are kept awake for. @param {Message} message */
  async onMessage(message) {
    await this.wake();
    if (message.type === "shown") await this.shown(message.urls).catch(() => {}); // unreachable: pages tell again
    else if (message.type === "refresh") await this.refresh();
    else if (message.type === "online") await this.outbox.flush().catch(() => {}); // unreachable still: pages tell again
    else this.onBroadcast(message);
  }

  /** Feed or page say something on the channel, as long as we are awake. @param {Message} message */
  onBroadcast(message) {
    if (message.type === "load") {
      const load = readLoad(message.document);
      if (load) this.nodes.learn(load, Date.now());
    } else if (message.type === "ask") {
      // A page that registers while it still has this worker takes it back, in Chromium.
      this.say(this.removed ? { type: "removed" } : { type: "status", status: this.status() });
    }
  }

  /** @param {Message} message */
  say(message) {
    this.channel.postMessage(message);
  }

  /** @param {string[]} paths new versions of which are stored now */
  async onUpdate(paths) {
    const shown = await this.selfUpdate.onUpdate(paths);
    if (shown.length) this.say({ type: "updated", paths: shown });
  }

  /** @param {string[]} urls that a page shows */
  shown(urls) {
    const own = urls.map((url) => new Request(url)).filter((request) => this.strategy.plan(request) === "cache");
    return this.prefetcher.shown(new Set(own.map(({ url }) => url.slice(this.scope.location.origin.length).split("#")[0])));
  }

  /** A page is idle, or the browser says that it is a good time. */
  async refresh() {
    await this.wake();
    if (!this.prefetcher.mayRefresh(this.nodes.utilization())) return;
    this.prefetcher.refreshed = Date.now();
    await this.save(true);
    await this.prefetcher.refresh();
  }

  /** Remember what was known before the browser stopped us. */
  wake() {
    this.waking ??= (async () => {
      await this.store.ready();
      try {
        const saved = await this.database.get("state", "worker");
        if (!saved) return;
        this.use(saved.rules);
        if (saved.load) this.nodes.learn(saved.load, saved.learned);
        this.nodes.restore(saved.nodes);
        this.prefetcher.refreshed = saved.refreshed ?? 0;
      } catch (error) {
        console.warn("edge: its state cannot be read:", error);
      }
    })();
    return this.waking;
  }

  /** Write down what a restart should not forget; not at every request. */
  async save(force = false) {
    if (this.removed || (!force && Date.now() < this.saved + SAVE_MS)) return;
    this.saved = Date.now();
    const { load, learned } = this.nodes;
    const saved = { rules: this.strategy.rules, load, learned, nodes: this.nodes.save(), refreshed: this.prefetcher.refreshed };
    await this.database.write("state", [[saved, "worker"]]).catch(() => {}); // no room: a restart knows less
  }

  /** @param {import("./rules.js").Rules} rules */
  use(rules) {
    this.strategy.rules = rules;
    this.store.limit = rules.limit_mib * 1024 * 1024;
  }

  /** Switched off: nothing of us stays. */
  async remove() {
    if (this.removed) return;
    this.removed = true;
    await this.scope.registration.unregister();
    await this.deleteCaches(() => true);
    await this.database.remove().catch(() => {}); // without the worker nobody reads it
    this.say({ type: "removed" });
  }

  /** @param {(name: string) => boolean} goes of ours */
  async deleteCaches(goes) {
    for (const name of await this.scope.caches.keys()) {
      if (name.startsWith("edge") && goes(name)) await this.scope.caches.delete(name);
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
}
