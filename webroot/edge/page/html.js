// html`...`: text that is HTML.  What is put in is escaped, unless it is HTML of this kind itself.

/** Escaped already. */
export class Html {
  /** @param {string} text @param {string} key */
  constructor(text, key = "") {
    this.text = text;
    /** Which component it is, among its siblings. */
    this.key = key;
  }

  toString() {
    return this.text;
  }
}

const ENTITIES = /** @type {Record<string, string>} */ ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" });

/** @param {unknown} value @returns {string} */
function written(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(written).join("");
  if (value === null || value === undefined || value === false || value === true) return "";
  return String(value).replace(/[&<>"']/g, (one) => ENTITIES[one]);
}

/**
 * A piece of HTML.  Lists are joined; null, undefined and booleans are nothing.
 * @param {TemplateStringsArray} strings @param {unknown[]} values
 */
export function html(strings, ...values) {
  let text = strings[0];
  values.forEach((value, number) => {
    text += written(value) + strings[number + 1];
  });
  return new Html(text.trim());
}

/** A component: HTML of one element that is found again by *key*. @param {string | number} key @param {Html} piece */
export const keyed = (key, piece) => new Html(piece.text, String(key));
