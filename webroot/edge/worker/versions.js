// Which versions go together: at which states of the site a copy is known to have been the current one.
//
// A node names the state of the whole site by a text (Edge-State of its answers, docs/reference/http.md); it moves when
// a deploy is complete, never within one.  A *part* - a stored response, or what a page was given - has the set of
// states at which it is known to be what the site had, as bits of a number.  Parts go together when their sets meet,
// and a page is whole as long as the sets of all its parts have a state in common.  Sets grow by what nodes say:
//
//     an answer with a state         its part is current there
//     moved(S, T, changed)           all that was current at S, or is at T, and has not changed in between, is so at both
//     confirmed(parts, S)            these are current at S
//
// Answers of applications that name cache groups are data: all their versions go with everything.
//
// What comes without a state (from an application, an older node) goes with everything - the sign bit says so - until
// another version of it arrives: that begins a state without a name, at which the old one is not.

/** The field of an answer that names its state, and what it says in the middle of a deploy. */
const STATE = "edge-state";
const UNKNOWN = "?";
/** States that are told apart: bits of a number, but the sign. */
const STATES = 30;
const EVERY = 2 ** STATES - 1;
/** Of a part that goes with everything. */
export const LOOSE = -1;
/** States kept when there are too many: the newest. */
const KEEP = 8;
/** Pages that are remembered; those that were left, for as long as browsers bring one back as it was, milliseconds. */
const PAGES_MOST = 64;
const BACK_MS = 30 * 60_000;
/** A navigation becomes a page within that many milliseconds, or never. */
export const COMING_MS = 60_000;

/**
 * @typedef {{path: string, version: string, states: number, fields?: Record<string, string>}} Part *version*: its validator, or what was
 *   made up for it; *fields* of what is stored
 * @typedef {Part & {key?: string, era?: number}} Row a part; with a *key*: of what is stored
 * @typedef {{id: string, at: number, seen: number, parts: Part[], leads?: string, former?: Part[], scripts?: Set<string>}} Page *at*: when it was
 *   navigated to, 0: not known; when it was last *seen* to be there; *leads*: the path that it was navigated to, and that is a redirect;
 *   *former* parts, until new ones are in place; paths of *scripts* that it has asked for
 * @typedef {{era: number, names: string[], token: string, pages: Page[]}} SavedVersions
 */

export class Versions {
  /**
   * @param {() => Iterable<Row>} rows what is stored
   * @param {(row: any) => void} changed the set of a row is another one
   */
  constructor(rows, changed = () => {}) {
    this.rows = rows;
    this.changed = changed;
    /** Bits are given anew in each era: what was written down in another one means nothing. */
    this.era = 0;
    /** Names of states by bit, oldest first; without one: begun by what has none. */
    this.names = ["#"];
    /** The state that what is stored was compared with last; "": none. */
    this.token = "";
    /** Open pages by the id of their client. @type {Map<string, Page>} */
    this.pages = new Map();
  }

  /** The set of the state called *name* alone. @param {string} name */
  at(name) {
    let bit = this.names.indexOf(name);
    if (bit < 0) {
      if (this.names.length === STATES) this.compact();
      bit = this.names.push(name) - 1;
      for (const part of this.all()) this.set(part, part.states < 0 ? part.states | (1 << bit) : part.states & ~(1 << bit));
    }
    return 1 << bit;
  }

  /** The set of what has come with *headers*; undefined: nothing is said of it. @param {Headers} headers */
  stateOf(headers) {
    if (/\bimmutable\b/.test(headers.get("cache-control") ?? "")) return LOOSE; // another version has another name
    const name = headers.get(STATE);
    return name === null ? undefined : name === UNKNOWN ? 0 : this.at(name);
  }

  /** Everything that has a set. @returns {Generator<Row>} */
  *all() {
    yield* this.rows();
    for (const { parts, former = parts } of this.pages.values()) {
      yield* parts;
      if (former !== parts) yield* former;
    }
  }

  /** @param {Row} part @param {number} states */
  set(part, states) {
    if (part.states === states) return;
    part.states = states;
    if (part.key !== undefined) this.changed(part);
  }

  /** Too many states: keep the newest, and what pages were given. */
  compact() {
    const used = [...this.pages.values()].reduce((all, page) => all | Math.max(0, this.of(page)), 0);
    const kept = this.names.map((_, bit) => bit).filter((bit) => bit >= STATES - KEEP || used & (1 << bit)).slice(-STATES / 2);
    for (const part of this.all()) {
      this.set(part, kept.reduce((set, old, bit) => set | (part.states & (1 << old) ? 1 << bit : 0), part.states < 0 ? LOOSE & ~EVERY : 0));
      if (part.key !== undefined) this.changed(part);
    }
    this.names = kept.map((bit) => this.names[bit]);
    this.era += 1;
  }

  /**
   * Of two states, what has not changed in between is the same at both.
   * @param {string} from @param {string} to @param {Iterable<string>} changed paths @param {Iterable<Row>} [parts] of which that is noted
   */
  moved(from, to, changed, parts = this.all()) {
    this.at(to); // a new name may change what the others stand for
    const both = this.at(from) | this.at(to);
    const others = new Set([...changed].map(plainPath));
    for (const part of parts) if (part.states & both && !others.has(plainPath(part.path))) this.set(part, part.states | both);
  }

  /** *parts* are current at the state *name*. @param {Part[]} parts @param {string} name */
  confirmed(parts, name) {
    const state = this.at(name);
    for (const part of [...parts, ...this.same(parts)]) this.set(part, part.states | state);
  }

  /** What has come without a state, and is another version: the state that begins with it. */
  begin() {
    return this.at(`#${this.era}.${this.names.length}`);
  }

  /** The set of what goes with everything from *state* on, and with nothing before. @param {number} state */
  only(state) {
    return (LOOSE & ~EVERY) | state;
  }

  /** Another version has come in place of *old*, with the set *states*. @param {Part} old @param {number} states */
  replaced(old, states) {
    for (const part of [old, ...this.same([old])]) this.set(part, part.states & (2 ** this.names.length - 1) & ~states);
  }

  /** All that is the same version of the same as one of *parts*. @param {Part[]} parts */
  same(parts) {
    const versions = new Set(parts.map(({ path, version }) => `${version} ${path}`));
    return [...this.all()].filter(({ path, version }) => versions.has(`${version} ${path}`));
  }

  // Pages

  /** The states at which all parts of *page* were current. @param {Page} page */
  of(page) {
    return page.parts.reduce((set, { states }) => set & states, LOOSE);
  }

  /** Whether *page* may be given *part*. @param {Page | undefined} page @param {{states: number}} part */
  fits(page, part) {
    return !page || (this.of(page) & part.states & EVERY) !== 0;
  }

  /** It is given that. @param {Page | undefined} page @param {Part} part */
  give(page, { path, version, states }) {
    if (page && !page.parts.some((one) => one.version === version && one.path === path)) page.parts.push({ path, version, states });
  }

  /** Give *page* what fits, in one go: two parts that are asked for together may each fit, and not go with the other. @param {Page | undefined} page @param {Part} part @returns {boolean} whether it does */
  take(page, part) {
    const fits = this.fits(page, part);
    if (fits) this.give(page, part);
    return fits;
  }

  /** A page is navigated to, or seen for the first time. @param {string} id of the client that comes to be @param {number} seen now @param {number} [at] when it was navigated to */
  open(id, seen, at = seen) {
    /** @type {Page} */
    const page = { id, at, seen, parts: [] };
    this.pages.set(id, page);
    const [longest] = [...this.pages.values()].sort((one, other) => one.seen - other.seen);
    if (this.pages.size > PAGES_MOST) this.pages.delete(longest.id);
    return page;
  }

  /** Whether *part* is of states before those of *page*, as we came to know them. @param {Part} part @param {Page} page */
  isOlder(part, page) {
    const set = this.of(page);
    return set >= 0 && part.states >= 0 && part.states < set && !(set & part.states);
  }

  /** Whether an open page was given *part*. @param {Part} part */
  isShown({ path, version }) {
    return [...this.pages.values()].some(({ parts }) => parts.some((one) => one.path === path && one.version === version));
  }

  /** Which parts a page that is remembered may still ask for. @returns {(part: Part) => boolean} */
  wanted() {
    const sets = [...this.pages.values()].map((page) => this.of(page));
    return (part) => part.fields?.["cache-groups"] ? this.isShown(part) : sets.some((set) => (set & part.states & EVERY) !== 0);
  }

  /** Those *open* are seen; who was not for long does not come back, and is forgotten. @param {Set<string>} open @param {number} now */
  close(open, now) {
    for (const [id, page] of this.pages) {
      if (open.has(id)) page.seen = now;
      else if (page.seen < now - (page.parts.length ? BACK_MS : COMING_MS)) this.pages.delete(id);
    }
  }

  /** Names of the states in *states*, newest first. @param {number} states */
  named(states) {
    return this.names.filter((name, bit) => states & (1 << bit) && name[0] !== "#").reverse();
  }

  /** What a restart should not forget. @returns {SavedVersions} */
  save() {
    return { era: this.era, names: this.names, token: this.token, pages: [...this.pages.values()] };
  }

  /** Before anything is asked or stored. @param {SavedVersions | undefined} saved */
  restore(saved) {
    if (saved) {
      Object.assign(this, saved, { pages: new Map(saved.pages.map((page) => [page.id, { ...page, seen: page.seen ?? page.at }])) });
    }
  }

  /** Rows are as they were written down: those of another era at no state that is known. */
  know() {
    for (const row of this.rows()) if (row.era !== this.era) row.states = row.states < 0 ? LOOSE : 0;
  }

  /** The worker before us has gone on since we were begun: pages that it has answered are ours now. @param {SavedVersions} saved by it */
  takeOver({ era, names, pages }) {
    const isOurs = (/** @type {string} */ name, /** @type {number} */ bit) => name === (this.names[bit] ?? name);
    // Where both have come to know other states, bits mean others there: all that was written means nothing.
    if (era !== this.era || !names.every(isOurs)) {
      this.era = Math.max(this.era, era);
      return this.compact();
    }
    for (const name of names) this.at(name);
    for (const page of pages) this.pages.set(page.id, page);
  }
}

/** As nodes name it in lists: without a query, decoded. @param {string} path */
export function plainPath(path) {
  const [plain] = path.split("?");
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
