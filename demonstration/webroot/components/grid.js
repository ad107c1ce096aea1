// The characters of a block, a page of them.

import { html, keyed } from "/edge/page/html.js";

/** @typedef {{code: string, name: string, glyph: string, votes: number}} Character */
/** @typedef {{slug: string, name: string, first: string, last: string, pages: number, characters: Character[]}} Block */

/** @param {{slug: string, page?: number}} props */
export const queries = ({ slug, page = 1 }) => [["Block", { page, slug }]];

/** @param {string} slug @param {number} number @param {number} step @param {string} rel @param {string} text */
const near = (slug, number, step, rel, text) => html`<a rel="${rel}" href="/block/${slug}?page=${number + step}">${text}</a>`;

/** @param {{page?: number, block: Block}} props */
export const render = ({ page = 1, block: { slug, name, first, last, pages, characters } }) => html`
  <section><h1>${name}</h1><p class="lead">U+${first} to U+${last}. Numbers are votes; they change as soon as anybody votes, on any node.</p>${pages > 1 ? html`<nav class="pages" aria-label="Pages">${page > 1 ? near(slug, page, -1, "prev", "before") : ""} <span>${page} of ${pages}</span> ${page < pages ? near(slug, page, 1, "next", "more") : ""}</nav>` : ""}<ul class="grid" data-roving>${characters.map(({ code, name, glyph, votes }) => keyed(code, html`
    <li><a href="/character/${code}" title="${name}" aria-label="${name}${votes ? `, ${votes} votes` : ""}">${glyph}${votes ? html`<small>${votes}</small>` : ""}</a></li>`))}</ul></section>`;
