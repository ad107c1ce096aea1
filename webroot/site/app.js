// The Unicode browser: the pages work without it; it adds search, details and favourites.

import { edge } from "/edge/client.js";
import { App } from "/edge/page/app.js";
import { html, keyed } from "/edge/page/html.js";
import "./panel.js";

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const FOUND_MOST = 200;
const PER_FILE = 64;

/** @param {string} code hexadecimal */
const sign = (code) => String.fromCodePoint(parseInt(code, 16));
const label = (/** @type {string} */ code) => `U+${code.toUpperCase().padStart(4, "0")}`;

// Search: names are fetched once, and from then on come out of the browser.

/** @type {Promise<[string, string][]> | null} */
let names = null;
function loadNames() {
  names ??= fetch("/data/names.txt").then(async (answer) => {
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return (await answer.text()).trim().split("\n").map((line) => /** @type {[string, string]} */ (line.split(/ (.*)/s, 2)));
  });
  names.catch(() => (names = null));
  return names;
}

/** @typedef {{query: string, found: [string, string][], total: number, failure: string}} Search */
const search = new App(byId("found"), /** @type {Search} */ ({ query: "", found: [], total: 0, failure: "" }), {
  *render({ query, found, total, failure }) {
    if (!query) return;
    yield keyed("title", html`<div role="status"><h2>${failure || `${total.toLocaleString("en")} found for “${query}”${total > FOUND_MOST ? `, the first ${FOUND_MOST}` : ""}`}</h2></div>`);
    yield keyed("list", html`<ul class="results">${found.map(([code, name]) =>
      html`<li data-key="${code}"><a href="#${code}" data-code="${code}"><span class="sign" aria-hidden="true">${sign(code)}</span><span>${name.toLowerCase()}<br><small>${label(code)}</small></span></a></li>`)}</ul>`);
  },
  async *eventHandler(state, event) {
    const query = /** @type {CustomEvent} */ (event).detail.trim().toUpperCase();
    if (!query) return void (yield { query: "", found: [], total: 0, failure: "" });
    try {
      const words = query.split(/\s+/);
      const all = await loadNames();
      const found = all.filter(([code, name]) => words.every((/** @type {string} */ word) => name.includes(word)) || label(code) === query);
      yield { query: query.toLowerCase(), found: found.slice(0, FOUND_MOST), total: found.length, failure: "" };
    } catch {
      yield { query, found: [], total: 0, failure: "The names are not kept here, and no node can be reached." };
    }
  },
  events: ["ask"],
});
byId("search").addEventListener("input", (event) => {
  const query = /** @type {HTMLInputElement} */ (event.target).value;
  byId("found").hidden = !query.trim();
  byId("found").dispatchEvent(new CustomEvent("ask", { detail: query }));
});
document.querySelector("form.search")?.addEventListener("submit", (event) => event.preventDefault());

// Favourites: a mutation, kept and sent later when no node can be reached.

const WHO = localStorage.getItem("visitor") ?? crypto.randomUUID();
localStorage.setItem("visitor", WHO);
/** @type {Map<string, boolean>} code -> whether it waits to be sent */
const favourites = new Map();
const list = byId("favourites");

async function loadFavourites() {
  try {
    const answer = await fetch(`/favourites?visitor=${WHO}`);
    if (!answer.ok) return;
    favourites.clear();
    for (const code of (await answer.json()).codes) favourites.set(code, false);
    draw();
  } catch {
    // What is shown stays as it is.
  }
}

/** @param {string} code */
async function toggle(code) {
  const add = !favourites.has(code);
  if (add) favourites.set(code, true);
  else favourites.delete(code);
  draw();
  const body = JSON.stringify({ visitor: WHO, code, favourite: add });
  const answer = await fetch("/favourites", { method: "POST", headers: { "content-type": "application/json" }, body }).catch(() => null);
  if (answer?.status === 200 && favourites.has(code)) favourites.set(code, false);
  draw();
}

/** The list, where the page has one. */
const stars = list && new App(list, favourites, {
  *render(now) {
    if (now.size) yield keyed("h", html`<h2>Favourites</h2>`);
    if (now.size) yield keyed("l", html`<ul class="stars">${[...now].map(([code, waits]) => html`<li data-key="${code}"><a class="star ${waits ? "waits" : ""}" href="#${code}" data-code="${code}" title="${label(code)}${waits ? ", not sent yet" : ""}">${sign(code)}</a></li>`)}</ul>`);
  },
  async *eventHandler(state) {
    yield state;
  },
});
function draw() {
  if (list) list.hidden = !favourites.size;
  stars?.show(new Map(favourites));
  detail.show({ ...detail.state });
}

// Details of a character.

/** @typedef {{code: string, facts: Record<string, string> | null, failure: string}} Detail */
const detail = new App(byId("detail"), /** @type {Detail} */ ({ code: "", facts: null, failure: "" }), {
  *render({ code, facts, failure }) {
    if (!code) return;
    yield keyed("sign", html`<p class="sign" aria-hidden="true">${sign(code)}</p>`);
    yield keyed("name", html`<div role="status"><h2>${facts?.name ?? (failure || "…")}</h2></div>`);
    yield keyed("facts", html`<dl><dt>code point</dt><dd>${label(code)}</dd>${Object.entries(facts ?? {}).filter(([name]) => name !== "name").map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
<dt>HTML</dt><dd>&amp;#x${code};</dd><dt>UTF-8</dt><dd>${[...new TextEncoder().encode(sign(code))].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}</dd></dl>`);
    yield keyed("do", html`<div class="row"><button data-do="star" aria-pressed="${String(favourites.has(code))}">Favourite</button><button data-do="copy">Copy</button><button data-do="close">Close</button></div>`);
  },
  async *eventHandler(state, event) {
    const what = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.do;
    if (what === "star") toggle(state.code);
    if (what === "copy") navigator.clipboard?.writeText(sign(state.code)).catch(() => {});
    if (what === "close") location.hash = "";
  },
  events: ["click"],
});

async function open() {
  const code = /^#([0-9a-f]{1,5}|10[0-9a-f]{4})$/i.exec(location.hash)?.[1] ?? "";
  byId("detail").hidden = !code;
  for (const one of document.querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
  if (!code) return;
  const plain = parseInt(code, 16).toString(16);
  document.querySelector(`.grid [data-code="${plain}"]`)?.setAttribute("aria-current", "true");
  await detail.show({ code: plain, facts: null, failure: "" });
  const first = Math.floor(parseInt(plain, 16) / PER_FILE) * PER_FILE;
  try {
    const answer = await fetch(`/data/chars/${first.toString(16).padStart(4, "0")}.json`);
    const facts = answer.ok ? (await answer.json())[plain] : null;
    if (detail.state.code === plain) await detail.show({ code: plain, facts, failure: facts ? "" : "There is no such character." });
  } catch {
    if (detail.state.code === plain) await detail.show({ code: plain, facts: null, failure: "Not kept here, and no node can be reached." });
  }
}
addEventListener("hashchange", open);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash) location.hash = "";
  const step = /** @type {Record<string, string>} */ ({ ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" })[event.key];
  const current = step && document.querySelector(".grid [aria-current]")?.parentElement;
  if (!current || document.activeElement instanceof HTMLInputElement) return;
  const link = /** @type {any} */ (current)[step]?.firstElementChild;
  if (link) {
    location.hash = link.hash;
    link.focus();
  }
});
edge.addEventListener("outbox", (event) => /** @type {CustomEvent} */ (event).detail.waiting || loadFavourites());
open();
loadFavourites();
