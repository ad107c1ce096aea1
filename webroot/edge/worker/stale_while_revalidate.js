// What the worker does with a request, in this order:
//
//     cacheable? -> kept? -> answer with the copy, *then* ask whether it is current
//                         -> 304: done; else keep the new version and tell the pages
//                -> not kept: send to the best node, keep, answer

import { slice } from "./ranges.js";
import { isStorable, normalised, plan } from "./rules.js";
import { plain } from "./response_store.js";
import { Unreachable } from "./sender.js";

const OFFLINE = "<!doctype html><meta charset=utf-8><title>Offline</title><p>This page is not kept, and the site cannot be reached.";
/** A preload that is not there by then is not waited for: its node may hang. */
const PRELOAD_MS = 1000;
/** Pages whose time of loading is remembered. */
const PAGES = 64;

export class StaleWhileRevalidate {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {import("./revalidator.js").Revalidator} revalidator
   * @param {string} origin
   */
  constructor(store, sender, revalidator, origin) {
    this.store = store;
    this.sender = sender;
    this.revalidator = revalidator;
    this.origin = origin;
    /** @type {import("./rules.js").Rules} */
    this.rules = /** @type {any} */ (null);
    /** When pages were loaded: they see what was kept then. @type {Map<string, number>} */
    this.loaded = new Map();
    /** On their way. @type {Map<string, Promise<Response>>} */
    this.inFlight = new Map();
    this.count = { hits: 0, misses: 0, saved: 0 };
  }

  /** See plan() in rules.js. @param {Request} request */
  plan(request) {
    return plan(request, this.origin, this.rules);
  }

  /**
   * The answer to a GET.
   * @param {Request} request
   * @param {{page: string, waitUntil: (work: Promise<unknown>) => void, preload?: Promise<any>}} context
   *   *page*: id of the client that asks, or that comes to be
   * @returns {Promise<Response>}
   */
  async answer(request, { page, waitUntil, preload }) {
    await this.store.ready();
    const url = new URL(request.url);
    const path = url.pathname + url.search;
    const navigation = request.mode === "navigate";
    if (navigation && page) this.remember(page);
    const row = this.store.row(path, request.headers);
    const first = this.plan(request) === "confirm" && !(row && this.store.isFresh(row) && request.cache === "default");
    if (row && !first) {
      const copy = await this.store.find(row, this.asOf(request, page));
      if (copy) {
        this.count.hits += 1;
        this.count.saved += row.size;
        preload?.catch(() => {}); // a preload that nobody needs
        if (!this.store.isFresh(row)) waitUntil(this.revalidator.add(row));
        return this.shaped(copy, request);
      }
    }
    if (request.headers.has("range") && !first) return fetch(request);
    this.count.misses += 1;
    try {
      return this.shaped(await this.fetched(path, request, first ? row : undefined, waitUntil, preload), request);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      const copy = row && (await this.store.find(row));
      if (copy) return this.shaped(copy, request);
      if (navigation) return this.offline();
      throw error;
    }
  }

  /** Which versions *request* sees: those from when its page was loaded, for what makes up the page. @param {Request} request @param {string} page */
  asOf(request, page) {
    return request.mode === "navigate" || !request.destination ? Infinity : (this.loaded.get(page) ?? Infinity);
  }

  /** @param {string} page */
  remember(page) {
    this.loaded.set(page, this.store.now());
    const [oldest] = this.loaded.keys();
    if (this.loaded.size > PAGES) this.loaded.delete(oldest);
  }

  /**
   * From the best node; several that want the same wait for one answer.
   * @param {string} path @param {Request} request @param {import("./response_store.js").Row | undefined} row
   * @param {(work: Promise<unknown>) => void} waitUntil @param {Promise<any>} [preload]
   */
  async fetched(path, request, row, waitUntil, preload) {
    const accept = request.destination === "image" ? imageAccept(request) : undefined;
    const key = `${request.mode === "navigate"} ${accept ?? ""} ${row?.version ?? ""} ${path}`;
    let coming = this.inFlight.get(key);
    if (!coming) {
      coming = this.fetch(path, request, accept, row, waitUntil, preload).finally(() => this.inFlight.delete(key));
      this.inFlight.set(key, coming);
    }
    const response = await coming;
    return response.clone();
  }

  /**
   * @param {string} path @param {Request} request @param {string | undefined} accept
   * @param {import("./response_store.js").Row | undefined} row
   * @param {(work: Promise<unknown>) => void} waitUntil @param {Promise<any>} [preload]
   * @returns {Promise<Response>}
   */
  async fetch(path, request, accept, row, waitUntil, preload) {
    /** @type {Response | undefined} */
    let response = preload && (await Promise.race([preload.catch(() => undefined), later(PRELOAD_MS)]));
    const preloaded = response;
    if (!response || response.status >= 500) {
      const got = await this.sender.send({ path, accept, etag: row?.etag, since: row?.modified });
      response = got.response;
    }
    if (response.status === 304 && row) {
      this.store.confirmed([row], response.headers);
      const copy = await this.store.find(row);
      if (copy) return copy;
      response = (await this.sender.send({ path, accept })).response;
    }
    // To another site: the browser goes there itself.
    if (response.type === "opaqueredirect") return response === preloaded ? response : fetch(request);
    if (request.mode === "navigate" && response.redirected) {
      // With the address that it leads to: a page's links are relative to that.
      const to = new URL(response.url);
      const location = to.pathname + to.search.replace(/[?&]~etag=[\w-]*$/, "");
      waitUntil(this.store.commitRedirect(path, location));
      return Response.redirect(location, 302);
    }
    const headers = new Headers(accept ? { accept } : {});
    if (isStorable(response)) {
      const kept = response.clone();
      Object.defineProperty(kept, "type", { value: response.type });
      waitUntil(this.store.commit([{ path, response: kept, headers }]).catch((error) => console.warn("edge: not kept:", path, error)));
    }
    return plain(response, [101, 204, 205, 304].includes(response.status) ? null : response.body);
  }

  /** A copy in the form that *request* asks for. @param {Response} response @param {Request} request */
  shaped(response, request) {
    const range = request.headers.get("range");
    return range && response.status === 200 ? slice(response, range) : response;
  }

  /** The site's page for that, or ours. */
  async offline() {
    const row = this.store.row(this.rules.offline, new Headers());
    const page = row && (await this.store.find(row));
    const body = page ? page.body : OFFLINE;
    return new Response(body, { status: 503, statusText: "Offline", headers: { "content-type": "text/html;charset=utf-8" } });
  }
}

/** @param {number} ms @returns {Promise<undefined>} */
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What matters of an image's Accept, short enough to cross origins without a preflight. @param {Request} request */
function imageAccept(request) {
  const types = normalised("accept", request.headers.get("accept"));
  return types ? `${types},*/*` : "*/*";
}
