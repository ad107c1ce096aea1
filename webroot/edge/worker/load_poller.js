// The load document, polled by who has nothing to say: what of it changes rides on the answers to questions (nodes.js),
// and is pushed while a feed runs (feed.js).

import { readLoad } from "./nodes.js";
import { later } from "./waiting.js";

/** A silent browser asks for it this often at most, milliseconds; who has none, or one of other nodes, asks at once. */
const SILENT_MS = 120_000;
/** What an event leads to is waited for that long: its questions bring it, too. */
const AFTER_MS = 2_000;

export class LoadPoller {
  /**
   * @param {import("./nodes.js").Nodes} nodes
   * @param {import("./sender.js").Sender} sender
   * @param {LockManager} locks
   * @param {(ms: number) => Promise<unknown>} [wait]
   */
  constructor(nodes, sender, locks, wait = later) {
    this.nodes = nodes;
    this.sender = sender;
    this.locks = locks;
    this.wait = wait;
    /** @type {Promise<void> | null} */
    this.polling = null;
    this.due = SILENT_MS * (1 + 0.2 * Math.random());
    this.asked = 0;
  }

  /** Whether what is known is too old.  Without an answer, or with one of other nodes again, it is not asked for at once. */
  isDue() {
    const { load, learned } = this.nodes;
    const now = this.sender.now();
    return now - (load ? learned : 0) > this.due && now - this.asked > (load ? 30_000 : 5_000);
  }

  /** Ask for it, if what is known is too old and nobody in this browser asks already. */
  poll() {
    this.polling ??= this.look().finally(() => (this.polling = null));
    return this.polling;
  }

  async look() {
    if (!this.isDue()) return;
    if (this.nodes.load) await this.wait(AFTER_MS);
    if (!this.isDue()) return;
    await this.locks.request("edge-poll", { ifAvailable: true }, async (lock) => {
      if (!lock) return;
      this.asked = this.sender.now();
      const response = await this.sender.send({ path: "/.edge/load", brief: true, hedge: false });
      const load = response.ok ? readLoad(await response.json()) : null;
      if (load) this.nodes.learn(load, this.sender.now());
    }).catch(() => {}); // the next request asks again
  }
}
