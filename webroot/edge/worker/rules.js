// The site's rules for its worker, /edge.json, and the plan for a request that follows from them.  Pure.
//
//     {"v": 1,
//      "off": false,                 true removes the worker and all it has stored
//      "ignore": ["/api/**"],        left to the browser
//      "home": ["/cart"],            of an application: only asked of the page's own node, with its cookies,
//                                    and not stored; what changes something waits while there is no network
//      "confirm": ["/account/**"],   validated before each use; what is stored only serves offline
//      "precache": ["/", "/a.css"],  fetched when the worker is installed
//      "offline": "/offline.html",   for pages that are not stored, when no node can be reached
//      "limit_mib": 64}              MiB that may be stored

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

/** The rules in force: all parts read these, and new ones replace them whole. */
export class CurrentRules {
  constructor(rules = defaults()) {
    this.current = rules;
  }

  /** @param {Rules} rules */
  use(rules) {
    this.current = rules;
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
 * What is to be done with a request: "pass" leaves it to the browser, "cache" is stale-while-revalidate,
 * "confirm" validates first, "mutation" goes through the outbox.
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

/**
 * Rules of the browser's router (where it has one) for paths that need no worker: those do not even start it.
 * Only globs that say the same in the syntax of URLPattern become one.
 * @param {Rules} rules
 */
export function staticRoutes({ ignore }) {
  const plainest = ignore.filter((glob) => /^[\w/.-]+\/\*\*$/.test(glob) && matches([glob], glob.replace("**", "x")));
  return ["/.edge/*", ...plainest.map((glob) => glob.replace("**", "*"))].map((pathname) =>
    ({ condition: { urlPattern: new URLPattern({ pathname }) }, source: "network" }));
}
