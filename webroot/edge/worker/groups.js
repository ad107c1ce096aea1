// The field Cache-Groups (RFC 9875): a List of Strings (RFC 9651).  What is no such list names no group.

/** Groups of one answer, as nodes take them. */
const MOST = 64;
/** A String, its parameters, which mean nothing, and what stands before the next one (RFC 9651 section 3.1). */
const LISTED = /\s*"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:;[ ]*[a-z*][\w.*-]*(?:=(?:"(?:[^"\\]|\\.)*"|[^\s,;"]+))?)*\s*(?:,|$)/y;

/** What was read already; values are few. @type {Map<string, string[]>} */
const PARSED = new Map();
const PARSED_MOST = 4_096;

/** The names in *value*; none: it is no such list. @param {string} value */
export function parseGroups(value) {
  const names = new Set();
  LISTED.lastIndex = 0;
  for (let at = 0; at < value.length && names.size <= MOST; at = LISTED.lastIndex) {
    const found = LISTED.exec(value);
    if (!found) return [];
    names.add(found[1].replace(/\\(.)/g, "$1"));
  }
  return names.size > MOST ? [] : [...names];
}

/** The groups of a stored response. @param {{fields: Record<string, string>}} row */
export function groupsIn({ fields }) {
  const value = fields["cache-groups"];
  if (!value) return [];
  let found = PARSED.get(value);
  if (!found) {
    if (PARSED.size >= PARSED_MOST) PARSED.clear();
    PARSED.set(value, (found = parseGroups(value)));
  }
  return found;
}
