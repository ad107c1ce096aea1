// The rules of HTTP caching (RFC 9111) that the client's private cache follows.  Pure functions of header fields.

/** Directives of a Cache-Control value, in lower case. @param {string | null} value @returns {Map<string, string>} */
export function directives(value) {
  const found = new Map();
  for (const [, name, quoted, token] of (value ?? "").matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g)) {
    found.set(name.toLowerCase(), quoted ?? token ?? "");
  }
  return found;
}

/** Whether a response may be stored (RFC 9111 section 3; a cache of one user, and stricter: not even "private"). @param {Response} response */
export function isStorable(response) {
  if (response.status !== 200 || response.type === "opaque" || response.type === "error") return false;
  const control = directives(response.headers.get("cache-control"));
  if (control.has("no-store") || control.has("private")) return false;
  const vary = varyFields(response);
  return !vary.includes("*") && !vary.includes("cookie") && !vary.includes("authorization");
}

/** Fields of Vary that select among stored responses; those that the browser settles itself do not. @param {Response} response */
export function varyFields(response) {
  const names = (response.headers.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim());
  return names.filter((name) => name && name !== "accept-encoding" && name !== "origin").sort();
}

/** A field value, normalised as far as it selects among stored responses (RFC 9111 section 4.1). @param {string} name @param {string | null} value */
export function normalised(name, value) {
  if (name === "accept") return ["image/avif", "image/webp"].filter((type) => value?.includes(type)).join(",");
  if (name === "accept-language") return (value ?? "").split(/[,;]/)[0].trim().toLowerCase();
  return (value ?? "").trim().replace(/\s+/g, " ");
}

/** The part of a cache key that the fields in Vary add (RFC 9111 section 4.1). @param {string[]} vary @param {Headers} headers */
export function secondaryKey(vary, headers) {
  return vary.map((name) => `${name}=${normalised(name, headers.get(name))}`).join(";");
}

/** Milliseconds that a response stays fresh from now on: freshness lifetime less age (RFC 9111 section 4.2), no heuristics. @param {Headers} headers @param {number} now */
export function freshnessLeft(headers, now) {
  const control = directives(headers.get("cache-control"));
  if (control.has("no-cache")) return 0;
  const age = Number(headers.get("age")) || 0;
  if (control.has("max-age")) return Math.max(0, (Number(control.get("max-age")) || 0) - age) * 1000;
  const expires = Date.parse(headers.get("expires") ?? "");
  const date = Date.parse(headers.get("date") ?? "") || now;
  return Number.isNaN(expires) ? 0 : Math.max(0, expires - date - age * 1000);
}

/** The strong validator: the opaque-tag of ETag (RFC 9110 section 8.8.3); "" for none and for weak ones. @param {Headers} headers */
export function strongEtag(headers) {
  return /^"([\x21\x23-\x7e]*)"$/.exec(headers.get("etag") ?? "")?.[1] ?? "";
}
