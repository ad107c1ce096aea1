// The network, or as if there were none: a page may pull the plug (message "unplug"), to see what goes on without.
//
// Every answer to the worker comes through here, so here is seen which of them has what is stored cleared (Clear-Site-Data):
// browsers do not count a worker's store as cache.  Chromium hides that field from scripts; it may come under our name, too.

/** Whoever forgets that has it back by then, milliseconds. */
export const UNPLUGGED_MS = 15 * 60_000;

/** Fields of an answer that say what is to be cleared. */
const CLEARING = ["clear-site-data", "edge-clear-site-data"];

export class Network {
  /**
   * @param {typeof globalThis.fetch} fetch the browser's @param {() => number} now
   * @param {() => Promise<void>} clear have what is stored forgotten
   */
  constructor(fetch, now, clear) {
    this.browser = fetch;
    this.now = now;
    this.clear = clear;
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
  fetch = async (...given) => {
    if (this.isUnplugged) throw new TypeError("a page has pulled the plug");
    return this.heeded(await this.browser(...given));
  };

  /** *response*, once what it says of what is stored is done.  Other origins do not say anything of ours. @param {Response} response */
  async heeded(response) {
    const { headers, type } = response;
    const isOurs = type !== "cors" && CLEARING.some((name) => /"(cache|\*)"/.test(headers.get(name) ?? ""));
    if (isOurs) await this.clear().catch((error) => console.warn("edge: not cleared:", error));
    return response;
  }
}
