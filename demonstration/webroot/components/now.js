// The first screen: what just happened, in a sentence; the nodes as this browser sees them; buttons; and each request.
//
// The server renders it for whoever runs no scripts; site/now.js goes on with what the worker tells.  All figures are
// measured (site/story.js): what is not known is not said.

import { html, keyed } from "/edge/page/html.js";

/** Rows of the timeline. */
export const ROWS = 7;
/** Samples of a node's load in its chart. */
export const SAMPLES = 40;

/**
 * @typedef {object} NodeShown
 * @property {string} id @property {string} url
 * @property {"up" | "slow" | "away" | "unknown"} is
 * @property {boolean} mine this browser stays with it
 * @property {number[]} use utilization, 0..1, oldest first
 *
 * @typedef {object} Row an event of the timeline
 * @property {number} id
 * @property {string} at time of the day
 * @property {"browser" | "node" | "news" | "you" | "bad"} kind
 * @property {string} what
 * @property {string} [bytes] @property {string} [ms]
 *
 * @typedef {object} Now
 * @property {string[]} [said] what just happened: a sentence, and what is behind it
 * @property {string} [offer] a link that does the next thing: "Load it again"
 * @property {{requests: string, bytes: string, kept: string}} [spared]
 * @property {NodeShown[]} [nodes]
 * @property {string} [choice] with which node this browser stays, and why
 * @property {{url: string, token: string}} [staging] where buttons lead; none elsewhere
 * @property {boolean} [unplugged]
 * @property {string} [pending] the button that is being done
 * @property {string} [answer] what came of it
 * @property {Row[]} [rows]
 * @property {boolean} [brief] its sentence alone, on other pages than the entry
 */

/** What somebody without scripts reads, and everybody until something is known. */
const SERVED = [
  "A node made this page, and it came over the network.",
  "Votes, comments and search are plain forms: they work in any browser.",
];

/** Why a site is made so. */
const WHY = "A browser that keeps pages answers by itself; a server only says whether they are still right. So few small servers are enough for very many readers, and none of them is missed.";

/** What can be expected of buttons, before one was pressed. */
const HINT = "Nothing is simulated: each button really does it, and what came of it is said here.";

/** A word for a node's condition. */
const WORDS = { up: "up", slow: "slow", away: "away", unknown: "" };

/** @param {NodeShown} node */
function chart({ use }) {
  const first = SAMPLES - use.length; // the newest is at the right
  const points = use.map((value, number) => `${first + number},${(19 - 18 * Math.min(1, value)).toFixed(1)}`).join(" ");
  return html`<svg viewBox="0 0 ${SAMPLES - 1} 20" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points}"/></svg>`;
}

/** @param {NodeShown} node */
function card(node) {
  const { id, is, mine, use } = node;
  const now = use.length && is !== "away" ? `${Math.round(use[use.length - 1] * 100)} %` : "";
  return keyed(id, html`<li class="node ${is} ${mine ? "mine" : ""}"><b>${id}</b> <span class="word">${mine && is !== "away" ? "yours" : WORDS[is]}</span> <span class="use">${now}<span class="hidden"> load</span></span>${chart(node)}</li>`);
}

/** @param {string} order @param {string} text @param {string | undefined} pending @param {string} [why] */
const button = (order, text, pending, why = "") =>
  keyed(order.split(" ")[0], html`<button name="do" value="${order}" title="${why}" class="${pending === order ? "pending" : ""}">${text}</button>`);

/** @param {Now} props */
function buttons({ staging, nodes = [], unplugged, pending, answer }) {
  if (!staging) return "";
  const mine = nodes.find((node) => node.mine)?.id ?? "n1";
  const gone = nodes.filter(({ is }) => is === "away").length;
  return html`<form class="try" method="post" action="${staging.url}/"><input type="hidden" name="token" value="${staging.token}">
<h2 id="try">Try it</h2>
<div class="row" role="toolbar" aria-labelledby="try" data-roving>
${button(`kill ${mine}`, `Kill ${mine}`, pending, "The node that answers this browser ends at once, as if its power had failed")}
${button("kill-all", "Kill all four", pending, "There is no server left")}
${button(`slow ${mine}`, `Slow ${mine} down`, pending, "It gets a tenth of its time")}
${button("bring-back", gone === 1 ? "Bring it back" : "Bring all back", pending, "Nodes that were killed or slowed down run again")}
${button("publish", "Publish a change", pending, "A file changes on n1: the colours of this site")}
${unplugged === undefined ? "" : button("unplug", unplugged ? "Go online" : "Go offline", pending, "For this browser, as if there were no network")}
</div>
<p class="answer" role="status">${answer || HINT}</p></form>`;
}

/** @param {Row} row */
const line = ({ id, at, kind, what, bytes, ms }) => keyed(id, html`<li class="is-${kind}"><time>${at}</time> <span class="what">${what}</span> <span class="bytes">${bytes ?? ""}</span> <span class="ms">${ms ?? ""}</span></li>`);

/** The pieces, top down; what only scripts can fill is empty until they do, and keeps its room (style.css). @param {Now} props */
export function* pieces(props) {
  const { said: [said, behind] = SERVED, offer, spared, nodes = [], choice, rows = [] } = props;
  const live = props.said !== undefined;
  yield keyed("said", html`<div class="said" role="status"><p>${said}</p><p class="behind">${behind} ${offer ? html`<a href="">${offer}</a>` : ""}</p></div>`);
  if (props.brief) return;
  yield keyed("spared", html`<dl class="spared live">${live ? html`<div><dt>requests spared</dt><dd>${spared?.requests ?? ""}</dd></div><div><dt>bytes spared</dt><dd>${spared?.bytes ?? ""}</dd></div><div><dt>kept here</dt><dd>${spared?.kept ?? ""}</dd></div>` : ""}</dl>`);
  yield keyed("why", html`<p class="why"><b>Why?</b> ${WHY}</p>`);
  yield keyed("nodes", html`<div class="nodes live">${live ? html`<h2>Four nodes, as your browser sees them</h2><ul>${nodes.map(card)}</ul><p class="choice">${choice ?? ""}</p>` : ""}</div>`);
  yield keyed("buttons", html`<div class="buttons">${buttons(props)}</div>`);
  yield keyed("rows", html`<div class="timeline live">${live ? html`<h2>Each request, the latest first</h2><ol>${rows.map(line)}</ol>` : ""}</div>`);
}

/** @param {Now} props */
export function render(props) {
  return html`<section id="now" class="${props.brief ? "brief" : ""}" aria-labelledby="now-title">${props.brief ? html`<h2 id="now-title">What just happened</h2>` : html`<h1 id="now-title">What just happened</h1>`}<div class="pieces">${[...pieces(props)]}</div></section>`;
}
