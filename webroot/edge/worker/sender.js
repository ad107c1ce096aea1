// Sends requests that may be repeated: to the node that nodes.js picks, retried at another one when that fails,
// hedged by a second one when it is slow.
//
//     send     up to three rounds over all nodes, with pauses between them
//     Round    one node after the other until one answers; slow ones are hedged, hanging ones given up
//     attempt  one fetch
//
// What multiplies load has a budget (budget.js): retries 20 % of the requests, hedges 5 %.

import { Budget } from "./budget.js";
import { overHttp } from "./exchanges.js";

/** Milliseconds between rounds over all nodes, before jitter; their number is the number of rounds. */
const ROUNDS = [0, 200, 800];
/** A head that is not there after this many p95s is not waited for alone; bounds in milliseconds. */
const PATIENCE = 8;
const PATIENCE_LEAST = 1_000;
const PATIENCE_MOST = 4_000;
/** Whoever is asked last, or alone, is waited for that long, milliseconds. */
const LAST_MS = 16_000;
/** Paths that are remembered as answered at home only. */
const PATHS = 1000;
/** Fields that need no CORS preflight: of other origins nodes are asked with these alone. */
const SAFELISTED = /^accept(-language)?:[\w *,.;=/+-]{0,128}$/;
/** Bodies up to this many bytes are read as a part of the attempt: a broken one is fetched elsewhere. */
const WHOLE_BYTES = 2 * 1024 * 1024;

/**
 * @typedef {object} LogicalRequest what somebody wants to know, whichever node says it and however often it is sent
 * @property {string} path with query, on whichever node
 * @property {string} [etag] strong validator of what is stored
 * @property {Record<string, string>} [validators] of what is stored, as fields, if there are others than that: for home
 * @property {Record<string, string>} [fields] that select the answer; where other origins may not be told them, home alone is asked
 * @property {string} [referrer] of the page, for an application; "": none
 * @property {RequestCache} [cache] what the browser's own cache has to do with it
 * @property {AbortSignal} [signal] nobody wants to know any more
 * @property {string} [post] body of a POST that changes nothing
 * @property {boolean} [brief] a question to a node's own resources: its answer has no variants, and is kept by nobody
 * @property {RequestInit} [as] in which way home is asked; else a redirect is not followed
 * @property {boolean} [once] the answer may use something up: home is asked first, and others if it gives none
 * @property {boolean} [hedge] false: not worth a second request
 * @property {string} [node] the node to ask first, if it is well
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
   *   wait?: (ms: number, signal?: AbortSignal) => Promise<void>, onExchange?: (exchange: import("./messages.js").ExchangeMessage) => void}} outside
   */
  constructor(nodes, { fetch, now, random = Math.random, wait = sleep, onExchange = () => {} }) {
    this.nodes = nodes;
    this.fetch = fetch;
    this.now = now;
    this.random = random;
    this.wait = wait;
    this.onExchange = onExchange;
    this.retries = new Budget(0.2, 64, 32);
    this.hedges = new Budget(0.05, 4, 1);
    this.count = { requests: 0, retries: 0, hedges: 0 };
    /** Paths that only the page's own node has answered - an application says nothing of other origins. @type {Set<string>} */
    this.atHome = new Set();
  }

  /**
   * The answer of the first node that gives one.
   * @param {LogicalRequest} request
   * @returns {Promise<Response>} any status but 5xx, unless all give such a one; of the type "opaqueredirect", of home
   * @throws {Unreachable}
   */
  async send(request) {
    this.count.requests += 1;
    this.retries.deposit();
    this.hedges.deposit();
    request.signal?.throwIfAborted();
    /** @type {unknown} */
    let failure;
    for (const pause of ROUNDS) {
      if (pause) {
        await this.wait(pause * (0.5 + this.random()));
        if (!this.retry()) continue;
      }
      try {
        return await new Round(this, request).response();
      } catch (error) {
        failure = error;
        request.signal?.throwIfAborted();
        if (error instanceof ServerError && error.response.headers.has("retry-after")) break; // sooner than we would
      }
    }
    if (failure instanceof ServerError) return failure.response;
    throw new Unreachable(failure);
  }

  /** Whether the budget has one more retry; spends it. */
  retry() {
    if (!this.retries.spend()) return false;
    this.count.retries += 1;
    return true;
  }

  /**
   * One request to one node.
   * @param {string} origin @param {LogicalRequest} request @param {AbortSignal} signal @param {() => void} onHead
   */
  async attempt(origin, request, signal, onHead) {
    const home = origin === this.nodes.home;
    /** @type {Record<string, string>} */
    const headers = { ...request.fields };
    let url = origin + request.path;
    if (home) Object.assign(headers, request.validators ?? (request.etag && { "if-none-match": `"${request.etag}"` }));
    else if (request.etag) url += `${request.path.includes("?") ? "&" : "?"}~etag=${request.etag}`;
    if (request.brief) headers["accept-language"] = "*"; // shorter than what the browser says
    if (request.post !== undefined) headers["content-type"] = "text/plain";
    /** @type {RequestInit} */
    const options = {
      method: request.post === undefined ? "GET" : "POST",
      body: request.post,
      headers,
      mode: home ? "same-origin" : "cors",
      credentials: home ? "same-origin" : "omit",
      redirect: "manual",
      ...(home && request.as),
      ...(home && request.referrer?.startsWith(`${origin}/`) ? { referrer: request.referrer } : { referrerPolicy: "no-referrer" }),
      // What has a validator is answered 304, which no cache may take for its own; what has none is kept by us alone.
      cache: request.cache ?? (request.etag || request.brief ? "default" : "no-store"),
      signal,
    };
    const response = await this.fetch(url, options);
    onHead();
    const length = response.headers.get("content-length");
    if (response.status !== 200 || response.redirected || length === null || Number(length) > WHOLE_BYTES) return response;
    return whole(response, await response.arrayBuffer());
  }
}

/** A logical request, sent to each node at most once until one answers. */
class Round {
  /** @param {Sender} sender @param {LogicalRequest} request */
  constructor(sender, request) {
    this.sender = sender;
    this.nodes = sender.nodes;
    this.request = request;
    this.path = request.path.split("?")[0];
    /** Only the page's own node may be asked. */
    this.alone = Object.entries(request.fields ?? {}).some(([name, value]) => !SAFELISTED.test(`${name}:${value}`));
    /** @type {Set<string>} */
    this.tried = new Set();
    /** What is on its way, by node, oldest first. @type {Map<string, AbortController>} */
    this.open = new Map();
    this.timers = new AbortController();
    /** What was wrong last; a status says more than no answer. @type {unknown} */
    this.failure = new TypeError("there is no node");
    /** Whether a node of another origin gave no answer: it may not let our page read it. */
    this.refused = false;
  }

  /** @returns {Promise<Response>} */
  response() {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.request.signal?.addEventListener("abort", this.abort);
      const first = this.start();
      if (first === undefined) {
        this.end();
        return;
      }
      const p95 = this.nodes.p95(first);
      const { hedge, once } = this.request;
      if (hedge !== false && !once) this.later(p95, () => this.hedge());
      this.later(once ? LAST_MS : Math.min(PATIENCE_MOST, Math.max(PATIENCE_LEAST, PATIENCE * p95)), (ms) => this.giveUp(ms));
    });
  }

  /** The node that the request is for, unless it was asked, or is away. */
  wished() {
    const node = this.nodes.all.get(this.request.node ?? "");
    return node && !this.tried.has(node.url) && node.weight > 0 && node.trust(this.sender.now()) > 0 ? node.url : undefined;
  }

  /** Nobody wants to know any more. */
  abort = () => this.end();

  /** Ask one node more: *chosen*, or the best that has not been; its origin, undefined: there is no other. @param {string} [chosen] */
  start(chosen) {
    const { sender, nodes, tried, open } = this;
    const first = !tried.size && (sender.atHome.has(this.path) || (this.request.once && nodes.all.get(nodes.home)?.trust(sender.now())));
    const origin = chosen ?? (this.alone || first ? nodes.home : this.wished() ?? nodes.pick(sender.now(), tried));
    if (origin === undefined) return undefined;
    tried.add(origin);
    const controller = new AbortController();
    open.set(origin, controller);
    nodes.started(origin);
    const begun = sender.now();
    let took = 0; // until the head: how long a body takes says more about its size
    const { path, post } = this.request;
    /** @param {number} ms @param {Response} [response] */
    const tell = (ms, response) => sender.onExchange(overHttp({ node: origin, method: post === undefined ? "GET" : "POST", path, begun, ms, response }));
    sender.attempt(origin, this.request, controller.signal, () => (took = sender.now() - begun)).then(
      (response) => {
        tell(took, response);
        if (!open.delete(origin)) return; // given up
        // What an application cannot do, no other node can, and its own can do other things.
        if (response.status > 501 || (response.status >= 500 && origin !== nodes.home)) return this.failed(origin, new ServerError(response));
        nodes.answered(origin, took, sender.now());
        nodes.overhear(origin, response.headers, sender.now());
        // Where another origin's redirect leads, nobody may read.
        const leads = origin !== nodes.home && response.type === "opaqueredirect";
        if ((leads || (this.refused && origin === nodes.home)) && sender.atHome.size < PATHS) sender.atHome.add(this.path);
        if (!leads) this.end(response);
        else if (!this.toHome() && !open.size) this.end();
      },
      (error) => {
        if (!open.delete(origin)) return;
        tell(sender.now() - begun);
        this.refused ||= origin !== nodes.home;
        this.failed(origin, error);
      },
    );
    return origin;
  }

  /** Another node at once. @param {string} origin @param {unknown} failure */
  failed(origin, failure) {
    this.nodes.failed(origin, this.sender.now());
    if (failure instanceof ServerError || !(this.failure instanceof ServerError)) this.failure = failure;
    if (!this.another() && !this.open.size) this.end();
  }

  /** Whether there is a node that has not been asked, and may be. */
  isLeft() {
    return !this.alone && this.nodes.all.size > this.tried.size;
  }

  /** Ask another node, where there is one and a retry for it; whether. */
  another() {
    if (!this.isLeft()) return false;
    if (this.sender.retry()) return this.start() !== undefined;
    // The page's own node costs no retry: a browser without a worker asks it, and of some paths it alone tells.
    return this.toHome();
  }

  /** Ask the page's own node, if it has not been; whether. */
  toHome() {
    return !this.tried.has(this.nodes.home) && this.start(this.nodes.home) !== undefined;
  }

  /** A hedged request: the first may only be slow. */
  hedge() {
    if (!this.isLeft() || !this.sender.hedges.spend()) return;
    this.sender.count.hedges += 1;
    this.start();
  }

  /** Whoever has said nothing for *ms* hangs: the others are asked while it is still waited for. @param {number} ms */
  giveUp(ms) {
    const [slowest] = this.open.keys();
    if (slowest !== undefined && this.another()) {
      this.nodes.failed(slowest, this.sender.now());
      this.nodes.started(slowest);
      this.later(ms, () => this.giveUp(ms));
    } else {
      this.later(LAST_MS, () => this.end());
    }
  }

  /** Have *then* done in *ms*, if nothing has ended the round. @param {number} ms @param {(ms: number) => void} then */
  later(ms, then) {
    const { signal } = this.timers;
    this.sender.wait(ms, signal).then(() => signal.aborted || then(ms), () => {}); // aborted
  }

  /** @param {Response} [response] none: it has failed */
  end(response) {
    this.timers.abort();
    this.request.signal?.removeEventListener("abort", this.abort);
    for (const [origin, controller] of this.open) {
      this.nodes.dropped(origin);
      controller.abort();
    }
    this.open.clear();
    if (response) this.resolve?.(response);
    else this.reject?.(this.failure);
  }
  /** @type {((response: Response) => void) | undefined} */
  resolve;
  /** @type {((failure: unknown) => void) | undefined} */
  reject;
}

/** An answer with a 5xx status, as an error. */
class ServerError extends Error {
  /** @param {Response} response */
  constructor(response) {
    super(`status ${response.status}`);
    this.response = response;
  }
}

/**
 * *response* with its body read; where it came from stays known.
 * @param {Response} response @param {ArrayBuffer} body
 */
function whole(response, body) {
  const { status, statusText, headers, url, redirected } = response;
  const copy = new Response(body, { status, statusText, headers });
  for (const [name, value] of Object.entries({ url, redirected })) Object.defineProperty(copy, name, { value });
  return copy;
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} */
function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
