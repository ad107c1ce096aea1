// Questions over the feed's socket (docs/reference/socket.md).  Whoever gets no answer asks over HTTP.

import { overSocket } from "./exchanges.js";

/** An answer is waited for that long, milliseconds; a socket that is being opened, too. */
const ANSWER_MS = 1_000;
/** A message to a node, as it takes it. */
const MESSAGE_MOST = 4096;

export class Questions {
  /**
   * @param {import("./feed.js").Feed} feed
   * @param {{wait?: (ms: number) => Promise<unknown>, onExchange?: (exchange: import("./messages.js").ExchangeMessage) => void}} [outside]
   */
  constructor(feed, { wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms)), onExchange = () => {} } = {}) {
    this.feed = feed;
    this.wait = wait;
    this.onExchange = onExchange;
    /** The turn of the feed at which a question got no answer: it is not asked before it says something again. */
    this.silent = 0;
  }

  /** @param {Uint8Array<ArrayBuffer>} question @returns {Promise<Uint8Array | null>} what follows the head of the answer */
  async ask(question) {
    const { turn } = this.feed;
    if (question.length > MESSAGE_MOST || (this.silent && this.silent === turn)) return null;
    const begun = Date.now();
    const answer = await Promise.race([this.feed.ask(question), this.wait(ANSWER_MS)]);
    if (answer === undefined && turn === this.feed.turn) this.silent = turn;
    if (!(answer instanceof Uint8Array)) return null;
    this.onExchange(overSocket({ node: this.feed.url, begun, ms: Date.now() - begun, answer }));
    return answer[0] === question[0] + 128 ? answer.subarray(2) : null;
  }

  /** Who answers; "": the site's own address stands for it, and perhaps for others, too. */
  get node() {
    const { url, load } = this.feed;
    return load?.nodes.some((node) => node.url === url) ? url : "";
  }

  /** Have the feed's node tell when one of *groups* changes, by their hashes. @param {string[]} groups */
  follow(groups) {
    this.feed.follow(groups);
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
