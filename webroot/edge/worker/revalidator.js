// Confirms kept copies: many in one round trip, and replaces those that are not current any more.

import { isStorable } from "./rules.js";

/** Validators in one request, as nodes take them. */
export const MOST = 1000;
/** A batch waits this long for more, and at most that long, milliseconds. */
const QUIET_MS = 100;
const LONGEST_MS = 1000;

/** @typedef {import("./response_store.js").Row} Row */

export class Revalidator {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {{onUpdate: (paths: string[]) => void, onGone: (path: string) => void, along?: () => Row[],
   *   timer?: (then: () => void, ms: number) => void}} outside
   *   *along*: what may as well be confirmed when a batch is sent
   */
  constructor(store, sender, { onUpdate, onGone, along = () => [], timer = (then, ms) => setTimeout(then, ms) }) {
    this.store = store;
    this.sender = sender;
    this.onUpdate = onUpdate;
    this.onGone = onGone;
    this.along = along;
    this.timer = timer;
    /** @type {Set<Row>} */
    this.waiting = new Set();
    /** @type {Promise<void> | null} */
    this.batch = null;
    this.count = { batches: 0, validators: 0, stale: 0, notModified: 0 };
  }

  /** Have *row* confirmed soon; fulfilled when it is. @param {Row} row @returns {Promise<void>} */
  add(row) {
    this.waiting.add(row);
    this.batch ??= new Promise((resolve) => {
      const begun = this.store.now();
      let seen = 0;
      const look = () => {
        if (this.waiting.size !== seen && this.store.now() - begun < LONGEST_MS) {
          seen = this.waiting.size;
          this.timer(look, QUIET_MS);
          return;
        }
        const rows = [...this.waiting];
        this.waiting.clear();
        this.batch = null;
        resolve(this.confirm(rows).then(() => {}, () => {})); // unreachable: they stay as they are
      };
      this.timer(look, QUIET_MS);
    });
    return this.batch;
  }

  /** Confirm *rows* now; paths that are new. @param {Row[]} rows @returns {Promise<string[]>} */
  async confirm(rows) {
    if (rows.length > 1) rows = [...new Set([...rows, ...this.along()])];
    const tagged = rows.filter((row) => row.etag);
    let stale = rows.filter((row) => !row.etag);
    if (tagged.length === 1) stale.push(tagged[0]); // its new version, if there is one, in the same round trip
    else for (let i = 0; i < tagged.length; i += MOST) stale = stale.concat(await this.stale(tagged.slice(i, i + MOST)));
    const updated = await this.replace(stale);
    await this.store.flush();
    if (updated.length) this.onUpdate(updated);
    return updated;
  }

  /** Those of *rows* that are not current; the others are confirmed. @param {Row[]} rows */
  async stale(rows) {
    const post = rows.map((row) => `${row.etag} ${row.path.split("?")[0]}`).join("\n");
    const { response } = await this.sender.send({ path: "/.edge/revalidate", post });
    if (!response.ok) return rows;
    this.count.batches += 1;
    this.count.validators += rows.length;
    const stale = new Set((await response.json()).stale);
    this.store.confirmed(rows.filter((_, number) => !stale.has(number)));
    return rows.filter((_, number) => stale.has(number));
  }

  /** Ask for each of *rows*; new versions are committed together.  The paths of those. @param {Row[]} rows */
  async replace(rows) {
    /** @type {import("./response_store.js").Arrival[]} */
    const arrivals = [];
    await Promise.all(rows.map(async (row) => {
      const headers = headersOf(row);
      const accept = headers.get("accept") ?? undefined;
      const { response } = await this.sender.send({ path: row.path, etag: row.etag, since: row.modified, accept });
      if (response.status === 304) {
        this.count.notModified += 1;
        this.store.confirmed([row], response.headers);
      } else if ((response.redirected || response.type === "opaqueredirect") && !row.location) {
        await this.store.remove([row]);
      } else if (isStorable(response) && !row.location) {
        arrivals.push({ path: row.path, response, headers });
      } else if (response.status === 404 || response.status === 410 || response.ok) {
        if (!row.location || !response.redirected) await this.store.remove([row]);
        if (!response.ok) this.onGone(row.path);
      }
    }));
    this.count.stale += arrivals.length;
    if (arrivals.length) await this.store.commit(arrivals);
    return arrivals.map((one) => one.path);
  }
}

/** Request fields that lead to *row* again. @param {Row} row */
function headersOf(row) {
  const variant = row.key.slice(row.path.length + 1);
  const headers = new Headers();
  for (const one of variant ? variant.split(";") : []) {
    const [name, value] = one.split(/=(.*)/s);
    headers.set(name, value);
  }
  return headers;
}
