// Which node gets the next request.  Pure: figures, times and random numbers come from outside.
//
// A client stays with one node, where its connections are warm.  It draws another at random, with
// probability proportional to
//
//     weight  x  latency term  x  share of what a returning node gets
//
// when its node is gone, ejected or clearly slower than others, and otherwise so rarely that a crowd of
// clients reading the same stale figures stays stable: with weights proportional to 1 - utilization, a
// fraction a that draws again per period keeps deviations shrinking if a < 2(1 - rho).  We take a quarter
// of that bound.  (Clients that all go to the least loaded node overload it instead, one after the other.)

import { CHOICE } from "./choice.js";
import { PeakEwma, Recent } from "./latency.js";

/**
 * @typedef {object} NodeLoad a node in the load document
 * @property {string} id
 * @property {string} url
 * @property {string} state for people; whether it may be chosen is told by the weight alone
 * @property {number} weight 0..1; 0: not to be chosen
 * @property {number} utilization
 * @property {number} [rps]
 * @property {number} [age_ms]
 *
 * @typedef {object} LoadDocument
 * @property {number} v
 * @property {number} seq
 * @property {number} ttl_ms
 * @property {string} [cluster]
 * @property {number} [at]
 * @property {string} [tag] which nodes these are
 * @property {NodeLoad[]} nodes
 *
 * @typedef {{url: string, value: number, at: number, errors: number, ejections: number,
 *   until: number}} SavedNode
 * @typedef {{current: string, why: string, floor: number, recent: number[], nodes: SavedNode[]}} Saved
 */

/** Digits of what rides on answers, and their value. */
const digit = (/** @type {string} */ one) => "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz".indexOf(one);

/** A load document, or null if *value* is none that we can read. @param {any} value */
export function readLoad(value) {
  if (value?.v !== 1 || !Array.isArray(value.nodes) || !(value.ttl_ms > 0)) return null;
  const fits = (/** @type {any} */ node) =>
    typeof node?.id === "string" && /^https?:\/\/[^/]+$/.test(node.url) && node.weight >= 0 && node.utilization >= 0;
  return value.nodes.every(fits) ? /** @type {LoadDocument} */ (value) : null;
}

/** *load* with the figures of *word* (edge/load/riding.py); null: that is of other nodes. @param {LoadDocument | null} load @param {string} word */
export function withWord(load, word) {
  if (word.slice(0, 4) !== load?.tag || word.length !== 4 + 2 * load.nodes.length) return null;
  const nodes = load.nodes.map((node, i) =>
    ({ ...node, weight: digit(word[4 + 2 * i]) / 63, utilization: digit(word[5 + 2 * i]) / 48 }));
  return readLoad({ ...load, nodes });
}

/** The fraction of clients that may draw again within one period. @param {LoadDocument} load */
export function redrawShare(load) {
  const alive = load.nodes.filter((node) => node.weight > 0);
  const rho = alive.reduce((sum, node) => sum + node.utilization, 0) / Math.max(1, alive.length);
  return Math.min(CHOICE.redrawMost, Math.max(CHOICE.redrawLeast, (1 - rho) * CHOICE.redraw));
}

/**
 * One of *items* with probability proportional to *scores*; undefined when all are 0.
 * @template T
 * @param {T[]} items @param {number[]} scores @param {number} at 0..1
 */
export function draw(items, scores, at) {
  let rest = at * scores.reduce((sum, score) => sum + score, 0);
  let last;
  for (let i = 0; i < items.length; i += 1) {
    if (scores[i] <= 0) continue;
    last = items[i];
    rest -= scores[i];
    if (rest < 0) break;
  }
  return last;
}

/** Which part of the way to the headroom that a node says of itself, its weight goes: it is damped, as the published one is. */
const ORCA_GAIN = 0.2;

class Node {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
    this.id = url;
    this.weight = 1;
    this.utilization = 0;
    this.latency = new PeakEwma();
    this.recent = new Recent();
    this.inFlight = 0;
    this.errors = 0;
    this.ejections = 0;
    /** When the last ejection ends. */
    this.until = 0;
  }

  /** 0 while ejected, then slowly back to 1. @param {number} now */
  trust(now) {
    if (!this.until) return 1;
    if (now < this.until) return 0;
    return Math.min(1, CHOICE.returnShare + ((1 - CHOICE.returnShare) * (now - this.until)) / CHOICE.returnMs);
  }
}

export class Nodes {
  /**
   * @param {string} home origin of the site: the only node known before the first load document
   * @param {() => number} random 0..1
   */
  constructor(home, random = Math.random) {
    this.home = home;
    this.random = random;
    /** @type {Map<string, Node>} */
    this.all = new Map([[home, new Node(home)]]);
    /** @type {LoadDocument | null} */
    this.load = null;
    this.learned = 0;
    this.current = home;
    /** Why it is that one, for people. */
    this.why = "the only one known yet";
    this.floor = Infinity;
    this.recent = new Recent();
  }

  /** A load document has come. @param {LoadDocument} load @param {number} now */
  learn(load, now) {
    const elapsed = this.learned ? Math.max(0, now - this.learned) : 0;
    const first = !this.load;
    this.load = load;
    this.learned = now;
    const listed = new Set(load.nodes.map((node) => node.url));
    for (const given of load.nodes) {
      const node = this.all.get(given.url) ?? new Node(given.url);
      node.id = given.id;
      node.weight = given.weight;
      node.utilization = given.utilization;
      this.all.set(given.url, node);
    }
    for (const [url, node] of this.all) {
      if (listed.has(url)) continue;
      // The site's own address may stand for all nodes; others that are not listed are no nodes any more.
      if (url === this.home) node.weight = 0;
      else if (!node.inFlight) this.all.delete(url);
    }
    const again = redrawShare(load) * Math.min(1, elapsed / load.ttl_ms);
    if (first) this.choose(now, "drawn by weight");
    else if (this.random() < again) this.choose(now, "drawn again, as now and then");
  }

  /**
   * An answer of *url* has come: what rides on it (edge/load/riding.py), or what it says of that node alone (ORCA).
   * @param {string} url @param {Headers} headers @param {number} now
   */
  overhear(url, headers, now) {
    const word = /\bload=([\w-]+)/.exec(headers.get("cache-control") ?? "")?.[1];
    const read = word && withWord(this.load, word);
    if (read) return this.learn(read, now);
    if (word) this.learned = 0; // others than we know: the document tells
    const node = this.all.get(url);
    const use = Number(/application_utilization=([\d.]+)/.exec(headers.get("endpoint-load-metrics") ?? "")?.[1] ?? NaN);
    if (!node || !(use >= 0)) return;
    node.utilization = use;
    if (node.weight) node.weight += (Math.max(0.01, 1 - use) - node.weight) * ORCA_GAIN;
  }

  /** The least expected latency of any node. */
  best() {
    return Math.max(CHOICE.leastMs, this.floor === Infinity ? 0 : this.floor);
  }

  /** @param {Node} node @param {number} now */
  score(node, now) {
    const expected = node.latency.value ? node.latency.expected(this.best(), now) : this.best();
    const slower = Math.max(1, expected / (CHOICE.near * this.best()));
    return (node.weight * node.trust(now)) / (slower * slower);
  }

  /** Draw the node to stay with. @param {number} now @param {string} why @param {Set<string>} not */
  choose(now, why, not = new Set()) {
    const node = this.drawTwo(now, not);
    if (node) {
      this.current = node.url;
      this.why = why;
    }
    return node;
  }

  /** Draw two; if they are near-equal, the one with less on the way. @param {number} now @param {Set<string>} not */
  drawTwo(now, not) {
    const nodes = [...this.all.values()].filter((node) => !not.has(node.url));
    const scores = nodes.map((node) => this.score(node, now));
    const one = draw(nodes, scores, this.random());
    if (!one) return undefined;
    const rest = nodes.filter((node) => node !== one);
    const other = draw(rest, rest.map((node) => this.score(node, now)), this.random());
    if (!other) return one;
    const ratio = this.score(one, now) / this.score(other, now);
    if (ratio > CHOICE.equal || ratio < 1 / CHOICE.equal) return one;
    return cost(other, this.best(), now) < cost(one, this.best(), now) / CHOICE.equal ? other : one;
  }

  /**
   * The origin for the next request, none of *not*; undefined: there is no other.
   * @param {number} now @param {Set<string>} not
   */
  pick(now, not = new Set()) {
    const current = this.all.get(this.current);
    if (current && !not.has(current.url)) {
      const slow = current.latency.value && current.latency.expected(this.best(), now) > CHOICE.slow * this.best();
      const able = current.weight > 0 && current.trust(now) > 0;
      if (able && !slow) {
        if (current.inFlight < CHOICE.full) return current.url;
        return (this.drawTwo(now, not) ?? current).url;
      }
      const why = !able ? `${current.id} is away` : `${current.id} got slow`;
      const node = this.choose(now, why, not);
      if (node) return node.url;
    }
    const node = this.drawTwo(now, not);
    if (node) return node.url;
    // Whatever is left, weight or not: a request is better tried than failed.
    const left = [...this.all.values()].filter((one) => !not.has(one.url));
    return left.sort((a, b) => a.until - b.until)[0]?.url;
  }

  /** A request is on its way. @param {string} url */
  started(url) {
    const node = this.all.get(url);
    if (node) node.inFlight += 1;
  }

  /** It was answered, after *ms*. @param {string} url @param {number} ms @param {number} now */
  answered(url, ms, now) {
    const node = this.all.get(url);
    if (!node) return;
    node.inFlight = Math.max(0, node.inFlight - 1);
    node.errors = 0;
    if (node.until && now > node.until + CHOICE.returnMs) node.until = node.ejections = 0;
    node.latency.observe(ms, now);
    this.recent.observe(ms);
    node.recent.observe(ms);
    // The floor may rise again, slowly: the way to all nodes can have become longer.
    this.floor = Math.min(this.floor * CHOICE.floorRise, node.latency.value, ms);
  }

  /** It failed: no answer, or 5xx. @param {string} url @param {number} now */
  failed(url, now) {
    const node = this.all.get(url);
    if (!node) return;
    node.inFlight = Math.max(0, node.inFlight - 1);
    node.errors += 1;
    const returning = node.until > 0 && now >= node.until;
    if (node.errors < CHOICE.errors && !returning) return;
    if (now < node.until) return;
    node.ejections += 1;
    const ms = Math.min(CHOICE.ejectMostMs, CHOICE.ejectMs * 2 ** (node.ejections - 1));
    node.until = now + ms * (CHOICE.ejectLeast + this.random() * CHOICE.ejectSpread);
  }

  /** It was given up, for another that came first or because nobody wants it any more. @param {string} url */
  dropped(url) {
    const node = this.all.get(url);
    if (node) node.inFlight = Math.max(0, node.inFlight - 1);
  }

  /** Milliseconds after which 19 of 20 requests to *url* are answered; to any node, if it is hardly known. @param {string} url */
  p95(url) {
    const any = this.recent.quantile(0.95, 500);
    return Math.max(20, this.all.get(url)?.recent.quantile(0.95, any) ?? any);
  }

  /** The mean utilization of the nodes; NaN: unknown. */
  utilization() {
    const alive = this.load?.nodes.filter((node) => node.weight > 0) ?? [];
    return alive.reduce((sum, node) => sum + node.utilization, 0) / alive.length;
  }

  /** What a restart should not forget. @returns {Saved} */
  save() {
    const nodes = [...this.all.values()].map(({ url, latency, errors, ejections, until }) =>
      ({ url, value: latency.value, at: latency.at, errors, ejections, until }));
    return { current: this.current, why: this.why, floor: this.floor, recent: this.recent.values, nodes };
  }

  /** @param {Saved} saved */
  restore(saved) {
    for (const one of saved.nodes) {
      const node = this.all.get(one.url) ?? new Node(one.url);
      node.latency = new PeakEwma(one.value, one.at);
      Object.assign(node, { errors: one.errors, ejections: one.ejections, until: one.until });
      this.all.set(one.url, node);
    }
    this.floor = saved.floor;
    this.recent = new Recent(saved.recent);
    if (this.all.has(saved.current)) Object.assign(this, { current: saved.current, why: saved.why });
  }
}

/** Of one more request. @param {Node} node @param {number} best @param {number} now */
function cost(node, best, now) {
  return (node.inFlight + 1) * (node.latency.value ? node.latency.expected(best, now) : best);
}
