// Questions over the feed's socket (docs/reference/socket.md), which another tab or the Shared Worker holds: they go over
// the channel of this browser, and their answers come back.  Whoever gets none asks over HTTP.

import { overSocket } from "./exchanges.js";

/** An answer is waited for that long, milliseconds; so long where nobody may hold a socket at all. */
const ANSWER_MS = 1_000;
const ANYBODY_MS = 100;
/** A message to a node, as it takes it. */
const MESSAGE_MOST = 4096;

export class Relay {
  /**
   * @param {(message: import("./messages.js").Message) => void} say
   * @param {{wait?: (ms: number) => Promise<unknown>, onExchange?: (exchange: import("./messages.js").ExchangeMessage) => void}} [outside]
   */
  constructor(say, { wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)), onExchange = () => {} } = {}) {
    this.say = say;
    this.wait = wait;
    this.onExchange = onExchange;
    /** The node that the feed's socket goes to. */
    this.node = "";
    /** What is known of the feed; "": nothing. @type {"" | "socket" | "poll" | "none"} */
    this.how = "";
    /** Grows whenever the feed says something. */
    this.turn = 0;
    this.number = Math.floor(Math.random() * 2 ** 40); // another worker asks on the same channel
    /** @type {Map<number, (answer: Uint8Array | null) => void>} */
    this.asked = new Map();
  }

  /** What the feed says, of all that is said on the channel. @param {any} message */
  hear({ type, how, url, number, data }) {
    if (type === "feed" || type === "answer") this.turn += 1;
    if (type === "feed") [this.how, this.node] = [how, url];
    else if (type === "load" && this.how === "none") this.how = "";
    else if (type === "answer") this.asked.get(number)?.(data);
  }

  /** @param {Uint8Array} question @returns {Promise<Uint8Array | null>} what follows the head of the answer */
  async ask(question) {
    if ((this.how && this.how !== "socket") || question.length > MESSAGE_MOST) return null;
    const number = (this.number += 1);
    /** @type {Promise<Uint8Array | null>} */
    const answered = new Promise((resolve) => this.asked.set(number, resolve));
    const begun = Date.now();
    const { turn } = this;
    this.say({ type: "question", number, data: question });
    const answer = await Promise.race([answered, this.wait(this.how ? ANSWER_MS : ANYBODY_MS)]);
    this.asked.delete(number);
    if (answer === undefined && turn === this.turn) this.how = "none"; // until it says something again
    if (answer instanceof Uint8Array) this.onExchange(overSocket({ node: this.node, begun, ms: Date.now() - begun, answer }));
    return answer instanceof Uint8Array && answer[0] === question[0] + 128 ? answer.subarray(2) : null;
  }

  /** The lines that tell what has changed since the state *since*; "": nothing; null: nobody answers. @param {string} since */
  async changes(since) {
    const answer = await this.ask(new Uint8Array([1, 0, ...encode(since)]));
    return answer && new TextDecoder().decode(answer);
  }

  /**
   * Which cache groups have changed since *state*, by their hashes, and up to which state; null: nobody answers.
   * @param {string} state @returns {Promise<{state: string, hashes: string[] | null} | null>} *hashes*: null: any may have
   */
  async groups(state) {
    const answer = await this.ask(new Uint8Array([3, 0, ...encode(state)]));
    if (!answer) return null;
    const [now, ...hashes] = new TextDecoder().decode(answer).trimEnd().split("\n");
    return now[0] === "?" ? { state: now.slice(1), hashes: null } : { state: now || state, hashes };
  }

  /**
   * Which of *copies* are stale, as nodes answer a batch; null: nobody does.
   * @param {{etag: string, path: string}[]} copies
   */
  async stale(copies) {
    const question = [2, 0];
    for (const { etag, path } of copies) {
      const name = encode(path);
      if (!/^[\w-]{16}$/.test(etag) || name.length > 255 || question.length > MESSAGE_MOST) return null;
      const tag = atob(etag.replaceAll("-", "+").replaceAll("_", "/"));
      question.push(...[...tag].map((one) => one.charCodeAt(0)), name.length, ...name);
    }
    const answer = await this.ask(new Uint8Array(question));
    if (!answer) return null;
    const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
    const end = 2 + view.getUint16(0);
    const stale = new Set();
    for (let at = end; at < answer.length; at += 2) stale.add(view.getUint16(at));
    return { state: new TextDecoder().decode(answer.subarray(2, end)), stale };
  }
}

/** @param {string} text */
const encode = (text) => new TextEncoder().encode(text);
