// Sends requests that may be repeated: to the best node, to another one when that fails, to two when it
// is slow.  What multiplies load has a budget: retries 20 % of the requests, hedges 5 %.

import { Budget } from "./budget.js";

/** Milliseconds between rounds over all nodes, before jitter; their number is the number of rounds. */
const ROUNDS = [0, 200, 800];
/** An answer's head that is not there after this many p95s is not waited for alone; bounds in ms. */
const PATIENCE = 8;
const PATIENCE_LEAST = 1_000;
const PATIENCE_MOST = 4_000;
/** Paths that are remembered as answered at home only. */
const PATHS = 1000;
/** Bodies up to this many bytes are read as a part of the attempt: a broken one is fetched elsewhere. */
export const WHOLE_BYTES = 2 * 1024 * 1024;

/**
 * @typedef {object} Ask
 * @property {string} path with query, on whichever node
 * @property {string} [etag] of the copy there is
 * @property {string} [since] Last-Modified of the copy there is, when it has no ETag
 * @property {string} [accept] a normalised Accept
 * @property {string} [post] body of a POST that changes nothing
 * @property {boolean} [hedge] false: not worth a second request
 *
 * @typedef {{response: Response, origin: string, hedged: boolean, attempts: number}} Got *response* has the type
 *   "opaqueredirect" when it leads to another site
 */

/** No node answered. */
export class Unreachable extends Error {
  constructor(/** @type {unknown} */ cause) {
    super("no node of the cluster could be reached", { cause });
    this.name = "Unreachable";
  }
}

export class Sender {
  /**
   * @param {import("./nodes.js").Nodes} nodes
   * @param {{fetch: typeof globalThis.fetch, now: () => number, random?: () => number,
   *   wait?: (ms: number, signal: AbortSignal) => Promise<void>}} outside
   */
  constructor(nodes, { fetch, now, random = Math.random, wait = sleep }) {
    this.nodes = nodes;
    this.fetch = fetch;
    this.now = now;
    this.random = random;
    this.wait = wait;
    this.retries = new Budget(0.2, 64, 32);
    this.hedges = new Budget(0.05, 4, 1);
    this.count = { requests: 0, retries: 0, hedges: 0, failed: 0 };
    /** Paths that only the page's own node has answered - an application says nothing of other origins. @type {Set<string>} */
    this.atHome = new Set();
  }

  /**
   * The answer of the first node that gives one.
   * @param {Ask} ask
   * @returns {Promise<Got>} any status but those of a server in trouble, unless all give such a one
   */
  async send(ask) {
    this.count.requests += 1;
    this.retries.deposit();
    this.hedges.deposit();
    /** @type {unknown} */
    let trouble;
    for (const pause of ROUNDS) {
      if (pause) {
        await this.wait(pause * (0.5 + this.random()), new AbortController().signal);
        if (!this.retries.spend()) continue;
        this.count.retries += 1;
      }
      try {
        return await this.round(ask);
      } catch (error) {
        trouble = error;
        if (error instanceof Trouble && error.got.response.status === 501) break;
      }
    }
    if (trouble instanceof Trouble) return trouble.got;
    this.count.failed += 1;
    throw new Unreachable(trouble);
  }

  /** Each node at most once, until one answers. @param {Ask} ask @returns {Promise<Got>} */
  round(ask) {
    return new Promise((resolve, reject) => {
      /** @type {Set<string>} */
      const tried = new Set();
      /** @type {Map<string, AbortController>} */
      const open = new Map();
      const timers = new AbortController();
      let hedged = false;
      /** @type {unknown} */
      let trouble = new TypeError("there is no node");

      const path = ask.path.split("?")[0];
      let refused = false; // by a node of another origin
      const finish = (/** @type {Got | null} */ got) => {
        if (got && refused && got.origin === this.nodes.home && this.atHome.size < PATHS) this.atHome.add(path);
        timers.abort();
        for (const [origin, controller] of open) {
          this.nodes.dropped(origin);
          controller.abort();
        }
        open.clear();
        if (got) resolve(got);
        else reject(trouble);
      };

      const start = () => {
        const origin = !tried.size && this.atHome.has(path) ? this.nodes.home : this.nodes.pick(this.now(), tried);
        if (origin === undefined) return undefined;
        tried.add(origin);
        const controller = new AbortController();
        open.set(origin, controller);
        const begun = this.now();
        let took = 0; // until the head: how long a body takes says more about its size
        this.nodes.started(origin);
        this.attempt(origin, ask, controller.signal, () => (took = this.now() - begun)).then(
          (response) => {
            if (open.get(origin) !== controller) return;
            open.delete(origin);
            if (response.status >= 500) {
              this.nodes.failed(origin, this.now());
              trouble = new Trouble({ response, origin, hedged, attempts: tried.size });
              next();
            } else {
              this.nodes.answered(origin, took, this.now());
              finish({ response, origin, hedged, attempts: tried.size });
            }
          },
          (error) => {
            if (open.get(origin) !== controller) return;
            open.delete(origin);
            this.nodes.failed(origin, this.now());
            refused ||= origin !== this.nodes.home;
            if (!(trouble instanceof Trouble)) trouble = error;
            next();
          },
        );
        return origin;
      };

      /** After a failure: another node at once. */
      const next = () => {
        if (this.nodes.all.size > tried.size && this.retries.spend()) {
          this.count.retries += 1;
          if (start()) return;
        }
        if (!open.size) finish(null);
      };

      const later = (/** @type {number} */ ms, /** @type {() => void} */ then) =>
        this.wait(ms, timers.signal).then(() => timers.signal.aborted || then(), () => {});

      const first = start();
      if (first === undefined) {
        finish(null);
        return;
      }
      const p95 = this.nodes.p95(first);
      if (ask.hedge !== false) {
        later(p95, () => {
          if (this.nodes.all.size <= tried.size || !this.hedges.spend()) return;
          hedged = true;
          this.count.hedges += 1;
          start();
        });
      }
      // Whoever says nothing for so long hangs: the others are asked while it is still waited for.
      const patience = Math.min(PATIENCE_MOST, Math.max(PATIENCE_LEAST, PATIENCE * p95));
      const impatient = () => {
        const slowest = open.keys().next().value;
        if (slowest !== undefined && tried.size < this.nodes.all.size && this.retries.spend()) {
          this.count.retries += 1;
          this.nodes.failed(slowest, this.now());
          this.nodes.started(slowest);
          start();
          later(patience, impatient);
        } else {
          later(PATIENCE_MOST * 4, () => finish(null));
        }
      };
      later(patience, impatient);
    });
  }

  /**
   * One request to one node.
   * @param {string} origin @param {Ask} ask @param {AbortSignal} signal @param {() => void} onHead
   */
  async attempt(origin, ask, signal, onHead) {
    const home = origin === this.nodes.home;
    /** @type {Record<string, string>} */
    const headers = {};
    let url = origin + ask.path;
    // Only the header lines that need no CORS preflight may cross origins.
    if (ask.accept) headers.accept = ask.accept;
    if (ask.etag && home) headers["if-none-match"] = `"${ask.etag}"`;
    else if (ask.etag) url += `${ask.path.includes("?") ? "&" : "?"}~etag=${ask.etag}`;
    else if (ask.since && home) headers["if-modified-since"] = ask.since;
    /** @type {RequestInit} */
    const options = {
      method: ask.post === undefined ? "GET" : "POST",
      body: ask.post,
      headers: ask.post === undefined ? headers : { "content-type": "text/plain;charset=UTF-8" },
      mode: home ? "same-origin" : "cors",
      credentials: home ? "same-origin" : "omit",
      cache: "no-store",
      signal,
    };
    let response = await this.fetch(url, { ...options, redirect: "manual" });
    onHead();
    // Where it leads is told only by going there.  What leads to another site fails then, which is no fault of the node.
    if (response.type === "opaqueredirect") {
      const elsewhere = response;
      response = await this.fetch(url, { ...options, redirect: "follow" }).catch(() => elsewhere);
    }
    const length = response.headers.get("content-length");
    if (response.status !== 200 || length === null || Number(length) > WHOLE_BYTES) return response;
    return whole(response, await response.arrayBuffer());
  }
}

/** An answer that says the server is in trouble. */
class Trouble extends Error {
  /** @param {Got} got */
  constructor(got) {
    super(`status ${got.response.status}`);
    this.got = got;
  }
}

/**
 * *response* with its body read; where it came from stays known.
 * @param {Response} response @param {ArrayBuffer} body
 */
function whole(response, body) {
  const { status, statusText, headers, url, redirected, type } = response;
  const copy = new Response(body, { status, statusText, headers });
  for (const [name, value] of Object.entries({ url, redirected, type })) {
    Object.defineProperty(copy, name, { value });
  }
  return copy;
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
