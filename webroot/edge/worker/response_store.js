// The kept copies: bodies in a Cache, all that is known of them in rows (in memory, written to IndexedDB).
//
// A body's key holds its version, so a confirmation rewrites nothing in the Cache, and a new version comes
// beside the old one, which stays for pages that were loaded before it (see `find`).  What changed together
// is committed together: one transaction with one time for all.

import { etagOf, freshFor, isStorable, variant, varyOf } from "./rules.js";

/** The Cache's name; all of ours begin with "edge". */
export const CACHE = "edge-bodies";
/** A page that was loaded longer ago than this gets new versions, milliseconds. */
export const PAGE_MS = 30_000;

/**
 * @typedef {object} Row one kept copy
 * @property {string} key path and, behind a space, which variant
 * @property {string} path with query
 * @property {string} version of the body: its ETag, or what we made up
 * @property {string} etag "": none
 * @property {string} modified Last-Modified, "": none
 * @property {string[]} vary
 * @property {number} size
 * @property {number} since when this version was committed
 * @property {number} checked when it was last confirmed
 * @property {number} fresh for how long it is fresh after that
 * @property {number} used
 * @property {string} location a redirect to there; "": none
 * @property {{version: string, since: number} | null} old the version before
 *
 * @typedef {{path: string, response: Response, headers: Headers}} Arrival what is to be kept
 */

export class ResponseStore {
  /**
   * @param {import("./database.js").Database} database
   * @param {{caches: CacheStorage, origin: string, now: () => number}} outside
   */
  constructor(database, { caches, origin, now }) {
    this.database = database;
    this.caches = caches;
    this.origin = origin;
    this.now = now;
    this.limit = 64 * 1024 * 1024;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** Fields that the copies of a path differ in. @type {Map<string, string[]>} */
    this.vary = new Map();
    this.size = 0;
    /** Rows whose times are not written down yet. @type {Set<string>} */
    this.dirty = new Set();
    this.count = { puts: 0, evicted: 0, quota: 0 };
    /** @type {Promise<void> | null} */
    this.loading = null;
    /** @type {Promise<Cache> | null} */
    this.cache = null;
  }

  /** Read the rows, once. */
  ready() {
    this.loading ??= this.database.all("rows").then((rows) => {
      for (const row of rows) this.note(row);
    }, (error) => {
      // Without its rows the worker knows nothing: pages come from the network, as without a worker.
      console.warn("edge: kept copies cannot be read:", error);
    });
    return this.loading;
  }

  open() {
    this.cache ??= this.caches.open(CACHE);
    return this.cache;
  }

  /** @param {Row} row */
  note(row) {
    this.size += row.size - (this.rows.get(row.key)?.size ?? 0);
    this.rows.set(row.key, row);
    this.vary.set(row.path, row.vary);
  }

  /** @param {string} path @param {Headers} headers of the request */
  row(path, headers) {
    const vary = this.vary.get(path);
    return vary && this.rows.get(keyOf(path, vary, headers));
  }

  /** @param {Row} row */
  isFresh(row) {
    return this.now() < row.checked + row.fresh;
  }

  /** @param {Row} row @param {string} version */
  body(row, version) {
    return `${this.origin}/.edge/shelf/${encodeURIComponent(row.key)}?${encodeURIComponent(version)}`;
  }

  /**
   * The copy of *row* as a page sees it that was loaded at the time *at*; undefined: it is gone.
   * @param {Row} row @param {number} at
   * @returns {Promise<Response | undefined>}
   */
  async find(row, at = Infinity) {
    row.used = this.now();
    this.dirty.add(row.key);
    if (row.location) return Response.redirect(row.location, 302);
    const cache = await this.open();
    if (row.old && at < row.since && at > this.now() - PAGE_MS) {
      const before = await cache.match(this.body(row, row.old.version));
      if (before) return before;
    }
    const found = await cache.match(this.body(row, row.version));
    if (!found) await this.remove([row]); // the browser has cleared the Cache, but not our rows
    return found;
  }

  /**
   * Keep *arrivals*: pages see all of them, or none.  Nothing is kept where there is no room.
   * @param {Arrival[]} arrivals @returns {Promise<boolean>}
   */
  async commit(arrivals) {
    const since = this.now();
    /** @type {Row[]} */
    const rows = [];
    /** @type {string[]} */
    const gone = [];
    const cache = await this.open();
    try {
      for (const { path, response, headers } of arrivals) {
        if (!isStorable(response)) continue;
        const vary = varyOf(response);
        const key = keyOf(path, vary, headers);
        const before = this.rows.get(key);
        const etag = etagOf(response.headers);
        const version = etag || `${since}-${Math.random()}`;
        const body = await response.blob();
        /** @type {Row} */
        const row = {
          key, path, version, etag, vary, since, location: "", size: body.size, used: since, checked: since,
          modified: response.headers.get("last-modified") ?? "", fresh: freshFor(response.headers, since),
          old: before && !before.location ? { version: before.version, since: before.since } : null,
        };
        if (before?.old && before.old.version !== version) gone.push(this.body(before, before.old.version));
        if (before?.version === version) row.old = before.old;
        else await this.put(cache, this.body(row, version), plain(response, body));
        rows.push(row);
      }
    } catch (error) {
      if (/** @type {Error} */ (error).name !== "QuotaExceededError") throw error;
      return false;
    }
    await this.database.write("rows", rows);
    rows.forEach((row) => this.note(row));
    await Promise.all(gone.map((url) => cache.delete(url)));
    if (this.size > this.limit) await this.evict(this.limit * 0.9);
    return true;
  }

  /** Remember that *path* leads to *location*. @param {string} path @param {string} location */
  async commitRedirect(path, location) {
    const now = this.now();
    /** @type {Row} */
    const row = { key: `${path} `, path, location, version: "", etag: "", modified: "", vary: [], size: 0, since: now, checked: now, fresh: 0, used: now, old: null };
    this.note(row);
    await this.database.write("rows", [row]);
  }

  /** Write a body; where there is no room, make some, once. @param {Cache} cache @param {string} url @param {Response} response */
  async put(cache, url, response) {
    const again = response.clone();
    this.count.puts += 1;
    try {
      await cache.put(url, response);
    } catch (error) {
      if (/** @type {Error} */ (error).name !== "QuotaExceededError") throw error;
      this.count.quota += 1;
      await this.evict(this.size / 2);
      await cache.put(url, again);
    }
  }

  /** *rows* are still what the site publishes. @param {Row[]} rows @param {Headers} [headers] of the 304 */
  confirmed(rows, headers) {
    for (const row of rows) {
      row.checked = this.now();
      if (headers?.has("cache-control")) row.fresh = freshFor(headers, row.checked);
      this.dirty.add(row.key);
    }
  }

  /** Write down times that have changed. */
  async flush() {
    const rows = [...this.dirty].map((key) => this.rows.get(key)).filter((row) => row !== undefined);
    this.dirty.clear();
    if (rows.length) await this.database.write("rows", rows);
  }

  /** Forget what was not used for longest, until at most *bytes* are left. @param {number} bytes */
  async evict(bytes) {
    const { evict } = leastRecentlyUsed([...this.rows.values()], this.size - bytes);
    this.count.evicted += evict.length;
    await this.remove(evict);
  }

  /** @param {Row[]} rows */
  async remove(rows) {
    const cache = await this.open();
    for (const row of rows) {
      if (this.rows.delete(row.key)) this.size -= row.size;
      this.dirty.delete(row.key);
      await cache.delete(this.body(row, row.version));
      if (row.old) await cache.delete(this.body(row, row.old.version));
    }
    await this.database.write("rows", [], rows.map((row) => row.key));
  }

  /** Remove bodies that no row knows: what a worker left that was stopped in the middle. */
  async sweep() {
    const known = new Set();
    for (const row of this.rows.values()) {
      known.add(this.body(row, row.version));
      if (row.old && this.now() - row.since > PAGE_MS) row.old = null;
      if (row.old) known.add(this.body(row, row.old.version));
    }
    const cache = await this.open();
    for (const request of await cache.keys()) if (!known.has(request.url)) await cache.delete(request);
  }
}

/**
 * Which rows go to free *bytes*: the least recently used.
 * @param {Row[]} rows @param {number} bytes
 */
export function leastRecentlyUsed(rows, bytes) {
  const evict = [];
  let freed = 0;
  for (const row of rows.sort((a, b) => a.used - b.used)) {
    if (freed >= bytes) break;
    evict.push(row);
    freed += row.size;
  }
  return { evict, freed };
}

/** @param {string} path @param {string[]} vary @param {Headers} headers */
const keyOf = (path, vary, headers) => `${path} ${variant(vary, headers)}`;

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
