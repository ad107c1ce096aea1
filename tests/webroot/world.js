// Doubles of what the browser gives the worker: database and caches in memory, nodes that do what a test says.

export class MemoryDatabase {
  constructor() {
    this.stores = { rows: new Map(), state: new Map(), outbox: new Map() };
    this.writes = 0;
    this.next = 1;
  }

  async all(store) {
    return [...this.stores[store].values()].map((one) => structuredClone(one));
  }

  async get(store, key) {
    return structuredClone(this.stores[store].get(key));
  }

  async write(store, puts, removes = []) {
    this.writes += 1;
    for (const key of removes) this.stores[store].delete(key);
    for (const one of puts) {
      if (store === "state") this.stores[store].set(one[1], structuredClone(one[0]));
      else if (store === "outbox") {
        const number = one.number ?? this.next++;
        this.stores[store].set(number, structuredClone({ ...one, number }));
      }
      else this.stores[store].set(one.key, structuredClone(one));
    }
  }
}

/** Caches by name; `bodies` is what the ordinary one holds. */
export class MemoryCaches {
  constructor() {
    this.named = new Map([["edge-bodies", new MemoryCache(this)], ["edge-precache", new MemoryCache(this)], ["edge-foreign", new MemoryCache(this)]]);
    this.bodies = this.named.get("edge-bodies").bodies;
    this.precache = this.named.get("edge-precache").bodies;
    /** Bytes that fit. */
    this.room = Infinity;
  }

  async open(name) {
    return this.named.get(name);
  }
}

class MemoryCache {
  constructor(caches) {
    this.caches = caches;
    this.bodies = new Map();
  }

  async match(url) {
    return this.bodies.get(url)?.clone();
  }

  async put(url, response) {
    const size = (await response.clone().arrayBuffer()).byteLength;
    let used = 0;
    for (const { bodies } of this.caches.named.values()) for (const one of bodies.values()) used += (await one.clone().arrayBuffer()).byteLength;
    if (used + size > this.caches.room) throw new DOMException("no room", "QuotaExceededError");
    this.bodies.set(url, response);
  }

  async delete(url) {
    return this.bodies.delete(typeof url === "string" ? url : url.url);
  }

  async keys() {
    return [...this.bodies.keys()].map((url) => ({ url }));
  }
}

/** Time that passes when a test says so; who waits is woken in order. */
export class Clock {
  constructor() {
    this.ms = 1_000_000;
    this.waiting = [];
    this.now = () => this.ms;
    this.wait = (ms, signal) =>
      new Promise((resolve, reject) => {
        const one = { at: this.ms + ms, resolve };
        this.waiting.push(one);
        signal?.addEventListener("abort", () => {
          this.waiting = this.waiting.filter((other) => other !== one);
          reject(signal.reason);
        });
      });
  }

  /** Let *ms* pass. */
  async pass(ms) {
    const until = this.ms + ms;
    for (;;) {
      await turns();
      const [next] = this.waiting.filter((one) => one.at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.waiting = this.waiting.filter((one) => one !== next);
      this.ms = Math.max(this.ms, next.at);
      next.resolve();
    }
    this.ms = until;
    await turns();
  }
}

/** Let everything run that is ready. */
export async function turns() {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A site on several nodes, as fetch sees it. */
export class FakeSite {
  constructor(clock, files) {
    this.clock = clock;
    this.files = files; // path -> {body, etag, headers}
    this.log = []; // {origin, path, method, headers, body}
    this.down = new Set();
    this.hanging = new Set();
    this.sick = new Set();
    this.delay = new Map();
    /** The state of the site, "?": in the middle of a deploy; by state, the paths that have changed since. */
    this.state = undefined;
    this.since = {};
    this.fetch = this.fetch.bind(this);
  }

  async fetch(url, options) {
    return Object.defineProperty(await this.answer(url, options), "url", { value: url });
  }

  async answer(url, { method = "GET", headers = {}, body, signal, ...options } = {}) {
    const { origin, pathname, searchParams } = new URL(url);
    const asked = new Headers(headers);
    this.log.push({ origin, path: pathname, method, headers: asked, body, mode: undefined, query: searchParams.toString(), options });
    if (this.delay.has(origin)) await this.clock.wait(this.delay.get(origin), signal);
    if (this.hanging.has(origin)) await this.clock.wait(1e9, signal);
    if (this.down.has(origin)) throw new TypeError("Failed to fetch");
    if (this.sick.has(origin)) return new Response("sick", { status: 503 });
    if (method === "POST") {
      const stale = body.split("\n").map((line) => line.split(" ")).flatMap(([tag, path], number) => (this.files[path]?.etag === tag ? [] : [number]));
      return Response.json({ v: 1, seq: 1, stale, ...(this.state && this.state !== "?" && { s: this.state }) });
    }
    if (pathname === "/.edge/changes" && this.state) {
      const since = searchParams.get("since");
      const changed = this.state === "?" ? undefined : since === this.state ? null : this.since[since];
      const lines = { "cache-control": `no-store${this.riding ? `, load=${this.riding}` : ""}` };
      if (changed === null) return new Response(null, { status: 304, headers: lines });
      return new Response(changed ? [this.state, ...changed, ""].join("\n") : "?\n", { headers: lines });
    }
    const file = this.files[pathname];
    if (!file) return new Response("none", { status: 404 });
    const answer = { etag: `"${file.etag}"`, node: origin, "cache-control": "no-cache", ...file.headers };
    if (this.state) answer["edge-state"] = this.state;
    const tag = asked.get("if-none-match")?.replaceAll('"', "") ?? searchParams.get("~etag");
    if (tag === file.etag) return new Response(null, { status: 304, headers: answer });
    const permission = file.headers?.["cache-control"] ? {} : { "edge-client-cache-control": "stale-while-revalidate=2592000" };
    return new Response(file.body, { headers: { ...permission, ...answer, "content-length": String(file.body.length) } });
  }
}

export const ORIGINS = [1, 2, 3, 4].map((number) => `http://n${number}.example`);

/** A load document of four nodes. */
export function document(weights = [1, 1, 1, 1], utilization = 0.2, seq = 1) {
  const nodes = weights.map((weight, number) => ({
    id: `n${number + 1}`, url: ORIGINS[number], state: "alive", weight, utilization: Array.isArray(utilization) ? utilization[number] : utilization,
  }));
  return { v: 1, cluster: "test", seq, at: 0, ttl_ms: 5000, nodes };
}
