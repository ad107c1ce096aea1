// 1,000 rows shown by our runtime, lit, preact and idiomorph, and changed: every tenth row, the order reversed.
//
// Each gets the same data and writes the same elements; what it makes of them, from the state to the document, is what
// is measured.  Ours pauses (the others do not): its pauses count, as do its longest stretches without one.

import { App } from "/edge/page/app.js";
import { html, keyed } from "/edge/page/html.js";
import { morph } from "/edge/page/patch.js";
import { Idiomorph } from "idiomorph";
import { html as lit, render as renderLit } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { h, render as renderPreact } from "preact";

const ROWS = 1000;
const rows = (mark = "") => Array.from({ length: ROWS }, (_, id) => ({ id, name: `LATIN LETTER ${id}`, votes: `${id}${mark}` }));
/** @typedef {ReturnType<typeof rows>} Rows */

const row = ({ id, name, votes }) => keyed(id, html`<li class="row"><a href="/character/${id}">${name}</a> <data value="${votes}">${votes}</data> <button>vote</button></li>`);
const text = (all) => html`<ol>${all.map(row)}</ol>`.text;
const parsed = (all) => {
  const template = document.createElement("template");
  template.innerHTML = text(all);
  return template.content.firstElementChild;
};

/** Make a list in *place*; what puts a state there. @type {Record<string, (place: Element) => (all: Rows) => unknown>} */
const KINDS = {
  "edge, components"(place) {
    place.append(document.createElement("ol"));
    const app = new App(place.firstElementChild, [], { render: (all) => all.map(row), *eventHandler() {} });
    return (all) => app.show(all);
  },
  "edge, one component"(place) {
    const app = new App(place, [], { render: (all) => [keyed("list", html`<ol>${all.map(row)}</ol>`)], *eventHandler() {} });
    return (all) => app.show(all);
  },
  "edge, any HTML"(place) {
    place.append(document.createElement("ol"));
    return (all) => morph(place.firstElementChild, parsed(all));
  },
  lit(place) {
    const one = ({ id, name, votes }) => lit`<li data-key=${id} class="row"><a href="/character/${id}">${name}</a> <data value=${votes}>${votes}</data> <button>vote</button></li>`;
    return (all) => renderLit(lit`<ol>${repeat(all, ({ id }) => id, one)}</ol>`, place);
  },
  preact(place) {
    const one = ({ id, name, votes }) => h("li", { key: id, "data-key": id, class: "row" }, h("a", { href: `/character/${id}` }, name), " ", h("data", { value: votes }, votes), " ", h("button", null, "vote"));
    return (all) => renderPreact(h("ol", null, all.map(one)), place);
  },
  idiomorph(place) {
    place.append(document.createElement("ol"));
    return (all) => Idiomorph.morph(place.firstElementChild, text(all));
  },
};

const CHANGES = {
  tenth: (all) => all.map((one, number) => (number % 10 ? one : { ...one, votes: `${one.votes}+` })),
  reversed: (all) => [...all].reverse(),
  first: (all) => [...all.slice(1), all[0]],
  same: (all) => all.map((one) => ({ ...one })),
};

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

/** The longest time in which no other task got its turn while *work* went on, milliseconds. */
async function held(work) {
  const { port1, port2 } = new MessageChannel();
  let last = performance.now();
  let longest = 0;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  port1.onmessage = () => {
    look();
    port2.postMessage(null);
  };
  port2.postMessage(null);
  await work();
  look();
  port1.close();
  return longest;
}

let all = rows();
/** @type {(all: Rows) => unknown} */
let show = () => {};
/** @type {(all: Rows) => Rows} */
let changed = (one) => one;

window.kinds = Object.keys(KINDS);
window.changes = Object.keys(CHANGES);

/** Show rows by *kind*, to be changed by *change*. */
window.prepare = async (kind, change) => {
  document.body.replaceChildren(document.createElement("main"));
  show = KINDS[kind](document.body.firstElementChild);
  changed = CHANGES[change];
  all = rows();
  await show(all);
};

/** Change them *times* times; *really*: and show that (what is not shown did not happen).  The least milliseconds that it took, by the clock. */
window.patch = async (times, really) => {
  let least = Infinity;
  for (let time = 0; time < times; time += 1) {
    const next = changed(all);
    if (really) all = next;
    await turn();
    const begun = performance.now();
    if (really) await show(all);
    least = Math.min(least, performance.now() - begun);
  }
  return least;
};

/** The least of the longest times that others had to wait, of *times* changes, milliseconds. */
window.waited = async (times) => {
  let least = Infinity;
  for (let time = 0; time < times; time += 1) {
    all = changed(all);
    await turn();
    least = Math.min(least, await held(() => show(all)));
  }
  return least;
};

/** Change them *times* times: whether the rows are there as they should be, each time. */
window.right = async (times) => {
  let good = true;
  for (let time = 0; time < times; time += 1) {
    all = changed(all);
    await show(all);
    const wanted = parsed(all);
    const got = [...document.querySelectorAll("main ol li")];
    good &&= got.length === ROWS && got.every((one, number) => one.textContent === wanted.children[number].textContent);
  }
  return good;
};
