// The rules of HTTP caching (RFC 9111) that the client's private cache follows.  Pure functions of header fields.
//
// What governs a response is Edge-Client-Cache-Control if it has one: a targeted field in the manner of RFC 9213,
// meant for this client alone; else Cache-Control and Expires.

/** The targeted field. */
export const TARGETED = "edge-client-cache-control";
/** What nodes may give to everybody (RFC 9213). */
const SHARED = "cdn-cache-control";
/** Of the connection, not of the response (RFC 9111 section 3.1). */
const HOP_BY_HOP = ["connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];
/** Of the bytes that are stored: what a 304 says of them does not count (RFC 9111 section 3.2). */
const OF_BYTES = ["content-encoding", "content-length", "content-range"];
/** Fields that decide about a stored response; `Date` and `Age` are those of the last validation. */
const DECIDING = ["cache-control", TARGETED, SHARED, "expires", "date", "age", "etag", "last-modified", "vary", "no-vary-search", "cache-groups"];
/** What is accepted of pages, short enough to cross origins without a preflight. */
export const PAGE = "text/html,*/*;q=0.8";
/** What a worker does not see of a request, and so cannot tell responses apart by. */
const UNSEEN = /^(?:\*|cookie|authorization|sec-fetch-.*)$/;
/** Formats of a date (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850, asctime.  Date.parse takes much more than is valid. */
const DATE = /^(?:\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|[A-Z]\w{5,8}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT|\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})$/i;

/** Directives of a Cache-Control value, in lower case; of one that stands twice, the first (RFC 9111 section 4.2.1). @param {string | null} value @returns {Map<string, string>} */
export function directives(value) {
  const found = new Map();
  for (const [, name, quoted, token] of (value ?? "").matchAll(/([^\s,;="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g)) {
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), quoted ?? token ?? "");
  }
  return found;
}

/** What governs a response. @param {Headers} headers */
const control = (headers) => directives(headers.get(TARGETED) ?? headers.get("cache-control"));

/** Seconds, as milliseconds; 0 for what is none (RFC 9111 section 1.2.2). @param {string | undefined} value */
const delta = (value) => (/^\d+$/.test(value ?? "") ? Math.min(Number(value), 2 ** 31) * 1000 : 0);

/** The time that *value* names, NaN: none. @param {string | null} value */
const time = (value) => (value && DATE.test(value) ? Date.parse(value.endsWith("GMT") ? value : `${value} GMT`) : NaN);

/** Whether a response may be stored (RFC 9111 section 3; the cache of one user). @param {Response} response */
export function isStorable(response) {
  if (response.status !== 200 || response.redirected || response.headers.get("content-type")?.startsWith("text/event-stream")) return false; // it has no end
  return !control(response.headers).has("no-store") && !varyFields(response).some((name) => UNSEEN.test(name));
}

/**
 * How long a response may be used, in milliseconds from *now* on (RFC 9111 section 4.2, no heuristics).
 * @param {Headers} headers @param {number} now
 * @returns {{fresh: number, stale: number, error: number, age: number, strict: boolean, until: number}}
 *   *fresh*: without a question; *stale*: while it is validated (RFC 5861), *error*: when the answer is an error;
 *   *age*: what it has already; *strict*: never when it is stale; *until*: the time up to which nodes give it to everybody,
 *   if none of its groups changes (RFC 9213, RFC 9875)
 */
export function lifetimes(headers, now) {
  const found = control(headers);
  const told = delta(headers.get("age")?.split(",")[0].trim());
  const date = time(headers.get("date"));
  // No time in the future is an age.  One of a clock that is slow only makes us ask.
  const age = Math.max(told, now - date || 0, 0);
  let lifetime = 0;
  if (found.has("max-age")) lifetime = delta(found.get("max-age"));
  else if (!headers.has(TARGETED)) lifetime = Math.max(0, time(headers.get("expires")) - (date || now) || 0);
  const always = found.has("no-cache");
  const strict = always || found.has("must-revalidate");
  const until = (/** @type {string} */ name) => (strict || !found.has(name) ? 0 : Math.max(0, lifetime + delta(found.get(name)) - told));
  const shared = headers.get(SHARED);
  const given = shared === null ? found.get("s-maxage") : directives(shared).get("max-age");
  return {
    fresh: always ? 0 : Math.max(0, lifetime - age), age, strict,
    stale: until("stale-while-revalidate"), error: until("stale-if-error"), until: now + Math.max(0, delta(given) - told),
  };
}

/**
 * Whether what a page says of caches lets a stored response be used (RFC 9111 section 5.2.1).
 * @param {Headers} headers of the request @param {{age: number, left: number}} stored milliseconds; *left* until it is stale
 */
export function isAllowed(headers, { age, left }) {
  const found = directives(headers.get("cache-control"));
  if (!headers.has("cache-control") && /no-cache/i.test(headers.get("pragma") ?? "")) return false; // section 5.4
  if (found.has("no-cache") || (found.has("max-age") && age >= delta(found.get("max-age")))) return false;
  return !found.has("min-fresh") || left >= delta(found.get("min-fresh"));
}

/** Fields of Vary that select among stored responses; those that the browser settles itself do not. @param {Response} response */
export function varyFields(response) {
  const names = (response.headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return names.filter((name) => name && name !== "accept-encoding" && name !== "origin").sort();
}

/** A field value, normalised as far as it selects among stored responses (RFC 9111 section 4.1). @param {string} name @param {string | null} value */
export function normalised(name, value) {
  const plain = (value ?? "").trim().replace(/\s*,\s*/g, ",").replace(/\s+/g, " ");
  if (name !== "accept") return plain;
  // What browsers accept of images is long, and differs in what no server chooses by.
  if (/^image\//.test(plain)) return ["image/avif", "image/webp"].filter((type) => plain.includes(type)).join(",");
  // So is what they accept of pages.
  if (plain.startsWith("text/html,application/xhtml+xml,")) return PAGE;
  return plain === "*/*" ? "" : plain;
}

/** The part of a cache key that the fields in Vary add (RFC 9111 section 4.1). @param {string[]} vary @param {Headers} headers */
export function secondaryKey(vary, headers) {
  return vary.map((name) => `${name}=${normalised(name, headers.get(name)).replace(/[%;]/g, encodeURIComponent)}`).join(";");
}

/** Request fields that select a stored response again: what its key says. @param {{key: string, path: string}} stored */
export function selectingHeaders({ key, path }) {
  const headers = new Headers();
  for (const field of key.slice(path.length + 1).split(";")) {
    const [name, value] = field.split(/=(.*)/s);
    if (name && value) headers.set(name, decodeURIComponent(value));
  }
  return headers;
}

/** The opaque-tag of a strong ETag (RFC 9110 section 8.8.3); "" for none and for weak ones. @param {Headers} headers */
export function strongEtag(headers) {
  return /^"([\x21\x23-\x7e]*)"$/.exec(headers.get("etag") ?? "")?.[1] ?? "";
}

/** The fields of a validation (RFC 9111 section 4.3.1) of what is stored with *fields*. @param {Record<string, string>} fields @returns {Record<string, string>} */
export function validators({ etag, "last-modified": modified }) {
  if (etag) return { "if-none-match": etag };
  return modified ? { "if-modified-since": modified } : {};
}

/** Those fields of a response that decide about it later. @param {Headers} headers @returns {Record<string, string>} */
export function decidingFields(headers) {
  return Object.fromEntries(DECIDING.filter((name) => headers.has(name)).map((name) => [name, /** @type {string} */ (headers.get(name))]));
}

/** *fields* of a stored response as a 304 with *headers* updates them (RFC 9111 section 3.2). @param {Record<string, string>} fields @param {Headers} headers */
export function updatedFields(fields, headers) {
  const { age: _, ...kept } = fields; // how old it was before
  const own = withoutConnection(headers);
  // Another word on Cache-Control, and none for us or nodes: what was meant for those does not hold any more.
  if (own.has("cache-control") && own.get("cache-control") !== kept["cache-control"]) for (const name of [TARGETED, SHARED]) delete kept[name];
  OF_BYTES.forEach((name) => own.delete(name));
  return { ...kept, ...Object.fromEntries(own) };
}

/** *headers* without what belongs to the connection. @param {Headers} headers */
export function withoutConnection(headers) {
  const kept = new Headers(headers);
  const listed = (headers.get("connection") ?? "").toLowerCase().split(",").map((name) => name.trim());
  for (const name of [...HOP_BY_HOP, ...listed]) if (/^[\w-]+$/.test(name)) kept.delete(name);
  return kept;
}
