// One text of HTML made another in the document without a parser: where both have the same tags in the same order, and
// only texts and attributes differ, these are written.  What stands there is compared on the way; false: it is not so
// simple, and nothing has been touched.

const TOKENS = /(<[^>]*>)/;
const ATTRIBUTE = /\s([a-z][\w-]*)="([^"]*)"/g;
/** Quotes of the other kind, what parsers add or leave out, and elements with more to them than that. */
const OTHER = /'[^<]*>|=[^"]|<(?:!|table|tbody|tr|pre|input|select|textarea|option|details|dialog|template|script|style|title|noscript|svg|math|[a-z]+-)|contenteditable|[\r\0]/;
const ENTITIES = /** @type {Record<string, string>} */ ({ "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" });

/** What is left of references to characters, or looks like one. */
const REFERENCE = /&[\w#]/;

/** @param {string} text */
const plain = (text) => text.replace(/&(?:amp|lt|gt|quot|#39);/g, (one) => ENTITIES[one]);

/** @param {string} tag @returns {Map<string, string>} */
const attributes = (tag) => new Map([...tag.matchAll(ATTRIBUTE)].map(([, name, value]) => [name, plain(value)]));

/**
 * @param {Element} element what stands there @param {string} before as whose it was written @param {string} text as whose it shall stand there
 * @returns {boolean} whether it does
 */
export function rewrite(element, before, text) {
  const [old, wanted] = [before.split(TOKENS), text.split(TOKENS)];
  if (old.length !== wanted.length || OTHER.test(text)) return false;
  /** @type {(() => void)[]} */
  const changes = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ALL);
  /** @type {Node | null} */
  let node = element;
  for (let number = 1; number < wanted.length; number += 1) {
    const [was, is] = [old[number], wanted[number]];
    if (number % 2 ? is[1] === "/" : !is) { // an end, or no text
      if (was !== is) return false;
      continue;
    }
    if (number > 1) node = walker.nextNode();
    if (!node) return false;
    if (number % 2) {
      const name = /^<[a-z]\w*/.exec(is)?.[0];
      if (!name || !(node instanceof Element) || node.localName !== name.slice(1)) return false;
      if (was === is) continue;
      if (!was.startsWith(name) || /\w/.test(was[name.length])) return false;
      const [had, has, at] = [attributes(was), attributes(is), node];
      if (["id", "data-key"].some((one) => had.get(one) !== has.get(one)) || [...has.values()].some((value) => REFERENCE.test(value))) return false;
      if ([was, is].some((tag) => tag.slice(name.length, -1).replace(ATTRIBUTE, "").trim())) return false; // without values
      for (const [key, value] of has) if (had.get(key) !== value) changes.push(() => at.setAttribute(key, value));
      for (const key of had.keys()) if (!has.has(key)) changes.push(() => at.removeAttribute(key));
    } else if (was !== is) {
      const [at, value] = [node, plain(is)];
      if (REFERENCE.test(value) || !was || at.nodeType !== Node.TEXT_NODE || at.nodeValue !== plain(was)) return false;
      changes.push(() => (at.nodeValue = value));
    } else if (node.nodeType !== Node.TEXT_NODE) return false;
  }
  if (walker.nextNode()) return false;
  for (const change of changes) change();
  return true;
}
