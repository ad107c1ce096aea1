// The outbox: mutations that could not be sent wait in IndexedDB, and are replayed in order when the site is back -
// by Background Sync where the browser has it, else when a page says so.
//
// Each carries an Idempotency-Key, by which the server knows it again when the answer to the first try was
// lost: so it is applied exactly once.  One at a time over all tabs, by a Web Lock; the first that fails ends
// the round.

/** Bytes of one mutation, and how many may wait. */
const MAX_BYTES = 1024 * 1024;
const MAX_WAITING = 1000;
/** Statuses after which it is to be tried again. */
const RETRYABLE = [408, 425, 429, 502, 503, 504];
const KEY = "idempotency-key";

/** @typedef {{number: number, url: string, method: string, headers: [string, string][], body: ArrayBuffer, at: number}} QueuedRequest a row of the outbox */

export class Outbox {
  /**
   * @param {import("./database.js").Database} database
   * @param {{fetch: typeof globalThis.fetch, now: () => number, onChange: (waiting: number) => void,
   *   requestSync: () => Promise<unknown>, locked: (work: () => Promise<void>) => Promise<unknown>}} outside
   *   *requestSync* asks to be woken when there is a network again (Background Sync)
   */
  constructor(database, { fetch, now, onChange, requestSync, locked }) {
    this.database = database;
    this.fetch = fetch;
    this.now = now;
    this.onChange = onChange;
    this.requestSync = requestSync;
    this.locked = locked;
  }

  /** Send *request*, or keep it and say 202. @param {Request} request @returns {Promise<Response>} */
  async send(request) {
    const body = await request.arrayBuffer();
    const headers = new Headers(request.headers);
    if (!headers.has(KEY)) headers.set(KEY, crypto.randomUUID());
    const waiting = /** @type {QueuedRequest[]} */ (await this.database.all("outbox").catch(() => []));
    if (!waiting.length) { // what came before goes first
      try {
        const answer = await this.post(request.url, request.method, [...headers], body, request);
        if (!RETRYABLE.includes(answer.status)) return answer;
      } catch (error) {
        if (request.signal.aborted) throw error;
      }
    }
    if (body.byteLength > MAX_BYTES || waiting.length >= MAX_WAITING) {
      return Response.json({ error: "The site cannot be reached, and this is too much to keep." }, { status: 503 });
    }
    const key = headers.get(KEY);
    await this.database.write("outbox", [{ url: request.url, method: request.method, headers: [...headers], body, at: this.now() }]);
    this.onChange(waiting.length + 1);
    await this.requestSync().catch(() => {}); // no Background Sync: pages tell us
    return Response.json({ queued: true, key }, { status: 202, headers: { "edge-queued": String(key) } });
  }

  /** Send what waits, in order. @returns {Promise<unknown>} rejected when something has to wait still */
  async flush() {
    if (!(await this.database.all("outbox")).length) return;
    let left = false;
    await this.locked(async () => {
      for (const one of /** @type {QueuedRequest[]} */ (await this.database.all("outbox"))) {
        const answer = await this.post(one.url, one.method, one.headers, one.body).catch(() => null);
        left = !answer || RETRYABLE.includes(answer.status);
        if (left) break;
        await this.database.write("outbox", [], [one.number]);
      }
      this.onChange((await this.database.all("outbox")).length);
    });
    if (left) throw new Error("the site cannot be reached yet");
  }

  /** One try. @param {string} url @param {string} method @param {[string, string][]} headers @param {ArrayBuffer} body @param {Request} [like] the page's own request */
  post(url, method, headers, body, like) {
    return this.fetch(url, {
      method, headers, body: body.byteLength ? body : undefined, cache: "no-store",
      credentials: like?.credentials ?? "same-origin", redirect: like?.redirect ?? "follow",
      mode: like && like.mode !== "navigate" ? like.mode : "same-origin",
    });
  }
}
