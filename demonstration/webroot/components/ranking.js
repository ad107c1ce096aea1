// Who has most votes: a list, each row with a button that votes.

import { html, keyed } from "/edge/page/html.js";
import { characterLink } from "./character_link.js";
import { vote, voteForm } from "./voting.js";

/** @typedef {import("./character_link.js").Character} Character */
/** @typedef {{first?: number, back?: string, heading?: boolean, voting?: Record<string, string>, problem?: string}} Props */

/** @param {Props} props */
export const queries = ({ first = 8 }) => [["Ranking", { first }]];

/** The ranking, and what may be voted for while it is short. @param {Character[]} ranking @param {Character[]} suggested */
const all = (ranking, suggested) => [...ranking, ...suggested.filter(({ code }) => !ranking.some((one) => one.code === code))].slice(0, Math.max(ranking.length, suggested.length));

/** @param {Props & {ranking: Character[], suggested?: Character[]}} props */
export const render = ({ ranking, suggested = [], back = "/", heading = false, voting, problem }) => html`
  <section class="ranking">${heading ? html`<h1>Ranking</h1>` : html`<h2>Ranking</h2>`}<ol data-roving>${all(ranking, suggested).map((one) => keyed(one.code, html`
    <li>${characterLink(one)} <data value="${one.votes}">${one.votes}</data> ${voteForm(one, back, voting)}</li>`))}</ol>${problem ? html`<p class="notice" role="status">${problem}</p>` : ""}</section>`;

export const eventHandlers = { submit: vote };
