// What a search has found.

import { html, keyed } from "/edge/page/html.js";
import { characterLink } from "./character_link.js";

/** @typedef {import("./character_link.js").Character} Character */

/** @param {{text: string}} props */
export const queries = ({ text }) => (text ? [["Search", { text }]] : []);

/** @param {{text: string, search?: Character[]}} props */
export const render = ({ text, search = [] }) => html`
  <section class="results"><h1>${text ? `${search.length} found for “${text}”` : "Search"}</h1><p class="lead">${text ? "" : "Give words of a name, a code point as U+2192, or the character itself."}</p><ul data-roving>${search.map((one) => keyed(one.code, html`
    <li>${characterLink(one)} <data value="${one.votes}">${one.votes}</data></li>`))}</ul></section>`;
