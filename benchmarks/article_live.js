// The demonstration on four nodes, as Chromium sees it:  node benchmarks/article_live.js [--quick]
//
// Prints a line of JSON: milliseconds from votes at n1 until a browser at n3 shows them, bytes of a later navigation, and
// whether pages that were seen work when all nodes and the data are gone.  Bytes are those above TCP, both ways, as the
// nodes count them: over the socket and over HTTP, with the figures of load that are pushed meanwhile.

import { chmod, cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Cluster, browser, stored, until } from "../tests/webroot/browser/harness.js";

const quick = process.argv.includes("--quick");
const VOTES = quick ? 30 : 300;
const TRIES = quick ? 3 : 8;
/** What a navigation asks for is asked for by then. */
const QUIET_MS = 3000;
const CODE = "3a9"; // as addresses write it
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const data = await mkdtemp(join(tmpdir(), "edge-article-"));
await chmod(data, 0o777); // as root, applications are nobody
process.env.DEMONSTRATION_DATA = `sqlite:${join(data, "demonstration.sqlite")}`;
const cluster = await Cluster.start({}, [`--config=${join(ROOT, "demonstration/edge.toml")}`], (folder) => cp(join(ROOT, "demonstration/webroot"), folder, { recursive: true }));
const { context, close } = await browser();
const [n1, , n3] = cluster.nodes.map(({ url }) => url);

/** Somebody else votes for CODE at n1, by a form; when the answer was there. */
async function vote() {
  const answer = await fetch(`${n1}/vote`, {
    method: "POST", redirect: "manual", body: new URLSearchParams({ code: CODE, wanted: "1", back: "/ranking" }),
    headers: { origin: n1, "sec-fetch-site": "same-origin" },
  });
  if (answer.status !== 303) throw new Error(`a vote was answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
}

/** Have *page* note when it shows how many votes. */
const watch = (page) => page.evaluate((code) => {
  window.shownAt = {};
  const look = () => {
    for (const one of document.querySelectorAll("li")) {
      if (one.querySelector(`a[href$="/character/${code}"]`)) window.shownAt[one.querySelector("data")?.textContent] ??= Date.now();
    }
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}, CODE);
const shown = (page) => page.evaluate(() => window.shownAt);
const most = (all) => Math.max(0, ...Object.keys(all).map(Number).filter(Number.isFinite));

/** Bytes of all kinds above TCP, both ways, in QUIET_MS from the beginning of *work*, which has an end, and what was asked for. @param {() => Promise<unknown>} work */
async function weighed(work) {
  await cluster.log();
  const before = await cluster.traffic();
  await Promise.all([work(), sleep(QUIET_MS)]);
  const bytes = (await cluster.traffic()) - before;
  const log = (await cluster.log()).filter(({ target }) => !/^\/\.edge\/(socket|load)/.test(target));
  return { bytes, requests: log.map(({ method, target, status }) => `${status} ${method} ${target.slice(0, 60)}`) };
}

/** What is pushed while nobody does anything, in that time. */
const pushed = async () => (await weighed(async () => {})).bytes;

/** By its bytes, the most first. @param {{bytes: number}[]} tries */
const sorted = (tries) => tries.sort((a, b) => b.bytes - a.bytes);

const result = {};
try {
  for (let times = 0; times < 3; times += 1) await vote();
  const page = await context.newPage();
  await page.goto(`${n3}/ranking`);
  await stored(page, ["/ranking"]);
  await page.goto(page.url()); // the first one that the worker answers: the browser asks for it, too
  await watch(page);
  let votes = 3;
  await until(async () => { // it follows, and shows what comes
    await vote();
    votes += 1;
    await sleep(500);
    return most(await shown(page)) === votes;
  }, "a vote is shown");
  const ms = [];
  for (let times = 0; times < VOTES; times += 1) {
    await sleep(50 + Math.random() * 400);
    const begun = Date.now();
    await vote();
    votes += 1;
    await until(async () => (await shown(page))[votes], `vote ${votes} is shown`);
    ms.push((await shown(page))[votes] - begun);
  }
  ms.sort((a, b) => a - b);
  result.vote = { count: ms.length, p50: ms[Math.floor(ms.length / 2)], p99: ms[Math.floor(ms.length * 0.99)], most: ms.at(-1) };

  // Also what the browser asks for itself: whether there is a new worker, now and then.
  const [unchanged, changed, idle] = [[], [], []];
  for (let times = 0; times < TRIES; times += 1) {
    idle.push(await pushed());
    unchanged.push(await weighed(() => page.goto(page.url())));
  }
  for (let times = 0; times < TRIES; times += 1) {
    await page.goto("about:blank"); // what changes now is not told to it
    await vote();
    votes += 1;
    await sleep(QUIET_MS);
    changed.push(await weighed(async () => {
      await page.goto(`${n3}/ranking`);
      await watch(page);
      await until(async () => most(await shown(page)) === votes, "the vote is shown");
    }));
  }
  Object.assign(result, { unchanged: sorted(unchanged), changed: sorted(changed), pushed: idle.sort((a, b) => a - b)[Math.floor(TRIES / 2)] });

  const seen = ["/ranking", `/character/${CODE}`, "/"];
  for (const path of seen) {
    await page.goto(n3 + path);
    await sleep(1500);
  }
  for (const { name } of cluster.nodes) await cluster.do("kill", name);
  for (const name of await readdir(data)) await rm(join(data, name), { recursive: true });
  result.killed = [];
  for (const path of seen) {
    const answer = await page.goto(n3 + path);
    result.killed.push({ path, status: answer.status(), heading: await page.evaluate(() => document.querySelector("h1, h2")?.textContent ?? "") });
  }
} finally {
  await close();
  await cluster.stop();
  await rm(data, { recursive: true, force: true });
}
console.log(JSON.stringify(result));
