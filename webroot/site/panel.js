// The corner panel: what the smart client does for this page.

import { edge, kind } from "/edge/client.js";
import { App } from "/edge/page/app.js";
import { html, keyed } from "/edge/page/html.js";

const root = /** @type {HTMLElement} */ (document.getElementById("panel"));
const ask = new BroadcastChannel("edge");
const HISTORY = 40;

/** @typedef {import("/edge/worker/messages.js").Status} Status */
/** @type {Map<string, number[]>} utilization of each node, oldest first */
const history = new Map();
/** @typedef {{open: boolean, status: Status | null, load: any, feed: string}} Shown */
let shown = /** @type {Shown} */ ({ open: localStorage.getItem("panel") === "open", status: null, load: null, feed: "" });

const bytes = (/** @type {number} */ n) => (n < 10_000 ? `${n} B` : n < 1e7 ? `${Math.round(n / 1000)} kB` : `${Math.round(n / 1e6)} MB`);

/** @param {string} url */
function chart(url) {
  const points = (history.get(url) ?? []).map((value, x) => `${x},${20 - 18 * Math.min(1, value)}`).join(" ");
  return html`<svg viewBox="0 0 ${HISTORY} 20" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points}"/></svg>`;
}

const app = new App(root, shown, {
  *render({ open, status, load, feed }) {
    if (open) {
      yield keyed("box", html`<div class="box" role="status">${status ? html`<b>${nameOf(status.node, load)}</b>: ${status.why}
<ul class="nodes">${(load?.nodes ?? []).map((/** @type {any} */ node) => html`<li data-key="${node.id}" class="${node.url === status.node ? "mine" : ""} ${node.weight > 0 ? "" : "away"}">${node.id}${chart(node.url)}${node.weight > 0 ? `${Math.round(node.utilization * 100)} %` : node.state}</li>`)}</ul>
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

/** @param {string} url @param {any} load */
const nameOf = (url, load) => load?.nodes.find((/** @type {any} */ node) => node.url === url)?.id ?? url;

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
  update({ load });
});
app.show(shown);
setInterval(() => shown.open && document.visibilityState === "visible" && ask.postMessage({ type: "ask" }), 1000);
ask.postMessage({ type: "ask" });
