// Revalidates stored responses: many in one round trip, and replaces those that are not current any more.
//
//     all           GET /.edge/changes?since=STATE: 304 confirms all that is kept at that state of the site (versions.js);
//                   else the paths that have changed
//     one           a conditional GET (RFC 9110 section 13): 304, or the new version at once
//                   The same over the feed's socket, where there is one (questions.js)
//     several       POST /.edge/revalidate, a line "ETAG PATH" each, answered by the numbers of the stale ones;
//                   those are asked for one by one, and committed together

import { isStorable, selectingHeaders, validators } from "./caching.js";
import { groupsIn } from "./groups.js";
import { inLanes } from "./lanes.js";

/** Validators in one request, as nodes take them. */
const MAX_VALIDATORS = 1000;
/** A batch waits this long for more, and at most that long, milliseconds. */
const QUIET_MS = 100;
const LONGEST_MS = 1000;
/** What a node has confirmed is not asked for again so soon, milliseconds; unless a page is navigated to. */
const KNOWN_MS = 2000;

/** @typedef {import("./response_store.js").StoredResponse} StoredResponse */

export class Revalidator {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {{onUpdate: (paths: string[]) => void, onGone: (path: string) => void, along?: () => StoredResponse[],
   *   questions?: import("./questions.js").Questions, unconfirmed?: (asked: StoredResponse[]) => Promise<StoredResponse[]>,
   *   node?: () => string, changed?: (stored: StoredResponse) => number, timer?: (then: () => void, ms: number) => void}} outside
   *   *along*: what may as well be revalidated when a batch is sent; *unconfirmed*: without those that their groups confirm;
   *   *node*: the one that has told which groups have changed, "": none; *changed*: when one of a row was told to have
   */
  constructor(store, sender, { onUpdate, onGone, along = () => [], questions, unconfirmed = async (asked) => asked, node = () => "", changed = () => -Infinity, timer = (then, ms) => setTimeout(then, ms) }) {
    this.store = store;
    this.sender = sender;
    this.onUpdate = onUpdate;
    this.onGone = onGone;
    this.along = along;
    this.questions = questions;
    this.unconfirmed = unconfirmed;
    this.node = node;
    this.changed = changed;
    /** What is being asked for, by key. @type {Map<string, {begun: number, done: Promise<string[]>}>} */
    this.coming = new Map();
    this.timer = timer;
    /** @type {Set<StoredResponse>} */
    this.waiting = new Set();
    /** @type {Promise<void> | null} */
    this.batch = null;
    this.count = { validators: 0, notModified: 0 };
    /** The state that a node confirmed last, and when. */
    this.known = { state: "", at: 0 };
    /** Grows whenever something may have changed. */
    this.turn = 0;
  }

  /** Have *stored* revalidated soon, with others; fulfilled when that is over. @param {StoredResponse} stored @returns {Promise<void>} */
  add(stored) {
    this.waiting.add(stored);
    this.batch ??= new Promise((resolve) => {
      const begun = this.store.now();
      let seen = 0;
      const look = () => {
        if (this.waiting.size !== seen && this.store.now() - begun < LONGEST_MS) {
          seen = this.waiting.size;
          this.timer(look, QUIET_MS);
          return;
        }
        const batch = [...this.waiting];
        this.waiting.clear();
        this.batch = null;
        resolve(this.revalidate(batch).then(() => {}, () => {})); // unreachable: they stay as they are
      };
      this.timer(look, QUIET_MS);
    });
    return this.batch;
  }

  /** Revalidate *asked* now; what has been replaced while they waited is new. @param {StoredResponse[]} asked */
  async revalidate(asked) {
    asked = asked.filter((stored) => this.store.stored.get(stored.key) === stored);
    const known = new Set(asked.filter((stored) => this.isKnown(stored, KNOWN_MS)));
    this.store.freshen([...known]);
    asked = await this.unconfirmed(asked.filter((stored) => !known.has(stored)));
    if (asked.length > 1) asked = [...new Set([...asked, ...this.along()])];
    const updated = await this.check(asked);
    if (updated.length) this.onUpdate(updated);
  }

  /**
   * Ask nodes about each of *asked*; the paths of which there is a new version, which is stored.
   * @param {StoredResponse[]} asked @param {boolean} [likely] whether there probably is one
   */
  async check(asked, likely = true) {
    let { stale, rest } = await this.confirm(asked);
    const tagged = rest.filter((stored) => stored.etag);
    stale = stale.concat(rest.filter((stored) => !stored.etag));
    // Its new version, if there is one, in the same round trip; but a 304 does not say at which state a copy is current.
    if (likely && tagged.length === 1 && tagged[0].states < 0) stale.push(tagged[0]);
    else for (let i = 0; i < tagged.length; i += MAX_VALIDATORS) stale = stale.concat(await this.stale(tagged.slice(i, i + MAX_VALIDATORS)));
    const updated = await this.replace(stale);
    await this.store.flush();
    return updated;
  }

  /**
   * One question for all of *asked* that are kept at one state of the site: those that have changed since are *stale*, the
   * others fresh again.  *rest*: of those nothing is said.
   * @param {StoredResponse[]} asked
   */
  async confirm(asked) {
    const { versions } = this.store;
    /** @type {Map<string, StoredResponse[]>} */
    const kept = new Map();
    for (const stored of asked) {
      const [name] = stored.states > 0 ? versions.named(stored.states) : [];
      if (name) kept.set(name, kept.get(name) ?? []);
      if (name) kept.get(name)?.push(stored);
    }
    const [name, rows] = [...kept].sort(([, one], [, other]) => other.length - one.length)[0] ?? ["", []];
    const { turn } = this;
    const known = name ? await this.changes(name) : null;
    if (!known) return { stale: [], rest: asked };
    versions.moved(name, known.state, known.changed);
    versions.token = known.state;
    if (turn === this.turn) this.known = { state: known.state, at: this.store.now() };
    const here = new Set(rows);
    const now = versions.at(known.state);
    const current = rows.filter(({ states }) => states & now);
    this.count.validators += current.length;
    this.store.freshen(current);
    return { stale: rows.filter(({ states }) => !(states & now)), rest: asked.filter((stored) => !here.has(stored)) };
  }

  /** A page is navigated to, or something has changed: nothing is known, nor by questions that are on their way. */
  forget() {
    this.known.at = 0;
    this.turn += 1;
  }

  /** Whether *stored* is kept at a state that was confirmed in the last *ms*. @param {StoredResponse} stored @param {number} ms */
  isKnown({ states }, ms) {
    const { state, at } = this.known;
    return state !== "" && states > 0 && this.store.now() < at + ms && (states & this.store.versions.at(state)) !== 0;
  }

  /** Those of *asked* that are not current; the others are fresh again. @param {StoredResponse[]} asked */
  async stale(asked) {
    const at = this.store.now();
    const known = await this.validate(asked);
    if (!known) return asked;
    this.count.validators += asked.length;
    const current = asked.filter((_, number) => !known.stale.has(number));
    this.store.freshen(current, undefined, at);
    // Said by the node whose feed tells of groups: what comes after that, it tells.
    if (known.feed) for (const one of current) one.sure = true;
    if (known.state) this.store.versions.confirmed(current, known.state);
    // What is kept at a state of the site is replaced at one: in the middle of a deploy its end is waited for.
    return asked.filter(({ states }, number) => known.stale.has(number) && (known.state || states <= 0));
  }

  /**
   * Ask which of *asked* are not current, by their numbers; *state*: of the site, at which the others are; "": in the
   * middle of a deploy.
   * @param {{etag: string, path: string}[]} asked
   */
  async validate(asked) {
    const told = await this.questions?.stale(asked);
    if (told) return { ...told, feed: true };
    const post = asked.map(({ etag, path }) => `${etag} ${path}`).join("\n");
    const response = await this.sender.send({ path: "/.edge/revalidate", post, brief: true });
    if (!response.ok) return null;
    const { stale, s = "" } = await response.json();
    return { state: /** @type {string} */ (s), stale: new Set(/** @type {number[]} */ (stale)), feed: false };
  }

  /** What has changed since the state *since*, and up to which; null: the node cannot say. @param {string} since */
  async changes(since) {
    let lines = await this.questions?.changes(since);
    if (typeof lines !== "string") {
      const response = await this.sender.send({ path: `/.edge/changes?since=${since}`, brief: true });
      lines = response.status === 304 ? "" : response.ok ? await response.text() : "?";
    }
    const [state, ...changed] = lines.trimEnd().split("\n");
    return state === "?" ? null : { state: state || since, changed };
  }

  /**
   * Have those of *stale* replaced that are not yet; the paths of new versions that were got for that.  What is asked for already,
   * and has not changed since, is waited for: a navigation and news of a change come together.
   * @param {StoredResponse[]} stale
   */
  async replace(stale) {
    const { store, coming } = this;
    /** @type {Promise<unknown>[]} */
    const others = [];
    const mine = stale.filter((stored) => {
      const other = coming.get(stored.key);
      const joins = other && other.begun >= this.changed(stored);
      if (joins) others.push(other.done);
      return !joins && store.stored.get(stored.key) === stored;
    });
    const own = { begun: store.now(), done: this.get(mine) };
    for (const { key } of mine) coming.set(key, own);
    try {
      const [updated] = await Promise.all([own.done, ...others]);
      return updated;
    } finally {
      for (const { key } of mine) if (coming.get(key) === own) coming.delete(key);
    }
  }

  /** A conditional request for each of *stale*; new versions are committed together.  The paths of those. @param {StoredResponse[]} stale */
  async get(stale) {
    /** @type {import("./response_store.js").Arrival[]} */
    const arrivals = [];
    /** Changed, and changed back. @type {StoredResponse[]} */
    const same = [];
    await inLanes(stale, async (stored) => {
      const { path, etag } = stored;
      const headers = selectingHeaders(stored);
      const begun = this.store.moment;
      const at = this.store.now();
      // Who has told of the change knows it.  What is being made anew comes no sooner from a second node: one makes it for all.
      const node = groupsIn(stored).length ? this.node() : "";
      const to = node ? { node, hedge: false } : {};
      const response = await this.sender.send({ path, etag, validators: validators(stored.fields), fields: Object.fromEntries(headers), ...to });
      const told = node !== "" && response.url.startsWith(`${node}/`);
      if (response.status === 304) {
        this.count.notModified += 1;
        if (this.store.isSince(path, begun)) this.store.freshen([stored], response.headers, at, told);
        if (stored.states > 0) same.push(stored);
      } else if (isStorable(response)) {
        arrivals.push({ path, response, headers, begun, asked: at, told });
      } else if (response.status < 300 || response.status === 404 || response.status === 410) { // 0: a redirect
        await this.store.remove([stored]);
        if (response.status > 300) this.onGone(path);
      }
    });
    if (same.length) await this.stale(same).catch(() => {}); // at which state they are current, a 304 does not say
    // A deploy came in between: they are asked for again at the next occasion.
    const states = new Set(arrivals.map(({ response }) => response.headers.get("edge-state")));
    states.delete(null); // of applications
    if (states.size > 1 || states.has("?")) return [];
    return this.store.commit(arrivals);
  }
}
