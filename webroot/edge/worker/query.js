// Which queries mean the same: No-Vary-Search (draft-ietf-httpbis-no-vary-search), and the names that a site's rules
// ignore.  Pure.

/** @typedef {{ordered: boolean, all: boolean, names: string[]}} Variation *all*: all but *names* are ignored, else *names* */

/** One member of the field: a boolean, or a list of strings. */
const MEMBER = /^\s*(key-order|params|except)(?:=(?:\?([01])|\(\s*((?:"[^"]*"\s*)*)\)))?\s*$/;

/** What a No-Vary-Search field says; null: nothing that is valid, so that every difference counts. @param {string | null} value @returns {Variation | null} */
export function noVarySearch(value) {
  /** @type {Record<string, boolean | string[]>} */
  const found = {};
  for (const member of (value ?? "").split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)) {
    const [, name, flag, list] = MEMBER.exec(member) ?? [];
    if (!name) return null;
    found[name] = list === undefined ? flag !== "0" : [...list.matchAll(/"([^"]*)"/g)].map(([, text]) => decoded(text));
  }
  const { "key-order": order = false, params = false, except = [] } = found;
  if (typeof order !== "boolean" || !Array.isArray(except) || (found.except && params !== true)) return null;
  return { ordered: !order, all: params === true, names: Array.isArray(params) ? params : except };
}

/** A name as queries write it. @param {string} text */
const decoded = (text) => new URLSearchParams(`${text}=`).keys().next().value ?? "";

/** The same text for queries that are equivalent. @param {string} search @param {Variation} variation */
export function canonicalQuery(search, { ordered, all, names }) {
  const kept = [...new URLSearchParams(search)].filter(([name]) => names.includes(name) === all);
  if (!ordered) kept.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return String(new URLSearchParams(kept));
}

/** *search* without the parameters that one of *globs* names; the others stay as they are written. @param {string} search @param {(name: string) => boolean} ignored */
export function withoutIgnored(search, ignored) {
  const kept = search.slice(1).split("&").filter((part) => part && !ignored(part.split("=")[0]));
  return kept.length ? `?${kept.join("&")}` : "";
}
