// The components of a page in the browser: the state that the server has embedded is taken over, nothing is touched; from
// then on what happens changes the state, and what the state changes is put in place.
//
//     <script type="module">import { start } from "/edge/page/components.js"; start();</script>
//
// A component is a module that is rendered here and on the server alike:
//
//     queries(props)   [[name, variables], ...]: data that it needs; optional
//     render(props)    its HTML, one element: a pure function of its props and of that data
//     eventHandlers    {name(props, event, page)}: generators that yield changes to the props of this part; optional
//
// A part is a component at a place of the page, with a key.  When a query of it has another answer (the worker says
// so: "edge-changed"), it is rendered again; so it is when the page itself has a new version that differs in data alone.
// What a part cannot do costs that part alone: it stays as it is, and the console says why.

import { put } from "../client.js";
import { App } from "./app.js";
import { keyed } from "./html.js";
import { canonical, propsOf, queryUrl, urlsOf } from "./query.js";

/** @typedef {import("./query.js").Component} Component */
/** @typedef {import("./query.js").Props} Props */
/** @typedef {{props: Props, urls: string[]}} Part */
/** @typedef {{parts: Record<string, Part>, data: Record<string, Props>}} State */
/** @typedef {{documents: Record<string, string>, parts: [string, string, Props][], data: Record<string, Props>, shell: string}} Embedded */

const STATE = "edge-state";

/** @param {Document} page @returns {Embedded} */
const embedded = (page) => JSON.parse(page.getElementById(STATE)?.textContent ?? "null") ?? { documents: {}, parts: [], data: {}, shell: "" };

/**
 * What *work* for the part *key* gives; null: it cannot, and the console says why.
 * @template T @param {string} key @param {() => T} work @returns {T | null}
 */
function attempt(key, work) {
  try {
    return work();
  } catch (error) {
    console.warn(`the part ${key} stays as it is:`, error);
    return null;
  }
}

export class Page {
  /** @param {Embedded} state @param {Map<string, Component>} components by key of the part */
  constructor({ documents, parts, data, shell }, components) {
    this.documents = documents;
    this.shell = shell;
    this.components = components;
    /** Changes on their way, by what they mean. @type {Map<string, Promise<Props>>} */
    this.mutations = new Map();
    /** How often was asked, and of which turn the answer is that is shown, by URL. */
    this.asked = 0;
    /** @type {Map<string, number>} */
    this.answered = new Map();
    const known = parts.flatMap(([key, , props]) => {
      const part = components.has(key) && attempt(key, () => this.part(key, props));
      return part ? [[key, part]] : [];
    });
    /** @type {App<State>} */
    this.app = new App(
      document.body,
      /** @type {State} */ ({ data, parts: Object.fromEntries(known) }),
      { render: (state) => this.render(state), eventHandler: (_, event) => this.handle(event), conciliate: (_, state) => this.differences(state) },
    );
    for (const element of document.querySelectorAll("[data-key]")) {
      const key = /** @type {string} */ (element.getAttribute("data-key"));
      if (components.has(key) && !this.app.rows.elements.has(key)) this.app.rows.elements.set(key, element);
    }
  }

  /** @param {string} key @param {Props} props @returns {Part} */
  part(key, props) {
    return { props, urls: urlsOf(this.documents, /** @type {Component} */ (this.components.get(key)), props) };
  }

  /** @param {State} state */
  *render({ parts, data }) {
    for (const [key, { props, urls }] of Object.entries(parts)) {
      const all = propsOf(props, urls, data);
      const piece = all && attempt(key, () => keyed(key, /** @type {Component} */ (this.components.get(key)).render(all)));
      if (piece) yield piece;
    }
  }

  /** Parts have their places in the page, whatever others do. @param {State} state @returns {Generator<import("./app.js").Difference>} */
  *differences(state) {
    const { rows } = this.app;
    for (const piece of this.render(state)) {
      // What was taken out of the page is gone.
      if (rows.elements.get(piece.key)?.isConnected && rows.written.get(piece.key)?.text !== piece.text) yield* rows.changed(piece);
    }
  }

  /** @param {Event} event @returns {AsyncGenerator<State>} */
  async *handle(event) {
    for (let at = /** @type {Element | null} */ (event.target); at; at = at.parentElement) {
      const key = at.getAttribute("data-key") ?? "";
      const part = this.components.has(key) && this.app.state.parts[key];
      if (!part || this.app.rows.elements.get(key) !== at) continue;
      const handler = this.components.get(key)?.eventHandlers?.[event.type];
      const props = propsOf(part.props, part.urls, this.app.state.data);
      if (!handler || !props) return;
      for await (const changes of handler(props, event, this)) yield this.changed(key, changes);
      return;
    }
  }

  /** The state with other props of a part. @param {string} key @param {Props} changes @returns {State} */
  changed(key, changes) {
    const { parts, data } = this.app.state;
    return { data, parts: { ...parts, [key]: this.part(key, { ...parts[key].props, ...changes }) } };
  }

  /** URLs of all that is shown. */
  urls() {
    return new Set(Object.values(this.app.state.parts).flatMap(({ urls }) => urls));
  }

  /** Ask for *urls* anew, those that are shown; what comes is put in place. @param {Iterable<string>} urls @param {RequestInit} [how] */
  async refresh(urls, how) {
    const shown = this.urls();
    const turn = ++this.asked;
    const answers = await Promise.all([...urls].filter((url) => shown.has(url)).map(async (url) => {
      try {
        const answer = await fetch(url, how);
        const { data } = answer.ok ? await answer.json() : { data: null };
        return data ? [[url, data]] : [];
      } catch {
        return []; // no network: it stays as it is
      }
    }));
    const newest = answers.flat().filter(([url]) => (this.answered.get(url) ?? 0) < turn); // a later question may have been answered first
    for (const [url] of newest) this.answered.set(url, turn);
    return this.take(Object.fromEntries(newest));
  }

  /** Put answers in place. @param {Record<string, Props>} data by URL */
  take(data) {
    return this.app.show({ ...this.app.state, data: { ...this.app.state.data, ...data } });
  }

  /**
   * Change something: a mutation by its name; its data, or {queued: true} if it waits for a network.  The same once more,
   * while it is on its way, is that one: who presses twice has voted once.
   * @param {string} name @param {Record<string, unknown>} variables @returns {Promise<Props>}
   */
  mutate(name, variables) {
    const meaning = `${name} ${canonical(variables)}`;
    const begun = this.mutations.get(meaning) ?? this.post(name, variables).finally(() => this.mutations.delete(meaning));
    this.mutations.set(meaning, begun);
    return begun;
  }

  /** @param {string} name @param {Record<string, unknown>} variables @returns {Promise<Props>} */
  async post(name, variables) {
    const answer = await fetch(queryUrl(this.documents, [name]), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "Idempotency-Key": crypto.randomUUID() },
      body: JSON.stringify({ variables }),
    });
    const { data, errors, queued } = await answer.json();
    if (queued) return { queued };
    if (!data) throw new Error(errors?.[0]?.message ?? `${name}: ${answer.status}`);
    return data;
  }

  /** Whether new versions of *paths* are data alone; else a script or a style sheet is new, and what is done by default is right. @param {string[]} paths */
  isOurs(paths) {
    const urls = this.urls();
    return paths.every((path) => path === here() || urls.has(path) || !performance.getEntriesByName(location.origin + path).length);
  }

  /** There are new versions: answers are put in place, and the page if it differs in data alone. @param {CustomEvent} event */
  async update(event) {
    const paths = pathsIn(event);
    const isOurs = this.isOurs(paths);
    if (isOurs) event.preventDefault();
    await (isOurs ? this.renew(paths) : this.refresh(paths));
  }

  /** Put new versions of *paths*, which are ours, in place. @param {string[]} paths */
  async renew(paths) {
    await this.refresh(paths);
    if (!paths.includes(here())) return;
    const answer = await fetch(here(), { cache: "force-cache" });
    const { shell, data } = embedded(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (shell && shell === this.shell) await this.take(data);
    else put(paths);
  }
}

/** The path of this page, with its query. */
const here = () => location.href.slice(location.origin.length).split("#")[0];

const EVENTS = ["edge-changed", "edge-update"];

/** Of what there are new versions. @param {Event} event @returns {string[]} */
function pathsIn(event) {
  const { queries, paths = [] } = /** @type {CustomEvent<{paths?: string[], queries?: string[]}>} */ (event).detail;
  return queries ?? paths;
}

/**
 * Take the page over.
 * @param {(name: string) => Promise<Component>} [load]
 */
export async function start(load = (name) => import(`/components/${name}.js`)) {
  /** New versions that are told of before the components are there. @type {string[][]} */
  const early = [];
  const keep = (/** @type {Event} */ event) => {
    event.preventDefault();
    early.push(pathsIn(event));
  };
  for (const name of EVENTS) document.addEventListener(name, keep);
  /** @type {Page | undefined} */
  let page;
  try {
    page = await taken(load);
    return page;
  } finally {
    for (const name of EVENTS) {
      document.removeEventListener(name, keep);
      document.addEventListener(name, (event) => page?.update(/** @type {CustomEvent} */ (event)));
    }
    for (const paths of early) {
      if (page?.isOurs(paths)) await page.renew(paths).catch(() => {}); // no network: as always
      else put(paths);
    }
    // What the server could not get.
    if (page) await page.refresh([...page.urls()].filter((url) => !(url in /** @type {Page} */ (page).app.state.data)));
  }
}

/** The page, with its components. @param {(name: string) => Promise<Component>} load */
async function taken(load) {
  const state = embedded(document);
  /** @type {Map<string, Component>} */
  const components = new Map();
  await Promise.all(state.parts.map(async ([key, name]) => {
    try {
      components.set(key, await load(name));
    } catch (error) {
      console.warn(`the part ${key} stays as it is:`, error);
    }
  }));
  const page = new Page(state, components);
  await page.app.hydrate();
  return page;
}
