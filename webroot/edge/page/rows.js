// Keyed pieces of HTML in the document: what is written of each, where they differ from others, and one difference put
// in place.  A list inside of a piece is such rows of its own, as long as what is around it stays: then no row is looked
// at that does not differ, and between two of them others can have their turn.

import { increasing, morph, move } from "./patch.js";
import { rewrite } from "./tokens.js";

/** @typedef {import("./html.js").Html} Html */
/** @typedef {{key: string, piece?: Html, gone?: boolean, after?: string, rows?: Rows}} Difference */

const PARSER = document.createElement("template");

export class Rows {
  /** @param {Node} parent @param {ChildNode | null} before what stands before the first of them */
  constructor(parent, before = null) {
    this.parent = parent;
    this.before = before;
    /** HTML of the pieces as we last wrote it. @type {Map<string, Html>} */
    this.written = new Map();
    /** @type {Map<string, Element>} */
    this.elements = new Map();
    /** Lists inside of pieces. @type {Map<string, Rows[]>} */
    this.inner = new Map();
  }

  /** Where *pieces*, which are all that shall be, differ from what is there, in order. @param {Html[]} pieces @returns {Generator<Difference>} */
  *differences(pieces) {
    const wanted = new Set(pieces.map(({ key }) => key));
    for (const key of [...this.elements.keys()]) if (!wanted.has(key)) yield { key, gone: true, rows: this };
    const stays = this.inPlace(pieces);
    let after = "";
    for (const piece of pieces) {
      const { key } = piece;
      if (!stays.has(key)) yield { key, piece, after, rows: this };
      else if (this.written.get(key)?.text !== piece.text) yield* this.changed(piece);
      after = key;
    }
  }

  /** What makes a piece that is in its place another one. @param {Html} piece @returns {Generator<Difference>} */
  *changed(piece) {
    const lists = this.listsOf(piece);
    if (!lists) {
      yield { key: piece.key, piece, rows: this };
      return;
    }
    this.written.set(piece.key, piece.unfinished());
    for (const [number, { rows }] of piece.lists.entries()) yield* lists[number].differences(rows);
    this.written.set(piece.key, piece);
  }

  /** Keys of those that need not be moved. @param {Html[]} pieces */
  inPlace(pieces) {
    if (this.isInOrder(pieces)) return new Set(pieces.map(({ key }) => key));
    const places = new Map();
    let number = 0;
    for (let node = this.before ? this.before.nextSibling : this.parent.firstChild; node; node = node.nextSibling) places.set(node, (number += 1));
    const elements = pieces.map(({ key }) => this.elements.get(key)).filter((one) => one !== undefined);
    const focus = document.activeElement;
    const fixed = focus && this.parent.contains(focus) ? elements.find((one) => one.contains(focus)) : undefined;
    const stay = new Set(increasing(elements, places, fixed));
    return new Set(pieces.map(({ key }) => key).filter((key) => stay.has(/** @type {Element} */ (this.elements.get(key)))));
  }

  /** Whether all of *pieces* stand there, one behind the other. @param {Html[]} pieces */
  isInOrder(pieces) {
    let element = this.before ? this.before.nextSibling : this.parent.firstChild;
    for (const { key } of pieces) {
      const wanted = this.elements.get(key);
      while (element && element !== wanted) element = element.nextSibling;
      if (!element) return false;
      element = element.nextSibling;
    }
    return true;
  }

  /** The lists of what stands in the place of *piece*, if nothing else differs and they can be found. @param {Html} piece @returns {Rows[] | undefined} */
  listsOf(piece) {
    const { key } = piece;
    const before = this.written.get(key);
    if (!before || !piece.lists.length || before.lists.length !== piece.lists.length || before.around() !== piece.around() || !piece.lists.every(({ rows }) => new Set(rows.map((row) => row.key)).size === rows.length)) {
      this.inner.delete(key);
      return undefined;
    }
    let inner = this.inner.get(key);
    if (!inner) {
      inner = found(/** @type {Element} */ (this.elements.get(key)), before);
      if (inner) this.inner.set(key, inner);
    }
    return inner;
  }

  /** Put one difference in place. @param {Difference} difference */
  apply({ key, piece, gone, after }) {
    let element = this.elements.get(key);
    if (gone || !piece) {
      element?.remove();
      for (const map of [this.elements, this.written, this.inner]) map.delete(key);
      return;
    }
    const before = this.written.get(key)?.text;
    if (element && before && before !== piece.text && rewrite(element, before, piece.text)) {
      this.written.set(key, piece);
      this.inner.delete(key);
    } else if (!element || before !== piece.text) {
      PARSER.innerHTML = piece.text;
      const wanted = /** @type {Element} */ (PARSER.content.firstElementChild);
      if (!element) element = wanted;
      else if (element.nodeName === wanted.nodeName) morph(element, wanted);
      else {
        element.replaceWith(wanted);
        element = wanted;
      }
      this.elements.set(key, element);
      this.written.set(key, piece);
      this.inner.delete(key);
    }
    if (after === undefined && element.isConnected) return;
    const last = after ? this.elements.get(after) : this.before;
    const place = last ? last.nextSibling : this.parent.firstChild;
    if (place === element) return;
    if (element.isConnected) move(this.parent, element, place);
    else this.parent.insertBefore(element, place);
  }
}

/** The lists of *piece*, which is what stands in *element*; undefined: something else stands there. @param {Element} element @param {Html} piece */
function found(element, piece) {
  const keyed = [...element.querySelectorAll("[data-key]")];
  const all = [];
  let at = 0;
  for (const { rows } of piece.lists) {
    /** @type {Element | null} */
    let one = keyed[at];
    if (!one) return undefined;
    const list = new Rows(/** @type {Node} */ (one.parentNode), one.previousSibling);
    /** @type {Element | null} */
    let last = null;
    for (const row of rows) {
      if (one?.getAttribute("data-key") !== row.key) return undefined;
      list.elements.set(row.key, one);
      list.written.set(row.key, row);
      last = one;
      one = one.nextElementSibling;
    }
    if (list.elements.size !== rows.length) return undefined;
    while (at < keyed.length && (keyed[at] === last || (last?.compareDocumentPosition(keyed[at]) ?? 0) & (Node.DOCUMENT_POSITION_PRECEDING | Node.DOCUMENT_POSITION_CONTAINED_BY))) at += 1;
    all.push(list);
  }
  return all;
}
