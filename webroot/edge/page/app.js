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
import { Rows } from "./rows.js";

/** Milliseconds of work before others get their turn. */
export const SLICE_MS = 3;
/** Pieces between two looks at the clock while they are made. */
const LOOK = 16;

/** @typedef {import("./rows.js").Difference} Difference */

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
 * @property {(before: State | undefined, state: State) => AsyncIterable<Difference | null> | Iterable<Difference | null>} [conciliate]
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
    /** The components. */
    this.rows = new Rows(root);
    /** Grows with each state; work for an older one ends. */
    this.turn = 0;
    /** Grows with each event of a kind in the same component. @type {Map<string, number>} */
    this.latest = new Map();
    /** The longest piece of work without a pause, milliseconds. */
    this.longest = 0;
    for (const child of root.children) {
      const key = child.getAttribute("data-key");
      if (key !== null) this.rows.elements.set(key, child);
    }
    for (const name of events) root.addEventListener(name, (event) => this.handle(event));
  }

  /** Take what a server has rendered for what *state* would be: nothing is written. */
  async hydrate() {
    for await (const piece of this.render(this.state)) {
      if (this.rows.elements.has(piece.key)) this.rows.written.set(piece.key, piece);
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

  /** Show *state*; false: a newer one came first.  One that cannot be shown is none: that before it is still the state. @param {State} state */
  async show(state) {
    const before = this.state;
    this.state = state;
    const turn = ++this.turn;
    try {
      return await this.put(before, state, turn);
    } catch (error) {
      if (turn === this.turn) this.state = before;
      throw error;
    }
  }

  /** Make what shows *before* show *state*, unless a newer one comes. @param {State} before @param {State} state @param {number} turn */
  async put(before, state, turn) {
    const found = this.conciliate(before, state);
    // Who has all at once is not waited for: a turn of the loop for each difference would cost more than the difference.
    const each = Symbol.asyncIterator in found ? found[Symbol.asyncIterator]() : found[Symbol.iterator]();
    let since = performance.now();
    for (let step = each.next(); ; step = each.next()) {
      const { value, done } = step instanceof Promise ? await step : step;
      if (done || turn !== this.turn) break;
      if (value) (value.rows ?? this.rows).apply(value);
      const now = performance.now();
      this.longest = Math.max(this.longest, now - since);
      if (now - since < SLICE_MS) continue;
      await breathe();
      if (turn !== this.turn) break;
      since = performance.now();
    }
    if (turn !== this.turn) each.return?.(undefined);
    return turn === this.turn;
  }

  /** Where the pieces of *state* differ from what is written, in order; null: nothing yet. @param {State} state */
  differences(state) {
    const pieces = this.render(state);
    return Symbol.asyncIterator in pieces ? this.arriving(pieces) : this.made(pieces);
  }

  /** @param {Iterable<Html>} pieces @returns {Generator<Difference | null>} */
  *made(pieces) {
    /** @type {Html[]} */
    const all = [];
    for (const piece of pieces) {
      if (all.push(piece) % LOOK === 0) yield null;
    }
    yield* this.rows.differences(all);
  }

  /** Those that take their time are put in place as they come. @param {AsyncIterable<Html>} pieces @returns {AsyncGenerator<Difference>} */
  async *arriving(pieces) {
    const { rows } = this;
    /** @type {Html[]} */
    const all = [];
    for await (const piece of pieces) {
      if (rows.written.get(piece.key)?.text !== piece.text) yield { key: piece.key, piece, after: all.at(-1)?.key ?? "" };
      all.push(piece);
    }
    yield* rows.differences(all);
  }
}
