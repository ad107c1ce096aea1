// Connections that a reader's browser holds and opens: Chromium with the smart client, against four nodes.
//
//     node benchmarks/browser_connections.js [--quick]
//
// Prints a line of JSON.  Connections are counted where nodes hold them: in the kernel's table of sockets, every tenth of
// a second.  A visit is pages one after the other, by links; each has twenty resources, of which fourteen are on all pages.

import { readFile } from "node:fs/promises";

import { Cluster, browser, visited } from "../tests/webroot/browser/harness.js";

const quick = process.argv.includes("--quick");
const [VIEWS, THINK_MS] = quick ? [4, 2_000] : [10, 15_000];
const LOOK_MS = 100;
const ESTABLISHED = "01";
const SHARED = 14;
const OWN = 5;
/** Of twenty pages of a returning reader one has not been seen: as the plan's `missing_share` of 1 % of twenty resources. */
const PAGES = Array.from({ length: 2 * VIEWS }, (_, i) => `page-${i}.html`);

const text = (name) => `/* ${name} ${"-".repeat(8_000)} */`;
const page = (name) => `<!doctype html><title>${name}</title><script type="module" src="/edge/client.js"></script>
  ${Array.from({ length: SHARED }, (_, i) => `<link rel="stylesheet" href="/shared-${i}.css">`).join("")}
  ${Array.from({ length: OWN }, (_, i) => `<link rel="stylesheet" href="/${name}-${i}.css">`).join("")}
  ${PAGES.map((other) => `<a href="/${other}">${other}</a>`).join(" ")}`;
const FILES = {
  "index.html": page("index.html"),
  ...Object.fromEntries(Array.from({ length: SHARED }, (_, i) => [`shared-${i}.css`, text(i)])),
  ...Object.fromEntries(["index.html", ...PAGES].flatMap((name) => Array.from({ length: OWN }, (_, i) => [`${name}-${i}.css`, text(name + i)]))),
  ...Object.fromEntries(PAGES.map((name) => [name, page(name)])),
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Established connections to *ports*: the ports of their other ends. @param {Set<number>} ports */
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

/** A session: *names* one after the other; *between*: after which view what is done. */
async function session(cluster, page, query, names, between = {}) {
  await cluster.log();
  const counter = new Counter(new Set(cluster.nodes.map(({ url }) => Number(new URL(url).port))));
  for (const [view, name] of names.entries()) {
    await page.goto(`${cluster.nodes[0].url}/${name}${query}`);
    await sleep(THINK_MS);
    await between[view]?.();
  }
  const found = await counter.end();
  const log = await cluster.log();
  const count = (start) => log.filter(({ target }) => target.startsWith(start)).length;
  return { ...found, views: names.length, requests: log.length, sockets: count("/.edge/socket"), polls: count("/.edge/load"), questions: count("/.edge/changes") };
}

/** Nobody is connected any more: a browser has been closed. */
async function nobody(cluster) {
  const ports = new Set(cluster.nodes.map(({ url }) => Number(new URL(url).port)));
  for (let tries = 0; tries < 100 && (await established(ports)).size; tries += 1) await sleep(LOOK_MS);
}

const cluster = await Cluster.start(FILES, ["--idle-seconds=300"]);
const seen = PAGES.slice(0, VIEWS);
/** One of five pages is new. */
const mixed = seen.map((name, i) => (i % 5 === 4 ? PAGES[VIEWS + i] : name));
try {
  const result = { think_s: THINK_MS / 1000 };
  for (const [name, query] of [["socket", ""], ["http", "?edge=worker"]]) {
    const early = await browser();
    const first = await early.context.newPage();
    result[`${name}_first`] = await session(cluster, first, query, seen);
    result[`${name}_same`] = await session(cluster, first, query, seen); // on the connections that there are
    // All connections are gone, what is stored stays: a reader who comes back.
    await early.close(true);
    await nobody(cluster);
    const late = await browser({}, early.profile);
    result[`${name}_back`] = await session(cluster, await late.context.newPage(), query, mixed);
    await late.close();
    await nobody(cluster);
  }
  const other = await browser();
  const moving = await visited(other.context, `${cluster.nodes[0].url}/`);
  result.moved = await session(cluster, moving, "", mixed, {
    1: () => cluster.do("stop", "n1"),
    2: () => cluster.do("start", "n1"),
  });
  await other.close();
  console.log(JSON.stringify(result));
} finally {
  await cluster.stop();
}
