// What the worker may answer and keep: the site's rules (/edge.json) and those of RFC 9111.
//
//     {"v": 1,
//      "off": false,                 true removes the worker and all it keeps
//      "ignore": ["/api/**"],        left to the browser
//      "home": ["/cart"],            of an application: only asked of the page's own node, with its cookies,
//                                    and not kept; what changes something waits while there is no network
//      "confirm": ["/account/**"],   confirmed before each use; the copy only serves offline
//      "precache": ["/", "/a.css"],  fetched when the worker is installed
//      "offline": "/offline.html",   for pages that are not kept, when no node can be reached
//      "limit_mib": 64}              what may be kept

/**
 * @typedef {object} Rules
 * @property {boolean} off
 * @property {string[]} ignore
 * @property {string[]} home
 * @property {string[]} confirm
 * @property {string[]} precache
 * @property {string} offline
 * @property {number} limit_mib
 */

/** @returns {Rules} */
export function defaults() {
  return { off: false, ignore: [], home: [], confirm: [], precache: [], offline: "/offline.html", limit_mib: 64 };
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
  const rules = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (defaults()));
  for (const [name, value] of Object.entries(given)) {
    if (name === "v") continue;
    if (!(name in rules)) throw new Error(`/edge.json: there is no key "${name}"; keys are ${Object.keys(rules).join(", ")}`);
    const list = Array.isArray(rules[name]);
    const right = list ? Array.isArray(value) && value.every(isPath) : typeof value === typeof rules[name];
    if (!right || (name === "offline" && !isPath(value)) || (name === "limit_mib" && !(/** @type {number} */ (value) > 0))) {
      throw new Error(`/edge.json: "${name}" has to be ${list ? 'a list of paths, each beginning with "/"' : `like ${JSON.stringify(rules[name])}`}`);
    }
    rules[name] = value;
  }
  return /** @type {Rules} */ (/** @type {unknown} */ (rules));
}

/** @param {unknown} value */
const isPath = (value) => typeof value === "string" && value.startsWith("/");

/** Whether *path* matches one of *globs*: * is anything but a slash, ** anything. @param {string[]} globs @param {string} path */
export function matches(globs, path) {
  return globs.some((glob) => {
    const source = glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, (stars) => (stars.length > 1 ? ".*" : "[^/]*"));
    return new RegExp(`^${source}$`).test(path);
  });
}

/**
 * What is to be done with a request: "pass" leaves it to the browser, "cache" is the ordinary way,
 * "confirm" asks first, "mutation" goes through the outbox.
 * @param {{method: string, mode: string, destination: string, cache: string, headers: Headers, url: string}} request
 * @param {string} origin of the site @param {Rules} rules
 */
export function plan(request, origin, rules) {
  const url = new URL(request.url);
  if (rules.off || url.origin !== origin || url.pathname.startsWith("/.edge/") || url.searchParams.has("~etag")) return "pass";
  if (matches(rules.ignore, url.pathname) || request.headers.has("authorization")) return "pass";
  if (request.method !== "GET") return request.method === "HEAD" || request.method === "OPTIONS" ? "pass" : "mutation";
  if (matches(rules.home, url.pathname)) return "pass";
  // A page that asks the cache of the browser a question wants that one's answer.
  if (request.headers.get("accept") === "text/event-stream") return "pass"; // it never ends
  if (request.cache === "only-if-cached" || request.cache === "no-store" || request.destination === "report") return "pass";
  if (request.cache === "reload" || request.cache === "no-cache" || matches(rules.confirm, url.pathname)) return "confirm";
  return "cache";
}

/** Directives of a Cache-Control value, in lower case. @param {string | null} value @returns {Map<string, string>} */
export function directives(value) {
  const found = new Map();
  for (const [, name, quoted, token] of (value ?? "").matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g)) {
    found.set(name.toLowerCase(), quoted ?? token ?? "");
  }
  return found;
}

/** Whether an answer may be kept (RFC 9111 section 3, as a private cache that shares with nobody). @param {Response} response */
export function isStorable(response) {
  if (response.status !== 200 || response.type === "opaque" || response.type === "error") return false;
  const control = directives(response.headers.get("cache-control"));
  if (control.has("no-store") || control.has("private")) return false;
  const vary = varyOf(response);
  return !vary.includes("*") && !vary.includes("cookie") && !vary.includes("authorization");
}

/** Field names of Vary that distinguish copies: those that the browser settles itself do not. @param {Response} response */
export function varyOf(response) {
  const names = (response.headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return names.filter((name) => name && name !== "accept-encoding" && name !== "origin").sort();
}

/** A field as far as it distinguishes copies. @param {string} name @param {string | null} value */
export function normalised(name, value) {
  if (name === "accept") return ["image/avif", "image/webp"].filter((type) => value?.includes(type)).join(",");
  if (name === "accept-language") return (value ?? "").split(/[,;]/)[0].trim().toLowerCase();
  return (value ?? "").trim().replace(/\s+/g, " ");
}

/** Which of the copies of a path a request gets. @param {string[]} vary @param {Headers} headers */
export function variant(vary, headers) {
  return vary.map((name) => `${name}=${normalised(name, headers.get(name))}`).join(";");
}

/** Milliseconds for which an answer is fresh from now on (RFC 9111 section 4.2, without heuristics). @param {Headers} headers @param {number} now */
export function freshFor(headers, now) {
  const control = directives(headers.get("cache-control"));
  if (control.has("no-cache")) return 0;
  const age = Number(headers.get("age")) || 0;
  if (control.has("max-age")) return Math.max(0, (Number(control.get("max-age")) || 0) - age) * 1000;
  const expires = Date.parse(headers.get("expires") ?? "");
  const date = Date.parse(headers.get("date") ?? "") || now;
  return Number.isNaN(expires) ? 0 : Math.max(0, expires - date - age * 1000);
}

/** The opaque-tag of a strong ETag; "" for none and for weak ones. @param {Headers} headers */
export function etagOf(headers) {
  return /^"([\x21\x23-\x7e]*)"$/.exec(headers.get("etag") ?? "")?.[1] ?? "";
}
