// The site's rules for its worker, /edge.json, and the plan for a request that follows from them.  Pure.
//
// What they may say is described, key by key, in edge.schema.json; `parseRules` takes exactly that.

import { withoutIgnored } from "./query.js";

/**
 * @typedef {"fresh-first" | "stale-first" | "keep" | "pass"} Use
 * @typedef {{paths: string[], use: Use, timeout_ms?: number, max_days?: number, max_count?: number}} PathRule
 *
 * @typedef {object} Rules
 * @property {boolean} off
 * @property {string[]} ignore
 * @property {string[]} home
 * @property {string[]} confirm
 * @property {PathRule[]} rules
 * @property {string[]} precache
 * @property {string} offline
 * @property {string[]} queue
 * @property {string} queued
 * @property {string[]} ignore_query
 * @property {string[]} ignore_fields
 * @property {number} limit_mib
 * @property {number} max_days
 */

/** What campaigns add to addresses, and no site answers by. */
const CAMPAIGNS = ["utm_*", "fbclid", "gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "mc_cid", "mc_eid"];

/** @returns {Rules} */
export function defaults() {
  return {
    off: false, ignore: [], home: [], confirm: [], rules: [], precache: [], offline: "/offline.html", queue: [], queued: "",
    ignore_query: CAMPAIGNS, ignore_fields: [], limit_mib: 64, max_days: 30,
  };
}

/**
 * What is known of a site's rules before they are read: which addresses of other origins they name, in the *search* of the
 * worker's own address (messages.js, `scriptOf`).
 * @param {string} search @returns {Rules}
 */
export function namedIn(search) {
  const paths = new URLSearchParams(search).getAll("for");
  return { ...defaults(), rules: paths.length ? [{ paths, use: "stale-first" }] : [] };
}

/** The rules in force: all parts read these, and new ones replace them whole. */
export class CurrentRules {
  constructor(rules = defaults()) {
    this.current = rules;
  }

  /** @param {Rules} rules those of an older version may lack keys */
  use(rules) {
    this.current = { ...defaults(), ...rules };
  }

  /** Bytes that one body may have which is stored: a share of what may be, so that none drives out all others. */
  most() {
    return this.current.limit_mib * 1024 * 1024 / 8;
  }

  /** The first rule for a path, or an address of another origin. @param {string} path with query or without */
  of(path) {
    const plain = path.split("?")[0];
    return this.current.rules.find(({ paths }) => matches(paths, plain));
  }

  /** What *url* is kept under: path and query, the address of another origin; without what is ignored. @param {string | URL} url @param {string} origin of the site */
  pathOf(url, origin) {
    const { origin: its, pathname, search } = new URL(url, origin);
    return (its === origin ? "" : its) + pathname + withoutIgnored(search, (name) => matches(this.current.ignore_query, name));
  }
}

/** @typedef {(value: any) => boolean} Is @type {Is} */
const isString = (value) => typeof value === "string";
/** @type {Is} */
const isPath = (value) => isString(value) && value.startsWith("/");
/** @type {Is} */
const isPositive = (value) => Number.isFinite(value) && value > 0;
/** @type {(is: Is) => Is} */
const listOf = (is) => (value) => Array.isArray(value) && value.every(is);
const isPaths = listOf(isPath);
const isNames = listOf((one) => isString(one) && one !== "");
/** @type {Record<string, Is>} */
const RULE_KEYS = {
  paths: listOf((one) => isPath(one) || (isString(one) && /^https?:\/\/[^/]+\//.test(one))),
  use: (value) => ["fresh-first", "stale-first", "keep", "pass"].includes(value),
  timeout_ms: isPositive, max_days: isPositive,
  max_count: (value) => isPositive(value) && Number.isInteger(value),
};
/** @type {Record<string, Is>} */
const KEYS = {
  $schema: isString, off: (value) => typeof value === "boolean",
  ignore: isPaths, home: isPaths, confirm: isPaths, precache: isPaths, queue: isPaths,
  rules: listOf((rule) => rule !== null && typeof rule === "object"),
  offline: isPath, queued: (value) => value === "" || isPath(value),
  ignore_query: isNames, ignore_fields: isNames, limit_mib: isPositive, max_days: isPositive,
};

/** @param {any} given @param {Record<string, Is>} keys @param {string} where @param {string[]} needed */
function check(given, keys, where, needed = []) {
  for (const name of [...needed, ...Object.keys(given)]) {
    if (!Object.hasOwn(keys, name)) throw new Error(`/edge.json${where}: there is no key "${name}"; keys are ${Object.keys(keys).join(", ")}`);
    if (!keys[name](given[name])) throw new Error(`/edge.json${where}: "${name}" is not what /edge/edge.schema.json says`);
  }
}

/**
 * The rules in *text*.
 * @param {string} text
 * @returns {Rules}
 * @throws {Error} which says what is wrong and where
 */
export function parseRules(text) {
  /** @type {any} */
  let given;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new Error(`/edge.json is no JSON: ${/** @type {Error} */ (error).message}`);
  }
  if (given?.v !== 1) throw new Error('/edge.json has to begin with {"v": 1');
  const { v: _, ...keys } = given;
  check(keys, KEYS, "");
  keys.rules?.forEach((/** @type {any} */ rule, /** @type {number} */ number) => check(rule, RULE_KEYS, `, "rules"[${number}]`, ["paths", "use"]));
  delete keys.$schema;
  return { ...defaults(), ...keys };
}

/** Compiled globs. @type {Map<string, RegExp>} */
const COMPILED = new Map();

/** Whether *path* matches one of *globs*: * is anything but a slash, ** anything. @param {string[]} globs @param {string} path */
export function matches(globs, path) {
  return globs.some((glob) => {
    let pattern = COMPILED.get(glob);
    if (!pattern) {
      const source = glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, (stars) => (stars.length > 1 ? ".*" : "[^/]*"));
      pattern = new RegExp(`^${source}$`);
      COMPILED.set(glob, pattern);
    }
    return pattern.test(path);
  });
}

/**
 * What is to be done with a request: "pass" leaves it to the browser, "cache" answers it as HTTP says and the rules
 * permit, "confirm" likewise, but validates first, "foreign" by the rule for another origin, "mutation" changes something.
 * @param {{method: string, mode: string, destination: string, cache: string, credentials?: string, redirect?: string, headers: Headers, url: string}} request
 * @param {string} origin of the site @param {CurrentRules} current
 */
export function plan(request, origin, current) {
  const rules = current.current;
  const { origin: its, pathname, searchParams } = new URL(request.url);
  const { method, headers, cache } = request;
  if (rules.off || /^\/\.edge\/(?!client)/.test(pathname) || searchParams.has("~etag") || headers.has("authorization")) return "pass";
  const safe = method === "GET" || method === "HEAD" || method === "OPTIONS";
  if (its === origin && !safe) return matches(rules.ignore, pathname) ? "pass" : "mutation";
  const rule = current.of(its === origin ? pathname : its + pathname);
  if (method !== "GET" || rule?.use === "pass" || matches(its === origin ? [...rules.ignore, ...rules.home] : [], pathname)) return "pass";
  // What a page asks in its own way is answered in that way: a stream that never ends, a redirect to be seen, a validator.
  if (headers.get("accept") === "text/event-stream" || cache === "no-store" || request.destination === "report") return "pass";
  if (request.mode !== "navigate" && (request.redirect ?? "follow") !== "follow") return "pass";
  if (["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"].some((name) => headers.has(name))) return "pass";
  if (its !== origin) return rule && request.mode !== "navigate" && !headers.has("range") ? "foreign" : "pass";
  if (request.credentials === "omit" || /\bno-store\b/i.test(headers.get("cache-control") ?? "")) return "pass";
  return cache === "reload" || cache === "no-cache" || rule?.use === "fresh-first" || matches(rules.confirm, pathname) ? "confirm" : "cache";
}

/** What a node answers itself, but for its page about the client, which is kept as others are. */
const OWN = ["", "load", "changes", "revalidate", "socket", "status", "health", "ready", "dashboard*"];

/**
 * Rules of the browser's router (where it has one) for paths that need no worker: those do not even start it.
 * Only globs that say the same in the syntax of URLPattern become one.
 * @param {Rules} rules
 */
export function staticRoutes({ ignore }) {
  const plainest = ignore.filter((glob) => /^[\w/.-]+\/\*\*$/.test(glob) && matches([glob], glob.replace("**", "x")));
  return [...OWN.map((name) => `/.edge/${name}`), ...plainest.map((glob) => glob.replace("**", "*"))].map((pathname) =>
    ({ condition: { urlPattern: new URLPattern({ pathname }) }, source: "network" }));
}
