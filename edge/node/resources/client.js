// The page /.edge/client: what the smart client of this browser keeps and does for this site.
//
// All of it is read here, in the browser: rows from IndexedDB, the worker's own figures over its channel.  So the page
// needs no node, and shows nothing of anybody else.

/** Milliseconds between two looks, and rows that are shown at once. */
const LOOK_MS = 2000;
const ROWS = 300;
/** Bits of a set of states, but the sign (versions.js). */
const STATES = 30;

/** Columns that what is kept may be sorted by. */
const SORTED = ["path", "size", "checked", "used"];

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);
const channel = new BroadcastChannel("edge");
/** @type {any} */
let told = null;
/** @type {{name: string, down: boolean}} */
let order = { name: "path", down: false };
/** @type {{rows: any[], queue: any[], worker: any, versions: any, there: boolean}} */
let known = { rows: [], queue: [], worker: null, versions: null, there: false };

const bytes = (/** @type {number} */ n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const number = new Intl.NumberFormat("en");
/** How long ago *ms* is. @param {number} ms */
function ago(ms) {
  const seconds = Math.max(0, Date.now() - ms) / 1000;
  for (const [unit, length] of /** @type {[string, number][]} */ ([["d", 86400], ["h", 3600], ["min", 60]])) {
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${unit} ago`;
  }
  return `${Math.floor(seconds)} s ago`;
}

/** Those of *pages* that were open at the last navigation; the worker remembers others for a while. @param {any[]} pages */
function opened(pages) {
  const last = Math.max(...pages.map(({ seen }) => seen));
  return pages.filter(({ seen, parts }) => parts.length && seen > last - 1000);
}

/** An element. @param {string} name @param {Record<string, string>} fields @param {(Node | string)[]} inside */
function element(name, fields = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(fields)) if (value) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}
const tag = (/** @type {string} */ text, kind = "") => element("span", { class: `tag ${kind}` }, text);

/**
 * Fill a table.
 * @param {HTMLTableElement} table @param {[string, string, string?][]} columns name, title, class
 * @param {{cells: (Node | string)[], kind?: string}[]} rows @param {string} empty @param {{name: string, down: boolean}} [sorted]
 */
function fill(table, columns, rows, empty, sorted) {
  const focus = document.activeElement?.getAttribute("data-column");
  const head = columns.map(([name, title, kind = ""]) => {
    if (!sorted || !SORTED.includes(name)) return element("th", { scope: "col", class: kind }, title);
    const sort = name === sorted.name ? (sorted.down ? "descending" : "ascending") : "";
    return element("th", { scope: "col", class: kind, "aria-sort": sort }, element("button", { type: "button", "data-column": name }, title));
  });
  const body = rows.map(({ cells, kind = "" }) => element("tr", { class: kind }, ...cells.map((cell, column) =>
    column ? element("td", { class: columns[column][2] ?? "" }, cell) : element("th", { scope: "row", title: typeof cell === "string" ? cell : "" }, cell))));
  if (!rows.length) body.push(element("tr", {}, element("td", { class: "empty", colspan: String(columns.length) }, empty)));
  table.replaceChildren(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  if (focus) /** @type {HTMLElement | null} */ (table.querySelector(`[data-column="${focus}"]`))?.focus();
}

/** @param {HTMLElement} list @param {[string, Node | string][]} facts */
function describe(list, facts) {
  list.replaceChildren(...facts.map(([term, what]) => (list.className === "totals" ? element("div", {}, element("dt", {}, term), element("dd", {}, what)) : [element("dt", {}, term), element("dd", {}, what)])).flat());
}

/** Names of the states in a set, newest first. @param {number} set */
function named(set) {
  const names = known.versions?.names ?? [];
  return names.filter((/** @type {string} */ name, /** @type {number} */ bit) => bit < STATES && set & (1 << bit) && name[0] !== "#").reverse();
}

/** How a stored response may be used, as tags. @param {any} row */
function use(row) {
  if (row.past !== undefined) return tag("past", "warn");
  if (row.location) return tag("redirect");
  const age = Date.now() - row.checked;
  const [text, kind] = row.invalid ? ["asked first", "bad"] : age < row.fresh ? ["fresh", "good"] : age < row.fresh + (row.stale ?? 0) ? ["used, then asked", "good"] : ["asked first", ""];
  return row.precached ? element("span", {}, tag(text, kind), " ", tag("precached")) : tag(text, kind);
}

/** The column that the table of what is kept is sorted by. @param {any} row @returns {string | number} */
const sortedBy = (row) => ({ path: row.path, size: row.size, checked: -row.checked, used: -row.used }[order.name] ?? row.path);

function show() {
  const { rows, queue, worker, versions, there } = known;
  const live = rows.filter((row) => row.past === undefined);
  const size = rows.reduce((sum, row) => sum + row.size, 0);
  const asked = told ? told.hits + told.misses : 0;
  at("site").textContent = location.host;
  const state = !("serviceWorker" in navigator) ? ["This browser has no service workers", "lost"] : !there ? ["Not installed", "lost"]
    : !told ? ["Installed; starting", ""] : navigator.onLine ? ["At work", "live"] : ["At work, without a network", "live"];
  at("state").textContent = state[0];
  at("state").className = state[1];
  describe(at("totals"), [
    ["kept", bytes(size)], ["responses", number.format(live.length)],
    ["answered here", asked ? `${Math.round(100 * told.hits / asked)} %` : "-"], ["not fetched again", told ? bytes(told.saved) : "-"],
    ["confirmed", told ? number.format(told.confirmed) : "-"], ["requests", told ? number.format(told.requests) : "-"],
    ["retries, hedges", told ? `${told.retries}, ${told.hedges}` : "-"], ["waiting", String(queue.length)],
  ]);

  const nodes = told?.nodes ?? [];
  const mine = nodes.find((/** @type {any} */ node) => node.url === told?.node);
  at("why").replaceChildren(...(told ? ["Stays with ", element("b", {}, mine?.id ?? told.node), `: ${told.why}.`] : ["The worker says nothing yet."]));
  fill(at("nodes"), [["id", "node"], ["url", "address"], ["weight", "weight", "number"], ["latency", "latency", "number"], ["flight", "on their way", "number"], ["state", "state"]],
    nodes.map((/** @type {any} */ node) => ({
      kind: node === mine ? "mine" : "",
      cells: [node.id, node.url, node.weight.toFixed(2), node.latency ? `${Math.round(node.latency)} ms` : "-", String(node.inFlight),
        node.ejected ? tag("after errors, not asked", "bad") : node.weight > 0 ? tag("may be asked", "good") : tag("away", "bad")],
    })), "None is known.");

  const find = at("find").value.trim();
  const found = rows.filter((row) => row.path.includes(find)).sort((one, other) => (sortedBy(one) < sortedBy(other) ? -1 : 1) * (order.down ? -1 : 1));
  fill(at("kept"), [["path", "path"], ["size", "size", "number"], ["checked", "confirmed"], ["used", "used"], ["version", "version", "code"], ["states", "current at", "code"], ["use", "use"]],
    found.slice(0, ROWS).map((row) => ({
      kind: row.past === undefined ? "" : "past",
      cells: [row.path, bytes(row.size), ago(row.checked), ago(row.used), row.etag || row.weak || "-",
        row.states < 0 ? "every state" : named(row.states).slice(0, 2).join(", ") || "not known", use(row)],
    })), find ? "Nothing with that path." : "Nothing is kept.", order);
  at("kept-note").textContent = found.length > ROWS ? `${number.format(ROWS)} of ${number.format(found.length)}; find the others by a part of their path.` : "";

  fill(at("pages"), [["path", "page"], ["parts", "parts", "number"], ["states", "current at", "code"], ["is", "which is"]], opened(versions?.pages ?? []).map((/** @type {any} */ page) => {
    const set = page.parts.reduce((/** @type {number} */ all, /** @type {any} */ part) => all & part.states, -1);
    const states = named(set);
    const newest = (versions.names ?? []).filter((/** @type {string} */ name) => name[0] !== "#").at(-1);
    const is = set < 0 ? tag("every state") : states.includes(newest) ? tag("newest", "good") : states.length ? tag("before the newest", "warn") : tag("not known");
    return { cells: [page.parts[0].path, String(page.parts.length), states.slice(0, 2).join(", ") || "-", is] };
  }), "None that the worker has answered for.");

  fill(at("queue"), [["url", "address"], ["method", "method"], ["at", "since"], ["size", "size", "number"], ["state", "state"]], queue.map((one) => ({
    cells: [one.url.replace(location.origin, ""), one.method, ago(one.at), bytes(one.body?.byteLength ?? 0),
      one.refused ? tag(one.refused.status ? `refused, ${one.refused.status}` : "too old", "bad") : tag("waits", "warn")],
  })), "Nothing waits.");

  describe(at("versions"), [
    ["worker", element("code", {}, told?.version || "-")],
    ["state of the site", element("code", {}, versions?.token || "-")],
    ["states that are told apart", element("code", {}, (versions?.names ?? []).filter((/** @type {string} */ name) => name[0] !== "#").reverse().join(", ") || "-")],
    ["files refreshed", worker?.refreshed ? ago(worker.refreshed) : "not yet"],
  ]);
  at("rules").textContent = worker ? JSON.stringify(worker.rules, null, 2) : "none";
  for (const button of document.querySelectorAll("button[data-what]")) /** @type {HTMLButtonElement} */ (button).disabled = !there;
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Read what the worker has written down; nothing is made by that. */
async function look() {
  const registration = await navigator.serviceWorker?.getRegistration("/");
  known = { rows: [], queue: [], worker: null, versions: null, there: Boolean(registration) };
  const databases = (await indexedDB.databases?.()) ?? [];
  if (databases.some(({ name }) => name === "edge")) {
    const database = await done(indexedDB.open("edge"));
    try {
      const of = (/** @type {string} */ store) => database.transaction(store).objectStore(store);
      known.rows = await done(of("rows").getAll());
      known.queue = await done(of("outbox").getAll());
      known.worker = await done(of("state").get("worker"));
      known.versions = await done(of("state").get("worker.versions"));
    } finally {
      database.close();
    }
  }
  if (registration?.active) registration.active.postMessage({ type: "ask" });
  else told = null;
  show();
}

let looking = Promise.resolve();
/** Look, after the look before; what goes wrong is for the next one. */
function again() {
  looking = looking.then(look).catch((error) => console.warn("not to be read now:", error));
  return looking;
}

const QUESTIONS = /** @type {Record<string, string>} */ ({
  kept: "Forget all pages and files that are kept? They come from the network again.",
  nodes: "Forget what is known of the nodes?",
  queue: "Forget the changes that wait? They are never sent.",
  all: "Remove the worker with all that it keeps, waiting changes too?",
});

document.addEventListener("click", async ({ target }) => {
  const button = /** @type {HTMLElement} */ (target).closest("button");
  const { column, what } = button?.dataset ?? {};
  if (column) {
    order = { name: column, down: order.name === column && !order.down };
    show();
  } else if (what) {
    at("sure-text").textContent = QUESTIONS[what];
    at("sure").returnValue = "no";
    at("sure").showModal();
    at("sure").onclose = async () => {
      if (at("sure").returnValue !== "yes") return;
      const registration = await navigator.serviceWorker.getRegistration("/");
      registration?.active?.postMessage({ type: "reset", what });
      setTimeout(again, 300);
    };
  }
});
at("find").addEventListener("input", show);
channel.onmessage = ({ data }) => {
  if (data.type === "status") told = data.status;
  else if (data.type === "removed") told = null;
  else return;
  show();
};
setInterval(() => document.visibilityState === "visible" && again(), LOOK_MS);
again();
