// The one script tag: <script type="module" src="/edge/client.js"></script>
//
// Registers the Service Worker, keeps it awake while the page can be seen, so that it has news of nodes and changes (the
// feed), tells it what the page shows, and has new versions of the page put in place.
//
// ?edge=worker in the page's address has it do without the feed's socket, ?edge=off neither
// register the worker nor hear it (for tests): one that is there already answers such a page, too.
//
// Events on the document, in this order, each of which a site may prevent to do it its way:
//
//     edge-update     detail.paths: new versions are stored
//     edge-patched    detail.paths: they have been put in place (page/update.js); for scripts that prepare what is shown
//     edge-changed    detail.groups, detail.queries: new versions of these are stored, whose cache groups have changed; else
//                     the page is put in place as by edge-update, if it is one of them
//     edge-outdated   detail.why: that cannot be done; else a notice offers to load the page (page/notice.js)

import { CHANNEL, scriptOf } from "./worker/messages.js";

/** Browsers stop a worker that nobody has told anything for 30 s, and with it the feed's socket; milliseconds. */
const STAY_MS = 20_000;
/** A crowd that is told of a change does not ask all at once, milliseconds. */
const JITTER_MS = 1000;
/** Milliseconds between two tries to send what waits, to install the worker, or to load a script, before jitter: doubled from the first to the last. */
const AGAIN_MS = 2_000;
const AGAIN_MOST_MS = 60_000;
/** Tries of a page to install the worker, or to load what puts new versions in place; the next page tries, too. */
const TRIES = 6;
/** Words of autocomplete. */
const SECRETS = /\b(current-password|new-password|one-time-code|cc-)/;

/** @typedef {import("./worker/messages.js").Message} Message */

/** Tells of everything that happens: an event for each message, its type as the name, the message as detail. */
export const edge = new EventTarget();
const forced = new URLSearchParams(location.search).get("edge");
const isAble = "serviceWorker" in navigator && "caches" in globalThis && "BroadcastChannel" in globalThis;
/** How this page gets news: over the worker's socket; when it asks for something; not at all. */
export const kind = !isAble || forced === "off" ? "off" : forced === "worker" ? "worker" : "socket";

/** @type {BroadcastChannel | null} */
let channel = null;

/** @param {Message} message */
function dispatch(message) {
  edge.dispatchEvent(new CustomEvent(message.type, { detail: message }));
}

/** Tell the worker, and wake it for that. @param {Message} message */
export function tell(message) {
  navigator.serviceWorker?.controller?.postMessage(message);
}

/** Tell the worker, and wait until it has done so; what it says then, null without a worker. @param {Message} message @returns {Promise<any>} */
export async function ask(message) {
  const worker = navigator.serviceWorker?.controller;
  if (!worker) return null;
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(message, [port2]);
  return new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
}

/** What is in the outbox: waits, or was refused. @returns {Promise<import("./worker/messages.js").QueuedChange[]>} */
export const queue = async () => (await ask({ type: "queue" })) ?? [];

/**
 * Take a change out of the outbox that was refused (event "refused"); what it was.
 * @param {number} number @param {boolean} [again] it is to be sent again, behind what waits
 * @returns {Promise<import("./worker/outbox.js").QueuedRequest | undefined>}
 */
export const take = (number, again = false) => ask({ type: "taken", number, again });

/** The address that this page was loaded from, whatever scripts make of it. */
const page = location.href.split("#")[0];
/** What puts new versions in place; started when there is one. @type {Promise<import("./page/update.js").Update> | undefined} */
let update;

/** The HTML that this page was made of, which its worker or the browser has kept: no question goes to the network. */
async function given() {
  const answer = await fetch(page, { cache: "only-if-cached", mode: "same-origin" });
  if (!answer.ok) throw new Error("it is not kept");
  if (answer.headers.has("edge-newer")) updated([page.slice(location.origin.length)]); // before we listened
  return answer.text();
}
/** @type {Promise<string | null>} */
let html = Promise.resolve(null);

/** What this page shows, the page itself first. */
function shown() {
  const used = performance.getEntriesByType("resource").map((entry) => entry.name);
  return [page, ...used.filter((url) => url.startsWith(`${location.origin}/`))];
}

/** Address of the worker's script by the site's rules; undefined: they switch the client off. */
async function script() {
  const rules = await fetch("/edge.json", { cache: "no-cache" }).then((answer) => answer.json()).catch(() => null); // no rules
  if (rules?.off === true) return undefined;
  try {
    return scriptOf(rules);
  } catch {
    return scriptOf({}); // none, or wrong ones, which no worker takes
  }
}

/** Whether the worker's decisions are to be told on the console: ?edge=debug, or localStorage.edgeDebug. */
function isDebugged() {
  try {
    return new URLSearchParams(location.search).get("edge") === "debug" || Boolean(localStorage.edgeDebug);
  } catch {
    return false; // this page may not use it
  }
}

/** Address of the script that *registration* has, if that is ours: a site may have had another worker before. @param {ServiceWorkerRegistration} registration */
function scriptIn({ installing, waiting, active }) {
  const address = (installing ?? waiting ?? active)?.scriptURL;
  return address && new URL(address).pathname === scriptOf({}) ? address : undefined;
}

/** @param {string} address of the worker's script */
const register = (address) => navigator.serviceWorker.register(address, { updateViaCache: "all" });

/** How long the next try is waited for, behind *tries* of them, milliseconds. @param {number} tries */
const pause = (tries) => Math.min(AGAIN_MOST_MS, AGAIN_MS * 2 ** tries) * (0.5 + Math.random());

/**
 * Have the worker installed.  Where a busy node does not give its script, or what it needs to begin, the browser forgets it:
 * then this page tries again, or its reader would go without until the next page.
 * @param {number} tries before @returns {Promise<ServiceWorkerRegistration | undefined>} undefined: it is switched off
 */
async function registered(tries = 0) {
  const known = await navigator.serviceWorker.getRegistration("/"); // that one looks itself
  const address = (known && scriptIn(known)) ?? (await script());
  if (!address) return undefined;
  const again = async () => {
    await new Promise((resolve) => setTimeout(resolve, pause(tries)));
    return registered(tries + 1);
  };
  const isLast = tries + 1 === TRIES;
  try {
    const registration = await register(address);
    if (!known) registration.active?.postMessage({ type: "back" }); // one that was removed, and another tab has still
    const { installing } = registration;
    installing?.addEventListener("statechange", () => installing.state === "redundant" && !registration.active && !isLast && again().catch(() => {})); // told once
    return registration;
  } catch (error) {
    if (isLast || /** @type {Error} */ (error).name === "SecurityError") throw error; // not allowed here
    return again();
  }
}

/** Have the worker stay awake, and hold the feed's socket, if this page can be seen; not one that a newer version waits for. */
async function stay() {
  if (kind !== "socket" || document.visibilityState !== "visible") return;
  const registration = await navigator.serviceWorker.getRegistration("/").catch(() => undefined); // a page that ends
  if (!registration?.waiting) tell({ type: "stay" });
}

/** Hear what the worker says to all pages. */
function hear() {
  channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }) => dispatch(data);
}

/** Hear what is said from now on: what this page fetches next may have changed before its worker is registered. */
function listen() {
  hear();
  navigator.serviceWorker.addEventListener("message", ({ data }) => dispatch(data)); // for this page alone
  html = given().catch(() => null);
  const tellShown = () => tell({ type: "shown", urls: shown() });
  // The first visit: what this page has fetched already is to be kept, too.
  if (!navigator.serviceWorker.controller) navigator.serviceWorker.addEventListener("controllerchange", tellShown, { once: true });

  navigator.serviceWorker.addEventListener("controllerchange", stay);

  edge.addEventListener("removed", () => navigator.serviceWorker.getRegistration("/").then((one) => one?.unregister()));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon;
  /** @type {number | undefined} */
  let seen;
  edge.addEventListener("changed", (event) => {
    const { seq } = /** @type {CustomEvent} */ (event).detail;
    // The first one says how things are; the page has just been loaded.
    if (seen !== undefined && seq !== seen && document.visibilityState === "visible" && !soon) {
      soon = setTimeout(() => {
        soon = undefined;
        tellShown();
      }, Math.random() * JITTER_MS);
    }
    seen = seq;
  });
  edge.addEventListener("updated", (event) => updated(/** @type {CustomEvent} */ (event).detail.paths));
  edge.addEventListener("edge:changed", (event) => {
    const { groups, queries } = /** @type {CustomEvent} */ (event).detail;
    if (document.dispatchEvent(new CustomEvent("edge-changed", { detail: { groups, queries }, cancelable: true }))) updated(queries);
  });
  // Pages that nobody sees ask nothing; what they miss is told when they are seen again.
  edge.addEventListener("groups", (event) => document.visibilityState === "visible" && tell(/** @type {CustomEvent} */ (event).detail));
  document.addEventListener("visibilitychange", () => {
    stay();
    if (document.visibilityState === "visible") tell({ type: "live" });
  });
  edge.addEventListener("outdated", (event) => putInPlace((one) => one.outdated(`${/** @type {CustomEvent} */ (event).detail.path} is of a later version`)));

  const online = () => tell({ type: "online" });
  addEventListener("online", online);
  // A page that was left is kept as it is only if it hears nothing meanwhile; what it shows may be old when it comes back.
  addEventListener("pagehide", () => channel?.close());
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    hear();
    tellShown();
    given().catch(() => {}); // it is not kept
  });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;
  let tries = 0;
  edge.addEventListener("outbox", (event) => {
    // Nobody may tell us when the site is back.  The worker says anew what waits after each try, to all tabs.
    clearTimeout(again);
    const { waiting, after = 0 } = /** @type {CustomEvent} */ (event).detail;
    if (!waiting) tries = 0;
    else again = setTimeout(online, after + pause(tries++));
  });
  /** @type {number | undefined} since when there is the feed that we have asked over; who asks how it is hears of it again */
  let asked;
  edge.addEventListener("feed", (event) => {
    const { how, at } = /** @type {CustomEvent} */ (event).detail;
    if (how !== "socket" || at === asked) return;
    asked = at;
    online();
    if (document.visibilityState === "visible") tell({ type: "live" });
  });
}

async function begin() {
  const registration = await registered();
  if (!registration) return;
  stay();
  setInterval(stay, STAY_MS);
  // It may be gone already: then it says so again.
  tell({ type: "ask" });
  // By the rules that it has now, its script may have another address.
  ask({ type: "script" }).then((address) => address && new URL(address, location.href).href !== scriptIn(registration) && register(address)).catch(() => {}); // the next page asks, too
  queue().then((all) => {
    // Refused while no page was there.
    for (const { refused, ...one } of all) if (refused) dispatch({ type: "refused", ...one, status: refused.status });
  });
  if (isDebugged()) import("./page/debug.js").then(({ watch }) => watch(edge, tell));
  const idle = globalThis.requestIdleCallback ?? ((/** @type {() => void} */ then) => setTimeout(then, 5000));
  setTimeout(() => idle(() => tell({ type: "refresh" })), 10_000);
  // Where it exists and is allowed: kept copies are refreshed while no page is open.
  /** @type {any} */ (registration).periodicSync?.register("edge-refresh", { minInterval: 6 * 3600_000 }).catch(() => {});
}

/** A form is sent: it may wait only if there is no secret in it (worker/secrets.js). @param {SubmitEvent} event */
function onSubmit({ target, submitter }) {
  const form = /** @type {HTMLFormElement} */ (target);
  const [url] = new URL(submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? "", document.baseURI).href.split("#");
  const secret = [.../** @type {any} */ (form.elements)].some((field) => field.type === "password" || SECRETS.test(field.getAttribute("autocomplete") ?? ""));
  tell({ type: "form", url, secret });
}

/**
 * New versions are stored.  Whoever renders by itself prevents "edge-update".
 * @param {string[]} paths
 */
function updated(paths) {
  if (!document.dispatchEvent(new CustomEvent("edge-update", { detail: { paths }, cancelable: true }))) return;
  const used = new Set(shown().map((url) => url.slice(location.origin.length)));
  if (paths.some((path) => used.has(path))) put(paths);
}

/** Have the new versions of *paths* put in place, as if nobody had prevented it. @param {string[]} paths */
export const put = (paths) => putInPlace((one) => one.add(paths));

/** What puts new versions in place, from a node that may only just be coming back. @param {number} tries before */
async function begun(tries = 0) {
  try {
    const { Update } = await import("./page/update.js");
    return new Update(page, html, ask);
  } catch (error) {
    if (tries + 1 === TRIES) {
      update = undefined; // the next new version tries again
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause(tries)));
    return begun(tries + 1);
  }
}

/** @param {(update: import("./page/update.js").Update) => void} then */
function putInPlace(then) {
  update ??= begun();
  update.then(then).catch((error) => console.warn("edge:", error));
}

if (kind !== "off") {
  // At once: a form may be sent before everything else has begun.
  addEventListener("submit", onSubmit, true);
  listen();
  begin().catch((error) => console.warn("edge: this page works without the smart client:", error));
}
