// Stores and revalidates what no page asks for at the moment: the precache at installation, what a page got while
// there was no worker yet, and everything from time to time.

import { inLanes } from "./lanes.js";
import { SCRIPT } from "./self_update.js";

/** No refresh in the background above this utilization, nor more often than this. */
const IDLE_UTILIZATION = 0.5;
const REFRESH_MS = 10 * 60_000;

export class Prefetcher {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {import("./revalidator.js").Revalidator} revalidator
   */
  constructor(store, sender, revalidator) {
    this.store = store;
    this.sender = sender;
    this.revalidator = revalidator;
    /** When everything was revalidated last. */
    this.refreshed = 0;
  }

  /**
   * Fetch what has to be there before the first page asks; one that is missing fails the installation.
   * @param {import("./rules.js").Rules} rules @param {boolean} [again] only what is not there yet: the rules have changed
   */
  async precache({ precache, offline, queued }, again = false) {
    const wanted = [...new Set([...precache, offline, queued || offline, SCRIPT])];
    const there = this.store.filter(({ precached }) => again && precached).map(({ path }) => path);
    const arrivals = await this.fetch(wanted.filter((path) => !there.includes(path)), true);
    const missing = arrivals.find(({ path, response }) => response.status >= 400 && precache.includes(path));
    if (missing) throw new Error(`/edge.json wants ${missing.path}, but the site answers ${missing.response.status}`);
    await this.store.commit(arrivals, true);
    await this.store.remove(this.store.filter(({ precached, path }) => precached && !wanted.includes(path)));
  }

  /** A page shows *paths*: store those that are not stored. @param {Set<string>} paths */
  async shown(paths) {
    await this.store.commit(await this.fetch([...paths].filter((path) => !this.store.vary.has(path)), false));
  }

  /** @param {string[]} paths @param {boolean} hedge */
  fetch(paths, hedge) {
    return inLanes(paths, async (path) => {
      const begun = this.store.moment;
      const asked = this.store.now();
      return { path, headers: new Headers(), begun, asked, response: await this.sender.send({ path, hedge }) };
    });
  }

  /** What was known before the browser stopped the worker. @param {number} refreshed */
  restore(refreshed) {
    this.refreshed = refreshed;
  }

  /**
   * Whether a refresh is to be done now: the nodes have nothing better to do, and it is time.  If so, the next one is
   * ten minutes off.
   * @param {number} utilization NaN: unknown
   */
  begin(utilization) {
    const now = Date.now();
    if (!(utilization < IDLE_UTILIZATION) || now < this.refreshed + REFRESH_MS) return false;
    this.refreshed = now;
    return true;
  }

  /** Revalidate everything that is used while it is stale, but what a node has confirmed lately; the rest is asked for when it is used. */
  async refresh() {
    const { store, revalidator } = this;
    const stale = store.filter((stored) => store.use(stored) === "stale" && !revalidator.isKnown(stored, REFRESH_MS));
    await revalidator.revalidate(stale).catch(() => {}); // another time
    await this.store.sweep();
  }
}
