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

/** What it takes when nobody else needs the machine. */
const least = (all) => Math.min(...all);
/** Of one kind and change, milliseconds. */
const ENOUGH = 1500;
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

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

/** @param {number} times */
window.measure = async (times) => {
  const found = {};
  for (const [kind, make] of Object.entries(KINDS)) {
    found[kind] = {};
    for (const [change, changed] of Object.entries(CHANGES)) {
      document.body.replaceChildren(document.createElement("main"));
      const place = document.body.firstElementChild;
      const show = make(place);
      let all = rows();
      await show(all);
      const took = [];
      const holds = [];
      const first = performance.now();
      for (let time = 0; time < times && (time < 3 || performance.now() - first < ENOUGH); time += 1) {
        all = changed(all);
        await turn();
        const begun = performance.now();
        await show(all);
        took.push(performance.now() - begun);
        all = changed(all);
        await turn();
        holds.push(await held(() => show(all)));
      }
      const wanted = parsed(all);
      const got = place.querySelector("ol");
      const right = [...got.querySelectorAll("li")].every((one, number) => one.textContent === wanted.children[number].textContent) && got.querySelectorAll("li").length === ROWS;

      found[kind][change] = { ms: least(took), held: least(holds), right };
    }
  }
  return found;
};
