// The feed: load documents and news of changes, pushed over one WebSocket, over which the worker asks, too (questions.js).
//
// The Service Worker holds it: one for a whole browser, which lasts from one page to the next.  Pages that can be seen keep
// the worker awake (message "stay"); when nobody sees one any more the browser stops it, and the socket ends.  A socket
// that ends or falls silent is replaced by one to another node, with exponential backoff.

import { draw, readLoad, withWord } from "./nodes.js";

/** Backoff: milliseconds between two tries, before jitter, doubled from the first to the last. */
const FIRST_MS = 50;
const MOST_MS = 10_000;
/** A node that does not open a socket within that time hangs, milliseconds. */
const OPEN_MS = 4_000;
/** A socket that says nothing for this many periods of the load document hangs. */
const SILENT = 2;
/** The first byte of a binary message that is no answer: figures of load in a word (docs/reference/socket.md, version 2). */
const WORD = 4;

export class Feed {
  /**
   * @param {string} home origin of the site
   * @param {(message: import("./messages.js").Message) => void} say
   * @param {{known?: () => import("./nodes.js").LoadDocument | null, Socket?: typeof WebSocket, random?: () => number}} [outside]
   *   *known*: what is known elsewhere of the nodes, as long as nothing is known here
   */
  constructor(home, say, { known = () => null, Socket = globalThis.WebSocket, random = Math.random } = {}) {
    this.home = home;
    this.say = say;
    this.known = known;
    this.Socket = Socket;
    this.random = random;
    /** @type {import("./nodes.js").LoadDocument | null} */
    this.load = null;
    this.failures = 0;
    /** Whether a socket has ever said anything. */
    this.connected = false;
    this.url = home;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {"stopped" | "runs"} */
    this.life = "stopped";
    /** Whether the socket opens. @type {Promise<boolean>} */
    this.opens = Promise.resolve(false);
    this.number = 0;
    /** Grows whenever a socket is opened, and when it says something. */
    this.turn = 0;
    /** Hashes of the cache groups that nodes are told to follow. @type {string[]} */
    this.groups = [];
    /** What was asked and is not answered, by the number in its head. @type {Map<number, (answer: Uint8Array | null) => void>} */
    this.asked = new Map();
  }

  /** The answer to *question*, byte by byte as docs/reference/socket.md has it; null: there is no socket. @param {Uint8Array<ArrayBuffer>} question @returns {Promise<Uint8Array | null>} */
  async ask(question) {
    // One that is being opened is waited for: a question over HTTP would open a connection, too.
    if (this.socket?.readyState !== 1 && (this.failures || !(await this.opens))) return null;
    if (this.socket?.readyState !== 1) return null;
    this.number = (this.number + 1) % 256;
    question[1] = this.number;
    this.asked.get(this.number)?.(null);
    this.socket.send(question);
    return new Promise((resolve) => this.asked.set(this.number, resolve));
  }

  /** Follow *groups*, on this socket and on those that come after it. @param {string[]} groups */
  follow(groups) {
    this.groups = groups;
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify({ type: "follow", groups }));
  }

  /** Hold a socket from now on, if there is none, and workers of this browser may open one. */
  start() {
    if (this.life === "runs" || !this.Socket) return;
    this.life = "runs";
    this.connect();
  }

  stop() {
    if (this.life === "stopped") return;
    this.life = "stopped";
    clearTimeout(this.timer);
    this.drop();
    this.connected = false;
    this.failures = 0;
    this.say({ type: "feed", how: "none", url: "" });
  }

  /** A node by its weight, another one than that which failed; where others may not be reached at all, home. */
  choose() {
    if (this.failures > 1 && this.failures % 2 === 0) return this.home;
    const nodes = ((this.load ?? this.known())?.nodes ?? []).filter((node) => !this.failures || node.url !== this.url);
    return draw(nodes, nodes.map((node) => node.weight), this.random())?.url ?? this.home;
  }

  connect() {
    this.url = this.choose();
    this.turn += 1;
    let socket;
    try {
      socket = new this.Socket(`${this.url.replace(/^http/, "ws")}/.edge/socket?v=2`);
    } catch {
      return this.again(); // a node that this page may not open one to, or whose address is none
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    this.watch(OPEN_MS);
    this.opens = new Promise((resolve) => (this.settle = resolve));
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.settle(true);
      this.watch(MOST_MS);
      if (this.groups.length) this.follow(this.groups);
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.turn += 1;
      const answer = typeof event.data === "string" ? null : new Uint8Array(event.data);
      if (answer && answer[0] !== WORD) {
        this.asked.get(answer[1])?.(answer);
        this.asked.delete(answer[1]);
        return;
      }
      if (this.failures || !this.connected) this.say({ type: "feed", how: "socket", url: this.url });
      this.connected = true;
      this.failures = 0;
      this.take(answer ? { type: "load", document: this.figures(answer) } : JSON.parse(event.data));
      this.watch(SILENT * (this.load?.ttl_ms ?? MOST_MS));
    };
    socket.onclose = () => socket === this.socket && this.again();
  }

  /** Give the socket *ms* until the next message. @param {number} ms */
  watch(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), ms);
  }

  /** The socket is given up, with what was asked over it. */
  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.settle(false);
    for (const resolve of this.asked.values()) resolve(null);
    this.asked.clear();
  }
  /** @type {(opens: boolean) => void} */
  settle = () => {};

  /** The socket is gone: another one. */
  again() {
    this.drop();
    if (this.connected && !this.failures) this.say({ type: "feed", how: "none", url: "" });
    this.failures += 1;
    const ms = Math.min(MOST_MS, FIRST_MS * 2 ** (this.failures - 1));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), ms * (0.5 + this.random()));
  }

  /** The load document with the figures in *bytes*; null: they are of other nodes. @param {Uint8Array<ArrayBuffer>} bytes */
  figures(bytes) {
    const head = new DataView(bytes.buffer);
    const load = bytes.length < 10 ? null : withWord(this.load, String.fromCharCode(...bytes.subarray(10)));
    return load && { ...load, ttl_ms: 1000 * head.getUint16(2), at: head.getUint16(4) * 2 ** 32 + head.getUint32(6) };
  }

  /** @param {any} message of a node */
  take(message) {
    if (message?.type === "load") {
      const load = readLoad(message.document);
      if (!load) return;
      this.load = load;
      this.say({ type: "load", document: load });
    } else if (message?.type === "changed") this.say({ type: "changed", seq: Number(message.seq) });
    else if (message?.type === "groups") this.say({ type: "groups", at: String(message.at) });
  }
}
