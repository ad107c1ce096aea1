// Connections that a reader's browser holds and opens: Chromium with the smart client, against four nodes.
//
//     node benchmarks/browser_connections.js [--quick] [--net-log FILE]
//
// Prints a line of JSON.  Connections are counted where nodes hold them: in the kernel's table of sockets, every tenth of
// a second.  Nobody drives the browser, as that would keep its worker alive: a page goes on to the next by itself.  A page
// has twenty resources, all but itself on all pages; of those who come back two pages of ten were never seen, which is the 1 %
// of resources of plans/ten-million.toml, and they look at a page as long as that says: 60 s in the mean, as a Weibull
// distribution has it.  FILE gets what Chromium notes of its own sockets (chrome://net-export) in the session of who comes back.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Cluster, FLAGS, ended, trust } from "../tests/webroot/browser/harness.js";

const quick = process.argv.includes("--quick");
const netLog = process.argv.includes("--net-log") ? process.argv[process.argv.indexOf("--net-log") + 1] : null;
const VIEWS = quick ? 5 : 10;
const LOOK_MS = 100;
/** Until a page has its worker, and what that stores. */
const FIRST_MS = quick ? 3_000 : 5_000;
const SHARED = 19;
/** Of a Weibull distribution with this shape and this scale; its mean is 60 s. */
const SHAPE = 0.8;
const SCALE_MS = quick ? 2_000 : 52_960;
const ESTABLISHED = "01";

/** Times that a reader looks at pages: quantiles of the distribution, in no order. */
const THINK_MS = Array.from({ length: VIEWS }, (_, i) => SCALE_MS * (-Math.log(1 - (((7 * i + 3) % VIEWS) + 0.5) / VIEWS)) ** (1 / SHAPE));
const NAMES = Array.from({ length: 2 * VIEWS }, (_, i) => `page-${i}.html`);

const text = (name) => `/* ${name} ${"-".repeat(8_000)} */`;
/** A page goes on to the first of those in its fragment: "#MILLISECONDS,PAGE;MILLISECONDS,PAGE". */
const page = (name) => `<!doctype html><link rel="icon" href="data:,"><title>${name}</title><script type="module" src="/edge/client.js"></script>
  ${Array.from({ length: SHARED - 1 }, (_, i) => `<link rel="stylesheet" href="/shared-${i}.css">`).join("")}
  <script>
    const [next, ...rest] = location.hash.slice(1).split(";");
    const [ms, name] = next.split(",");
    if (name) setTimeout(() => (location.href = "/" + name + location.search + "#" + rest.join(";")), Number(ms));
  </script>`;
const FILES = {
  ...Object.fromEntries(Array.from({ length: SHARED - 1 }, (_, i) => [`shared-${i}.css`, text(i)])),
  ...Object.fromEntries(NAMES.map((name) => [name, page(name)])),
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Established connections to *ports*: the ends of each. @param {Set<number>} ports */
async function established(ports) {
  const found = new Set();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of (await readFile(table, "latin1")).split("\n").slice(1)) {
      const [, local, remote, state] = line.trim().split(/\s+/);
      if (state !== ESTABLISHED || remote.startsWith("0200007F")) continue; // 127.0.0.2: the harness itself
      if (ports.has(parseInt(local.split(":")[1], 16))) found.add(`${local} ${remote}`);
    }
  }
  return found;
}

/** Looks at the connections all the time. */
class Counter {
  /** @param {Set<number>} ports */
  constructor(ports) {
    this.ports = ports;
    this.opened = new Set();
    this.looks = [];
    this.going = this.look();
  }

  async look() {
    while (!this.ended) {
      const now = await established(this.ports);
      this.looks.push(now.size);
      for (const one of now) this.opened.add(one);
      await sleep(LOOK_MS);
    }
  }

  /** Mean and most at once, at the end, and all that were opened. */
  async end() {
    this.ended = true;
    await this.going;
    const mean = this.looks.reduce((sum, one) => sum + one, 0) / this.looks.length;
    return { held: mean, most: Math.max(...this.looks), left: this.looks.at(-1), opened: this.opened.size };
  }
}

const portsOf = (cluster) => new Set(cluster.nodes.map(({ url }) => Number(new URL(url).port)));

/**
 * A session in a browser of its own: [page, milliseconds] one after the other; what it held, opened and asked.
 * @param {Cluster} cluster @param {string} profile
 * @param {{query?: string, between?: (() => Promise<unknown>)[], flags?: string[]}} [more] *between*: done once that many pages were seen
 */
async function session(cluster, profile, views, { query = "", between = [], flags = [] } = {}) {
  const chain = views.slice(1).map(([name], i) => `${Math.round(views[i][1])},${name}`).join(";");
  const url = `${cluster.nodes[0].url}/${views[0][0]}${query}#${chain}`;
  await cluster.log();
  const shaken = { full: 0, resumed: 0 };
  let since = await cluster.handshakes();
  /** Adds what nodes have counted since the last time: one that is ended and started begins at nothing. */
  const shake = async () => {
    const now = await cluster.handshakes();
    for (const kind of Object.keys(shaken)) shaken[kind] += now[kind] - since[kind];
    since = now;
  };
  const counter = new Counter(portsOf(cluster));
  const options = { env: { ...process.env, HOME: profile }, stdio: "ignore" };
  const browser = spawn(process.env.CHROMIUM ?? "/usr/bin/chromium", [...FLAGS, ...flags, "--headless=new", `--user-data-dir=${profile}`, url], options);
  const gone = new Promise((resolve) => browser.once("close", resolve));
  let found, log;
  try {
    for (const [seen, [, ms]] of views.entries()) {
      await sleep(ms);
      if (!between[seen]) continue;
      await shake();
      await between[seen]();
      since = await cluster.handshakes();
    }
    found = await counter.end();
    await shake();
    log = await cluster.log();
  } finally {
    browser.kill("SIGTERM");
    await ended(browser, gone);
  }
  for (let tries = 0; tries < 100 && (await established(portsOf(cluster))).size; tries += 1) await sleep(LOOK_MS);
  const count = (start) => log.filter(({ target }) => target.startsWith(start)).length;
  const pages = log.filter(({ target }) => target.startsWith("/page-")).length;
  return {
    ...found, ...shaken, views: views.length, seconds: views.reduce((sum, [, ms]) => sum + ms, 0) / 1000, requests: log.length, pages, script: count("/sw.js"),
    sockets: count("/.edge/socket"), polls: count("/.edge/load"), questions: count("/.edge/changes") + count("/.edge/revalidate"),
  };
}

const seen = NAMES.slice(0, VIEWS);
/** One of five pages is new; which ones, differs. */
const mixed = (first) => seen.map((name, i) => (i % 5 === 4 ? NAMES[VIEWS + first + Math.floor(i / 5)] : name));
const timed = (names, ms = THINK_MS) => names.map((name, i) => [name, Array.isArray(ms) ? ms[i] : ms]);

const cluster = await Cluster.start(FILES, ["--idle-seconds=300"]);
const profiles = [];
try {
  const result = { think_s: THINK_MS.reduce((sum, ms) => sum + ms, 0) / VIEWS / 1000 };
  for (const [name, query] of [["socket", ""], ["http", "?edge=worker"]]) {
    const profile = await mkdtemp(join(tmpdir(), "edge-profile-"));
    profiles.push(profile);
    trust(profile);
    result[`${name}_first`] = await session(cluster, profile, timed(seen, FIRST_MS), { query });
    const flags = netLog && name === "socket" ? [`--log-net-log=${netLog}`] : [];
    result[`${name}_back`] = await session(cluster, profile, timed(mixed(0)), { query, flags });
  }
  const between = [, () => cluster.do("stop", "n1"), () => cluster.do("start", "n1")];
  result.moved = await session(cluster, profiles[0], timed(mixed(2), 3 * FIRST_MS), { between });
  console.log(JSON.stringify(result));
} finally {
  await cluster.stop();
  for (const profile of profiles) await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
