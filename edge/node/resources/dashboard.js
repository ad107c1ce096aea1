// The dashboard: draws what dashboard_feed.js brings.  Elements are made once and only their texts change, so
// that a selection, the focus and a screen reader's place stay.

import { follow } from "/.edge/dashboard_feed.js";

/** Points of a chart: two minutes, one a second. */
const HISTORY = 120;

const byId = (id) => document.getElementById(id);
const whole = (number) => Math.round(number).toLocaleString("en");
const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)} %`;
const SVG = "http://www.w3.org/2000/svg";

/** An element with text or children. */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Set a text, if it is another one. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function scaled(number, units, base = 1000) {
  let step = 0;
  while (number >= base && step < units.length - 1) {
    number /= base;
    step += 1;
  }
  return `${number.toFixed(step && number < 100 ? 1 : 0)} ${units[step]}`;
}
const bits = (perSecond) => scaled(perSecond, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
const bytes = (count) => scaled(count, ["B", "KiB", "MiB", "GiB"], 1024);

function duration(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** A list of named values; show({name: text}). */
class Facts {
  constructor(list) {
    this.list = list;
    this.values = new Map();
  }

  show(facts) {
    for (const [name, text] of Object.entries(facts)) {
      if (!this.values.has(name)) {
        const value = make("dd", "");
        value.dataset.fact = name;
        this.values.set(name, value);
        this.list.append(make("div", "", make("dt", "", name), value));
      }
      say(this.values.get(name), text);
    }
  }
}

/** A line over time; *most*: the value at the top, unless there are larger ones. */
class Chart {
  constructor(name, most) {
    this.most = most;
    this.points = [];
    this.now = make("b", "");
    this.figure = make("figure", "chart", make("figcaption", "", make("span", "", name), this.now));
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${HISTORY - 1} 100`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    [this.area, this.line] = ["area", "line"].map((className) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", className);
      svg.append(path);
      return path;
    });
    this.figure.append(svg);
  }

  add(value, text, level = "") {
    this.points.push(value);
    if (this.points.length > HISTORY) this.points.shift();
    const most = Math.max(this.most, ...this.points);
    const first = HISTORY - this.points.length;
    const line = this.points.map((one, i) => `${first + i},${(98 - (94 * one) / most).toFixed(1)}`).join("L");
    this.line.setAttribute("d", `M${line}`);
    this.area.setAttribute("d", `M${first},100L${line}L${HISTORY - 1},100Z`);
    this.figure.className = `chart ${level}`;
    say(this.now, text);
  }
}

class Card {
  constructor(url) {
    this.link = make("a", "");
    this.link.href = `${url}/.edge/`;
    this.state = make("span", "");
    this.load = new Chart("utilization", 1);
    this.requests = new Chart("answers", 1);
    const list = make("dl", "");
    this.facts = new Facts(list);
    this.element = make("article", "node", make("h3", "", this.link, this.state), this.load.figure, this.requests.figure, list);
  }

  show(node, status, fresh) {
    // As clients choose: a node that is suspected in doubt keeps its weight, and its clients.
    const chosen = node.weight > 0;
    this.element.className = chosen ? "node" : "node away";
    this.element.dataset.node = node.id;
    say(this.link, node.id);
    say(this.state, chosen ? `${node.state}, weight ${node.weight.toFixed(2)}` : node.state === "alive" ? "silent" : node.state);
    if (fresh) {
      const { utilization } = node;
      if (chosen) this.load.add(utilization, percent(utilization), utilization > 0.9 ? "bad" : utilization > 0.7 ? "warn" : "");
      else this.load.add(0, "-", "bad");
      this.requests.add(chosen ? node.rps : 0, chosen ? `${whole(node.rps)}/s` : "-");
    }
    const rates = status?.rates;
    const table = status?.table;
    this.facts.show({
      "304 of GET": rates ? percent(quiet(rates)) : "-",
      "confirmed": rates ? `${whole(rates.validators)}/s` : "-",
      "errors": `${node.eps.toFixed(1)}/s`,
      "sending": bits(node.egress_bps),
      "connections": whole(node.connections),
      "WebSockets": status ? whole(status.sockets) : "-",
      "table": table ? `${whole(table.entries)}${table.complete ? "" : " (not all)"}` : "-",
      "bodies": table ? bytes(table.arena_used_bytes) : "-",
      "gossip lag": lag(status),
      ...sharing(status),
      ...Object.fromEntries((status?.applications ?? []).filter((one) => one.processes).map((one) => [`app ${one.name}`, `${one.ready} of ${one.processes} ready`])),
      "reactor lag": `${node.lag_ms.toFixed(1)} ms`,
      "up": status ? duration(status.uptime_s) : "-",
      "heard of": node.age_ms < 1000 ? `${whole(node.age_ms)} ms ago` : `${whole(node.age_ms / 1000)} s ago`,
    });
  }
}

/** The share of answers to GET that were "still good". */
const quiet = (rates) => (rates.not_modified + rates.bodies ? rates.not_modified / (rates.not_modified + rates.bodies) : 0);

/** What the shared cache makes of requests for applications; nothing where there are none. */
function sharing(status) {
  if (!status?.applications?.length || !status.shared) return {};
  const { hit, stale, filled, coalesced, passed } = status.shared;
  const all = hit + stale + filled + coalesced + passed;
  return {
    "shared": all ? `${percent((hit + stale + coalesced) / all)} of ${whole(all)}/s` : "-",
    "filled": `${whole(filled)}/s, ${whole(coalesced)}/s waited`,
    "passed, stale": `${whole(passed)}/s, ${whole(stale)}/s`,
  };
}

function lag(status) {
  if (!status) return "-";
  if (!status.gossip) return "alone";
  const { lag_p99_ms: ms, missing_bodies: missing } = status.gossip;
  if (missing) return `${whole(missing)} bodies to come`;
  return ms === null ? "no news yet" : `${whole(ms)} ms`;
}

const cards = new Map();
/** The last document of each node, by url. */
const statuses = new Map();
const totals = new Facts(byId("totals"));
let load;

function drawTotals() {
  const sum = (name) => load.nodes.reduce((all, node) => all + node[name], 0);
  const known = load.nodes.map((node) => statuses.get(node.url)).filter(Boolean);
  const rate = (name) => known.reduce((all, one) => all + one.rates[name], 0);
  const table = Math.max(0, ...known.map((one) => one.table.entries));
  const lags = known.map((one) => one.gossip?.lag_p99_ms ?? null).filter((one) => one !== null);
  totals.show({
    "nodes alive": `${load.nodes.filter((node) => node.weight > 0).length} of ${load.nodes.length}`,
    "answers": `${whole(sum("rps"))}/s`,
    "304 of all GET": percent(quiet({ not_modified: rate("not_modified"), bodies: rate("bodies") })),
    "confirmed": `${whole(rate("validators"))}/s`,
    "connections": whole(sum("connections")),
    "sending": bits(sum("egress_bps")),
    "in the table": whole(table),
    "gossip lag p99": lags.length ? `${whole(Math.max(...lags))} ms` : "-",
  });
}

function drawMembers() {
  const nodes = load.nodes;
  byId("members").hidden = nodes.length < 2;
  const head = make("tr", "", ...["says", ...nodes.map((node) => node.id)].map((text) => Object.assign(make("th", "", text), { scope: "col" })));
  const rows = nodes.map((node) => {
    const known = statuses.get(node.url)?.gossip?.members;
    const cells = nodes.map((other) => {
      if (other.id === node.id) return make("td", "self", "itself");
      const member = known?.find((one) => one.id === other.id);
      if (!member) return make("td", "self", "-");
      const behind = member.behind === null ? "not heard" : member.behind ? `${whole(member.behind)} behind` : "up to date";
      const first = member.state === "alive" ? (member.rtt_ms === null ? "alive" : `${member.rtt_ms.toFixed(1)} ms`) : member.state;
      return member.state === "alive" ? make("td", "", first, make("small", "", behind)) : make("td", "bad", first);
    });
    return make("tr", "", Object.assign(make("th", "", node.id), { scope: "row" }), ...cells);
  });
  byId("matrix").replaceChildren(make("thead", "", head), make("tbody", "", ...rows));
}

function draw(fresh) {
  if (!load) return;
  say(byId("cluster"), load.cluster);
  const urls = new Set(load.nodes.map((node) => node.url));
  for (const [url, card] of cards) {
    if (urls.has(url)) continue;
    card.element.remove();
    cards.delete(url);
  }
  for (const node of load.nodes) {
    if (!cards.has(node.url)) {
      cards.set(node.url, new Card(node.url));
      byId("nodes").append(cards.get(node.url).element);
    }
    cards.get(node.url).show(node, statuses.get(node.url), fresh);
  }
  drawTotals();
}

const STATES = { live: "live", polled: "polling: no WebSocket comes through", lost: "this node does not answer; trying again" };
follow({
  onLoad(document) {
    load = document;
    draw(true);
    drawMembers();
  },
  onStatus(url, document) {
    if (document) statuses.set(url, document);
    else statuses.delete(url);
    draw(false);
  },
  onState(how, stand) {
    const other = load?.nodes.find((node) => node.url === stand);
    say(byId("state"), other ? `this node does not answer; ${other.id} tells` : STATES[how]);
    byId("state").className = other ? "polled" : how;
  },
});
