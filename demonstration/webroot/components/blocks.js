// Blocks of Unicode: a few that look well with any font, or all.

import { html, keyed } from "/edge/page/html.js";

/** @typedef {{slug: string, name: string, count: number, sample: string}} Block */

/** @param {{all?: boolean}} props */
export const queries = ({ all = false }) => [["Blocks", { all }]];

/** @param {{all?: boolean, blocks: Block[]}} props */
export const render = ({ all = false, blocks }) => html`
  <section class="blocks">${all ? html`<h1>All blocks</h1>` : html`<h2>Characters to look at</h2>`}<ul data-roving>${blocks.map(({ slug, name, count, sample }) => keyed(slug, html`
    <li><a href="/block/${slug}"><span class="sample" aria-hidden="true">${sample}</span> <span>${name} <small>${count}</small></span></a></li>`))}${all ? "" : keyed("all", html`<li><a href="/blocks"><span class="sample" aria-hidden="true">…</span> <span>All blocks</span></a></li>`)}</ul></section>`;
