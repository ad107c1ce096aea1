// What a worker carries over: the browser stops it when it has nothing to do, and starts it for the next event.

/** Milliseconds between two writes. */
const SAVE_MS = 2_000;

export class SavedState {
  /**
   * @param {import("./database.js").Database} database
   * @param {{rules: import("./rules.js").CurrentRules, nodes: import("./nodes.js").Nodes, retries: import("./budget.js").Budget,
   *   prefetcher: import("./prefetcher.js").Prefetcher, network: import("./network.js").Network}} parts that know something which a restart should not forget
   */
  constructor(database, { rules, nodes, retries, prefetcher, network }) {
    this.database = database;
    this.rules = rules;
    this.nodes = nodes;
    this.retries = retries;
    this.prefetcher = prefetcher;
    this.network = network;
    /** When it was written last, and how many retries were left. */
    this.written = 0;
    this.left = Infinity;
    /** @type {Promise<void> | null} */
    this.restoring = null;
  }

  /** Give the parts what they knew before the browser stopped us, once. */
  restore() {
    this.restoring ??= this.read();
    return this.restoring;
  }

  async read() {
    try {
      const saved = await this.database.get("state", "worker");
      if (!saved) return;
      this.rules.use(saved.rules);
      if (saved.load) this.nodes.learn(saved.load, saved.learned);
      this.nodes.restore(saved.nodes);
      this.retries.tokens = this.left = saved.retries ?? this.retries.tokens;
      this.prefetcher.restore(saved.refreshed ?? 0);
      this.network.until = saved.unplugged ?? 0;
    } catch (error) {
      console.warn("edge: its state cannot be read:", error);
    }
  }

  /** Write down what a restart should not forget; unless *force* or retries were spent, not at every request. */
  async save(force = false) {
    const { tokens } = this.retries;
    if (!force && tokens >= this.left && Date.now() < this.written + SAVE_MS) return;
    this.written = Date.now();
    this.left = tokens;
    const { load, learned } = this.nodes;
    const saved = { rules: this.rules.current, load, learned, nodes: this.nodes.save(), retries: tokens, refreshed: this.prefetcher.refreshed, unplugged: this.network.until };
    await this.database.write("state", [[saved, "worker"]]).catch(() => {}); // no room: a restart knows less
  }
}
