// The Service Worker: its parts, and what becomes of each of the browser's events.
//
//     install         the rules are fetched (self_update.js), and the precache (prefetcher.js)
//     activate        caches of versions before go
//     fetch           by the plan (rules.js): to the browser, the outbox (outbox.js), or the strategy
//                     (stale_while_revalidate.js); a poll for load figures behind it (load_poller.js)
//     message         from a page that keeps us awake for it; others come over the channel (messages.js).  Pages that can
//                     be seen keep us awake for the feed, too, whose socket we hold (feed.js)
//     sync            the outbox is sent
//     periodicsync    what is stored is revalidated (prefetcher.js)
//
// The browser stops a worker that has nothing to do: each event wakes it first, with what it knew (saved_state.js).

import { Database } from "./database.js";
import { Feed } from "./feed.js";
import { FOREIGN, Foreign } from "./foreign.js";
import { Live, SAVED } from "./live.js";
import { LoadPoller } from "./load_poller.js";
import { CHANNEL, scriptOf } from "./messages.js";
import { NavigationPreload } from "./navigation_preload.js";
import { Network } from "./network.js";
import { Nodes, readLoad } from "./nodes.js";
import { Outbox, refusal } from "./outbox.js";
import { PageParts } from "./page_parts.js";
import { Prefetcher } from "./prefetcher.js";
import { invalidate } from "./invalidation.js";
import { CACHES, ResponseStore } from "./response_store.js";
import { Questions } from "./questions.js";
import { Revalidator } from "./revalidator.js";
import { CurrentRules, matches, namedIn, staticRoutes } from "./rules.js";
import { SavedState } from "./saved_state.js";
import { SelfUpdate, takeOver } from "./self_update.js";
import { Sender } from "./sender.js";
import { StaleWhileRevalidate } from "./stale_while_revalidate.js";
import { COMING_MS } from "./versions.js";
import { heldBy, later } from "./waiting.js";

/** Pages that want no socket (client.js). */
const WITHOUT_SOCKET = /[?&]edge=(worker|off)\b/;

/** Decisions and exchanges that are kept for pages that do not listen yet. */
const TRACES = 200;

/** @typedef {import("./messages.js").Message} Message */

export class Worker {
  /** @param {ServiceWorkerGlobalScope} scope @param {string} version of this code */
  constructor(scope, version) {
    this.scope = scope;
    this.version = version;
    const now = () => Date.now();
    const { origin, search, href } = scope.location;
    const { locks } = scope.navigator;
    this.network = new Network(scope.fetch.bind(scope), now, () => this.store.clear());
    const { fetch } = this.network;
    const onExchange = (/** @type {Message} */ exchange) => {
      this.trace(exchange);
      this.save(); // it may have been a retry
    };
    /** Removed is for good: nothing is stored any more, and the browser answers. @type {"active" | "removed"} */
    this.life = "active";
    this.database = new Database();
    this.rules = new CurrentRules(namedIn(search));
    this.nodes = new Nodes(origin);
    this.sender = new Sender(this.nodes, { fetch, now, onExchange });
    this.store = new ResponseStore(this.database, this.rules, { caches: scope.caches, origin, now });
    const selfUpdate = new SelfUpdate(this.store, this.sender, this.rules, {
      save: () => this.save(true),
      remove: () => this.remove(),
      precache: () => this.prefetcher.precache(this.rules.current, true),
      update: async () => {
        await fetch(href, { cache: "reload" }).then((response) => response.arrayBuffer()); // the browser takes it from its cache
        await scope.registration.update();
      },
    });
    this.selfUpdate = selfUpdate;
    this.feed = new Feed(origin, (message) => this.onFeed(message), { known: () => this.nodes.load });
    /** How it is, and what of the site it said to be new, for pages that come later. @type {Map<string, Message>} */
    this.told = new Map();
    this.questions = new Questions(this.feed, { onExchange });
    this.revalidator = new Revalidator(this.store, this.sender, {
      onUpdate: (paths) => this.onUpdate(paths),
      onGone: (path) => selfUpdate.onGone(path),
      along: () => selfUpdate.along(),
      questions: this.questions,
      unconfirmed: (asked) => this.live.unconfirmed(asked),
      node: () => this.live.node,
      changed: (stored) => this.live.lastTold(stored),
    });
    this.live = new Live(this.store, this.questions, {
      check: (rows, likely) => this.revalidator.check(rows, likely),
      say: (message) => this.say(message),
      now,
    });
    this.parts = new PageParts(this.store, {
      now,
      wait: later,
      changes: (since) => this.revalidator.changes(since),
      validate: (parts) => this.revalidator.validate(parts),
      outdated: (page, path, again) => this.outdated(page, path, again),
    });
    this.strategy = new StaleWhileRevalidate(this.store, this.sender, this.revalidator, origin, this.rules, this.parts, fetch);
    this.foreign = new Foreign(this.database, this.rules, { caches: scope.caches, origin, fetch, now });
    this.prefetcher = new Prefetcher(this.store, this.sender, this.revalidator);
    this.state = new SavedState(this.database, { rules: this.rules, nodes: this.nodes, retries: this.sender.retries, prefetcher: this.prefetcher, network: this.network });
    this.preload = new NavigationPreload(scope.registration.navigationPreload);
    this.poller = new LoadPoller(this.nodes, this.sender, locks);
    this.outbox = new Outbox(this.database, {
      fetch, now,
      onChange: (waiting, after) => {
        this.waiting = waiting;
        this.say({ type: "outbox", waiting, after });
      },
      onSent: (url, answer) => this.changed(url, answer),
      onRefused: (row) => this.say(refusal(row)),
      onUnkept: (change) => this.say({ type: "unkept", ...change }),
      wait: later,
      requestSync: async () => /** @type {any} */ (scope.registration).sync?.register("edge-outbox"),
      locked: (work) => locks.request("edge-outbox", work),
    });
    /** Pages that are told of each decision for them, and of all exchanges (page/debug.js). @type {Set<string>} */
    this.watching = new Set();
    /** Decisions and exchanges, for pages that will listen. @type {Message[]} */
    this.traces = [];
    /** When it is known again which groups are followed. @type {Promise<void> | undefined} */
    this.woken = undefined;
    /** Mutations in the outbox. */
    this.waiting = 0;
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.onmessage = (event) => this.onBroadcast(event.data);
  }

  /** @param {any} event */
  async install(event) {
    this.store.isGuest = true;
    await this.prepare();
    if (event.addRoutes) await event.addRoutes(staticRoutes(this.rules.current));
    await takeOver(this.scope);
  }

  /** Read the site's rules, and what they want stored. */
  async prepare() {
    await this.wake();
    await this.selfUpdate.fetchRules();
    // An installation that fails leaves no registration behind.
    if (this.rules.current.off) throw new Error("/edge.json switches the smart client off");
    await this.prefetcher.precache(this.rules.current);
    await this.save(true);
  }

  /** This version is the one that answers from now on. */
  async activate() {
    await this.store.takeOver().catch((error) => console.warn("edge: pages of the worker before are not known:", error));
    await this.preload.enable();
    await this.deleteCaches((name) => ![...CACHES, FOREIGN].includes(name));
    await this.scope.clients.claim();
  }

  /** @param {any} event */
  fetch(event) {
    // The site's rules may not be read yet.  Of its own paths they only ever leave more to the browser; the addresses of other
    // origins that they name are known, and all others are none of our business.
    if (this.life === "removed" || this.strategy.plan(event.request) === "pass") return;
    event.respondWith(this.respond(event));
  }

  /** @param {any} event @returns {Promise<Response>} */
  async respond(event) {
    const { request } = event;
    const waitUntil = heldBy(event);
    await this.wake();
    const plan = this.strategy.plan(request);
    if (plan === "pass") return this.network.fetch(request);
    if (plan === "mutation") return this.mutate(request);
    if (plan === "foreign") return this.foreign.answer(request, waitUntil);
    const navigation = request.mode === "navigate";
    if (navigation) this.revalidator.forget();
    if (navigation && !WITHOUT_SOCKET.test(request.url)) this.stay();
    if (navigation) waitUntil(this.selfUpdate.onNavigation(this.revalidator));
    waitUntil(this.poller.poll().then(() => this.save()));
    if (navigation) waitUntil(this.forgetPages());
    const { clientId, resultingClientId, preloadResponse: preload } = event;
    const page = navigation ? resultingClientId : clientId;
    const begun = Date.now();
    /** @type {{version?: string}} */
    const trace = {};
    const answer = this.strategy.answer(request, { page, becomes: resultingClientId, waitUntil, preload: this.network.isUnplugged ? undefined : preload?.then((/** @type {Response | undefined} */ one) => one && this.network.heeded(one)), trace });
    answer.then(({ headers }) => this.live.gave(page, this.rules.pathOf(request.url, this.scope.location.origin), headers), () => {});
    const told = (/** @type {number} */ status) => this.trace(/** @type {Message} */ ({
      type: "decision", path: request.url.slice(this.scope.location.origin.length), plan, destination: request.destination, page, status,
      ms: Date.now() - begun, node: this.nodes.current, why: this.nodes.why, ...trace,
    }));
    answer.then(({ status }) => told(status), () => told(0));
    if (navigation) waitUntil(answer.then(() => (trace.version ? this.preload.disable() : undefined), () => {}));
    return answer;
  }

  /** Tell those that watch, and keep it for those that will. @param {Message} one */
  trace(one) {
    this.traces = [...this.traces.slice(1 - TRACES), one];
    for (const page of this.watching) this.tell(page, [one]);
  }

  /** Tell *page* what concerns it. @param {string} page @param {Message[]} traces */
  async tell(page, traces) {
    const client = await this.scope.clients.get(page);
    if (!client) this.watching.delete(page);
    for (const one of traces) if (one.type !== "decision" || one.page === page) client?.postMessage(one);
  }

  /** It listens from now on. @param {string} page */
  watch(page) {
    if (this.watching.has(page)) return Promise.resolve();
    this.watching.add(page);
    return this.tell(page, this.traces);
  }

  /** Pages that are not open any more show nothing, and need no versions of their own in the end. */
  async forgetPages() {
    const { versions } = this.store;
    const now = Date.now();
    const open = new Set((await this.scope.clients.matchAll({ type: "all", includeUncontrolled: true })).map(({ id }) => id));
    versions.close(open, now);
    // A page that is only coming to be is not listed yet.
    for (const { id, at } of versions.pages.values()) if (at > now - COMING_MS) open.add(id);
    this.live.close(open);
    await this.store.tidy();
  }

  /** A page needs *path* of a later deploy: it is loaded *again*, or told. @param {string} page @param {string} path @param {boolean} again */
  async outdated(page, path, again) {
    const client = /** @type {WindowClient | undefined} */ (await this.scope.clients.get(page));
    const reloads = again && client && "navigate" in client && this.parts.mayReload(client.url);
    if (!reloads || !(await client.navigate(client.url).catch(() => null))) client?.postMessage({ type: "outdated", page, path });
  }

  /** Send what changes something; it may wait where the site says so. @param {Request} request @returns {Promise<Response>} */
  async mutate(request) {
    const { url, mode } = request;
    const { queue, queued: page } = this.rules.current;
    const lane = queue.find((glob) => matches([glob], new URL(url).pathname));
    let answer;
    try {
      answer = await (lane ? this.outbox.send(request, { lane, page }) : this.network.fetch(request));
    } catch (error) {
      if (mode !== "navigate") throw error;
      return this.strategy.offline();
    }
    await this.changed(url, answer);
    return answer;
  }

  /** Something was sent to *url* that changes what is stored. @param {string} url @param {Response} answer */
  async changed(url, answer) {
    await this.wake(); // Background Sync may have
    await invalidate(this.store, this.rules, url, answer).catch((error) => console.warn("edge: not invalidated:", url, error));
    if (answer.status < 400 && answer.status !== 202) await this.live.mutated().catch((error) => console.warn("edge: not asked for:", url, error));
  }

  /** A page says something that we are kept awake for; what it is told when that is done. @param {Message} message @param {string} page its id */
  async onMessage(message, page) {
    await this.wake();
    if (message.type === "shown") await this.shown(message.urls, page).catch(() => {}); // unreachable: pages tell again
    else if (message.type === "stay") this.stay();
    else if (message.type === "groups") await this.live.hear(message);
    else if (message.type === "live") await this.live.resume();
    else if (message.type === "refresh") await this.refresh();
    else if (message.type === "debug") await this.watch(page);
    else if (message.type === "reset") await this.reset(message.what);
    else if (message.type === "unplug") await this.unplug(message.unplugged);
    else if (message.type === "renewed") return this.parts.renew(page, message.paths, message.back);
    else if (message.type === "online") await this.outbox.flush().catch(() => {}); // unreachable still: pages tell again
    else if (message.type === "form") this.outbox.announce(message.url, message.secret);
    else if (message.type === "script") return this.life === "removed" ? null : scriptOf(this.rules.current);
    else if (message.type === "queue") return this.outbox.list();
    else if (message.type === "taken") return this.outbox.take(message.number, message.again);
    else this.onBroadcast(message);
    if (message.type === "ask") await this.tell(page, [...this.told.values()]);
    return null;
  }

  /** A page that can be seen comes, or is there still: the feed has a socket, or the load document is polled. */
  stay() {
    if (this.life === "removed" || this.network.isUnplugged) return;
    this.feed.start();
    if (this.feed.failures) this.poller.poll().catch(() => {}); // told by the next answer
  }

  /** The feed says something: pages hear it, too. @param {Message} message */
  onFeed(message) {
    if (message.type === "feed") message.at = Date.now();
    if (message.type === "feed" || message.type === "changed") this.told.set(message.type, message);
    this.say(message);
    this.onBroadcast(message);
  }

  /** Feed or page say something, as long as we are awake. @param {Message} message */
  onBroadcast(message) {
    if (message.type === "load") {
      const load = readLoad(message.document);
      const tag = this.nodes.load?.tag;
      if (load) this.nodes.learn(load, Date.now());
      if (load && load.tag !== tag) this.save(true); // other nodes than a restart would know
    } else if (message.type === "changed") {
      this.revalidator.forget();
    } else if (message.type === "ask") {
      // A page that registers while it still has this worker takes it back, in Chromium.
      if (this.life === "removed") return this.say({ type: "removed" });
      this.say({ type: "status", status: this.status() });
      if (this.nodes.load) this.say({ type: "load", document: this.nodes.load });
    }
  }

  /** @param {Message} message */
  say(message) {
    this.channel.postMessage(message);
  }

  /** @param {string[]} paths new versions of which are stored now */
  async onUpdate(paths) {
    this.live.tell(new Set(paths)); // whoever has found it
    const shown = await this.selfUpdate.onUpdate(paths);
    if (shown.length) this.say({ type: "updated", paths: shown });
  }

  /** @param {string[]} urls that *page* shows @param {string} page its id */
  async shown(urls, page) {
    const own = urls.map((url) => new Request(url)).filter((request) => this.strategy.plan(request) === "cache");
    const paths = new Set(own.map(({ url }) => this.rules.pathOf(url, this.scope.location.origin)));
    const before = this.store.filter(({ path }) => paths.has(path));
    if (this.parts.isUnknown(page)) await this.prefetcher.shown(paths); // later it is asked for by the page itself
    this.parts.adopt(page, paths);
    await this.revalidator.revalidate(before.filter((one) => this.store.use(one) === "stale"));
    // What it was given before there was a worker.
    for (const { path, fields } of this.store.filter((row) => paths.has(row.path))) this.live.gave(page, path, new Headers(fields));
  }

  /** A page is idle, or the browser says that it is a good time. */
  async refresh() {
    await this.wake();
    if (!this.prefetcher.begin(this.nodes.utilization())) return;
    await this.save(true); // a restart in the middle of it does not begin another
    await this.prefetcher.refresh();
  }

  /** Know again what was known before the browser stopped us. */
  async wake() {
    await this.store.ready();
    await this.state.restore();
    this.woken ??= this.database.get("state", SAVED).then((saved) => this.live.restore(saved), () => {}); // it knows less
    await this.woken;
  }

  /** Write down what a restart should not forget; unless *force*, not at every request. */
  async save(force = false) {
    if (this.life !== "removed") await this.state.save(force);
  }

  /** A page pulls the plug, or puts it in again. @param {boolean} unplugged */
  async unplug(unplugged) {
    this.network.unplug(unplugged);
    if (unplugged) this.feed.stop();
    else this.stay();
    this.say({ type: "unplug", unplugged });
    await this.save(true);
    this.onBroadcast({ type: "ask" });
  }

  /** Somebody wants *what* forgotten (the node's page /.edge/client). @param {"kept" | "nodes" | "queue" | "all"} what */
  async reset(what) {
    const { store, nodes } = this;
    if (what === "all") return this.remove(true);
    if (what === "kept") await store.remove([...store.all()]);
    else if (what === "nodes") Object.assign(nodes, new Nodes(nodes.home));
    else await this.database.write("outbox", [], (await this.database.all("outbox")).map(({ number }) => number));
    await this.save(true);
    this.onBroadcast({ type: "ask" });
  }

  /** Switched off: nothing of us stays, but changes that cannot be sent now, unless *all* goes. @param {boolean} [all] */
  async remove(all = false) {
    if (this.life === "removed") return;
    this.life = "removed";
    this.feed.stop();
    // Not awaited: it is fulfilled behind an installation, and this may be a part of one.
    this.scope.registration.unregister().catch(() => {});
    await this.deleteCaches(() => true);
    if (!all) await this.outbox.flush().catch(() => {}); // what is left waits for the next worker
    await this.database.remove(all ? [] : await this.outbox.rows().catch(() => [])).catch(() => {}); // without the worker nobody reads it
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
      version: this.version, node: nodes.current, why: nodes.why,
      nodes: [...nodes.all.values()].filter((node) => nodes.load?.nodes.some((one) => one.url === node.url) ?? true).map((node) => ({
        url: node.url, id: node.id, weight: node.weight, inFlight: node.inFlight,
        latency: node.latency.value ? node.latency.expected(nodes.best(), now) : 0, ejected: node.trust(now) === 0,
      })),
      hits: strategy.count.hits, misses: strategy.count.misses, saved: strategy.count.saved,
      confirmed: revalidator.count.validators + revalidator.count.notModified, requests: sender.count.requests,
      retries: sender.count.retries, hedges: sender.count.hedges, kept: store.size, puts: store.count.puts, waiting: this.waiting,
      unplugged: this.network.isUnplugged,
    };
  }
}
