// The feed: load documents and news of changes, pushed over one WebSocket, polled where none comes through.
//
// What the Service Worker asks (relay.js) goes over the same socket; where there is none it is told so, and asks over HTTP.
//
// One feed runs for a whole browser: in the Shared Worker, or in the page that leads (see segments.js).  A socket that
// ends or falls silent is replaced by one to another node, with exponential backoff.

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
/** Without a socket the load document is asked for this often at most, milliseconds: what rides on answers tells, too. */
const POLL_MS = 120_000;

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
    /** Whether a socket has ever said anything. */
    this.connected = false;
    this.url = home;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.stopped = false;
    this.polled = -POLL_MS;
    this.number = 0;
    /** Hashes of the cache groups that nodes are told to follow. @type {string[]} */
    this.groups = [];
    /** What was asked and is not answered, by the number in its head. @type {Map<number, (answer: Uint8Array | null) => void>} */
    this.asked = new Map();
  }

  /** Answer what is asked on *channel*, follow what is to be followed, and learn what the worker knows of the nodes. @param {BroadcastChannel} channel */
  serve(channel) {
    channel.addEventListener("message", ({ data: { type, number, data, document, groups, unplugged } }) => {
      if (type === "load") this.learn(document); // of the worker
      if (type === "unplug" && unplugged !== this.stopped) unplugged ? this.stop() : this.start();
      if (type === "follow") this.follow(groups);
      if (type === "question") this.ask(data).then((answer) => channel.postMessage({ type: "answer", number, data: answer }));
    });
  }

  /** The answer to *question*, byte by byte as docs/reference/socket.md has it; null: there is no socket. @param {Uint8Array<ArrayBuffer>} question @returns {Promise<Uint8Array | null>} */
  ask(question) {
    const { socket } = this;
    if (socket?.readyState !== 1) return Promise.resolve(null);
    this.number = (this.number + 1) % 256;
    question[1] = this.number;
    this.asked.get(this.number)?.(null);
    socket.send(question);
    return new Promise((resolve) => this.asked.set(this.number, resolve));
  }

  /** Follow *groups*, on this socket and on those that come after it. @param {string[]} groups */
  follow(groups) {
    this.groups = groups;
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify({ type: "follow", groups }));
  }

  start() {
    this.stopped = false;
    this.connect();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
    this.say({ type: "feed", how: "none", url: "" });
  }

  /** What is known elsewhere of the nodes, as long as nothing is known here. @param {unknown} document */
  learn(document) {
    this.load ??= readLoad(document);
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
    const socket = new this.Socket(`${this.url.replace(/^http/, "ws")}/.edge/socket?v=2`);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    this.watch(OPEN_MS);
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.watch(MOST_MS);
      if (this.groups.length) this.follow(this.groups);
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
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

  /** The socket is gone: another one, and a poll if that takes time. */
  again() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    for (const resolve of this.asked.values()) resolve(null);
    this.asked.clear();
    if (this.stopped) return;
    this.failures += 1;
    if (!this.load) this.say({ type: "ask" }); // the worker knows more nodes than our own
    if (this.failures > 2 && Date.now() - this.polled > POLL_MS) this.poll();
    const ms = Math.min(MOST_MS, FIRST_MS * 2 ** (this.failures - 1));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), ms * (0.5 + this.random()));
  }

  async poll() {
    this.polled = Date.now();
    try {
      const answer = await this.fetch(`${this.choose()}/.edge/load`, { credentials: "omit", referrerPolicy: "no-referrer" });
      this.take({ type: "load", document: await answer.json() });
      this.say({ type: "feed", how: "poll", url: this.url });
    } catch {
      // Nobody there: the next try asks another node.
    }
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
    else if (message?.type === "groups") this.say({ type: "groups", at: String(message.at), url: this.url });
  }
}
