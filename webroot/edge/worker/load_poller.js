// The load document, polled while no feed brings it (feed.js, in a page or the Shared Worker).

import { readLoad } from "./nodes.js";

export class LoadPoller {
  /**
   * @param {import("./nodes.js").Nodes} nodes
   * @param {import("./sender.js").Sender} sender
   * @param {LockManager} locks
   */
  constructor(nodes, sender, locks) {
    this.nodes = nodes;
    this.sender = sender;
    this.locks = locks;
  }

  /** Ask for it, if what is known is too old and nobody in this browser asks already. */
  async poll() {
    const { nodes } = this;
    const due = (nodes.load?.ttl_ms ?? 5000) * (0.8 + 0.4 * Math.random());
    if (Date.now() - nodes.learned < due) return;
    await this.locks.request("edge-poll", { ifAvailable: true }, async (lock) => {
      if (!lock) return;
      const response = await this.sender.send({ path: "/.edge/load", hedge: false });
      const load = response.ok ? readLoad(await response.json()) : null;
      if (load) nodes.learn(load, Date.now());
    }).catch(() => {}); // the next request asks again
  }
}
