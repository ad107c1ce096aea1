// A character in a list: its glyph, and its name as a link to its page.

import { html } from "/edge/page/html.js";

/** @typedef {{code: string, name: string, glyph: string, votes: number}} Character */

/** @param {Character} character */
export const characterLink = ({ code, name, glyph }) =>
  html`<span class="glyph" aria-hidden="true">${glyph}</span> <a href="/character/${code}">${name}</a>`;

/** What may be long is told by its code point, as Unicode writes it. @param {string} code */
export const codePoint = (code) => `U+${code.toUpperCase().padStart(4, "0")}`;
