// Shows which nodes there are and how loaded they are, from /.edge/load.  Without JavaScript, or
// without a node that publishes its load, the page is simply without this list.
const list = document.querySelector("#nodes");

/** One row: name, bar of what is left, rate. */
function row(node) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = node.id;
  if (node.url === location.origin) {
    name.className = "here";
    name.title = "answered this page";
  }
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.setAttribute("role", "meter");
  bar.setAttribute("aria-label", `utilization of ${node.id}`);
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  const percent = Math.min(100, Math.round(node.utilization * 100));
  bar.setAttribute("aria-valuenow", String(percent));
  const used = document.createElement("span");
  used.style.width = `${percent}%`;
  bar.append(used);
  const rate = document.createElement("span");
  rate.className = "rate";
  rate.textContent = `${percent} % used, ${node.rps.toFixed(0)}/s`;
  item.append(name, bar, rate);
  return item;
}

let timer;

async function refresh() {
  clearTimeout(timer);
  let wait = 5000;
  try {
    const answer = await fetch("/.edge/load", { cache: "no-store" });
    if (answer.ok) {
      const load = await answer.json();
      wait = load.ttl_ms;
      list.replaceChildren(...load.nodes.map(row));
      list.hidden = false;
    }
  } catch {
    // The node is away; the list stays as it was, and the next try may find it again.
  }
  if (document.visibilityState === "visible") timer = setTimeout(refresh, wait * (0.8 + 0.4 * Math.random()));
}

if (list) {
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  refresh();
}
