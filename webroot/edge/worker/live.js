// Answers of applications that are kept current while they are shown: by their cache groups (Cache-Groups, RFC 9875).
//
//     a page was given an answer with groups     the feed's node is told to follow these groups (the groups of open pages)
//     one of them has changed                    the feed says so, and a page that can be seen passes it on
//     update                                     what has changed since our state?  One question, and one at most behind it
//     confirm                                    what open pages show of that, in one batch; new versions are stored together
//     a page here has changed something          what is in the groups of that is asked for before it is used again
//     edge:changed                               one message to all pages: the groups, and the queries that differ
//
// *Sure* is a row of which nodes have said nothing since it was asked for: it is as it was at our *state*, a text that
// any node compares with its own (docs/reference/socket.md).  So one question confirms all rows that are sure, whether
// they are shown or not; a socket that was lost, another node and hours without a network cost the same question.
// What a node has not heard yet may be missing from what it answers.  So the node of the feed, which has told of a change, is
// asked first; a row that was asked for within LAG_MS of a change of another one is not sure, and is looked at once more.

import { groupsIn } from "./groups.js";

/** A change is in force at all nodes within that time, milliseconds: writers wait for 100 ms. */
const LAG_MS = 1_000;
/** A row that has not changed, although a group of it has: it is looked at again then, and when that time is over. */
const AGAIN_MS = 250;
/** What nodes have said of groups is not asked for again so soon. */
const LEARNED_MS = 2_000;
/** New answers are followed together. */
const TOGETHER_MS = 50;
/** Groups that are followed, as nodes take them; names of which the hash is remembered. */
const FOLLOWED_MOST = 256;
const NAMES_MOST = 4_096;
/** Answers with groups that a page is taken to show: the newest; others are confirmed when they are used. */
const SHOWN_MOST = 64;
/** Groups that are remembered to have changed. */
const TOLD_MOST = 1_024;
/** Under that name its state is kept. */
export const SAVED = "worker.groups";

/**
 * @typedef {import("./response_store.js").StoredResponse} StoredResponse
 * @typedef {object} Outside
 * @property {(rows: StoredResponse[], likely: boolean) => Promise<string[]>} check have them confirmed; the paths of which there is a
 *   new version; *likely*: whether there probably is one
 * @property {(message: import("./messages.js").Message) => void} say
 * @property {() => number} now
 * @property {(then: () => void, ms: number) => void} [timer]
 * @property {(name: string) => Promise<string>} [hash]
 */

export class Live {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./questions.js").Questions} questions
   * @param {Outside} outside
   */
  constructor(store, questions, { check, say, now, timer = (then, ms) => setTimeout(then, ms), hash = groupHash }) {
    this.store = store;
    this.questions = questions;
    this.check = check;
    this.say = say;
    this.now = now;
    this.timer = timer;
    this.hash = hash;
    /** The state that sure rows are at; "": no node has told one. */
    this.state = "";
    /** When it was told first, and last. */
    this.began = Infinity;
    this.learned = -Infinity;
    /** Paths with groups that open pages were given, by the id of their client. @type {Map<string, Set<string>>} */
    this.pages = new Map();
    /** Names of groups -> their hashes. @type {Map<string, string>} */
    this.hashes = new Map();
    /** When groups were told to have changed, by hash; "": when any may have. @type {Map<string, number>} */
    this.told = new Map();
    /** Keys of rows that were looked at, and may not be the newest. @type {Set<string>} */
    this.second = new Set();
    /** The node that has told our state: it is asked first (revalidator.js). */
    this.node = "";
    this.followed = "";
    this.looking = false;
    /** @type {Promise<void> | null} */
    this.running = null;
    this.again = false;
    /** The state of the node that we ask for what has changed. */
    this.heard = "";
    this.count = { questions: 0, confirmed: 0, changed: 0 };
  }

  /** What was known before the browser stopped us; rows were restored already. @param {{state: string, pages: [string, string[]][]} | undefined} saved */
  restore(saved) {
    if (!saved || this.state) return;
    this.state = saved.state;
    if (saved.state) this.began = this.now();
    for (const [id, paths] of saved.pages) this.pages.set(id, new Set([...paths, ...(this.pages.get(id) ?? [])]));
  }

  save() {
    const saved = { state: this.state, pages: [...this.pages].map(([id, paths]) => [id, [...paths]]) };
    return this.store.database.write("state", [[saved, SAVED]]).catch(() => {}); // no room: a restart knows less
  }

  /** *page* was given what is kept under *path*, with *headers*. @param {string} page @param {string} path @param {Headers} headers */
  gave(page, path, headers) {
    if (!page || !headers.has("cache-groups")) return;
    const paths = this.pages.get(page) ?? new Set();
    const isKnown = paths.delete(path);
    this.pages.set(page, paths.add(path)); // the newest is the last
    if (isKnown) return;
    const [oldest] = paths;
    if (paths.size > SHOWN_MOST) paths.delete(oldest);
    if (!this.looking) this.timer(() => this.follow(), TOGETHER_MS);
    this.looking = true;
  }

  /** Pages that are not *open* any more show nothing. @param {Set<string>} open */
  close(open) {
    for (const id of this.pages.keys()) if (!open.has(id)) this.pages.delete(id);
  }

  /** What open pages show, the newest page first. @returns {StoredResponse[]} */
  shown() {
    const paths = new Set([...this.pages.values()].reverse().flatMap((page) => [...page]));
    return [...paths].flatMap((path) => this.store.rowsOf(path)).filter((row) => groupsIn(row).length);
  }

  /** Have the feed follow the groups of what is shown; it tells each new node of them itself. */
  async follow() {
    this.looking = false;
    const rows = this.shown();
    await this.hashAll(rows);
    const groups = [...new Set(rows.flatMap((row) => this.hashesOf(row)))].slice(0, FOLLOWED_MOST);
    const key = groups.join();
    if (key === this.followed) return;
    this.followed = key;
    this.questions.follow(groups);
    await this.save();
  }

  /** The feed has said something, and a page has passed it on. @param {{at: string}} message *at*: the state of its node then */
  hear({ at }) {
    if (at === this.state || at === this.heard) return this.running;
    this.heard = at;
    return this.update();
  }

  /** A page can be seen again, or there is a new feed. */
  async resume() {
    await this.follow();
    await this.update();
  }

  /** Bring what is shown up to date: one question at a time, and one at most behind it. @returns {Promise<void>} */
  update() {
    this.again = true;
    this.running ??= (async () => {
      try {
        while (this.again) {
          this.again = false;
          await this.turn();
        }
      } finally {
        this.running = null;
        this.heard = "";
      }
    })();
    return this.running;
  }

  async turn() {
    if (!(await this.ask())) return; // without a socket rows are confirmed when they are used
    const rows = this.shown().filter((row) => !this.isSure(row));
    if (rows.length) await this.confirm(rows);
    await this.store.flush();
    await this.save();
  }

  /** Ask what has changed since our state; null: nobody answers. */
  async ask() {
    this.count.questions += 1;
    const { node } = this.questions;
    const answer = await this.questions.groups(this.state);
    if (answer) {
      this.node = node; // with another one there is no answer
      await this.learn(answer);
    }
    return answer;
  }

  /** A page here has changed something, and nodes have been told: what is in its groups is asked for before it is used again. */
  async mutated() {
    const answer = this.state ? await this.ask() : null;
    // Without a socket nobody knows; and what the feed has told before, and is being confirmed, is old still.
    const rows = this.store.filter((row) => groupsIn(row).length > 0 && (!answer || this.lastTold(row) >= row.checked));
    await this.store.invalidate(rows.map((row) => row.path));
    this.update().catch(() => {}); // unreachable: they are asked for when they are used
  }

  /** *hashes* have changed up to *state*; null: any may have. @param {{state: string, hashes: string[] | null}} answer */
  async learn({ state, hashes }) {
    const rows = this.store.filter((row) => groupsIn(row).length > 0);
    await this.hashAll(rows);
    const now = this.now();
    for (const hash of hashes ?? [""]) {
      this.told.delete(hash);
      this.told.set(hash, now);
    }
    for (const hash of [...this.told.keys()].slice(0, Math.max(0, this.told.size - TOLD_MOST))) if (hash) this.told.delete(hash);
    const changed = hashes && new Set(hashes);
    for (const row of rows) {
      if (row.sure !== false && (!changed || this.hashesOf(row).some((hash) => changed.has(hash)))) {
        row.sure = false;
        this.store.dirty.add(row.key);
      }
    }
    if (!this.state) this.began = now;
    this.state = state;
    this.learned = now;
  }

  /** Whether *row* is what it was at our state. @param {StoredResponse} row */
  isSure(row) {
    const { asked = 0, told = false } = row;
    if (row.sure === undefined && this.state && asked >= this.began && this.lastTold(row) <= asked - (told ? 0 : LAG_MS)) row.sure = true;
    return row.sure === true;
  }

  /** When a group of *row* was told to have changed last. @param {StoredResponse} row */
  lastTold(row) {
    return Math.max(...["", ...this.hashesOf(row)].map((hash) => this.told.get(hash) ?? -Infinity));
  }

  /** Have *rows* confirmed, and tell pages what differs. @param {StoredResponse[]} rows */
  async confirm(rows) {
    const asked = this.now();
    // What is looked at once more is the newest nearly always: 50 bytes over the socket say so.
    const likely = !rows.every(({ key }) => this.second.has(key));
    const updated = new Set(await this.check(rows, likely).catch(() => [])); // unreachable: they are confirmed when they are used
    /** @type {number[]} */
    const looks = [];
    for (const { key } of rows) {
      const row = this.store.stored.get(key);
      if (!row || this.lastTold(row) > asked || row.checked < asked) continue;
      row.sure ||= this.isSure(row);
      this.store.dirty.add(key);
      if (row.sure) this.second.delete(key);
      else {
        looks.push(updated.has(row.path) || this.second.has(key) ? LAG_MS : AGAIN_MS);
        this.second.add(key);
      }
    }
    for (const ms of new Set(looks)) this.timer(() => this.update(), ms);
    this.tell(updated, rows);
  }

  /** Tell pages that there are new versions of *updated*, of those of *rows* that have groups. @param {Set<string>} updated */
  tell(updated, rows = this.shown()) {
    const changed = rows.filter(({ path }) => updated.has(path));
    if (!changed.length) return;
    const queries = [...new Set(changed.map(({ path }) => path))];
    this.count.changed += queries.length;
    this.say({ type: "edge:changed", groups: [...new Set(changed.flatMap(groupsIn))], queries });
  }

  /**
   * Those of *asked* that groups do not confirm; the others are fresh again, by one question at most.
   * @param {StoredResponse[]} asked @returns {Promise<StoredResponse[]>}
   */
  async unconfirmed(asked) {
    const mine = asked.filter((row) => (row.until ?? 0) > this.now() && groupsIn(row).length > 0);
    if (!mine.length || !this.state) return asked;
    await this.hashAll(mine);
    if (!mine.some((row) => this.isSure(row))) return asked;
    if (this.now() > this.learned + LEARNED_MS && !(await this.ask())) return asked;
    const sure = new Set(mine.filter((row) => this.isSure(row)));
    this.store.freshen([...sure]);
    this.count.confirmed += sure.size;
    return asked.filter((row) => !sure.has(row));
  }

  /** The hashes of *row*, once they are known. @param {StoredResponse} row */
  hashesOf(row) {
    return groupsIn(row).flatMap((name) => this.hashes.get(name) ?? []);
  }

  /** Get to know the hashes of all groups of *rows*. @param {StoredResponse[]} rows */
  async hashAll(rows) {
    const names = new Set(rows.flatMap(groupsIn));
    const unknown = [...names].filter((name) => !this.hashes.has(name));
    if (this.hashes.size + unknown.length > NAMES_MOST) this.hashes.clear();
    const wanted = [...names].filter((name) => !this.hashes.has(name));
    const hashes = await Promise.all(wanted.map((name) => this.hash(name)));
    wanted.forEach((name, number) => this.hashes.set(name, hashes[number]));
  }
}

/** What nodes call the group *name*: the first 6 bytes of its SHA-256, as base64url. @param {string} name */
export async function groupHash(name) {
  const octets = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name)));
  return btoa(String.fromCharCode(...octets.subarray(0, 6))).replaceAll("+", "-").replaceAll("/", "_");
}
