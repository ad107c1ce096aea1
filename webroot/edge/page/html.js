// html`...`: text that is HTML.  What is put in is escaped for the place where it stands.
//
//     <p>${value}</p>           text; HTML of this kind as it is, lists joined, null, undefined and booleans are nothing
//     title="${value}"          the value of an attribute, in quotes
//     href="${url}/..."         begins a URL: one that would run something becomes about:invalid; so does a second value
//                               that could still complete such a scheme, as in href="${before}${path}"
//     ?checked=${value}         the attribute is there if the value is true
//
// Anywhere else - in a tag, without quotes, in a comment, a script, a style, an event handler or a URL that runs
// something by itself - no escaping would help, so a template with a value there throws.  What stands where is found out once for each template.

/** @typedef {{at: number, length: number, rows: Html[]}} List where in a text, and its keyed pieces */

/** Escaped already. */
export class Html {
  /** @param {string} text @param {string} key @param {List[]} lists */
  constructor(text, key = "", lists = []) {
    this.text = text;
    /** Which component it is, among its siblings. */
    this.key = key;
    /** Of keyed pieces, in it. */
    this.lists = lists;
    /** @type {string | undefined} */
    this.outside = undefined;
  }

  /** What is around the lists. */
  around() {
    if (this.outside === undefined) {
      let end = 0;
      this.outside = "";
      for (const { at, length } of this.lists) {
        this.outside += `${this.text.slice(end, at)}\0`;
        end = at + length;
      }
      this.outside += this.text.slice(end);
    }
    return this.outside;
  }

  /** What stands there while its lists are made what they are in it. */
  unfinished() {
    const piece = new Html("", this.key, this.lists);
    piece.outside = this.around();
    return piece;
  }

  toString() {
    return this.text;
  }
}

/** @typedef {{texts: string[], writers: ((value: unknown) => string)[]}} Template */

// NUL is no character of HTML.
const ENTITIES = /** @type {Record<string, string>} */ ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\0": "\ufffd" });
/** Begins with a scheme that runs nothing, or has none. */
const URL_BEGINS = /^(?:(?:https?|mailto|tel):|[^:/?#]*(?:[/?#]|$))/i;
/** Has no scheme, and gives none to what stands before it. */
const URL_GOES_ON = /^[^:/?#]*(?:[/?#]|$)/;
/** Whatever comes next is no scheme any more. */
const URL_IS_DECIDED = /^(?:(?:https?|mailto|tel):|[^:/?#]*[/?#])/i;
const URL_NAMES = /^(?:.*:)?(?:href|src|action|formaction|data|poster|cite|background)$/i;
const NEVER = /^(?:on|srcdoc$)/i;
/** What is over, and says nothing of the place behind it. */
const WHOLE = /<!--[^]*?-->|<(script|style)\b[^]*?<\/\1\s*>|<(?!script|style)\/?[a-z](?:"[^"]*"|'[^']*'|[^"'>])*>/gi;
/** A tag that is open: its last attribute, and what stands of that. */
const OPEN = /^<[a-z][^\s"'<>/]*(?:\s+[^\s"'<>=/]+(?:="[^"]*"|='[^']*'|=\0)?)*\s+(?:\?([^\s"'<>=/]+)=|([^\s"'<>=/?]+)=(?:"([^"]*)|'([^']*)))$/i;

/** @type {WeakMap<TemplateStringsArray, Template>} */
const templates = new WeakMap();

/** @param {unknown} value @returns {string} */
const escaped = (value) => {
  const text = isNothing(value) ? "" : String(value);
  return /[&<>"'\0]/.test(text) ? text.replace(/[&<>"'\0]/g, (one) => ENTITIES[one]) : text;
};

/** @param {unknown} value */
const isNothing = (value) => value === null || value === undefined || value === false || value === true;

/** @param {unknown} value @returns {string} */
function written(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(written).join("");
  return escaped(value);
}

/** What writes a value of a URL of which *before* stands there already, values as NUL. @param {string} before @returns {((value: unknown) => string) | null} null: nothing may */
function urlWriter(before) {
  if (URL_IS_DECIDED.test(before)) return escaped;
  if (before.includes(":")) return null;
  const harmless = before ? URL_GOES_ON : URL_BEGINS;
  return (value) => (harmless.test(String(value ?? "")) ? escaped(value) : "about:invalid");
}

/** The tag that is open at the end of *text*, if any. @param {string} text */
const opened = (text) => /<(?:[a-z!?/\0]|$)[^]*/i.exec(text.replace(WHOLE, ""))?.[0];

/** @param {string} why @param {string} text @returns {never} */
const refuse = (why, text) => {
  throw new Error(`html: ${why} ${text.replaceAll("\0", "${}")}`);
};

/** What writes a value that stands behind *before*. @param {string} before @returns {(value: unknown) => string} */
function writer(before) {
  const tag = opened(before);
  if (!tag) return written;
  const found = /^<(?:script|style)\b/i.test(tag) ? null : OPEN.exec(tag);
  const name = found?.[1] ?? found?.[2];
  if (!found || !name || NEVER.test(name)) return refuse("no value can stand behind", tag);
  if (found[1]) return (value) => (value ? ` ${name}` : "");
  if (!URL_NAMES.test(name)) return escaped;
  return urlWriter(found[3] ?? found[4] ?? "") ?? refuse("no value can stand behind", tag);
}

/** @param {TemplateStringsArray} strings @returns {Template} */
function template(strings) {
  let before = "";
  const texts = [...strings];
  const writers = texts.slice(0, -1).map((text, number) => {
    before += text;
    const write = writer(before);
    before += "\0";
    texts[number] = text.replace(/\s+\?[^\s"'<>=/]+=$/, "");
    return write;
  });
  const tag = opened(before + texts[writers.length]);
  if (tag) refuse("nothing ends", tag);
  texts[0] = texts[0].trimStart();
  texts.push(/** @type {string} */ (texts.pop()).trimEnd());
  return { texts, writers };
}

/**
 * A piece of HTML.
 * @param {TemplateStringsArray} strings @param {unknown[]} values
 */
export function html(strings, ...values) {
  let known = templates.get(strings);
  if (!known) templates.set(strings, (known = template(strings)));
  const { texts, writers } = known;
  let text = texts[0];
  /** @type {List[]} */
  const lists = [];
  for (let number = 0; number < values.length; number += 1) {
    const value = values[number];
    const more = writers[number](value);
    if (writers[number] === written) {
      if (value instanceof Html) for (const one of value.key ? [] : value.lists) lists.push({ ...one, at: text.length + one.at });
      else if (Array.isArray(value) && value.length && value.every((one) => one instanceof Html && one.key)) lists.push({ at: text.length, length: more.length, rows: value });
    }
    text += more + texts[number + 1];
  }
  return new Html(text, "", lists);
}

/** A component: HTML of one element that is found again by *key*. @param {string | number} key @param {Html} piece */
export function keyed(key, piece) {
  const name = /^<[a-z][^\s/>]*/i.exec(piece.text)?.[0];
  if (!name) throw new Error(`the component ${JSON.stringify(key)} has no element: ${piece.text.slice(0, 80)}`);
  const begin = `${name} data-key="${escaped(key)}"`;
  const moved = piece.lists.map((one) => ({ ...one, at: one.at + begin.length - name.length }));
  return new Html(begin + piece.text.slice(name.length), String(key), moved);
}
