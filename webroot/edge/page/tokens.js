// One text of HTML made another in the document without a parser: where both have the same tags in the same order, and
// only texts and attributes differ, these are written.  What stands there is compared on the way; false: it is not so
// simple, and nothing has been touched.

const ATTRIBUTE = /\s([a-z][\w-]*)="([^"]*)"/g;
/** Quotes of the other kind, what parsers add or leave out, and elements with more to them than that. */
const OTHER = /'[^<]*>|=[^"]|<(?:!|table|tbody|tr|pre|input|select|textarea|option|details|dialog|template|script|style|title|noscript|svg|math|[a-z]+-)|contenteditable|[\r\0]/;
const ENTITIES = /** @type {Record<string, string>} */ ({ "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" });

/** What is left of references to characters, or looks like one. */
const REFERENCE = /&[\w#]/;

/** @param {string} text */
const plain = (text) => text.replace(/&(?:amp|lt|gt|quot|#39);/g, (one) => ENTITIES[one]);

/** Where the token at *from* ends. @param {string} text @param {number} from @param {boolean} isTag */
function end(text, from, isTag) {
  const at = text.indexOf(isTag ? ">" : "<", from);
  return at < 0 ? text.length : at + Number(isTag);
}

/** Whether the tag at *from* is that of an element *name*. @param {string} text @param {number} from @param {string} name */
const isNamed = (text, from, name) => text.startsWith(name, from + 1) && !/\w/.test(text[from + 1 + name.length]);

/** @param {string} tag @returns {Map<string, string>} */
const attributes = (tag) => new Map([...tag.matchAll(ATTRIBUTE)].map(([, name, value]) => [name, plain(value)]));

/**
 * @param {Element} element what stands there @param {string} before as whose it was written @param {string} text as whose it shall stand there
 * @returns {boolean} whether it does
 */
export function rewrite(element, before, text) {
  if (OTHER.test(text)) return false;
  /** @type {(() => void)[]} */
  const changes = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ALL);
  /** @type {Node | null} */
  let node = element;
  // One token of each a step, up to these places: a tag, or the text before one.
  let [old, place] = [0, 0];
  for (let from = 0; place < text.length; from = place) {
    const begun = old;
    const isTag = text[from] === "<";
    if (isTag !== (before[begun] === "<")) return false;
    old = end(before, begun, isTag);
    place = end(text, from, isTag);
    const isEnd = isTag && text[from + 1] === "/";
    const same = old - begun === place - from && before.startsWith(text.slice(from, place), begun);
    if (isEnd) {
      if (!same) return false;
      continue;
    }
    if (from) node = walker.nextNode();
    if (!node) return false;
    if (!isTag) {
      if (node.nodeType !== Node.TEXT_NODE) return false;
      if (same) continue;
      const [at, was, value] = [node, plain(before.slice(begun, old)), plain(text.slice(from, place))];
      if (REFERENCE.test(value) || at.nodeValue !== was) return false;
      changes.push(() => (at.nodeValue = value));
    } else {
      if (!(node instanceof Element) || !isNamed(text, from, node.localName)) return false;
      if (same) continue;
      const [was, is, name, at] = [before.slice(begun, old), text.slice(from, place), node.localName, node];
      if (!isNamed(was, 0, name)) return false;
      const [had, has] = [attributes(was), attributes(is)];
      if (["id", "data-key"].some((one) => had.get(one) !== has.get(one)) || [...has.values()].some((value) => REFERENCE.test(value))) return false;
      if ([was, is].some((tag) => tag.slice(name.length + 1, -1).replace(ATTRIBUTE, "").trim())) return false; // without values
      for (const [key, value] of has) if (had.get(key) !== value) changes.push(() => at.setAttribute(key, value));
      for (const key of had.keys()) if (!has.has(key)) changes.push(() => at.removeAttribute(key));
    }
  }
  if (old !== before.length) return false;
  if (walker.nextNode()) return false;
  for (const change of changes) change();
  return true;
}
