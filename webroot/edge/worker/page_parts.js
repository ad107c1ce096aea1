// What a page may be given: parts of one state of the site alone (versions.js), whatever is deployed meanwhile.
//
//     kept       the version that goes with the page's other parts; if none is known to, nodes are asked how they are related
//     fetched    the same for what comes from the network; in the middle of a deploy its end is waited for
//     outdated   only a later deploy has the part: the page is loaded again while it loads, and is told afterwards.  It
//                is never given that part
//
// What scripts fetch counts as a part while the page loads.  Afterwards they get the newest, as images and fonts do where
// the page's own version is not kept: never anything older than the page.  Parts that name their digest (integrity) are
// compared with that instead.

import { plainPath } from "./versions.js";

/** A page is loading for that long, milliseconds. */
const LOADING_MS = 10_000;
/** The end of a deploy is waited for at most that long: nodes name a state every 10 s, however long one takes. */
const DEPLOY_MS = 12_000;
const DEPLOY_LOOK_MS = 100;
/** A document is given before that: its parts wait then, and show whether it is still the right one. */
const DOCUMENT_MS = 1_000;
/** Nodes that have named no state for so long are not waited for again at once: pages are as without a worker, milliseconds. */
const BLIND_MS = 60_000;
const DEPLOY_LOOK_MOST_MS = 1_000;
/** A page is loaded again at most once in this time, and only as long as nobody can have begun to use it, milliseconds. */
const RELOAD_MS = 10_000;
const UNUSED_MS = 4_000;
/** What pages were given is written down together, after that many milliseconds. */
const REMEMBER_MS = 100;
/** Destinations of what runs. */
const RUNS = ["script", "style", "worker", "sharedworker", "json", "xslt", "audioworklet", "paintworklet", "document", "iframe", "frame"];

/**
 * @typedef {import("./versions.js").Part} Part
 * @typedef {import("./versions.js").Page} Page
 * @typedef {import("./response_store.js").StoredResponse} StoredResponse
 *
 * @typedef {object} View what is asked for, and by which page
 * @property {Page | undefined} page undefined: none that has to be whole
 * @property {string} path
 * @property {boolean} begins it is the page's document
 * @property {boolean} own the page's own version is the one to give
 * @property {boolean} counts nothing else may be given instead
 * @property {boolean} data fetched by a script: what has cache groups is no part of a version, and is always the newest (live.js)
 * @property {boolean} runs rather an error than another version
 * @property {string} integrity
 *
 * @typedef {{state: string, changed: string[]}} Changes *state* of the node that answers, and what has changed up to it
 *
 * @typedef {object} Outside
 * @property {(since: string) => Promise<Changes | null>} changes since a state; null: the node cannot say
 * @property {(parts: {etag: string, path: string}[]) => Promise<{state: string, stale: Set<number>} | null>} validate
 *   *state* "": in the middle of a deploy
 * @property {(page: string, path: string, again: boolean) => void} outdated *again*: it is to be loaded again
 * @property {() => number} now
 * @property {(ms: number) => Promise<unknown>} wait
 */

export class PageParts {
  /** @param {import("./response_store.js").ResponseStore} store @param {Outside} outside */
  constructor(store, outside) {
    this.store = store;
    this.versions = store.versions;
    this.outside = outside;
    /** Questions on their way, by state. @type {Map<string, Promise<Changes | null>>} */
    this.asked = new Map();
    /** When pages were loaded again, by address. @type {Map<string, number>} */
    this.reloaded = new Map();
    /** Until when nodes are not waited for, and how often that has begun. */
    this.blind = { until: 0, times: 0 };
    /** @type {Promise<void> | undefined} */
    this.remembering = undefined;
  }

  /**
   * What *request* is a part of.
   * @param {Request} request @param {string} path @param {{page: string, becomes?: string}} clients *becomes*: of a worker that it starts
   * @returns {View}
   */
  view(request, path, { page: id, becomes }) {
    const { versions } = this;
    const { mode, destination, integrity = "" } = request;
    if (!id) return { page: undefined, path, begins: false, own: false, counts: false, data: false, runs: false, integrity };
    const now = this.outside.now();
    // A page that was there before its worker, or is not remembered, is as whole as what it gets from now on.
    const page = mode === "navigate" ? versions.open(id, now) : (versions.pages.get(id) ?? versions.open(id, now, 0));
    if (becomes && becomes !== id && mode !== "navigate") versions.pages.set(becomes, { ...page, id: becomes });
    if (/script|work|json/.test(destination) && !path.startsWith("/edge/")) (page.scripts ??= new Set()).add(path); // ours have no part in what it shows
    // A page that fetches its own document looks for a newer one.
    const loading = now < page.at + LOADING_MS && (destination !== "" || path !== page.parts[0]?.path);
    const runs = RUNS.includes(destination) || mode === "navigate";
    return { page, path, begins: mode === "navigate", own: loading || destination !== "", counts: runs || loading, data: mode !== "navigate" && destination === "", runs: runs || (loading && destination !== ""), integrity };
  }

  /**
   * The version of *stored* that goes with the page; undefined: none that is kept.
   * @param {View} view @param {StoredResponse} stored
   * @returns {Promise<StoredResponse | undefined>}
   */
  async kept({ page, own, counts, data, integrity }, stored) {
    const { versions } = this;
    if (data && stored.fields["cache-groups"]) return stored;
    // A past version that a change here has made invalid is no page's any more.
    const all = this.store.versionsOf(stored).filter((one) => one === stored || !one.invalid);
    if (integrity) {
      for (const one of all) if (await this.matches(await this.store.open(one), integrity)) return one;
      return undefined;
    }
    if (!page) return stored;
    const found = own ? all.find((one) => versions.take(page, one)) : undefined;
    if (found) return found;
    if (!counts) return versions.isOlder(stored, page) ? undefined : stored;
    return (await this.meet(page, stored)) ? stored : undefined;
  }

  /**
   * What *fetch* brings, if the page may have it; else an error, and the page is told.
   * @param {View} view @param {() => Promise<Response>} fetch
   */
  async fetched(view, fetch) {
    const { versions } = this;
    const { page, path, begins, counts, runs, integrity } = view;
    for (let tries = 0; ; tries += 1) {
      const response = await fetch();
      if (!page || !counts || (view.data && response.headers.has("cache-groups"))) return response;
      if (!response.ok) {
        if (!runs || (response.status !== 404 && response.status !== 410) || !(await this.isGone(page, path))) return response;
      } else {
        const states = versions.stateOf(response.headers);
        const part = { path, version: /"(.*)"/.exec(response.headers.get("etag") ?? "")?.[1] ?? "", states: states ?? -1 };
        if (integrity && (await this.matches(response.clone(), integrity))) return response;
        if (!part.states && this.isBlind()) part.states = this.unseen();
        if (versions.take(page, part) || (await this.meet(page, part, begins ? DOCUMENT_MS : DEPLOY_MS))) return response;
        if (begins && !part.states) {
          versions.give(page, part);
          return response;
        }
        // It came in the middle of a deploy, or another one has come since.
        if (!part.states && tries < 3) continue;
      }
      const again = runs && this.outside.now() < page.at + UNUSED_MS;
      this.outside.outdated(page.id, path, again);
      return runs && !integrity ? Response.error() : response;
    }
  }

  /** Whether a page was there before its worker, and has not said yet what it shows. @param {string} id */
  isUnknown(id) {
    return !this.versions.pages.get(id)?.at;
  }

  /** A page that was there before its worker: what it shows is taken for what is kept of that. @param {string} id @param {Iterable<string>} paths its document first */
  adopt(id, paths) {
    const { versions, store, outside } = this;
    const page = versions.pages.get(id) ?? versions.open(id, outside.now(), 0);
    if (page.at) return;
    page.at = outside.now() - LOADING_MS;
    const [document, ...others] = [...[...paths].flatMap((path) => store.lookup(path) ?? []), ...page.parts.splice(0)];
    if (document) versions.give(page, document); // at no state, in the middle of a deploy: what goes with it is found out
    for (const part of others) versions.take(page, part);
  }

  /**
   * A page puts the newest versions of its document and of *paths* in place: it has those now, and what goes with them.
   * @param {string} id of its client @param {string[]} paths @param {boolean} [back] it could not: it has what it had before
   * @returns {Promise<string[]>} scripts that it has loaded, and that are others now
   */
  async renew(id, paths, back = false) {
    const { versions, store } = this;
    const page = versions.pages.get(id);
    if (!page?.parts.length) return [];
    if (back) {
      page.parts = page.former ?? page.parts;
      page.former = undefined;
      return [];
    }
    const former = (page.former = page.parts);
    const [document, ...others] = page.parts;
    /** @type {Page} */
    const now = { ...page, parts: [] };
    const isNew = (/** @type {Part} */ part) => paths.includes(part.path);
    for (const { path } of [document, ...others.filter(isNew)]) {
      const stored = store.lookup(path);
      if (stored && !versions.take(now, stored)) await this.meet(now, stored);
    }
    const isLoaded = (/** @type {Part} */ { path }) => page.scripts?.has(path);
    for (const part of page.parts) { // of now: it may have got more
      if (part !== document && !isNew(part) && !versions.take(now, part) && isLoaded(part)) await this.meet(now, part);
    }
    if (page.former !== former) return []; // taken back meanwhile
    const gone = page.parts.filter((part) => isLoaded(part) && !now.parts.some(({ path, version }) => path === part.path && version === part.version));
    page.parts = now.parts;
    return gone.map(({ path }) => path);
  }

  /**
   * Give *page* what goes with it, after nodes were asked how they are related; whether it does.
   * @param {Page} page @param {Part} part @param {number} patience for the end of a deploy, milliseconds
   */
  async meet(page, part, patience = DEPLOY_MS) {
    const { versions, outside } = this;
    const end = outside.now() + (this.isBlind() ? 0 : patience);
    for (let pause = DEPLOY_LOOK_MS; ; pause = Math.min(DEPLOY_LOOK_MOST_MS, pause * 2)) {
      const [one] = versions.named(part.states);
      const its = one && (await this.relate(one, part));
      if (versions.take(page, part)) return true;
      if (its && versions.fits(page, { states: versions.at(its.state) })) return false; // where it is not
      const [other] = versions.named(versions.of(page));
      if (other) await this.relate(other, part);
      if (versions.take(page, part)) return true;
      // What has changed may have been changed back since.
      const parts = [...page.parts, part].filter(({ states, version }) => states >= 0 && version).slice(-1000);
      const known = await outside.validate(parts.map(({ path, version }) => ({ etag: version, path }))).catch(() => null);
      if (known?.state) versions.confirmed(parts.filter((_, number) => !known.stale.has(number)), known.state);
      if (versions.take(page, part)) return true;
      if (!known || known.state) return false;
      if (outside.now() + pause > end) {
        if (patience === DEPLOY_MS) this.goBlind(page);
        return false;
      }
      await outside.wait(pause);
    }
  }

  isBlind() {
    return this.outside.now() < this.blind.until;
  }

  /** The set of what comes while nodes name no state: it goes together, as far as it does without a worker. */
  unseen() {
    return this.versions.at(`#?${this.blind.times}`);
  }

  /** No node names a state. @param {Page} page that has waited for one */
  goBlind(page) {
    if (!this.isBlind()) this.blind = { until: this.outside.now() + BLIND_MS, times: this.blind.times + 1 };
    for (const part of page.parts) part.states ||= this.unseen();
  }

  /** Whether the site had *path* at the state of *page*, and it went since. @param {Page} page @param {string} path */
  async isGone(page, path) {
    const [name] = this.versions.named(this.versions.of(page));
    const known = name && (await this.relate(name));
    return Boolean(known && known.changed.some((one) => plainPath(one) === plainPath(path)));
  }

  /** Ask what has changed since the state *name*. @param {string} name @param {Part} [part] that has only come, and is not kept */
  async relate(name, part) {
    let asked = this.asked.get(name);
    if (!asked) {
      asked = this.outside.changes(name).then((known) => {
        if (known) this.versions.moved(name, known.state, known.changed);
        return known;
      }, () => null).finally(() => this.asked.delete(name));
      this.asked.set(name, asked);
    }
    const known = await asked;
    if (known && part) this.versions.moved(name, known.state, known.changed, [part]);
    return known;
  }

  /** Whether the body of *response* is the one that *integrity* names. @param {Response | undefined} response @param {string} integrity */
  async matches(response, integrity) {
    if (!response) return false;
    const named = [...integrity.matchAll(/sha(256|384|512)-([\w+/=-]+)/g)];
    if (!named.length) return true;
    const strongest = String(Math.max(...named.map(([, bits]) => Number(bits))));
    const digest = new Uint8Array(await crypto.subtle.digest(`SHA-${strongest}`, await response.arrayBuffer()));
    const text = btoa(String.fromCharCode(...digest));
    return named.some(([, bits, one]) => bits === strongest && one.replaceAll("-", "+").replaceAll("_", "/") === text);
  }

  /** Have pages and states written down soon: a restart goes on with them. */
  remember() {
    this.remembering ??= this.outside.wait(REMEMBER_MS).then(() => {
      this.remembering = undefined;
      return this.store.flush();
    }).catch(() => {}); // no room: a restart knows less
    return this.remembering;
  }

  /** Whether a page with this address may be loaded again: not in a circle. @param {string} url */
  mayReload(url) {
    const now = this.outside.now();
    for (const [one, at] of this.reloaded) if (at < now - RELOAD_MS) this.reloaded.delete(one);
    if (this.reloaded.has(url)) return false;
    this.reloaded.set(url, now);
    return true;
  }
}
