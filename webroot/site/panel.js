// The corner panel: what the smart client does for this page.

import { edge, kind } from "/edge/client.js";
import { App } from "/edge/page/app.js";
import { html, keyed } from "/edge/page/html.js";

const root = /** @type {HTMLElement} */ (document.getElementById("panel"));
const ask = new BroadcastChannel("edge");
const HISTORY = 40;

/** @typedef {import("/edge/worker/messages.js").Status} Status */
/** Utilization of each node, oldest first; it goes on from page to page. @type {Map<string, number[]>} */
const history = new Map(JSON.parse(sessionStorage.getItem("panel-history") ?? "[]"));
/** @typedef {{open: boolean, status: Status | null, load: any, feed: string}} Shown */
let shown = /** @type {Shown} */ ({ open: localStorage.getItem("panel") === "open", status: null, load: null, feed: "" });

const bytes = (/** @type {number} */ n) => (n < 10_000 ? `${n} B` : n < 1e7 ? `${Math.round(n / 1000)} kB` : `${Math.round(n / 1e6)} MB`);

/** @param {string} url */
function chart(url) {
  const values = history.get(url) ?? [];
  const first = HISTORY - values.length; // the newest is at the right
  const points = values.map((value, x) => `${first + x},${(19 - 18 * Math.min(1, value)).toFixed(1)}`).join(" ");
  return html`<svg viewBox="0 0 ${HISTORY - 1} 20" preserveAspectRatio="none" aria-hidden="true"><polygon points="${first},20 ${points} ${HISTORY - 1},20"/><polyline points="${points}"/></svg>`;
}

const app = new App(root, shown, {
  *render({ open, status, load, feed }) {
    if (open) {
      yield keyed("box", html`<div class="box">${status ? html`<p role="status"><b>${status.nodes.find((node) => node.url === status.node)?.id ?? status.node}</b>: ${status.why}</p>
<ul class="nodes">${(load?.nodes ?? unknown(status)).map((/** @type {any} */ node) => html`<li data-key="${node.id}" class="${node.url === status.node ? "mine" : ""} ${node.weight > 0 ? "" : "away"}">${node.id}${chart(node.url)}${node.weight > 0 ? `${Math.round(node.utilization * 100)} %` : node.state}</li>`)}</ul>
<dl><dt>from this browser</dt><dd>${status.hits} of ${status.hits + status.misses}</dd><dt>not fetched again</dt><dd>${bytes(status.saved)}</dd>
<dt>confirmed</dt><dd>${status.confirmed} in ${status.requests} requests</dd><dt>retries, hedges</dt><dd>${status.retries}, ${status.hedges}</dd>
<dt>kept</dt><dd>${bytes(status.kept)}</dd><dt>to be sent</dt><dd>${status.waiting}</dd><dt>figures by</dt><dd>${feed || "-"} (${kind})</dd></dl>` : kind === "off" ? "The smart client is off." : "The worker is starting."}</div>`);
    }
    yield keyed("toggle", html`<button aria-expanded="${String(open)}">${open ? "Hide" : "Smart client"}</button>`);
  },
  async *eventHandler(state, event) {
    if (!(/** @type {HTMLElement} */ (event.target).closest("button"))) return;
    localStorage.setItem("panel", state.open ? "closed" : "open");
    yield (shown = { ...shown, open: !state.open });
    ask.postMessage({ type: "ask" });
  },
  events: ["click"],
});

/** What is shown while no node says anything. @param {Status} status */
const unknown = (status) => status.nodes.map(({ id, url }) => ({ id, url, weight: 0, state: "silent" }));

/** @param {Partial<Shown>} news */
function update(news) {
  shown = { ...shown, ...news };
  if (shown.open || news.open !== undefined) app.show(shown);
}

edge.addEventListener("status", (event) => update({ status: /** @type {CustomEvent} */ (event).detail.status }));
edge.addEventListener("feed", (event) => update({ feed: /** @type {CustomEvent} */ (event).detail.how }));
edge.addEventListener("load", (event) => {
  const load = /** @type {CustomEvent} */ (event).detail.document;
  for (const node of load.nodes) history.set(node.url, [...(history.get(node.url) ?? []), node.utilization].slice(-HISTORY));
  sessionStorage.setItem("panel-history", JSON.stringify([...history]));
  update({ load });
});
app.show(shown);
setInterval(() => shown.open && document.visibilityState === "visible" && ask.postMessage({ type: "ask" }), 1000);
ask.postMessage({ type: "ask" });
