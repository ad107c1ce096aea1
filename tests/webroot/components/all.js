// Each way of putting something into a template.

import { html, keyed } from "/edge/page/html.js";
import { shout } from "./words.js";

export const queries = ({ n }) => [["All", { n, a: "ü" }], ["None"]];

const row = ({ key, text, on, rows = [] }) => keyed(key, html`
  <li class="row ${on ? "on" : ""}" ?hidden=${on} data-text='${text}'>
    <a href="${text}" title="${shout(text)}">${text}</a> <a href="/to/${encodeURIComponent(text.toWellFormed())}?q=${text}#${key}">${key}</a>
    <input type="checkbox" ?checked=${on} ?disabled=${!on} value="${text}"><textarea>${text}</textarea>
    ${rows.length ? html`<ol>${rows.map(row)}</ol>` : ""}</li>`);

export const render = ({ title, number, big, rows, nothing }) => html`
  <section><h2>${title}</h2>
    <p>${number} ${number.toFixed(2)} ${big} ${1 / number} ${nothing} ${null} ${undefined} ${true} ${false} ${[1, [2, "<", html`<b>${title}</b>`]]}</p>
    <p>${[...title].reverse().join("")} ${title.normalize("NFC").length} ${title.split("").sort().join("")} ${title.replace(/\p{L}+/gu, "[$&]")}</p>
    <!-- a comment --><ul>${rows.map(row)}</ul><template><i>${title}</i></template>
    <svg viewBox="0 0 1 1"><a href="${title}"><text>${title}</text></a></svg></section>`;
