// Fonts, images and the like of other origins, where a rule of the site names them.  The browser asks for them as the
// page does, through its own cache; what comes is kept beside the site's own responses, by count and age.
//
// An opaque answer does not say whether it is an error, nor how large it is: "keep" is not for good then.

import { isStorable } from "./caching.js";
import { captured } from "./capture.js";
import { FRESH_FIRST_MS, later } from "./waiting.js";

export const FOREIGN = "edge-foreign";
/** Responses that a rule keeps which does not say how many; browsers count opaque ones as some MiB each. */
const FOREIGN_COUNT = 50;
const FOREIGN_STATE = "worker.foreign";

/** @typedef {{at: number, used: number}} Known when it came, and was used last */

export class Foreign {
  /**
   * @param {import("./database.js").Database} database
   * @param {import("./rules.js").CurrentRules} rules
   * @param {{caches: CacheStorage, origin: string, fetch: typeof globalThis.fetch, now: () => number}} outside
   */
  constructor(database, rules, { caches, origin, fetch, now }) {
    this.database = database;
    this.rules = rules;
    this.caches = caches;
    this.origin = origin;
    this.fetch = fetch;
    this.now = now;
    /** What is kept, by address. @type {Promise<Map<string, Known>> | undefined} */
    this.known = undefined;
  }

  ready() {
    this.known ??= this.database.get("state", FOREIGN_STATE).then((saved) => new Map(saved), () => new Map());
    return this.known;
  }

  /** The answer to *request*. @param {Request} request @param {(work: Promise<unknown>) => void} waitUntil @returns {Promise<Response>} */
  async answer(request, waitUntil) {
    const address = this.rules.pathOf(request.url, this.origin);
    const rule = /** @type {import("./rules.js").PathRule} */ (this.rules.of(address));
    const stored = await this.stored(request, address, rule);
    if (!stored) return this.ask(request, address, rule, waitUntil);
    if (rule.use === "fresh-first") {
      const coming = this.ask(request, address, rule, waitUntil);
      const response = await Promise.race([coming.catch(() => undefined), later(rule.timeout_ms ?? FRESH_FIRST_MS)]);
      if (response && response.status < 500) return response;
      waitUntil(drained(coming));
    } else if (rule.use === "stale-first" || stored.type === "opaque") waitUntil(drained(this.ask(request, address, rule, waitUntil)));
    return stored;
  }

  /** What is kept for *request*. @param {Request} request @param {string} address @param {import("./rules.js").PathRule} rule */
  async stored({ mode }, address, { use, max_days }) {
    const known = (await this.ready()).get(address);
    const days = max_days ?? (use === "keep" ? Infinity : this.rules.current.max_days);
    const age = known ? this.now() - known.at : -1;
    if (!known || age < 0 || age > days * 86_400_000) return undefined;
    known.used = this.now();
    const response = await (await this.caches.open(FOREIGN)).match(address, { ignoreVary: true });
    return response?.type === "opaque" && mode !== "no-cors" ? undefined : response;
  }

  /** From its origin, and into the store. @param {Request} request @param {string} address @param {import("./rules.js").PathRule} rule @param {(work: Promise<unknown>) => void} waitUntil */
  async ask(request, address, rule, waitUntil) {
    const response = await this.fetch(request);
    if (response.type === "opaque") waitUntil(this.keep(address, rule, response.clone()));
    else if (response.body && isStorable(response)) {
      const [body, whole] = captured(response.body, this.rules.most());
      waitUntil(whole.then((blob) => blob && this.keep(address, rule, new Response(blob, { headers: response.headers }))));
      return new Response(body, { headers: response.headers });
    }
    return response;
  }

  /** @param {string} address @param {import("./rules.js").PathRule} rule @param {Response} response */
  async keep(address, rule, response) {
    const known = await this.ready();
    const cache = await this.caches.open(FOREIGN);
    try {
      await cache.put(address, response);
    } catch (error) {
      return console.warn("edge: not kept:", address, error);
    }
    known.set(address, { at: this.now(), used: this.now() });
    const same = [...known].filter(([one]) => this.rules.of(one) === rule).sort(([, a], [, b]) => b.used - a.used);
    const others = [...known].filter(([one]) => !this.rules.of(one));
    for (const [one] of [...same.slice(rule.max_count ?? FOREIGN_COUNT), ...others]) {
      known.delete(one);
      await cache.delete(one);
    }
    await this.database.write("state", [[[...known], FOREIGN_STATE]]);
  }
}

/** What no page reads any more, and is kept as it is read. @param {Promise<Response>} coming */
const drained = (coming) => coming.then((response) => response.body?.pipeTo(new WritableStream())).catch(() => {}); // another time
