// The outbox: what changes something, where the site lets that wait (edge.json, `queue`), waits in IndexedDB until a node
// answers it.  Background Sync wakes us where the browser has it, else a page does.
//
//     a change waits, and               then
//     no node answers                   it waits on
//     2xx, a redirect to another site   it is gone: done
//     408, 425, 429, 5xx                it waits on, and is not tried before the time that Retry-After names
//     another 4xx                       it is refused: kept, and told to pages until one has taken it
//     seven days have passed            it is refused, with status 0
//
//     a refused one is taken            it is gone
//     a refused one is to go again      it waits, behind the others, with a key of its own
//     thirty days have passed           it is gone
//
// The first try is the page's: only no answer, 408, 425, 429, 502 to 504 and any Retry-After make it wait; the rest, 500
// too, is its answer.  Order is kept among what one glob of `queue` names: each is sent when those before it are answered,
// and one that has to wait holds up those behind it.  A redirect is followed, as by a browser, and what is at its end is
// the answer; one to another origin, where a worker cannot follow, is an answer, too.
// What may not wait - too large, too many, a secret in it (secrets.js) - goes behind what waits in its lane, too: that is sent
// first, and if it cannot be, this fails, and pages are told why.
// Each has an Idempotency-Key, by which the server knows it again when an answer is lost: it is applied once.  Tries are
// made by one at a time over all tabs, by a Web Lock.

import { hasSecret } from "./secrets.js";

/** Bytes of one change, and how many may be here. */
const MAX_BYTES = 1024 * 1024;
const MAX_ROWS = 1000;
const OLDEST_MS = 7 * 86_400_000;
const REFUSED_MS = 30 * 86_400_000;
/** A server may have us wait that long at once: a day. */
const RETRY_MOST_MS = 86_400_000;
/** What a page says of a form that it sends holds that long; it is waited for in so many looks. */
const FORM_MS = 5_000;
const LOOK_FORM_MS = 50;
const LOOKS = 40;
const LATER = [408, 425, 429];
const KEY = "idempotency-key";
const WAITS = "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Kept</title><p>The site cannot be reached now. What you have sent is kept in this browser, and goes out as soon as it can be.";

/**
 * @typedef {object} QueuedRequest a row of the outbox
 * @property {number} number
 * @property {string} lane the glob that lets it wait
 * @property {string} url
 * @property {string} method
 * @property {[string, string][]} headers
 * @property {ArrayBuffer} body
 * @property {number} at when it was made, Unix milliseconds
 * @property {number} after when it may be tried next
 * @property {{status: number, at: number}} [refused]
 */

/** What pages are told of one that was refused. @param {QueuedRequest} row @returns {import("./messages.js").Message} */
export const refusal = ({ number, url, method, at, refused }) => ({ type: "refused", number, url, method, at, status: refused?.status ?? 0 });

/** When *answer* wants to be asked again: Unix milliseconds; undefined: it does not say (RFC 9110 section 10.2.3). @param {Response} answer @param {number} now */
export function retryAfter({ headers }, now) {
  const value = headers.get("retry-after")?.trim() ?? "";
  const date = Date.parse(value) - (Date.parse(headers.get("date") ?? "") || now); // by the server's clock
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : /^[A-Z]/i.test(value) ? date : NaN;
  return Number.isNaN(ms) ? undefined : now + Math.min(Math.max(0, ms), RETRY_MOST_MS);
}

export class Outbox {
  /**
   * @param {import("./database.js").Database} database
   * @param {{fetch: typeof globalThis.fetch, now: () => number, onChange: (waiting: number, after: number) => void,
   *   onSent: (url: string, answer: Response) => Promise<void>, onRefused: (row: QueuedRequest) => void,
   *   onUnkept: (change: {url: string, method: string, why: "size" | "full" | "secret"}) => void, requestSync: () => Promise<unknown>, locked: (work: () => Promise<void>) => Promise<unknown>, wait: (ms: number) => Promise<unknown>}} outside
   *   *requestSync* asks to be woken when there is a network again (Background Sync); *after*: milliseconds until a try makes sense
   */
  constructor(database, { fetch, now, onChange, onSent, onRefused, onUnkept, requestSync, locked, wait }) {
    this.database = database;
    this.fetch = fetch;
    this.now = now;
    this.onChange = onChange;
    this.onSent = onSent;
    this.onRefused = onRefused;
    this.onUnkept = onUnkept;
    this.requestSync = requestSync;
    this.locked = locked;
    this.wait = wait;
    /** Forms that pages are about to send, by where to: whether they have no secret in them. @type {Map<string, {safe: boolean, at: number}>} */
    this.forms = new Map();
    /** When the last one of each lane is answered, or waits. @type {Map<string, Promise<unknown>>} */
    this.last = new Map();
  }

  /** A page is about to send a form. @param {string} url @param {boolean} secret whether a field of it is one */
  announce(url, secret) {
    const now = this.now();
    for (const [one, { at }] of this.forms) if (at < now - FORM_MS) this.forms.delete(one);
    this.forms.set(url, { safe: !secret, at: now });
  }

  /** Whether a page has looked at the form that goes to *url*, and found no secret. @param {string} url */
  async isSafe(url) {
    const since = this.now() - FORM_MS;
    const seen = () => (this.forms.get(url)?.at ?? 0) > since;
    for (let looks = 0; looks < LOOKS && !seen(); looks += 1) await this.wait(LOOK_FORM_MS); // the page's message may come behind its request
    const safe = seen() && this.forms.get(url)?.safe;
    this.forms.delete(url);
    return Boolean(safe);
  }

  /** @returns {Promise<QueuedRequest[]>} */
  rows() {
    return this.database.all("outbox");
  }

  /** What is here, but for what is in it. @returns {Promise<import("./messages.js").QueuedChange[]>} */
  async list() {
    return (await this.rows()).map(({ number, url, method, at, after, refused }) => ({ number, url, method, at, after, refused }));
  }

  /**
   * Send *request* behind those before it in its lane, or have it wait and say so; what it may not wait with is an error as without us.
   * @param {Request} request @param {{lane: string, page: string}} how *page*: shown for a form that waits; "": ours
   * @returns {Promise<Response>}
   */
  send(request, how) {
    const sent = (this.last.get(how.lane) ?? Promise.resolve()).then(() => this.first(request, how));
    this.last.set(how.lane, sent.catch(() => {}));
    return sent;
  }

  /** The first try. @param {Request} request @param {{lane: string, page: string}} how @returns {Promise<Response>} */
  async first(request, { lane, page }) {
    request.signal.throwIfAborted();
    const form = request.mode === "navigate";
    const body = await request.clone().blob();
    const headers = new Headers(request.headers);
    if (!headers.has(KEY)) headers.set(KEY, crypto.randomUUID());
    let rows = await this.rows().catch(() => []);
    const isHeld = () => rows.some((row) => row.lane === lane && !row.refused);
    /** @type {"size" | "full" | "secret" | "" | undefined} */
    let known;
    const obstacle = async () => (known ??= await this.obstacle(request, body, headers, rows.length));
    if (isHeld() && (await obstacle())) {
      await this.flush().catch(() => {}); // something waits still
      rows = await this.rows().catch(() => []);
    }
    const now = this.now();
    let after = now;
    /** @type {Response | undefined} */
    let answer;
    let failure = new TypeError("Failed to fetch");
    if (!isHeld()) { // what came before goes first
      try {
        answer = await this.post({ url: request.url, method: request.method, headers: [...headers], body }, request);
        const named = retryAfter(answer, now);
        if (![...LATER, 502, 503, 504].includes(answer.status) && (named === undefined || answer.status < 500)) return answer;
        after = named ?? now;
      } catch (error) {
        if (request.signal.aborted) throw error;
        failure = /** @type {TypeError} */ (error);
      }
    }
    const why = await obstacle();
    if (why) {
      if (answer) return answer;
      this.onUnkept({ url: request.url, method: request.method, why });
      throw failure;
    }
    const row = { lane, url: request.url, method: request.method, headers: [...headers], body: await body.arrayBuffer(), at: now, after };
    await this.database.write("outbox", [row]);
    await this.tell();
    await this.requestSync().catch(() => {}); // no Background Sync: pages tell us
    if (form && page) return new Response(null, { status: 303, headers: { location: page } });
    if (form) return new Response(WAITS, { status: 202, headers: { "content-type": "text/html;charset=utf-8" } });
    const key = String(headers.get(KEY));
    return Response.json({ queued: true, key }, { status: 202, headers: { "edge-queued": key } });
  }

  /** Why *request* may not wait; "": it may. @param {Request} request @param {Blob} body @param {Headers} headers @param {number} count of what is here */
  async obstacle({ mode, url }, body, headers, count) {
    if (body.size > MAX_BYTES) return "size";
    if (count >= MAX_ROWS) return "full";
    if (hasSecret(headers.get("content-type") ?? "", await body.arrayBuffer())) return "secret";
    return mode === "navigate" && !(await this.isSafe(url)) ? "secret" : "";
  }

  /** Send what waits, in order. @returns {Promise<unknown>} rejected when something has to wait still */
  async flush() {
    if (!(await this.rows()).length) return;
    let left = false;
    await this.locked(async () => {
      const held = new Set();
      for (const row of await this.rows()) {
        const now = this.now();
        if (row.refused) {
          if (now - row.refused.at > REFUSED_MS) await this.database.write("outbox", [], [row.number]);
        } else if (now - row.at > OLDEST_MS) await this.refuse(row, 0);
        else if (held.has(row.lane)) continue;
        else if (row.after - now > 0 && row.after - now <= RETRY_MOST_MS) held.add(row.lane);
        else if (!(await this.attempt(row))) held.add(row.lane);
      }
      left = held.size > 0;
    });
    await this.tell();
    if (left) throw new Error("something has to wait still");
  }

  /** One try; false: it has to wait. @param {QueuedRequest} row */
  async attempt(row) {
    const change = { ...row, body: new Blob([row.body]) };
    // Where a redirect leads to another origin the first one fails, and the second is answered.
    const answer = await this.post(change).catch(() => this.post(change, { redirect: "manual" })).catch(() => null);
    if (!answer) return false;
    if (answer.status >= 500 || LATER.includes(answer.status)) {
      const after = retryAfter(answer, this.now());
      if (after !== undefined) await this.database.write("outbox", [{ ...row, after }]);
      return false;
    }
    if (answer.status >= 400) await this.refuse(row, answer.status);
    else {
      await this.database.write("outbox", [], [row.number]);
      await this.onSent(row.url, answer).catch(() => {}); // what is stored of it is asked for anyway
    }
    return true;
  }

  /** @param {QueuedRequest} row @param {number} status */
  async refuse(row, status) {
    const refused = { ...row, refused: { status, at: this.now() } };
    await this.database.write("outbox", [refused]);
    this.onRefused(refused);
  }

  /**
   * A page takes a refused change, or has it go *again*; what it was.
   * @param {number} number @param {boolean} again
   */
  async take(number, again) {
    /** @type {QueuedRequest | undefined} */
    const row = (await this.rows()).find((one) => one.number === number && one.refused);
    if (!row) return undefined;
    const { number: _, refused: __, ...fresh } = row;
    const headers = fresh.headers.filter(([name]) => name !== KEY);
    const added = again ? [{ ...fresh, headers: [...headers, [KEY, crypto.randomUUID()]], at: this.now(), after: this.now() }] : [];
    await this.database.write("outbox", added, [number]);
    if (again) await this.flush().catch(() => {}); // it waits, as is told
    return row;
  }

  /** Say what waits. */
  async tell() {
    const now = this.now();
    const waiting = (await this.rows()).filter((row) => !row.refused);
    this.onChange(waiting.length, Math.max(0, Math.min(...waiting.map((row) => row.after - now), RETRY_MOST_MS)));
  }

  /** @param {{url: string, method: string, headers: [string, string][], body: Blob}} change @param {Partial<Request>} [like] the page's own request */
  post({ url, method, headers, body }, like) {
    return this.fetch(url, {
      method, headers, body: body.size ? body : undefined, cache: "no-store",
      credentials: like?.credentials ?? "same-origin", redirect: like?.redirect ?? "follow", signal: like?.signal,
      referrer: like?.referrer, mode: like && like.mode !== "navigate" ? like.mode : "same-origin",
    });
  }
}
