// What decides over the worker itself: the site's rules, /edge.json, and the script, /sw.js.
//
// Both are stored responses like others, and are revalidated along with what a page has used, or after a navigation.
// New rules are applied; a new script is for the browser to install.  The kill switch: rules that say "off", or a
// script that is gone, remove the worker.

import { defaults, parseRules } from "./rules.js";
import { later } from "./waiting.js";

const RULES = "/edge.json";
export const SCRIPT = "/sw.js";
/** Milliseconds between two looks at them. */
const LOOK_MS = 10_000;

/** The version before has ended by then, unless a page has started it again; milliseconds. */
const ENDED_MS = 1_500;

/**
 * Take over from the version before, as soon as that has nothing to do.
 *
 * Chromium ends it at its first idle moment, but what a page says in that very moment starts it again, now with the 30 s
 * that an idle worker is given, which the pages' messages begin anew: asked once more, it ends.
 * @param {ServiceWorkerGlobalScope} scope @param {(ms: number) => Promise<unknown>} [wait]
 */
export async function takeOver(scope, wait = later) {
  await scope.skipWaiting();
  wait(ENDED_MS).then(() => scope.registration.waiting && scope.skipWaiting()).catch(() => {}); // at its next idle 30 s
}

/** @param {{path: string}} stored */
const isOwn = ({ path }) => path === RULES || path === SCRIPT;

export class SelfUpdate {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {import("./rules.js").CurrentRules} rules
   * @param {{save: () => Promise<void>, remove: () => Promise<void>, precache: () => Promise<void>, update: () => Promise<unknown>}} worker *update* has
   *   the browser compare the script
   */
  constructor(store, sender, rules, worker) {
    this.store = store;
    this.sender = sender;
    this.rules = rules;
    this.worker = worker;
    /** Whether a page was navigated to since they went along with a batch. */
    this.navigated = false;
    this.looked = 0;
  }

  /** What goes along with a batch: both, once after a navigation. */
  along() {
    if (!this.navigated) return [];
    this.navigated = false;
    return this.store.filter(isOwn);
  }

  /**
   * A page is navigated to: have *revalidator* see whether the rules are others now, or the script is gone.
   * @param {import("./revalidator.js").Revalidator} revalidator
   */
  async onNavigation(revalidator) {
    this.navigated = true;
    if (Date.now() < this.looked + LOOK_MS) return;
    this.looked = Date.now();
    for (const stored of this.store.filter(isOwn)) {
      stored.used = this.looked; // never the one that is evicted first
      revalidator.add(stored);
    }
    await revalidator.batch;
    if (!this.store.vary.has(RULES)) await this.fetchRules().catch(() => {}); // unreachable: at the next navigation
  }

  /** Fetch the site's rules; without any, the defaults count. */
  async fetchRules() {
    const response = await this.sender.send({ path: RULES });
    if (response.status === 404 || response.status === 410) this.rules.use(defaults());
    if (!response.ok) return;
    const text = await response.clone().text();
    await this.store.commit([{ path: RULES, response, headers: new Headers() }]);
    await this.applyRules(text);
  }

  /** @param {string} text */
  async applyRules(text) {
    let rules;
    try {
      rules = parseRules(text);
    } catch (error) {
      console.error(`edge: ${/** @type {Error} */ (error).message}; the rules stay as they were`);
      return;
    }
    this.rules.use(rules);
    await (rules.off ? this.worker.remove() : this.worker.save());
  }

  /** *path* is not there any more. @param {string} path */
  onGone(path) {
    if (path === SCRIPT) this.worker.remove();
  }

  /** Do what new versions of *paths* ask for; those of them that are the pages' business. @param {string[]} paths */
  async onUpdate(paths) {
    if (paths.includes(RULES)) {
      const stored = this.store.lookup(RULES);
      const response = stored && (await this.store.open(stored));
      if (response) await this.applyRules(await response.text());
      await this.worker.precache().catch((error) => console.error(`edge: ${error.message}`)); // until the next rules
    }
    if (paths.includes(SCRIPT)) this.worker.update().catch(() => {}); // the browser looks itself, every few minutes
    return paths.filter((path) => !isOwn({ path }));
  }
}
