// The network, or as if there were none: a page may pull the plug (message "unplug"), to see what goes on without.

/** Whoever forgets that has it back by then, milliseconds. */
export const UNPLUGGED_MS = 15 * 60_000;

export class Network {
  /** @param {typeof globalThis.fetch} fetch the browser's @param {() => number} now */
  constructor(fetch, now) {
    this.browser = fetch;
    this.now = now;
    /** Until when there is none. */
    this.until = 0;
  }

  get isUnplugged() {
    return this.now() < this.until;
  }

  /** @param {boolean} unplugged */
  unplug(unplugged) {
    this.until = unplugged ? this.now() + UNPLUGGED_MS : 0;
  }

  /** As fetch() of the browser. @type {typeof globalThis.fetch} */
  fetch = (...given) => (this.isUnplugged ? Promise.reject(new TypeError("a page has pulled the plug")) : this.browser(...given));
}
