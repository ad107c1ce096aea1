// Debugging: what the worker decides for this page, and why, on the console.  Loaded on demand alone:
// ?edge=debug in the address, or localStorage.edgeDebug = 1.

/** @typedef {import("../worker/messages.js").DecisionMessage} Decision */

const HOW = {
  fresh: "kept, and fresh: nobody is asked",
  stale: "kept, and confirmed behind the answer",
  ask: "asked of a node",
  instead: "kept, in place of an answer that did not come",
};
/** @param {string} color */
const badge = (color) => `background:${color};color:#fff;border-radius:.6em;padding:.1em .6em;font-weight:600`;
const QUIET = "color:inherit;font-weight:400;opacity:.7";

/** One line for a decision, and below it what it rests on. @param {Decision} decision */
function show(decision) {
  const { path, plan, destination, status, ms, node, why, how, version, past, states } = decision;
  const color = !status || status >= 400 ? "#b3261e" : how === "ask" ? "#9a5f00" : "#0b7a5b";
  console.groupCollapsed(`%cedge%c ${path} %c${how ?? plan}, ${status || "an error"}, ${ms} ms`, badge(color), "font-weight:600", QUIET);
  console.log(`%c${how ? HOW[how] : `by the rule "${plan}"`}`, QUIET);
  if (past) console.log(how === "ask" ? "One is kept, but not of this page's version." : "The page's own version: a newer one is kept, too.");
  if (version) console.log("version", version);
  if (states?.length) console.log("current at the states of the site", states.join(", "));
  if (how === "ask") console.log(`node ${node}: ${why}`);
  console.log("as", destination || "data", "by the plan", plan);
  console.groupEnd();
}

/** @param {string} text @param {unknown} [detail] */
const say = (text, detail = "") => console.log(`%cedge%c ${text}`, badge("#566176"), "font-weight:400", detail);

/**
 * Begin.
 * @param {EventTarget} edge what client.js tells of
 * @param {(message: import("../worker/messages.js").Message) => void} tell
 */
export function watch(edge, tell) {
  const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ then) =>
    edge.addEventListener(type, (event) => then(/** @type {CustomEvent} */ (event).detail));
  on("decision", show);
  let node = "";
  on("status", ({ status }) => status.node !== node && say(`stays with ${(node = status.node)}: ${status.why}`));
  on("feed", ({ how, url }) => say(`figures of the nodes by ${how}`, url));
  on("updated", ({ paths }) => say(`${paths.length} new versions are stored`, paths));
  on("outdated", ({ path }) => say(`this page needs ${path}, which only a later deploy has`));
  on("outbox", ({ waiting }) => say(`${waiting} changes wait to be sent`));
  on("removed", () => say("the site has switched the client off"));
  say("tells what it decides for this page; more on", `${location.origin}/.edge/client`);
  tell({ type: "debug" });
}
