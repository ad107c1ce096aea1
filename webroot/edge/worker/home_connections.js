// The connections that Chromium opens to a page's own node: two at each navigation, unless two are there.
//
// One that nobody has used it closes within a minute, and opens it again at the next navigation: a handshake for each third
// page view.  One that was used it keeps for five minutes.  So both are used at once, by two questions of no content, behind
// the first navigation and one three minutes after the last time - some seconds behind it: as long as one of them is being
// opened, both questions would go over the other.

import { SCRIPT } from "./self_update.js";

const USE_AGAIN_MS = 180_000;
const OPENED_MS = 5_000;

export class HomeConnections {
  /** @param {{fetch: typeof globalThis.fetch, now: () => number, isChromium: boolean, wait?: (ms: number) => Promise<unknown>}} outside */
  constructor({ fetch, now, isChromium, wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)) }) {
    this.fetch = fetch;
    this.now = now;
    this.isChromium = isChromium;
    this.wait = wait;
    this.used = -Infinity;
  }

  /** A page is navigated to. */
  async use() {
    if (!this.isChromium || this.now() < this.used + USE_AGAIN_MS) return;
    this.used = this.now();
    await this.wait(OPENED_MS);
    const ask = () => this.fetch(SCRIPT, { method: "HEAD", cache: "no-store", referrerPolicy: "no-referrer" });
    await Promise.all([ask(), ask()]).catch(() => {}); // nobody there: then nothing is kept
  }
}

/** Whether the browser is Chromium, or made of it; others open what they need. @param {any} navigator */
export const isChromium = ({ userAgentData }) => Boolean(userAgentData?.brands.some((/** @type {any} */ { brand }) => brand === "Chromium"));
