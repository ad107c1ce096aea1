// The strategy by which a GET is answered: as HTTP says (caching.js), and the site's rules permit (rules.js).
//
//     fresh    with what is stored
//     stale    with what is stored, where that is permitted; revalidated behind the answer (revalidator.js): RFC 5861
//     ask      by a node (from_node.js), with a validator if something is stored
//     none can be reached, or all are broken: with what is stored, if it may stand for an answer; a page: the offline page

import { isAllowed } from "./caching.js";
import { FromNode } from "./from_node.js";
import { slice } from "./ranges.js";
import { isCovered, selectingFields } from "./request_fields.js";
import { plan } from "./rules.js";
import { FRESH_FIRST_MS, later } from "./waiting.js";

const OFFLINE = "<!doctype html><meta charset=utf-8><title>Offline</title><p>This page is not kept, and the site cannot be reached.";

/** @typedef {import("./response_store.js").StoredResponse} StoredResponse */

export class StaleWhileRevalidate {
  /**
   * @param {import("./response_store.js").ResponseStore} store
   * @param {import("./sender.js").Sender} sender
   * @param {import("./revalidator.js").Revalidator} revalidator
   * @param {string} origin
   * @param {import("./rules.js").CurrentRules} rules
   * @param {import("./page_parts.js").PageParts} parts
   * @param {typeof globalThis.fetch} fetch
   */
  constructor(store, sender, revalidator, origin, rules, parts, fetch = (...given) => globalThis.fetch(...given)) {
    this.store = store;
    this.revalidator = revalidator;
    this.origin = origin;
    this.rules = rules;
    this.parts = parts;
    this.fetch = fetch;
    this.nodes = new FromNode(store, sender, origin, fetch);
    this.count = { hits: 0, misses: 0, saved: 0 };
  }

  /** See plan() in rules.js. @param {Request} request */
  plan(request) {
    return plan(request, this.origin, this.rules);
  }

  /**
   * The answer to a GET.
   * @param {Request} request
   * @param {{page: string, becomes?: string, waitUntil: (work: Promise<unknown>) => void, preload?: Promise<any>, trace?: object}} context
   *   *page*: id of the client that asks, or that comes to be; *becomes*: of a worker that the answer starts; *trace* gets
   *   what was decided: how, and which version (messages.js)
   * @returns {Promise<Response>}
   */
  async answer(request, { page, becomes, waitUntil, preload, trace = {} }) {
    await this.store.ready();
    const path = this.rules.pathOf(request.url, this.origin);
    await this.nodes.storing.get(path);
    const { leads = path } = (request.mode === "navigate" && this.store.versions.pages.get(page)) || {};
    if (leads !== path) waitUntil(this.store.commitRedirect(leads, path));
    const view = this.parts.view(request, path, { page, becomes });
    if (view.page) waitUntil(this.parts.remember());
    const names = selectingFields(request, this.rules.current.ignore_fields);
    let stored = this.store.lookup(path, request.headers);
    if (stored && !isCovered(names, stored.vary, new Headers(stored.fields))) stored = undefined;
    if (request.cache === "only-if-cached" && path === view.page?.parts[0]?.path) {
      Object.assign(trace, { how: "fresh" });
      return (await this.given(view.page, stored)) ?? this.fetch(request);
    }
    const use = this.use(request, stored);
    let asked = stored;
    if (stored && use !== "ask") {
      const version = await this.parts.kept(view, stored);
      const response = version && (await this.store.open(version));
      if (response) {
        Object.assign(trace, { how: use, version: version.version, past: version !== stored, states: this.store.versions.named(version.states) });
        this.count.hits += 1;
        this.count.saved += stored.size;
        preload?.catch(() => {}); // a preload that nobody needs
        if (use === "stale") waitUntil(this.revalidator.add(stored));
        return shaped(response, request);
      }
      asked = undefined; // it is gone, or not of the page's version
    }
    if (request.cache === "only-if-cached" || (request.headers.has("range") && !asked)) return this.fetch(request);
    this.count.misses += 1;
    Object.assign(trace, { how: "ask", version: asked?.version, past: Boolean(stored && !asked) });
    const question = { request, path, names, stored: request.cache === "reload" ? undefined : asked, waitUntil, preload };
    const response = await this.ask(question, view, stored, trace);
    // Where it leads, the next navigation of this page shows; what uses something up is not written down.
    if (response.type === "opaqueredirect" && view.page && !path.includes("?")) view.page.leads = path;
    return shaped(response, request);
  }

  /**
   * The document of *page* as it was given, with a field that says whether there is a newer one; undefined: not kept.
   * @param {import("./versions.js").Page} page @param {StoredResponse | undefined} stored the newest
   */
  async given({ parts: [document] }, stored) {
    const own = stored && this.store.versionsOf(stored).find(({ version }) => version === document.version);
    const response = own && (await this.store.open(own));
    if (response && own !== stored) response.headers.set("edge-newer", "1");
    return response;
  }

  /** How *stored* may be used for *request*: see ResponseStore.use. @param {Request} request @param {StoredResponse | undefined} stored */
  use(request, stored) {
    const { cache, headers } = request;
    if (!stored || stored.location || cache === "reload" || cache === "no-cache") return "ask";
    if (cache === "force-cache" || cache === "only-if-cached") return "fresh";
    const use = this.store.use(stored);
    if (use === "stale" && this.plan(request) === "confirm") return "ask";
    const age = this.store.age(stored);
    return isAllowed(headers, { age, left: stored.age + stored.fresh - age }) ? use : "ask";
  }

  /**
   * What a node says; if none does, what may stand for it.
   * @param {import("./from_node.js").Question} question @param {import("./page_parts.js").View} view @param {StoredResponse | undefined} stored
   * @param {{how?: string}} [trace]
   */
  async ask(question, view, stored, trace = {}) {
    const { request, path, waitUntil } = question;
    const rule = this.rules.of(path);
    try {
      const coming = this.parts.fetched(view, () => this.nodes.get(question));
      const response = await (stored && rule?.use === "fresh-first" ? Promise.race([coming, later(rule.timeout_ms ?? FRESH_FIRST_MS)]) : coming);
      if (response && response.status < 500) return response;
      if (!response) waitUntil(coming.then((answer) => answer.arrayBuffer()).catch(() => {})); // stored as it is read
      return (await this.instead(view, [stored], !response, trace)) ?? response ?? (await coming);
    } catch (error) {
      if (request.signal.aborted) throw error;
      // An index, for its folder; that, for its index.
      const other = path.endsWith("/") ? `${path}index.html` : path.replace(/\/index\.html$/, "/");
      const response = await this.instead(view, [stored, this.store.lookup(other)], true, trace);
      if (response) return response;
      if (request.mode === "navigate") return this.offline();
      throw error;
    }
  }

  /**
   * The first of *all* that may stand for an answer which did not come, or is an error: *unreachable*.
   * @param {import("./page_parts.js").View} view @param {(StoredResponse | undefined)[]} all @param {boolean} unreachable @param {{how?: string}} trace
   */
  async instead({ page, counts }, all, unreachable, trace) {
    const { versions } = this.store;
    for (const one of all) {
      if (!one || !this.store.isFallback(one, unreachable)) continue;
      const response = await this.store.open(one);
      if (!response || (counts && !versions.take(page, one))) continue;
      trace.how = "instead";
      return response;
    }
    return undefined;
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
