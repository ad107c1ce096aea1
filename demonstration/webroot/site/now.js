// The first screen, live: what the worker tells, Navigation Timing, and the buttons (site/story.js makes sense of it).

import { edge, kind, tell } from "/edge/client.js";
import { App } from "/edge/page/app.js";
import { pieces } from "/components/now.js";
import { begin, next, shown } from "./story.js";
import "./roving.js";

/** Milliseconds between two questions to the worker what it has done. */
const LOOK_MS = 1000;
/** Between two pictures of the story: much happens at once while a page loads, milliseconds. */
const DRAW_MS = 100;
/** Milliseconds after which somebody who waits for an answer of the buttons' server is told. */
const BUTTON_MS = 90_000;
/** Questions to a node that was slowed down, at most, and milliseconds between them. */
const [SLOW_MOST, SLOW_MS] = [12, 400];
/** Clocks of worker and page may differ that much, milliseconds. */
const EARLY_MS = 20;
const HISTORY = "edge-load";
const NAMES = "edge-names";
const SPARED = "edge-spared";

const root = /** @type {HTMLElement | null} */ (document.querySelector("#now > .pieces"));
/** @type {{url: string, token: string} | undefined} */
const staging = JSON.parse(document.querySelector('meta[name="edge-staging"]')?.getAttribute("content") ?? "null") ?? undefined;

/** What this browser knows from the page before. @param {Storage} storage @param {string} name @param {any} otherwise */
function remembered(storage, name, otherwise) {
  try {
    return JSON.parse(storage.getItem(name) ?? "null") ?? otherwise;
  } catch {
    return otherwise;
  }
}

const brief = root?.parentElement?.classList.contains("brief") ?? false;
let story = begin(location.origin, location.pathname + location.search, {
  use: new Map(remembered(sessionStorage, HISTORY, [])),
  names: new Map(remembered(sessionStorage, NAMES, [])),
  conditions: new Map(remembered(sessionStorage, "edge-conditions", [])),
  spared: remembered(localStorage, SPARED, { requests: 0, bytes: 0 }),
});
const app = root && new App(root, { ...shown(story), staging, brief }, {
  render: pieces,
  async *eventHandler(state, event) {
    if (event.type === "submit") press(/** @type {SubmitEvent} */ (event));
  },
  events: ["submit"],
});

let waits = false;
/** @param {any} event */
function take(event) {
  story = next(story, event, Date.now());
  if (waits) return;
  waits = true;
  setTimeout(() => requestAnimationFrame(() => {
    waits = false;
    app?.show({ ...shown(story), staging, brief });
  }), DRAW_MS);
}

// Where the page came from, and how soon.

const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
function came() {
  if (!navigation?.responseEnd) return;
  const controlled = navigator.serviceWorker?.controller;
  take({ type: "came", ms: navigation.responseEnd - navigation.startTime, bytes: controlled ? null : navigation.transferSize || null });
}
if (document.readyState === "complete") came();
else addEventListener("load", () => setTimeout(came), { once: true });

if (!("serviceWorker" in navigator)) take({ type: "worker", is: isSecureContext ? "none" : "insecure" });
else if (kind === "off") take({ type: "worker", is: "off" });
else if (navigator.serviceWorker.controller) take({ type: "worker", is: "ready" });
else {
  take({ type: "worker", is: "installing" });
  navigator.serviceWorker.addEventListener("controllerchange", () => ready(), { once: true });
}

function ready() {
  take({ type: "worker", is: "ready" });
  tell({ type: "debug" });
  tell({ type: "ask" });
}
if (navigator.serviceWorker?.controller) ready();

// What the worker tells.  Spared bytes and requests are counted on from one run of it to the next.

navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  // They come at once; those of pages before this one are no part of its story.
  if (data?.type === "decision" || (data?.type === "exchange" && data.at >= performance.timeOrigin - EARLY_MS)) take(data);
});
for (const type of ["load", "feed", "updated", "outbox", "edge:changed"]) {
  edge.addEventListener(type, (event) => take({ ...(/** @type {CustomEvent} */ (event).detail), type }));
}
edge.addEventListener("removed", () => take({ type: "worker", is: "off" }));
edge.addEventListener("load", () => {
  sessionStorage.setItem(HISTORY, JSON.stringify([...story.use]));
  sessionStorage.setItem(NAMES, JSON.stringify([...story.names]));
});
edge.addEventListener("status", (event) => {
  const { status } = /** @type {CustomEvent} */ (event).detail;
  take({ type: "status", status });
  navigator.locks?.request(SPARED, () => {
    const before = remembered(localStorage, SPARED, { requests: 0, bytes: 0, hits: 0, saved: 0 });
    const again = status.hits < before.hits || status.saved < before.saved; // another run of the worker
    const spared = {
      requests: before.requests + status.hits - (again ? 0 : before.hits), bytes: before.bytes + status.saved - (again ? 0 : before.saved),
      hits: status.hits, saved: status.saved,
    };
    localStorage.setItem(SPARED, JSON.stringify(spared));
    take({ ...spared, type: "spared" });
  });
});
setInterval(() => document.visibilityState === "visible" && tell({ type: "ask" }), LOOK_MS);

// Buttons.

/** @param {SubmitEvent} event */
async function press(event) {
  const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
  if (!staging || !button?.value) return;
  event.preventDefault();
  const [order, node = ""] = button.value.split(" ");
  take({ type: "order", order: button.value, text: button.textContent ?? order });
  if (order === "unplug") {
    const unplugged = !story.status?.unplugged;
    tell({ type: "unplug", unplugged });
    take({ type: "answer", said: unplugged ? "This browser goes on as if there were no network. Load the page again, vote, look around." : "The network is back. What waited is sent." });
    if (!unplugged) tell({ type: "online" });
    return;
  }
  try {
    const answer = await fetch(`${staging.url}/`, {
      method: "POST", headers: { authorization: `Bearer ${staging.token}`, "content-type": "application/json" },
      body: JSON.stringify({ do: order, node }), signal: AbortSignal.timeout(BUTTON_MS),
    });
    heard(await answer.json());
  } catch {
    take({ type: "answer", said: "Who carries out these orders (make run) is not there any more." });
  }
  // What this page shows is asked for again, so that something is to be seen.
  tell({ type: "shown", urls: [location.href.split("#")[0]] });
  if (order === "slow") await noticed(node);
}

/** Have a node that was slowed down asked until the browser has left it: it stays while answers come in time. @param {string} node its name */
async function noticed(node) {
  for (let times = 0; times < SLOW_MOST && story.names.get(story.status?.node) === node; times += 1) {
    await fetch("/site/icon.svg", { cache: "no-cache" }).catch(() => {});
    tell({ type: "ask" });
    await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
  }
}

/** @param {{said?: string, nodes: any[]}} answer */
function heard(answer) {
  take({ ...answer, said: answer.said ?? story.answer, type: "answer" });
  sessionStorage.setItem("edge-conditions", JSON.stringify([...story.conditions]));
}
if (staging) {
  fetch(`${staging.url}/`, { headers: { authorization: `Bearer ${staging.token}` } }).then((answer) => answer.json()).then(heard).catch(() => {}); // the buttons say so when they are pressed
}
