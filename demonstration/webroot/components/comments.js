// What visitors have said: of a character (code), with a form to say more; or the latest of all.

import { html, keyed } from "/edge/page/html.js";

/** @typedef {{id: number, text: string, at: number, character?: {code: string, name: string, glyph: string}}} Comment */
/** @typedef {{code?: string, first?: number, state?: string, problem?: string, text?: string}} Props */

/** @param {Props} props */
export const queries = ({ code, first = 5 }) => [code ? ["Comments", { code, first }] : ["Recent", { first }]];

/** @param {number} at Unix seconds */
const time = (at) => new Date(at * 1000).toISOString();

/** @param {Comment} comment */
const row = ({ id, text, at, character }) => keyed(id, html`
  <li>${character ? html`<a href="/character/${character.code}"><span class="glyph" aria-hidden="true">${character.glyph}</span><span class="hidden">${character.name}: </span></a>` : ""}${text}<br><time datetime="${time(at)}">${time(at).slice(0, 16).replace("T", " ")} UTC</time></li>`);

/** @param {Props} props */
const form = ({ code, state = "", text = "" }) => html`<form class="comment" method="post" action="/comment"><input type="hidden" name="code" value="${code}"><input type="hidden" name="back" value="/character/${code}"><label for="text">Say something about it</label><textarea id="text" name="text" maxlength="500" required>${text}</textarea><div class="row"><button>Send</button><span role="status">${state}</span></div></form>`;

/** @param {Props & {comments?: Comment[], recent?: Comment[]}} props */
export const render = (props) => {
  const all = props.comments ?? props.recent ?? [];
  return html`
  <section class="comments"><h2>${props.code ? "Comments" : "Latest comments"}</h2>${props.code ? form(props) : ""}${all.length ? html`<ul ?data-roving=${!props.code}>${all.map(row)}</ul>` : html`<p class="lead">Nobody has said anything yet.</p>`}${props.problem ? html`<p class="notice" role="status">${props.problem}</p>` : ""}</section>`;
};

export const eventHandlers = {
  /** @param {Props} props @param {SubmitEvent} event @param {{mutate: (name: string, variables: object) => Promise<any>}} page */
  async *submit(props, event, page) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("form.comment")) return;
    event.preventDefault();
    const text = String(new FormData(form).get("text"));
    yield { state: "Sending …", problem: "" };
    try {
      const { queued } = await page.mutate("Comment", { code: props.code, text });
      form.reset();
      yield { state: queued ? "It waits in this browser, and is sent when a node is back." : "Sent, to all nodes.", problem: "" };
    } catch (error) {
      yield { state: "", problem: /** @type {Error} */ (error).message };
    }
  },
};
