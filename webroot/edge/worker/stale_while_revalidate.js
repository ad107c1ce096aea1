// The strategy by which a GET is answered: stale-while-revalidate (RFC 5861, for everything that is stored).
//
//     stored? -> answer with it; fresh: that is all, else revalidate behind the answer (revalidator.js)
//     "confirm", or not stored -> a request to a node, conditional if something is stored; store it, answer;
//                no node can be reached: what is stored after all, or the offline page (stale-if-error)

import { slice } from "./ranges.js";
import { isStorable, normalised } from "./caching.js";
import { plan } from "./rules.js";
import { plain } from "./response_store.js";
import { Unreachable } from "./sender.js";

const OFFLINE = "<!doctype html><meta charset=utf-8><title>Offline</title><p>This page is not kept, and the site cannot be reached.";
/** A preload that is not there by then is not waited for: its node may hang. */
const PRELOAD_MS = 1000;

/** @typedef {import("./response_store.js").StoredResponse} StoredResponse */

export class StaleWhileRevalidate {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {import("./revalidator.js").Revalidator} revalidator
   * @param {string} origin
   * @param {import("./rules.js").CurrentRules} rules
   * @param {import("./page_parts.js").PageParts} parts
   */
  constructor(store, sender, revalidator, origin, rules, parts) {
    this.store = store;
    this.sender = sender;
    this.revalidator = revalidator;
    this.origin = origin;
    this.rules = rules;
    this.parts = parts;
    /** Requests on their way, which others for the same wait for (collapsed requests). @type {Map<string, Promise<Response>>} */
    this.inFlight = new Map();
    this.count = { hits: 0, misses: 0, saved: 0 };
  }

  /** See plan() in rules.js. @param {Request} request */
  plan(request) {
    return plan(request, this.origin, this.rules.current);
  }

  /**
   * The answer to a GET.
   * @param {Request} request
   * @param {{page: string, becomes?: string, waitUntil: (work: Promise<unknown>) => void, preload?: Promise<any>}} context
   *   *page*: id of the client that asks, or that comes to be; *becomes*: of a worker that the answer starts
   * @returns {Promise<Response>}
   */
  async answer(request, { page, becomes, waitUntil, preload }) {
    await this.store.ready();
    const url = new URL(request.url);
    const path = url.pathname + url.search;
    const navigation = request.mode === "navigate";
    const view = this.parts.view(request, path, { page, becomes });
    if (view.page) waitUntil(this.parts.remember());
    const stored = this.store.lookup(path, request.headers);
    const first = this.plan(request) === "confirm" && !(stored && this.store.isFresh(stored) && request.cache === "default");
    if (stored && !first) {
      const version = await this.parts.kept(view, stored);
      const response = version && (await this.store.open(version));
      if (response) {
        this.count.hits += 1;
        this.count.saved += stored.size;
        preload?.catch(() => {}); // a preload that nobody needs
        if (!this.store.isFresh(stored)) waitUntil(this.revalidator.add(stored));
        return shaped(response, request);
      }
    }
    if (request.headers.has("range") && !first) return fetch(request);
    this.count.misses += 1;
    try {
      const fetch = () => this.collapsed(path, request, first ? stored : undefined, waitUntil, preload);
      return shaped(await this.parts.fetched(view, fetch), request);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      const response = stored && (!view.counts || this.store.versions.fits(view.page, stored)) && (await this.store.open(stored));
      if (response) return shaped(response, request);
      if (navigation) return this.offline();
      throw error;
    }
  }

  /**
   * From a node; several that want the same wait for one answer.
   * @param {string} path @param {Request} request @param {StoredResponse | undefined} stored
   * @param {(work: Promise<unknown>) => void} waitUntil @param {Promise<any>} [preload]
   */
  async collapsed(path, request, stored, waitUntil, preload) {
    const accept = request.destination === "image" ? imageAccept(request) : undefined;
    const key = `${request.mode === "navigate"} ${accept ?? ""} ${stored?.version ?? ""} ${path}`;
    let coming = this.inFlight.get(key);
    if (!coming) {
      coming = this.fetch(path, request, accept, stored, waitUntil, preload).finally(() => this.inFlight.delete(key));
      this.inFlight.set(key, coming);
    }
    const response = await coming;
    return response.clone();
  }

  /**
   * @param {string} path @param {Request} request @param {string | undefined} accept
   * @param {StoredResponse | undefined} stored to be validated
   * @param {(work: Promise<unknown>) => void} waitUntil @param {Promise<any>} [preload]
   * @returns {Promise<Response>}
   */
  async fetch(path, request, accept, stored, waitUntil, preload) {
    /** @type {Response | undefined} */
    let response = preload && (await Promise.race([preload.catch(() => undefined), later(PRELOAD_MS)]));
    const preloaded = response;
    if (!response || response.status >= 500) {
      response = await this.sender.send({ path, accept, etag: stored?.etag, since: stored?.modified });
    }
    if (response.status === 304 && stored) {
      this.store.freshen([stored], response.headers);
      const validated = await this.store.open(stored);
      if (validated) return validated;
      response = await this.sender.send({ path, accept });
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
    if (isStorable(response)) {
      const arrival = { path, response: response.clone(), headers: new Headers(accept ? { accept } : {}) };
      waitUntil(this.store.commit([arrival]).catch((error) => console.warn("edge: not stored:", path, error)));
    }
    return plain(response, [101, 204, 205, 304].includes(response.status) ? null : response.body);
  }

  /** The site's page for that, or ours. */
  async offline() {
    const stored = this.store.lookup(this.rules.current.offline);
    const page = stored && (await this.store.open(stored));
    const body = page ? page.body : OFFLINE;
    return new Response(body, { status: 503, statusText: "Offline", headers: { "content-type": "text/html;charset=utf-8" } });
  }
}

/** *response* in the form that *request* asks for. @param {Response} response @param {Request} request */
function shaped(response, request) {
  const range = request.headers.get("range");
  return range && response.status === 200 ? slice(response, range) : response;
}

/** @param {number} ms @returns {Promise<undefined>} */
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What matters of an image's Accept, short enough to cross origins without a preflight. @param {Request} request */
function imageAccept(request) {
  const types = normalised("accept", request.headers.get("accept"));
  return types ? `${types},*/*` : "*/*";
}
