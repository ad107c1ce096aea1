// An answer from a node on its way to a page, and into the store.
//
//     fields of the page's own?  only its own origin is asked, with all of them
//     else                       any node (sender.js); those that want the same wait for one answer (collapsing.js)
//     304                        what is stored, with its fields updated
//     a redirect                 of a navigation: the browser's; of a part: followed as its page would, once
//     the rest                   as it came; stored while the page reads it (capture.js), if it may be

import { PAGE, TARGETED, isStorable, normalised, validators, varyFields } from "./caching.js";
import { captured } from "./capture.js";
import { Collapsing } from "./collapsing.js";
import { isCovered, ownFields } from "./request_fields.js";
import { later } from "./waiting.js";

/** A preload that is not there by then is not waited for: its node may hang. */
const PRELOAD_MS = 1000;
/** Addresses that are remembered as not stored. */
const PASSING = 1000;
const NULL_BODY = [101, 204, 205, 304];

/**
 * @typedef {import("./response_store.js").StoredResponse} StoredResponse
 * @typedef {object} Question
 * @property {Request} request
 * @property {string} path what it is kept under
 * @property {string[]} names of fields of the page's own that may select the answer
 * @property {StoredResponse | undefined} stored to be validated
 * @property {(work: Promise<unknown>) => void} waitUntil
 * @property {Promise<any>} [preload]
 * @typedef {{moment: number, at: number}} Begun when something was asked for: the moment of the store, and the time
 */

export class FromNode {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {string} origin @param {typeof globalThis.fetch} fetch
   */
  constructor(store, sender, origin, fetch) {
    this.store = store;
    this.sender = sender;
    this.origin = origin;
    this.fetch = fetch;
    this.collapsing = new Collapsing();
    /** What a page has read and is about to be stored, by path: who asks for it next waits. @type {Map<string, Promise<unknown>>} */
    this.storing = new Map();
    /** Addresses of what is not stored here, but passes by: the browser's own cache may have it. @type {Set<string>} */
    this.passing = new Set();
  }

  /** @param {Question} question @returns {Promise<Response>} */
  async get(question) {
    const { request, path, stored } = question;
    const begun = { moment: this.store.moment, at: this.store.now() };
    if (ownFields(request).length) return this.arrived(question, await this.atHome(question), begun);
    const fields = fieldsOf(request);
    // An answer from before something has changed is for those alone who have asked before.
    const key = [request.mode === "navigate", JSON.stringify(fields), stored?.version, begun.moment, request.url].join(" ");
    return this.collapsing.join(key, request.signal, async (signal) => {
      return this.arrived(question, (await this.preloaded(question)) ?? (await this.send(question, fields, signal)), begun);
    });
  }

  /** What the browser has asked for, before we could. @param {Question} question @returns {Promise<Response | undefined>} */
  async preloaded({ preload }) {
    const response = preload && (await Promise.race([preload.catch(() => undefined), later(PRELOAD_MS)]));
    return response?.status < 500 ? response : undefined;
  }

  /** @param {Question} question @param {Record<string, string>} fields @param {AbortSignal} signal */
  send({ request, path: kept, stored }, fields, signal) {
    const { mode, credentials } = request;
    const isPage = mode === "navigate";
    // Without a worker what a part leads to is asked for in its own way; which has no validators where it is "no-cors".
    const as = isPage || (stored && mode === "no-cors") ? undefined : /** @type {RequestInit} */ ({ mode, credentials, redirect: "follow" });
    const path = request.url.slice(this.origin.length).split("#")[0];
    const its = stored?.fields ?? {};
    const referrer = TARGETED in its ? "" : request.referrer;
    return this.sender.send({ path, fields, signal, referrer, cache: this.passing.has(path) ? this.browsers(kept, "default") : undefined, etag: stored?.etag, validators: validators(its), as, once: isPage && kept.includes("?") });
  }

  /** With the fields of the page's own; what nodes have published, others give without those. @param {Question} question */
  async atHome(question) {
    const { request: { url, headers: own, mode, credentials, referrer, referrerPolicy, cache, signal }, path, stored } = question;
    const headers = new Headers(own);
    if (stored) headers.delete("range");
    for (const [name, value] of Object.entries(validators(stored?.fields ?? {}))) headers.set(name, value);
    if (stored && !headers.has("cache-control")) headers.set("cache-control", "max-age=0"); // as browsers validate
    try {
      return await this.fetch(url, { headers, mode, credentials, referrer, referrerPolicy, signal, cache: stored ? "no-store" : this.browsers(path, cache) });
    } catch (error) {
      if (signal.aborted) throw error;
      const response = await this.send(question, {}, signal);
      if (TARGETED in ({ ...(response.status === 304 && stored?.fields), ...Object.fromEntries(response.headers) })) return response;
      throw error;
    }
  }

  /**
   * What becomes of *response*, which was asked for when *begun* says (see ResponseStore.moment).
   * @param {Question} question @param {Response} response @param {Begun} begun
   * @returns {Promise<Response>}
   */
  async arrived(question, response, begun) {
    const { request, path, names, stored, waitUntil } = question;
    if (response.status === 304 && stored) {
      if (this.store.isSince(path, begun.moment)) this.store.freshen([stored], response.headers, begun.at);
      waitUntil(this.store.flush());
      return (await this.store.open(stored)) ?? this.get({ ...question, stored: undefined });
    }
    if (response.type === "opaqueredirect") return request.mode === "navigate" ? response : this.fetch(request);
    // A file is a part under the address that it has; what an application answers is not asked for twice.
    const { origin } = new URL(response.url || request.url);
    if (response.redirected) return origin === this.origin && response.headers.has(TARGETED) ? Response.redirect(response.url, 302) : response;
    if (isStorable(response) && isCovered(names, varyFields(response), response.headers)) return this.kept(question, response, begun);
    this.passes(request);
    return origin === this.origin ? response : likewise(response, NULL_BODY.includes(response.status) ? null : response.body);
  }

  /** How the browser's own cache is asked for *path*: not, once something has changed that, for only the worker hears of all changes. @param {string} path @param {RequestCache} cache @returns {RequestCache} */
  browsers(path, cache) {
    return this.store.isSince(path, 0) ? cache : "reload";
  }

  /** The answer to *request* is not stored. @param {Request} request */
  passes({ url }) {
    if (this.passing.size < PASSING) this.passing.add(url.slice(this.origin.length).split("#")[0]);
  }

  /** *response*, which is stored while it is read. @param {Question} question @param {Response} response @param {Begun} begun */
  kept({ request, path, waitUntil }, response, begun) {
    const most = this.store.rules.most();
    if (!response.body || Number(response.headers.get("content-length")) > most) {
      this.passes(request);
      return likewise(response, response.body);
    }
    const [body, read] = captured(response.body, most);
    waitUntil(read.then((blob) => {
      if (!blob) return undefined;
      const storing = this.store.commit([{ path, response: likewise(response, blob), headers: request.headers, begun: begun.moment, asked: begun.at }])
        .catch((error) => console.warn("edge: not stored:", path, error))
        .finally(() => this.storing.get(path) === storing && this.storing.delete(path));
      this.storing.set(path, storing);
      return storing;
    }));
    return likewise(response, body);
  }
}

/** A response of our own: with the address that was asked for, not that of a node. @param {Response} response @param {BodyInit | null} body */
const likewise = ({ status, statusText, headers }, body) => new Response(body, { status, statusText, headers });

/** What selects the answer, of what browsers and scripts say; the first as far as it matters. @param {Request} request @returns {Record<string, string>} */
function fieldsOf({ destination, mode, headers }) {
  if (destination === "image") return { accept: [normalised("accept", headers.get("accept")), "*/*"].filter(Boolean).join(",") };
  if (mode === "navigate") return { accept: PAGE };
  return Object.fromEntries(destination ? [] : ["accept", "accept-language"].flatMap((name) => {
    const value = headers.get(name);
    return value === null || value === "*/*" ? [] : [[name, value]];
  }));
}
