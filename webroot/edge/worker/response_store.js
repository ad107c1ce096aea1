// The stored responses (RFC 9111): bodies in the browser's Cache, what is known of them in memory and, as rows,
// in IndexedDB.
//
// A body's address in the Cache holds its version, so a validation rewrites nothing there, and a new version
// comes beside the old one, which stays as long as an open page may ask for it: a *past* version, a row of its own.
// What has changed together is committed together: one transaction, with one time for all.  Which versions go
// together is told by versions.js.

import { freshnessLeft, isStorable, secondaryKey, strongEtag, varyFields } from "./caching.js";
import { LOOSE, Versions } from "./versions.js";

/** The Cache's name; all of ours begin with "edge". */
export const CACHE = "edge-bodies";
const MIB = 1024 * 1024;

/**
 * What is known of a stored response.  These are the rows in IndexedDB: their names live in browsers, and stay.
 *
 * @typedef {object} StoredResponse
 * @property {string} key the cache key: path and, behind a space, what the fields in Vary add; of a past version made up
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
 * @property {number} states at which states of the site it is known to be current, see versions.js
 * @property {number} [era] of these numbers
 * @property {string} [past] of a past version: the cache key
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
    /** Past versions, newest first, by cache key. @type {Map<string, StoredResponse[]>} */
    this.past = new Map();
    this.versions = new Versions(() => this.all(), (row) => this.dirty.add(row.key));
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
    this.loading ??= this.read().catch((error) => {
      // Without it the worker knows nothing: pages come from the network, as without a worker.
      console.warn("edge: stored responses cannot be read:", error);
    });
    return this.loading;
  }

  async read() {
    const rows = await this.database.all("rows");
    for (const { old, ...row } of rows) this.add({ ...row, states: row.states ?? LOOSE }); // *old*: of earlier workers
    this.versions.restore(await this.database.get("state", "worker.versions"));
  }

  cache() {
    this.bodies ??= this.caches.open(CACHE);
    return this.bodies;
  }

  /** @param {StoredResponse} stored */
  add(stored) {
    if (stored.past !== undefined) {
      this.size += stored.size;
      this.past.set(stored.past, [stored, ...(this.past.get(stored.past) ?? [])]);
      return;
    }
    this.size += stored.size - (this.stored.get(stored.key)?.size ?? 0);
    this.stored.set(stored.key, stored);
    this.vary.set(stored.path, stored.vary);
  }

  /** All rows, past versions first. @returns {Generator<StoredResponse>} */
  *all() {
    for (const versions of this.past.values()) yield* versions;
    yield* this.stored.values();
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

  /** Address of a body in the Cache; it lives in browsers, too. @param {StoredResponse} stored */
  address({ key, past = key, version }) {
    return `${this.origin}/.edge/shelf/${encodeURIComponent(past)}?${encodeURIComponent(version)}`;
  }

  /** *stored* and its past versions, newest first. @param {StoredResponse} stored */
  versionsOf(stored) {
    return [stored, ...(this.past.get(stored.key) ?? [])];
  }

  /** The body of *stored*; undefined: it is gone. @param {StoredResponse} stored @returns {Promise<Response | undefined>} */
  async open(stored) {
    stored.used = this.now();
    this.dirty.add(stored.key);
    if (stored.location) return Response.redirect(stored.location, 302);
    const cache = await this.cache();
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
    /** @type {[StoredResponse, Headers][]} */
    const rows = [];
    const cache = await this.cache();
    try {
      for (const { path, response, headers } of arrivals) {
        if (!isStorable(response)) continue;
        const vary = varyFields(response);
        const key = keyOf(path, vary, headers);
        const etag = strongEtag(response.headers);
        const version = etag || `${since}-${Math.random()}`;
        const body = await response.blob();
        /** @type {StoredResponse} */
        const row = {
          key, path, version, etag, vary, since, location: "", size: body.size, used: since, checked: since,
          modified: response.headers.get("last-modified") ?? "", fresh: freshnessLeft(response.headers, since), states: LOOSE,
        };
        if (!this.holds(key, version)) await this.put(cache, this.address(row), plain(response, body));
        rows.push([row, response.headers]);
      }
    } catch (error) {
      if (!isQuota(error)) throw error;
      return false;
    }
    const before = this.replace(rows);
    await this.flush();
    await this.remove(before.filter((row) => !this.versions.isWanted(row)));
    const limit = this.rules.current.limit_mib * MIB;
    if (this.size > limit) await this.evict(limit * 0.9);
    return true;
  }

  /** Whether a body of this *version* is stored under the cache key *key*. @param {string} key @param {string} version */
  holds(key, version) {
    return this.stored.get(key)?.version === version || (this.past.get(key) ?? []).some((one) => one.version === version);
  }

  /**
   * New rows take the places of those before them, which become past versions; those.
   * @param {[StoredResponse, Headers][]} rows
   */
  replace(rows) {
    const { versions } = this;
    const old = [];
    let begun = 0;
    for (const [row, headers] of rows) {
      const before = this.stored.get(row.key);
      const state = versions.stateOf(headers);
      if (before?.version === row.version) {
        row.states = state === undefined || before.states < 0 ? (state ?? before.states) : before.states | state;
      } else {
        row.states = state ?? LOOSE;
        if (before && !before.location) {
          if (state === undefined) row.states = versions.only((begun ||= versions.begin()));
          versions.replaced(before, row.states);
          const past = { ...before, past: row.key, key: `${before.version}\n${row.key}` };
          this.add(past);
          this.dirty.add(past.key);
          old.push(past);
        }
        // The same bytes again as before the last one: they have one body.
        const again = this.versionsOf(row).find((one) => one.past && one.version === row.version);
        if (again) {
          row.states |= again.states;
          this.forget(again);
        }
      }
      this.add(row);
      this.dirty.add(row.key);
    }
    return old;
  }

  /** Remember that *path* leads to *location*. @param {string} path @param {string} location */
  async commitRedirect(path, location) {
    const now = this.now();
    /** @type {StoredResponse} */
    const row = { key: `${path} `, path, location, version: "", etag: "", modified: "", vary: [], size: 0, since: now, checked: now, fresh: 0, used: now, states: LOOSE };
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

  /** Write down what has changed of rows, and of pages. */
  async flush() {
    const { era } = this.versions;
    const rows = [...this.all()].filter((row) => this.dirty.has(row.key)).map((row) => Object.assign(row, { era }));
    const gone = [...this.dirty].filter((key) => !rows.some((row) => row.key === key));
    this.dirty.clear();
    if (rows.length + gone.length) await this.database.write("rows", rows, gone);
    await this.database.write("state", [[this.versions.save(), "worker.versions"]]);
  }

  /** Forget what was not used for longest, until at most *bytes* are left. @param {number} bytes */
  evict(bytes) {
    return this.remove(leastRecentlyUsed([...this.all()], this.size - bytes));
  }

  /** *row* is not known any more. @param {StoredResponse} row */
  forget(row) {
    const versions = this.past.get(row.past ?? "") ?? [];
    if (this.stored.get(row.key) === row) this.stored.delete(row.key);
    else if (versions.includes(row)) this.past.set(row.past ?? "", versions.filter((one) => one !== row));
    else return;
    this.size -= row.size;
    this.dirty.add(row.key);
  }

  /** @param {StoredResponse[]} gone */
  async remove(gone) {
    const cache = await this.cache();
    for (const stored of gone) {
      this.forget(stored);
      if (!this.holds(stored.past ?? stored.key, stored.version)) await cache.delete(this.address(stored));
    }
    if (gone.length) await this.flush();
  }

  /** Remove past versions that no page asks for any more. */
  async tidy() {
    await this.remove([...this.all()].filter((row) => row.past !== undefined && !this.versions.isWanted(row)));
  }

  /** Remove bodies that nothing refers to: what a worker left that was stopped in the middle. */
  async sweep() {
    await this.tidy();
    const known = new Set([...this.all()].map((row) => this.address(row)));
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
