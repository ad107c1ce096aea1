// The stored responses (RFC 9111): bodies in the browser's Cache, what is known of them in memory and, as rows,
// in IndexedDB.
//
// A body's address in the Cache holds its version, so a validation rewrites nothing there, and a new version
// comes beside the old one, which stays as long as an open page may ask for it: a *past* version, a row of its own.
// What has changed together is committed together: one transaction, with one time for all.  Which versions go
// together is told by versions.js.

import { read } from "./capture.js";
import { decidingFields, isStorable, lifetimes, secondaryKey, strongEtag, updatedFields, varyFields, withoutConnection } from "./caching.js";
import { canonicalQuery, noVarySearch } from "./query.js";
import { matches } from "./rules.js";
import { LOOSE, Versions } from "./versions.js";

/** The Caches' names, of bodies and of what is precached; all of ours begin with "edge". */
export const CACHES = ["edge-bodies", "edge-precache"];
/** Of what was invalidated, so many paths are remembered, that no answer from before is stored. */
const INVALIDATIONS = 1000;
const DAY_MS = 86_400_000;
/** Under that name pages and states are kept. */
const VERSIONS = "worker.versions";
const MIB = 1024 * 1024;

/**
 * What is known of a stored response.  These are the rows in IndexedDB: their names live in browsers, and stay.
 *
 * @typedef {object} StoredResponse
 * @property {string} key the cache key: path and, behind a space, what the fields in Vary add; of a past version made up
 * @property {string} path with query
 * @property {string} version of the body: its ETag, or what we made up
 * @property {string} etag the strong validator; "": none
 * @property {Record<string, string>} fields by which it is judged, and those that a 304 has changed since
 * @property {string[]} vary
 * @property {number} size bytes of the body
 * @property {number} since when this version was committed
 * @property {number} checked when it was last validated
 * @property {number} fresh milliseconds that it is fresh after that
 * @property {number} stale and that it may be used, while it is validated
 * @property {number} error and that it may be used in place of an error
 * @property {number} age that it had then
 * @property {boolean} strict whether it is never used when it is stale
 * @property {boolean} invalid whether something has changed it since (RFC 9111 section 4.4)
 * @property {boolean} precached and so never evicted
 * @property {number} used
 * @property {string} location a redirect to there; "": none
 * @property {number} states at which states of the site it is known to be current, see versions.js
 * @property {number} [era] of these numbers
 * @property {string} [past] of a past version: the cache key
 * @property {number} [asked] when it was asked for or validated last, by then all that nodes had heard counts
 * @property {boolean} [told] by the node that had told which groups have changed: it knew of that
 * @property {number} [until] up to which time nodes give it to everybody, if none of its groups changes
 * @property {boolean} [sure] whether none of its groups has changed since; undefined: nobody has looked (live.js)
 *
 * @typedef {{path: string, response: Response, headers: Headers, begun?: number, asked?: number, told?: boolean}} Arrival what
 *   is to be stored; *headers* of the request, which was sent at the moment *begun*, at the time *asked*; *told*: as of a row
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
    /** Keys of those by path without query whose query means less (No-Vary-Search). @type {Map<string, Set<string>>} */
    this.unvaried = new Map();
    /** Bytes of what may be evicted. */
    this.size = 0;
    /** Counts invalidations; a path's last one. @type {Map<string, number>} */
    this.invalidated = new Map();
    this.moment = 0;
    /** The last one of a path that is not remembered. */
    this.forgotten = 0;
    /** Keys of what has changed since it was last written down. @type {Set<string>} */
    this.dirty = new Set();
    this.count = { puts: 0 };
    /** Another worker answers pages, as long as we are being installed. */
    this.isGuest = false;
    /** @type {Promise<void> | null} */
    this.loading = null;
    /** @type {Promise<Cache>[]} */
    this.opened = [];
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
    const { database, versions } = this;
    const [rows, saved] = await Promise.all([database.all("rows"), database.get("state", VERSIONS)]);
    versions.restore(saved);
    this.know(rows);
  }

  /** *rows* are all that is stored. @param {StoredResponse[]} rows as they were written down */
  know(rows) {
    for (const one of [this.stored, this.past, this.vary, this.unvaried, this.dirty]) one.clear();
    this.size = 0;
    // Without fields: of a version before this, whose bodies the next sweep removes.
    for (const row of rows) if (row.fields) this.add({ ...row, states: row.states ?? LOOSE });
    this.versions.know();
  }

  /** The worker before us has ended: what it has written down since we were begun is known, and nothing else. */
  async takeOver() {
    this.isGuest = false;
    const [rows, saved] = await Promise.all([this.database.all("rows"), this.database.get("state", VERSIONS)]);
    if (saved) this.versions.takeOver(saved);
    this.know(rows);
    await this.flush();
  }

  /** Where the bodies are. @param {boolean} [precached] @returns {Promise<Cache>} */
  cache(precached = false) {
    const number = Number(precached);
    return (this.opened[number] ??= this.caches.open(CACHES[number]));
  }

  /** @param {StoredResponse} stored */
  add(stored) {
    if (!stored.precached) this.size += stored.size;
    if (stored.past !== undefined) {
      this.past.set(stored.past, [stored, ...(this.past.get(stored.past) ?? [])]);
      return;
    }
    const before = this.stored.get(stored.key);
    if (before) this.forget(before);
    this.stored.set(stored.key, stored);
    this.vary.set(stored.path, stored.vary);
    if (stored.fields["no-vary-search"]) {
      const [plain] = stored.path.split("?");
      this.unvaried.set(plain, (this.unvaried.get(plain) ?? new Set()).add(stored.key));
    }
  }

  /** All rows, past versions first. @returns {Generator<StoredResponse>} */
  *all() {
    for (const versions of this.past.values()) yield* versions;
    yield* this.stored.values();
  }

  /** What is stored for a request (RFC 9111 section 4.1). @param {string} path @param {Headers} headers of the request */
  lookup(path, headers = new Headers()) {
    const vary = this.vary.get(path);
    return (vary && this.stored.get(keyOf(path, vary, headers))) ?? this.equivalent(path, headers);
  }

  /** What is stored under another query that means the same. @param {string} path @param {Headers} headers */
  equivalent(path, headers) {
    const [plain, query = ""] = path.split(/\?(.*)/s);
    for (const key of this.unvaried.get(plain) ?? []) {
      const stored = /** @type {StoredResponse} */ (this.stored.get(key));
      const variation = noVarySearch(stored.fields["no-vary-search"]);
      const [, its = ""] = stored.path.split(/\?(.*)/s);
      if (variation && key === keyOf(stored.path, stored.vary, headers) && canonicalQuery(its, variation) === canonicalQuery(query, variation)) return stored;
    }
    return undefined;
  }

  /** What is stored of *path*, in all its variants. @param {string} path @returns {StoredResponse[]} */
  rowsOf(path) {
    const vary = this.vary.get(path);
    if (!vary) return [];
    const plain = vary.length ? undefined : this.stored.get(keyOf(path, vary, new Headers()));
    return plain ? [plain] : this.filter((row) => row.path === path);
  }

  /** All that *filter* says yes to. @param {(stored: StoredResponse) => boolean} filter */
  filter(filter) {
    return [...this.stored.values()].filter(filter);
  }

  /**
   * How *stored* may be used now: "fresh", without a question; "stale", while it is validated; "ask": once it is.
   * @param {StoredResponse} stored @returns {"fresh" | "stale" | "ask"}
   */
  use(stored) {
    if (stored.location) return "ask"; // where it leads may depend on who asks, and when
    const rule = this.rules.of(stored.path);
    const age = this.now() - stored.checked;
    if (age < 0 || stored.invalid || this.isOld(stored)) return "ask"; // no time in the future is an age
    if (rule?.use === "keep" || age < stored.fresh) return rule?.use === "fresh-first" ? "ask" : "fresh";
    if (rule?.use === "fresh-first") return "ask";
    return rule?.use === "stale-first" || age < stored.stale ? "stale" : "ask";
  }

  /** Whether *stored* was not validated for longer than the site allows. @param {StoredResponse} stored */
  isOld(stored) {
    const rule = this.rules.of(stored.path);
    const days = rule?.max_days ?? (rule?.use === "keep" || stored.precached ? Infinity : this.rules.current.max_days);
    return this.now() - stored.checked > days * DAY_MS;
  }

  /** Whether *stored* may stand for an answer that did not come, or is an error: *unreachable* (RFC 9111 section 4.2.4). @param {StoredResponse} stored @param {boolean} unreachable */
  isFallback(stored, unreachable) {
    if (this.isOld(stored)) return false;
    if (this.rules.of(stored.path) || matches(this.rules.current.confirm, stored.path.split("?")[0])) return true;
    return unreachable ? !stored.strict : this.now() - stored.checked < stored.error;
  }

  /** Whether *stored* needs no question. @param {StoredResponse} stored */
  isFresh(stored) {
    return this.use(stored) === "fresh";
  }

  /** Milliseconds since the origin has said it. @param {StoredResponse} stored */
  age(stored) {
    return stored.age + Math.max(0, this.now() - stored.checked);
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
    if (stored.location) return Response.redirect(this.origin + stored.location, 302);
    const cache = await this.cache(stored.precached);
    const found = await cache.match(this.address(stored));
    if (!found) await this.remove([stored]); // the browser has cleared the Cache, but not our rows
    return found && this.updated(found, stored);
  }

  /** *response* with the fields that *stored* has by now (RFC 9111 section 3.2), and its age. @param {Response} response @param {StoredResponse} stored */
  updated({ body, status, statusText, headers: before }, stored) {
    const headers = new Headers(before);
    for (const [name, value] of Object.entries(stored.fields)) headers.set(name, value);
    headers.set("age", String(Math.floor(this.age(stored) / 1000)));
    return new Response(body, { status, statusText, headers });
  }

  /**
   * Store *arrivals*: pages see all of them, or none.  Nothing is stored where there is no room.
   * @param {Arrival[]} arrivals @param {boolean} [precached] never to be evicted
   * @returns {Promise<string[]>} the paths of which something else is stored now than before
   */
  async commit(arrivals, precached = false) {
    const since = this.now();
    /** @type {[StoredResponse, Headers][]} */
    const rows = [];
    /** @type {string[]} */
    const changed = [];
    /** @type {StoredResponse[]} */
    const gone = [];
    try {
      for (const { path, response, headers, begun, asked, told } of arrivals) {
        const { headers: fields } = response;
        if (!isStorable(response)) {
          response.body?.cancel().catch(() => {}); // somebody reads it
          continue;
        }
        const vary = varyFields(response);
        const key = keyOf(path, vary, headers);
        const before = this.stored.get(key);
        const body = await read(response, precached ? Infinity : this.rules.most());
        if (!body) { // passes by; what was stored would never be replaced
          if (before) gone.push(before);
          continue;
        }
        const etag = strongEtag(fields);
        const version = etag || (await digest(body));
        /** @type {StoredResponse} */
        const row = {
          key, path, version, etag, vary, since, location: "", size: body.size, used: since, checked: since, invalid: false,
          fields: decidingFields(fields), ...lifetimes(fields, since), asked, told, precached: precached || Boolean(before?.precached), states: LOOSE,
        };
        if (before?.version !== version) changed.push(path);
        if (this.holds(row)) row.fields = updatedFields({}, fields); // beside the body are those that it came with
        else await this.put(row, body, response);
        if (this.isSince(path, begun)) rows.push([row, fields]);
      }
    } catch (error) {
      if (!isQuota(error)) throw error;
      console.warn("edge: there is no room to store", ...arrivals.map(({ path }) => path));
      // What they would have replaced is old: without a word from a node it is not used any more.
      await this.invalidate(arrivals.map(({ path }) => path)).catch(() => {}); // not written down: there is no room
      return [];
    }
    const before = this.replace(rows);
    await this.flush();
    const isWanted = this.versions.wanted();
    await this.remove([...gone, ...before.filter((row) => !isWanted(row))]);
    await this.keepWithin(rows.map(([row]) => row));
    return changed;
  }

  /** Remove what is beyond the limits, now that *rows* have come. @param {StoredResponse[]} rows */
  async keepWithin(rows) {
    for (const rule of new Set(rows.map(({ path }) => this.rules.of(path)))) {
      if (!rule?.max_count) continue;
      const all = this.filter(({ path, precached }) => !precached && this.rules.of(path) === rule);
      if (all.length > rule.max_count) await this.remove(all.sort((a, b) => b.used - a.used).slice(rule.max_count));
    }
    const limit = this.rules.current.limit_mib * MIB;
    if (this.size > limit) await this.evict(limit * 0.9);
  }

  /** Whether a row refers to the body that is *row*'s. @param {StoredResponse} row */
  holds({ key, past = key, version, precached }) {
    const live = this.stored.get(past);
    return [...(live ? [live] : []), ...(this.past.get(past) ?? [])].some((one) => one.version === version && one.precached === precached);
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
          const isData = row.fields["cache-groups"] !== undefined; // they change as they like (live.js)
          if (state === undefined && !isData) row.states = versions.only((begun ||= versions.begin()));
          if (!isData) versions.replaced(before, row.states);
          old.push(this.keepPast(before));
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

  /** *row* becomes a past version; that. @param {StoredResponse} row */
  keepPast(row) {
    const past = { ...row, past: row.key, key: `${row.version}\n${row.key}` };
    this.add(past);
    this.dirty.add(past.key);
    return past;
  }

  /** Remember that *path* leads to *location*. @param {string} path @param {string} location */
  async commitRedirect(path, location) {
    const now = this.now();
    /** @type {StoredResponse} */
    const row = {
      key: `${path} `, path, location, version: "", etag: "", fields: {}, vary: [], size: 0, since: now, checked: now, used: now,
      fresh: 0, stale: 0, error: 0, age: 0, strict: false, invalid: false, precached: false, states: LOOSE,
    };
    const before = this.stored.get(row.key);
    if (before) await this.remove([before]);
    this.add(row);
    await this.database.write("rows", [row]);
  }

  /** Write a body; where there is no room, make some, once. @param {StoredResponse} row @param {Blob} body @param {Response} response its head */
  async put(row, body, { headers, status, statusText }) {
    const cache = await this.cache(row.precached);
    const write = () => cache.put(this.address(row), new Response(body, { status, statusText, headers: withoutConnection(headers) }));
    this.count.puts += 1;
    try {
      await write();
    } catch (error) {
      if (!isQuota(error)) throw error;
      await this.evict(this.size / 2);
      await write();
    }
  }

  /**
   * *validated* are current still (RFC 9111 section 4.3.4).
   * @param {StoredResponse[]} validated @param {Headers} [headers] of the 304 @param {number} [asked] when a node was asked for each
   * @param {boolean} [told] by the node that had told which groups have changed
   */
  freshen(validated, headers, asked, told = false) {
    for (const stored of validated) {
      if (asked !== undefined) Object.assign(stored, { asked, told, sure: undefined });
      stored.checked = this.now();
      stored.invalid = false;
      if (headers) {
        stored.fields = updatedFields(stored.fields, headers);
        Object.assign(stored, lifetimes(new Headers(stored.fields), stored.checked));
      } else stored.age = 0;
      this.dirty.add(stored.key);
    }
  }

  /** Whether nothing has changed what *path* is since the moment *begun*. @param {string} path @param {number} [begun] */
  isSince(path, begun = this.moment) {
    return (this.invalidated.get(path) ?? this.forgotten) <= begun;
  }

  /** Something has changed what *paths* are: each is validated before its next use, and no answer from before is stored (RFC 9111 section 4.4). @param {Iterable<string>} paths */
  async invalidate(paths) {
    const named = new Set(paths);
    this.moment += 1;
    for (const path of named) {
      this.invalidated.delete(path);
      this.invalidated.set(path, this.moment);
    }
    for (const [oldest, moment] of this.invalidated) {
      if (this.invalidated.size <= INVALIDATIONS) break;
      this.invalidated.delete(oldest);
      this.forgotten = moment;
    }
    const rows = this.filter(({ path }) => named.has(path));
    for (const stored of rows) stored.invalid = true;
    for (const { key } of rows) this.dirty.add(key);
    if (rows.length) await this.flush();
  }

  /**
   * Somebody else may use this browser from now on (Clear-Site-Data): what is stored goes, and nothing that was asked for before is
   * stored or given any more.  What is precached is the site's, and is asked for before it is used again.
   */
  async clear() {
    this.moment += 1;
    this.forgotten = this.moment;
    this.invalidated.clear();
    const rows = [...this.all()];
    for (const row of rows) {
      row.invalid = true;
      this.dirty.add(row.key);
    }
    await this.remove(rows.filter(({ precached }) => !precached));
    await this.flush();
  }

  /** Write down what has changed of rows, and of pages. */
  async flush() {
    const { era } = this.versions;
    const rows = [...this.all()].filter((row) => this.dirty.has(row.key)).map((row) => Object.assign(row, { era }));
    const there = new Set(rows.map(({ key }) => key));
    const gone = [...this.dirty].filter((key) => !there.has(key));
    this.dirty.clear();
    if (rows.length + gone.length) await this.database.write("rows", rows, gone);
    if (!this.isGuest) await this.database.write("state", [[this.versions.save(), VERSIONS]]);
  }

  /** Forget what was not used for longest, until at most *bytes* are left. @param {number} bytes */
  evict(bytes) {
    return this.remove(leastRecentlyUsed([...this.all()].filter(({ precached }) => !precached), this.size - bytes));
  }

  /** *row* is not known any more. @param {StoredResponse} row */
  forget(row) {
    const versions = this.past.get(row.past ?? "") ?? [];
    if (this.stored.get(row.key) === row) this.stored.delete(row.key);
    else if (versions.includes(row)) this.past.set(row.past ?? "", versions.filter((one) => one !== row));
    else return;
    if (!row.precached) this.size -= row.size;
    this.unvaried.get(row.path.split("?")[0])?.delete(row.key);
    this.dirty.add(row.key);
  }

  /** @param {StoredResponse[]} gone */
  async remove(gone) {
    for (const stored of gone) {
      this.forget(stored);
      if (!this.holds(stored)) await (await this.cache(stored.precached)).delete(this.address(stored));
    }
    const left = new Set([...this.stored.values()].map(({ path }) => path));
    for (const { path } of gone) if (!left.has(path)) this.vary.delete(path);
    if (gone.length) await this.flush();
  }

  /** Remove past versions that no page asks for any more. */
  async tidy() {
    const isWanted = this.versions.wanted();
    await this.remove([...this.all()].filter((row) => row.past !== undefined && !isWanted(row)));
  }

  /** Remove bodies that nothing refers to: what a worker left that was stopped in the middle; and what is too old. */
  async sweep() {
    await this.tidy();
    await this.remove(this.filter((stored) => this.isOld(stored)));
    const known = new Set([...this.all()].map((row) => `${row.precached} ${this.address(row)}`));
    for (const precached of [false, true]) {
      const cache = await this.cache(precached);
      for (const request of await cache.keys()) if (!known.has(`${precached} ${request.url}`)) await cache.delete(request);
    }
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

/** A version that is known by nothing but its bytes. @param {Blob} body */
async function digest(body) {
  const octets = new Uint8Array(await crypto.subtle.digest("SHA-256", await body.arrayBuffer()));
  return btoa(String.fromCharCode(...octets.slice(0, 12)));
}
