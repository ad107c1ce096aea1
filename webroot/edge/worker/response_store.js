// The stored responses (RFC 9111): bodies in the browser's Cache, what is known of them in memory and, as rows,
// in IndexedDB.
//
// A body's address in the Cache holds its version, so a validation rewrites nothing there, and a new version
// comes beside the old one, which stays for pages that were loaded before it (see `open`).  What has changed
// together is committed together: one transaction, with one time for all.

import { freshnessLeft, isStorable, secondaryKey, strongEtag, varyFields } from "./caching.js";

/** The Cache's name; all of ours begin with "edge". */
export const CACHE = "edge-bodies";
/** A page that was loaded longer ago than this gets new versions, milliseconds. */
const PAGE_MS = 30_000;
const MIB = 1024 * 1024;

/**
 * What is known of a stored response.  These are the rows in IndexedDB: their names live in browsers, and stay.
 *
 * @typedef {object} StoredResponse
 * @property {string} key the cache key: path and, behind a space, what the fields in Vary add
 * @property {string} path with query
 * @property {string} version of the body: its ETag, or what we made up
 * @property {string} etag the strong validator; "": none
 * @property {string} modified Last-Modified, "": none
 * @property {string[]} vary
 * @property {number} size bytes of the body
 * @property {number} since when this version was committed
 * @property {number} checked when it was last validated
 * @property {number} fresh milliseconds that it is fresh after that
 * @property {number} used
 * @property {string} location a redirect to there; "": none
 * @property {{version: string, since: number} | null} old the version before
 *
 * @typedef {{path: string, response: Response, headers: Headers}} Arrival what is to be stored; *headers* of the request
 */

export class ResponseStore {
  /**
   * @param {import("./database.js").Database} database
   * @param {import("./rules.js").CurrentRules} rules
   * @param {{caches: CacheStorage, origin: string, now: () => number}} outside
   */
  constructor(database, rules, { caches, origin, now }) {
    this.database = database;
    this.rules = rules;
    this.caches = caches;
    this.origin = origin;
    this.now = now;
    /** By cache key. @type {Map<string, StoredResponse>} */
    this.stored = new Map();
    /** Fields that the stored responses of a path differ in. @type {Map<string, string[]>} */
    this.vary = new Map();
    this.size = 0;
    /** Keys of what has changed since it was last written down. @type {Set<string>} */
    this.dirty = new Set();
    this.count = { puts: 0 };
    /** @type {Promise<void> | null} */
    this.loading = null;
    /** @type {Promise<Cache> | null} */
    this.bodies = null;
  }

  /** Read what is known, once. */
  ready() {
    this.loading ??= this.database.all("rows").then((rows) => rows.forEach((one) => this.add(one)), (error) => {
      // Without it the worker knows nothing: pages come from the network, as without a worker.
      console.warn("edge: stored responses cannot be read:", error);
    });
    return this.loading;
  }

  cache() {
    this.bodies ??= this.caches.open(CACHE);
    return this.bodies;
  }

  /** @param {StoredResponse} stored */
  add(stored) {
    this.size += stored.size - (this.stored.get(stored.key)?.size ?? 0);
    this.stored.set(stored.key, stored);
    this.vary.set(stored.path, stored.vary);
  }

  /** What is stored for a request (RFC 9111 section 4.1). @param {string} path @param {Headers} headers of the request */
  lookup(path, headers = new Headers()) {
    const vary = this.vary.get(path);
    return vary && this.stored.get(keyOf(path, vary, headers));
  }

  /** All that *filter* says yes to. @param {(stored: StoredResponse) => boolean} filter */
  filter(filter) {
    return [...this.stored.values()].filter(filter);
  }

  /** @param {StoredResponse} stored */
  isFresh(stored) {
    return this.now() < stored.checked + stored.fresh;
  }

  /** Address of a body in the Cache; it lives in browsers, too. @param {StoredResponse} stored @param {string} version */
  address(stored, version = stored.version) {
    return `${this.origin}/.edge/shelf/${encodeURIComponent(stored.key)}?${encodeURIComponent(version)}`;
  }

  /**
   * *stored* with its body, as a page sees it that was loaded at the time *at*; undefined: it is gone.
   * @param {StoredResponse} stored @param {number} at
   * @returns {Promise<Response | undefined>}
   */
  async open(stored, at = Infinity) {
    stored.used = this.now();
    this.dirty.add(stored.key);
    if (stored.location) return Response.redirect(stored.location, 302);
    const cache = await this.cache();
    if (stored.old && at < stored.since && at > this.now() - PAGE_MS) {
      const before = await cache.match(this.address(stored, stored.old.version));
      if (before) return before;
    }
    const found = await cache.match(this.address(stored));
    if (!found) await this.remove([stored]); // the browser has cleared the Cache, but not our rows
    return found;
  }

  /**
   * Store *arrivals*: pages see all of them, or none.  Nothing is stored where there is no room.
   * @param {Arrival[]} arrivals @returns {Promise<boolean>}
   */
  async commit(arrivals) {
    const since = this.now();
    /** @type {StoredResponse[]} */
    const rows = [];
    /** @type {string[]} */
    const gone = [];
    const cache = await this.cache();
    try {
      for (const { path, response, headers } of arrivals) {
        if (!isStorable(response)) continue;
        const vary = varyFields(response);
        const key = keyOf(path, vary, headers);
        const before = this.stored.get(key);
        const etag = strongEtag(response.headers);
        const version = etag || `${since}-${Math.random()}`;
        const body = await response.blob();
        /** @type {StoredResponse} */
        const row = {
          key, path, version, etag, vary, since, location: "", size: body.size, used: since, checked: since,
          modified: response.headers.get("last-modified") ?? "", fresh: freshnessLeft(response.headers, since),
          old: before && !before.location ? { version: before.version, since: before.since } : null,
        };
        if (before?.old && before.old.version !== version) gone.push(this.address(before, before.old.version));
        if (before?.version === version) row.old = before.old;
        else await this.put(cache, this.address(row), plain(response, body));
        rows.push(row);
      }
    } catch (error) {
      if (!isQuota(error)) throw error;
      return false;
    }
    await this.database.write("rows", rows);
    rows.forEach((row) => this.add(row));
    await Promise.all(gone.map((url) => cache.delete(url)));
    const limit = this.rules.current.limit_mib * MIB;
    if (this.size > limit) await this.evict(limit * 0.9);
    return true;
  }

  /** Remember that *path* leads to *location*. @param {string} path @param {string} location */
  async commitRedirect(path, location) {
    const now = this.now();
    /** @type {StoredResponse} */
    const row = { key: `${path} `, path, location, version: "", etag: "", modified: "", vary: [], size: 0, since: now, checked: now, fresh: 0, used: now, old: null };
    this.add(row);
    await this.database.write("rows", [row]);
  }

  /** Write a body; where there is no room, make some, once. @param {Cache} cache @param {string} url @param {Response} response */
  async put(cache, url, response) {
    const again = response.clone();
    this.count.puts += 1;
    try {
      await cache.put(url, response);
    } catch (error) {
      if (!isQuota(error)) throw error;
      await this.evict(this.size / 2);
      await cache.put(url, again);
    }
  }

  /** *validated* are current still (RFC 9111 section 4.3.4). @param {StoredResponse[]} validated @param {Headers} [headers] of the 304 */
  freshen(validated, headers) {
    for (const stored of validated) {
      stored.checked = this.now();
      if (headers?.has("cache-control")) stored.fresh = freshnessLeft(headers, stored.checked);
      this.dirty.add(stored.key);
    }
  }

  /** Write down times that have changed. */
  async flush() {
    const rows = this.filter(({ key }) => this.dirty.has(key));
    this.dirty.clear();
    if (rows.length) await this.database.write("rows", rows);
  }

  /** Forget what was not used for longest, until at most *bytes* are left. @param {number} bytes */
  evict(bytes) {
    return this.remove(leastRecentlyUsed([...this.stored.values()], this.size - bytes));
  }

  /** @param {StoredResponse[]} gone */
  async remove(gone) {
    const cache = await this.cache();
    for (const stored of gone) {
      if (this.stored.delete(stored.key)) this.size -= stored.size;
      this.dirty.delete(stored.key);
      await cache.delete(this.address(stored));
      if (stored.old) await cache.delete(this.address(stored, stored.old.version));
    }
    await this.database.write("rows", [], gone.map(({ key }) => key));
  }

  /** Remove bodies that nothing refers to: what a worker left that was stopped in the middle. */
  async sweep() {
    const known = new Set();
    for (const stored of this.stored.values()) {
      known.add(this.address(stored));
      if (stored.old && this.now() - stored.since > PAGE_MS) stored.old = null;
      if (stored.old) known.add(this.address(stored, stored.old.version));
    }
    const cache = await this.cache();
    for (const request of await cache.keys()) if (!known.has(request.url)) await cache.delete(request);
  }
}

/**
 * Those of *all* that go to free *bytes*: the least recently used.
 * @param {StoredResponse[]} all @param {number} bytes
 */
export function leastRecentlyUsed(all, bytes) {
  const chosen = [];
  for (const stored of all.sort((a, b) => a.used - b.used)) {
    if (bytes <= 0) break;
    chosen.push(stored);
    bytes -= stored.size;
  }
  return chosen;
}

/** The cache key. @param {string} path @param {string[]} vary @param {Headers} headers */
const keyOf = (path, vary, headers) => `${path} ${secondaryKey(vary, headers)}`;

/** Whether there is no room. @param {unknown} error */
const isQuota = (error) => /** @type {Error} */ (error).name === "QuotaExceededError";

/**
 * A response of our own: says nothing of redirects or of the node that gave it.
 * @param {Response} response @param {BodyInit | null} body
 */
export function plain(response, body) {
  const headers = new Headers(response.headers);
  // Of the way it came, not of what it is.
  for (const name of ["content-encoding", "content-length", "connection", "date", "age"]) headers.delete(name);
  return new Response(body, { status: response.status, statusText: response.statusText, headers });
}
