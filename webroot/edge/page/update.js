// A new version of the page put in place while it is shown.
//
//     wait until the reader is at rest -> the new HTML, and that this page was given -> a merge, to see that there is no
//     conflict (patch.js) -> new style sheets are loaded, not yet in force -> at rest still? -> in one go: they are in
//     force, head and body are merged, old style sheets go -> "edge-patched"
//
// Before style sheets are loaded the worker is told to give what goes with the new version ("renewed"); it says which scripts
// of the page are others there.  While the reader is waited for, and where it comes to nothing, that is taken back.
//
// What cannot be applied is not: the document gets "edge-outdated", and if nobody prevents that a notice offers to load
// the page (notice.js).  So it is with scripts: those that run are of the old version, and a page never runs two.

import { Conflict, Merge } from "./patch.js";

/** Between two looks at a reader who is busy, and what style sheets are given to load, milliseconds. */
const LOOK_MS = 300;
const STYLES_MS = 10_000;
/** The worker is waited for that long: an older one does not answer. */
const WORKER_MS = 3_000;

/** @param {number} ms */
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether the reader is in the middle of something: types, presses, has a dialog or a menu open, watches a film. */
export function isBusy() {
  let focus = /** @type {any} */ (document.activeElement);
  while (focus?.shadowRoot?.activeElement) focus = focus.shadowRoot.activeElement;
  if (focus?.isContentEditable || (/^(input|textarea)$/.test(focus?.localName) && focus.value !== focus.defaultValue && !/^(checkbox|radio|button|submit|reset|range|color)$/.test(focus.type))) return true;
  const open = [":modal", ":popover-open", ":fullscreen", ":active:not(html, body)"].some((selector) => {
    try {
      return document.querySelector(selector);
    } catch {
      return false; // a browser that does not know it has none
    }
  });
  return open || [...document.querySelectorAll('[aria-modal="true"]')].some((element) => element.getClientRects().length && getComputedStyle(element).visibility === "visible");
}

async function rest() {
  while (isBusy()) await later(LOOK_MS);
}

export class Update {
  /**
   * @param {string} page its address
   * @param {Promise<string | null>} given the HTML that is shown; null: nobody knows
   * @param {(message: import("../worker/messages.js").Message) => Promise<unknown>} ask the worker, and wait for it
   */
  constructor(page, given, ask) {
    this.page = page;
    this.given = given;
    this.ask = ask;
    /** Of what there are new versions. @type {Set<string>} */
    this.paths = new Set();
    this.running = false;
    this.isOutdated = false;
  }

  /** There are new versions of *paths*. @param {string[]} paths */
  async add(paths) {
    for (const path of paths) this.paths.add(path);
    if (this.running || this.isOutdated) return;
    this.running = true;
    try {
      while (this.paths.size && !this.isOutdated) await this.next();
    } finally {
      this.running = false;
    }
  }

  /** Put what there is in place. */
  async next() {
    await rest();
    const paths = [...this.paths];
    this.paths.clear();
    try {
      if (!(await this.put(new Set(paths)))) return;
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      this.outdated(error.message);
      return;
    }
    document.dispatchEvent(new CustomEvent("edge-patched", { detail: { paths } }));
  }

  /** @param {Set<string>} paths @returns {Promise<boolean>} whether something has changed */
  async put(paths) {
    const answer = await fetch(this.page, { cache: "force-cache" }); // as it is stored: asked for, some differ without end
    if (!answer.ok) return false;
    const text = await answer.text();
    const given = await this.given;
    const loaded = loadedScripts().filter((path) => paths.has(path));
    const isSame = text === given;
    /** @param {string[]} scripts */
    const check = ([script]) => {
      if (script) throw new Conflict(`${script} has changed`);
    };
    if (!isSame) check(loaded);
    if (given === null) throw new Conflict("what the page was made of is not known");
    if (location.href.split(/[?#]/)[0] !== this.page.split(/[?#]/)[0]) throw new Conflict("a script has changed the address");
    if (answer.redirected && answer.url.split("#")[0] !== this.page) throw new Conflict("the page is elsewhere now");
    const [was, wanted] = [given, text].map((html) => new DOMParser().parseFromString(html, "text/html"));
    const shown = [document.documentElement];
    /** @param {Map<Node, Node>} [made] */
    const plan = (made) => new Merge(shown, [was.documentElement], [wanted.documentElement], made);
    plan(); // before anything is fetched
    /** Have the worker give what goes with the new version, or *back* with this one; scripts that are others now. @param {boolean} [back] */
    const renew = async (back = false) => {
      const scripts = await Promise.race([this.ask({ type: "renewed", paths: [...paths], back }), later(WORKER_MS)]);
      return [...loaded, .../** @type {string[]} */ (scripts ?? [])];
    };
    /** @type {Styles | undefined} */
    let styles;
    try {
      const scripts = await renew();
      if (!isSame) check(scripts);
      styles = new Styles(was, wanted, paths);
      if (isSame && !styles.made.size) {
        if (scripts.length) await renew(true); // what it imports later goes with those that run
        return false;
      }
      check(scripts);
      await styles.loaded();
      while (isBusy()) {
        await renew(true);
        await rest();
        check(await renew());
      }
      const merge = plan(styles.made);
      styles.use();
      merge.apply();
    } catch (error) {
      styles?.remove();
      await renew(true);
      throw error;
    }
    this.given = Promise.resolve(text);
    return true;
  }

  /** It has to be loaded. @param {string} why */
  async outdated(why) {
    if (this.isOutdated) return;
    this.isOutdated = true;
    if (!document.dispatchEvent(new CustomEvent("edge-outdated", { detail: { why }, cancelable: true }))) return;
    console.info(`edge: there is a new version of this page, which has to be loaded: ${why}`);
    const { showNotice } = await import("./notice.js");
    showNotice();
  }
}

/** Paths of the scripts of the site that this page has loaded; ours have no part in what it shows. */
function loadedScripts() {
  const { origin } = location;
  const loaded = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"))
    .filter((entry) => entry.initiatorType === "script" || /\.m?js(\?|$)/.test(entry.name)).map((entry) => entry.name);
  const urls = [...loaded, ...[...document.scripts].map((script) => script.src)].filter((url) => url.startsWith(`${origin}/`));
  return urls.map((url) => url.slice(origin.length).split("#")[0]).filter((path) => !path.startsWith("/edge/"));
}

/** The style sheets of a new version, in the document beside the old ones, and not in force before use(). */
class Styles {
  /** @param {Document} was @param {Document} wanted @param {Set<string>} paths of which there are new versions */
  constructor(was, wanted, paths) {
    /** @type {Map<Node, HTMLLinkElement>} */
    this.made = new Map();
    /** @type {Promise<unknown>[]} */
    this.loading = [];
    const links = (/** @type {Document} */ parsed) => /** @type {HTMLLinkElement[]} */ ([...parsed.head.querySelectorAll("link[rel~=stylesheet]:not([rel~=alternate])")]);
    const old = new Set(links(was).map((link) => link.outerHTML));
    /** @type {Element | null} */
    let before = null;
    for (const link of links(wanted)) {
      const { href } = new URL(link.getAttribute("href") ?? "", document.baseURI);
      const path = href.startsWith(`${location.origin}/`) ? href.slice(location.origin.length) : "";
      const there = [.../** @type {NodeListOf<HTMLLinkElement>} */ (document.head.querySelectorAll("link[rel~=stylesheet]"))].find((one) => one.isEqualNode(link));
      if (old.has(link.outerHTML) && !paths.has(path)) {
        before = there ?? before;
        continue;
      }
      const made = document.importNode(link, true);
      made.media = "not all";
      this.loading.push(new Promise((resolve, reject) => {
        made.onload = resolve;
        made.onerror = () => reject(new Conflict(`the style sheet ${href} cannot be loaded`));
      }));
      this.made.set(link, made);
      if (there ?? before) /** @type {Element} */ (there ?? before).after(made);
      else document.head.append(made);
      before = made;
    }
  }

  loaded() {
    const late = later(STYLES_MS).then(() => {
      if (this.made.size) throw new Conflict("its style sheets do not come");
    });
    return this.made.size ? Promise.race([Promise.all(this.loading), late]) : undefined;
  }

  use() {
    for (const [link, made] of this.made) {
      const media = /** @type {Element} */ (link).getAttribute("media");
      if (media === null) made.removeAttribute("media");
      else made.media = media;
    }
  }

  remove() {
    for (const made of this.made.values()) made.remove();
  }
}
