// What the smart client costs its site, in Chromium against four nodes:  node benchmarks/browser_client.js [--quick]
//
// Prints a line of JSON.  Requests and bytes are counted by the nodes: TCP payload both ways, heads and bodies.

import { randomBytes } from "node:crypto";
import { connect } from "node:net";

import { Cluster, browser, stored, visited } from "../tests/webroot/browser/harness.js";

const quick = process.argv.includes("--quick");
const MANY = 2000;
const NAMES = Array.from({ length: MANY }, (_, i) => `part-${i}.css`);
const FILES = {
  "index.html": `<!doctype html><title>reader</title><script type="module" src="/edge/client.js"></script>
    ${NAMES.slice(0, 10).map((name) => `<link rel="stylesheet" href="/${name}">`).join("")}<p>text</p>`,
  ...Object.fromEntries(NAMES.map((name, i) => [name, `.part-${i} { color: red }`])),
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** What a page's scripts use. */
const use = (page, paths) => page.evaluate((paths) => Promise.all(paths.map(async (path) => (await fetch(path)).text())), paths);
const asked = (log) => log.filter(({ target }) => !target.startsWith("/.edge/load") && !target.startsWith("/.edge/socket") && target !== "/sw.js");

/** *count* copies, used again and unchanged: requests and bytes, the least of three tries. */
async function unchanged(cluster, page, count) {
  const paths = NAMES.slice(0, count).map((name) => `/${name}`);
  for (let at = 0; at < count; at += 50) await use(page, paths.slice(at, at + 50));
  await stored(page, paths);
  await use(page, paths); // and what was revalidated behind that
  let best = { requests: Infinity, bytes: Infinity };
  for (let tries = 0; tries < 3; tries += 1) {
    await sleep(3000); // what was confirmed less than 2 s ago is not asked for again
    await cluster.log();
    const before = await cluster.bytes();
    const begun = Date.now();
    await use(page, paths);
    await stored(page, paths, begun);
    const bytes = (await cluster.bytes()) - before;
    const requests = asked(await cluster.log()).length;
    if (requests < best.requests || (requests === best.requests && bytes < best.bytes)) best = { requests, bytes };
  }
  return best;
}

/** The same question over a WebSocket, as a browser frames it: bytes of TCP payload both ways. */
async function bySocket(url) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks = [];
  let wake = () => {};
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    wake();
  });
  const until = async (found) => {
    while (!found(Buffer.concat(chunks))) await new Promise((resolve) => (wake = resolve));
    return Buffer.concat(chunks.splice(0));
  };
  socket.write(`GET /.edge/socket?topics=changed HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  const greeting = await until((all) => all.includes('"s"'));
  const state = /"s": "([^"]+)"/.exec(greeting.toString())[1];
  const question = Buffer.from(`\x01\x07${state}`, "latin1");
  const mask = randomBytes(4);
  const frame = Buffer.concat([Buffer.from([0x82, 0x80 + question.length]), mask, question.map((byte, i) => byte ^ mask[i % 4])]);
  socket.write(frame);
  const answer = await until((all) => all.length >= 4);
  socket.destroy();
  if (answer.toString("hex") !== "82028107") throw new Error(`an unexpected answer: ${answer.toString("hex")}`);
  return { bytes: frame.length + answer.length, state };
}

/** A reader without a feed who views a page a minute: how often it polls the load document, after the first view. */
async function polls(cluster, page, home) {
  const [views, ms] = quick ? [3, 5_000] : [4, 60_000];
  await page.goto(`${home}/?edge=worker`);
  await sleep(5000);
  await cluster.log();
  for (let view = 0; view < views; view += 1) {
    await sleep(ms);
    await page.goto(`${home}/?edge=worker`);
  }
  await sleep(5000);
  return { views, polls: (await cluster.log()).filter(({ target }) => target.startsWith("/.edge/load")).length };
}

/** A tab that nobody touches, with nothing published. */
async function idle(cluster, page, home) {
  const seconds = quick ? 60 : 600;
  await page.goto(home);
  await sleep(5000);
  await cluster.log();
  await sleep(seconds * 1000);
  return { seconds, requests: (await cluster.log()).map(({ method, target }) => `${method} ${target}`) };
}

const cluster = await Cluster.start(FILES);
const home = cluster.nodes[0].url;
try {
  const result = {};
  const alone = await browser();
  const page = await visited(alone.context, `${home}/?edge=worker`);
  await page.goto(`${home}/?edge=worker`);
  result.fifty = await unchanged(cluster, page, 50);
  result.many = await unchanged(cluster, page, MANY);
  result.socket = await bySocket(home);
  result.polls = await polls(cluster, page, home);
  await alone.close();
  const other = await browser();
  result.idle = await idle(cluster, await visited(other.context, home), home);
  await other.close();
  console.log(JSON.stringify(result));
} finally {
  await cluster.stop();
}
