// The loop of a page: state -> HTML -> the page, and events -> new states.
//
//     render(state)                 yields keyed pieces of HTML, one component each (a generator, or async)
//     eventHandler(state, event)    yields new states (an async generator); a later event ends it
//     conciliate(before, state)     yields what is different: {key, piece}, {key, gone: true}
//
// Only components whose HTML has changed are touched (patch.js).  Between two of them the main thread gets its
// turn as soon as a slice of time is used up; a newer state supersedes what is left of an older one.  What
// stands in the page is known by key, so an iteration may be given up at any point.

import { Html } from "./html.js";
import { morph } from "./patch.js";

/** Milliseconds of work before others get their turn. */
export const SLICE_MS = 3;

/** @typedef {{key: string, piece?: Html, gone?: boolean, after?: string}} Difference */

/** @type {() => Promise<void>} */
const breathe = /** @type {any} */ (globalThis).scheduler?.yield?.bind(/** @type {any} */ (globalThis).scheduler) ?? (() => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve();
  port2.postMessage(null);
}));

/**
 * @template State
 * @typedef {object} Parts
 * @property {(state: State) => Iterable<Html> | AsyncIterable<Html>} render
 * @property {(state: State, event: Event) => AsyncIterable<State> | Iterable<State>} eventHandler
 * @property {(before: State | undefined, state: State) => AsyncIterable<Difference> | Iterable<Difference>} [conciliate]
 * @property {string[]} [events] names of the events that are listened to
 */

/** @template State */
export class App {
  /**
   * @param {Element} root its children with data-key are the components; those that a server has rendered stay
   * @param {State} state that they show
   * @param {Parts<State>} parts
   */
  constructor(root, state, { render, eventHandler, conciliate, events = ["click", "input", "submit", "change"] }) {
    this.root = root;
    this.state = state;
    this.render = render;
    this.eventHandler = eventHandler;
    this.conciliate = conciliate ?? ((_, next) => this.differences(next));
    /** HTML of the components as we last wrote it. @type {Map<string, string>} */
    this.written = new Map();
    /** @type {Map<string, Element>} */
    this.elements = new Map();
    /** Grows with each state; work for an older one ends. */
    this.turn = 0;
    /** Grows with each event of a kind in the same component. @type {Map<string, number>} */
    this.latest = new Map();
    /** The longest piece of work without a pause, milliseconds. */
    this.longest = 0;
    for (const child of root.children) {
      const key = child.getAttribute("data-key");
      if (key !== null) this.elements.set(key, child);
    }
    for (const name of events) root.addEventListener(name, (event) => this.handle(event));
  }

  /** Take what a server has rendered for what *state* would be: nothing is written. */
  async hydrate() {
    for await (const piece of this.render(this.state)) {
      if (this.elements.has(piece.key)) this.written.set(piece.key, piece.text);
    }
    return this;
  }

  /** @param {Event} event @returns {Promise<void>} */
  async handle(event) {
    const at = /** @type {Element} */ (event.target).closest("[data-key]");
    const kind = `${event.type} ${at?.getAttribute("data-key")}`;
    const mine = (this.latest.get(kind) ?? 0) + 1;
    this.latest.set(kind, mine);
    const states = this.eventHandler(this.state, event);
    for await (const state of states) {
      if (this.latest.get(kind) !== mine) break; // leaving the loop ends the generator
      await this.show(state);
    }
  }

  /** Show *state*; false: a newer one came first. @param {State} state */
  async show(state) {
    const before = this.state;
    this.state = state;
    const turn = ++this.turn;
    let since = performance.now();
    for await (const difference of this.conciliate(before, state)) {
      if (turn !== this.turn) return false;
      this.apply(difference);
      const now = performance.now();
      this.longest = Math.max(this.longest, now - since);
      if (now - since >= SLICE_MS) {
        await breathe();
        if (turn !== this.turn) return false;
        since = performance.now();
      }
    }
    return turn === this.turn;
  }

  /** Where the pieces of *state* differ from what is written, in order. @param {State} state @returns {AsyncGenerator<Difference>} */
  async *differences(state) {
    const there = new Set();
    let after = "";
    let since = performance.now();
    for await (const piece of this.render(state)) {
      there.add(piece.key);
      const element = this.elements.get(piece.key);
      const moved = element && element.previousElementSibling !== (after ? this.elements.get(after) : null);
      if (this.written.get(piece.key) !== piece.text || moved) yield { key: piece.key, piece, after };
      else if (performance.now() - since > SLICE_MS) {
        await breathe();
        since = performance.now();
      }
      after = piece.key;
    }
    for (const key of [...this.elements.keys()]) if (!there.has(key)) yield { key, gone: true };
  }

  /** Write one difference into the page. @param {Difference} difference */
  apply({ key, piece, gone, after }) {
    let element = this.elements.get(key);
    if (gone || !piece) {
      element?.remove();
      this.elements.delete(key);
      this.written.delete(key);
      return;
    }
    if (!element || this.written.get(key) !== piece.text) {
      const template = document.createElement("template");
      template.innerHTML = piece.text;
      const wanted = /** @type {Element} */ (template.content.firstElementChild);
      if (!element) element = wanted;
      else if (element.nodeName === wanted.nodeName) morph(element, wanted);
      else {
        element.replaceWith(wanted);
        element = wanted;
      }
      this.elements.set(key, element);
      this.written.set(key, piece.text);
    }
    if (after === undefined && element.isConnected) return;
    const place = after ? (this.elements.get(after)?.nextSibling ?? null) : this.root.firstElementChild;
    if (place !== element) this.root.insertBefore(element, place);
  }
}
