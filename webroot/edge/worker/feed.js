// The feed: load documents and news of changes, pushed over one WebSocket, polled where none comes through.
//
// One feed runs for a whole browser: in the Shared Worker, or in the page that leads (see segments.js).  A socket that
// ends or falls silent is replaced by one to another node, with exponential backoff.

import { draw, readLoad } from "./nodes.js";

/** Backoff: milliseconds between two tries, before jitter, doubled from the first to the last. */
const FIRST_MS = 50;
const MOST_MS = 10_000;
/** A socket that says nothing for this many periods of the load document hangs. */
const SILENT = 2;

export class Feed {
  /**
   * @param {string} home origin of the site
   * @param {(message: import("./messages.js").Message) => void} say
   * @param {{Socket?: typeof WebSocket, fetch?: typeof globalThis.fetch, random?: () => number}} [outside]
   */
  constructor(home, say, { Socket = globalThis.WebSocket, fetch = globalThis.fetch.bind(globalThis), random = Math.random } = {}) {
    this.home = home;
    this.say = say;
    this.Socket = Socket;
    this.fetch = fetch;
    this.random = random;
    /** @type {import("./nodes.js").LoadDocument | null} */
    this.load = null;
    this.failures = 0;
    this.url = home;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.stopped = false;
  }

  start() {
    this.connect();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
    this.say({ type: "feed", how: "none", url: "" });
  }

  /** A node by its weight, another one than that which failed; where others may not be reached at all, home. */
  choose() {
    if (this.failures > 1 && this.failures % 2 === 0) return this.home;
    const nodes = (this.load?.nodes ?? []).filter((node) => !this.failures || node.url !== this.url);
    return draw(nodes, nodes.map((node) => node.weight), this.random())?.url ?? this.home;
  }

  connect() {
    if (this.stopped) return;
    this.url = this.choose();
    const socket = new this.Socket(`${this.url.replace(/^http/, "ws")}/.edge/socket`);
    this.socket = socket;
    this.watch(MOST_MS);
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      if (this.failures || !this.load) this.say({ type: "feed", how: "socket", url: this.url });
      this.failures = 0;
      this.take(JSON.parse(event.data));
      this.watch(SILENT * (this.load?.ttl_ms ?? MOST_MS));
    };
    socket.onclose = () => socket === this.socket && this.again();
  }

  /** Give the socket *ms* until the next message. @param {number} ms */
  watch(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), ms);
  }

  /** The socket is gone: another one, and a poll if that takes time. */
  again() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    if (this.stopped) return;
    this.failures += 1;
    if (this.failures > 2) this.poll();
    const ms = Math.min(MOST_MS, FIRST_MS * 2 ** (this.failures - 1));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), ms * (0.5 + this.random()));
  }

  async poll() {
    try {
      const answer = await this.fetch(`${this.choose()}/.edge/load`, { cache: "no-store", credentials: "omit" });
      this.take({ type: "load", document: await answer.json() });
      this.say({ type: "feed", how: "poll", url: this.url });
    } catch {
      // Nobody there: the next try asks another node.
    }
  }

  /** @param {any} message of a node */
  take(message) {
    if (message?.type === "load") {
      const load = readLoad(message.document);
      if (!load) return;
      this.load = load;
      this.say({ type: "load", document: load });
    } else if (message?.type === "changed") this.say({ type: "changed", seq: Number(message.seq) });
  }
}
