// A character: what it is, its votes.

import { html } from "/edge/page/html.js";
import { codePoint } from "./character_link.js";
import { vote, voteForm } from "./voting.js";

/** @typedef {{code: string, name: string, glyph: string, votes: number, category: string, upper: string, lower: string, decomposition: string, numeric: string, block: {slug: string, name: string}}} Shown */

/** @param {{code: string}} props */
export const queries = ({ code }) => [["Character", { code }]];

/** @param {Shown} character */
const facts = ({ code, category, upper, lower, decomposition, numeric }) => [
  ["code point", codePoint(code)], ["category", category], ["uppercase", upper], ["lowercase", lower], ["made of", decomposition], ["stands for", numeric],
].filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`);

/** @param {{character: Shown, voting?: Record<string, string>, problem?: string}} props */
export const render = ({ character, voting, problem }) => html`
  <article class="character"><p class="sign" aria-hidden="true">${character.glyph}</p><div><h1>${character.name}</h1><p class="lead">in <a href="/block/${character.block.slug}">${character.block.name}</a></p><dl class="facts">${facts(character)}</dl><div class="row votes"><data value="${character.votes}">${character.votes}</data> ${character.votes === 1 ? "vote" : "votes"} ${voteForm(character, `/character/${character.code}`, voting)}</div>${problem ? html`<p class="notice" role="status">${problem}</p>` : ""}</div></article>`;

export const eventHandlers = { submit: vote };
