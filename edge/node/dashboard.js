// The dashboard: draws the load document whenever the node pushes a new one.

const byId = (id) => document.getElementById(id);

/** An element with text or children. */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

const whole = (number) => Math.round(number).toLocaleString("en");

function rate(bitsPerSecond) {
  const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];
  let step = 0;
  while (bitsPerSecond >= 1000 && step < units.length - 1) {
    bitsPerSecond /= 1000;
    step += 1;
  }
  return `${bitsPerSecond.toFixed(step ? 1 : 0)} ${units[step]}`;
}

function bar(utilization) {
  const percent = Math.round(utilization * 100);
  const filled = make("span");
  filled.style.width = `${Math.min(100, percent)}%`;
  const level = utilization > 0.9 ? " bad" : utilization > 0.7 ? " warn" : "";
  const element = make("div", `bar${level}`, filled);
  element.setAttribute("role", "meter");
  element.setAttribute("aria-label", "utilization");
  element.setAttribute("aria-valuemin", "0");
  element.setAttribute("aria-valuemax", "100");
  element.setAttribute("aria-valuenow", String(Math.min(100, percent)));
  return element;
}

function card(node) {
  const facts = [
    ["utilization", `${(node.utilization * 100).toFixed(1)} %`],
    ["weight", node.weight.toFixed(3)],
    ["requests", `${whole(node.rps)}/s`],
    ["errors", `${node.eps.toFixed(1)}/s`],
    ["connections", whole(node.connections)],
    ["sending", rate(node.egress_bps)],
    ["reactor lag", `${node.lag_ms.toFixed(2)} ms`],
    ["age", `${whole(node.age_ms)} ms`],
  ];
  const list = make("dl", "");
  for (const [name, value] of facts) list.append(make("dt", "", name), make("dd", "", value));
  const title = make("h2", "", node.id, make("small", "", node.state));
  return make("article", node.state === "alive" ? "node" : "node away", title, bar(node.utilization), list);
}

function total(value, name) {
  return make("div", "", make("b", "", value), make("span", "", name));
}

function draw(load) {
  const sum = (name) => load.nodes.reduce((all, node) => all + node[name], 0);
  byId("cluster").textContent = load.cluster;
  byId("state").textContent = `as of ${new Date(load.at).toLocaleTimeString()}`;
  byId("totals").replaceChildren(
    total(whole(load.nodes.filter((node) => node.state === "alive").length), "nodes alive"),
    total(`${whole(sum("rps"))}/s`, "requests"),
    total(whole(sum("connections")), "connections"),
    total(rate(sum("egress_bps")), "sending"),
  );
  byId("nodes").replaceChildren(...load.nodes.map(card));
}

let timer;
let socket;
let failures = 0;

/** Polls where no WebSocket comes through. */
async function refresh() {
  clearTimeout(timer);
  let wait = 5000;
  try {
    const answer = await fetch("/.edge/load", { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const load = await answer.json();
    draw(load);
    wait = Math.min(load.ttl_ms, 2000);
  } catch (error) {
    byId("state").textContent = `no load document: ${error.message}; trying again`;
  }
  if (document.visibilityState === "visible") timer = setTimeout(follow, wait * (0.8 + 0.4 * Math.random()));
}

/** Lets the node push load documents; each end of the socket is followed by one poll, then tried again. */
function follow() {
  clearTimeout(timer);
  if (socket || document.visibilityState !== "visible") return;
  if (failures >= 3 && Math.random() < 0.8) {
    refresh();
    return;
  }
  const mine = new WebSocket(`${location.origin.replace(/^http/, "ws")}/.edge/socket?topics=load`);
  socket = mine;
  mine.addEventListener("message", (event) => {
    failures = 0;
    draw(JSON.parse(event.data).document);
  });
  mine.addEventListener("close", () => {
    if (socket !== mine) return;
    socket = undefined;
    failures += 1;
    refresh();
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") {
    follow();
  } else if (socket) {
    const mine = socket;
    socket = undefined;
    mine.close();
  }
});
follow();
