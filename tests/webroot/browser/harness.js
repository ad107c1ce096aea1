// Four real nodes and a real Chromium.  Requests are counted on the nodes' side, in their access logs.
//
// Nothing here waits for a fixed time: `until` polls for what a test waits for, and says what that was when it gives
// up.  That nothing happens is seen by something that comes behind it: a marked request ends each look at the logs
// (`Cluster.log`), rows in IndexedDB are written behind what they tell of (`stored`, `revalidated`, `outbox`).

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Screenshots stay here. */
export const OUTPUT = process.env.TEST_OUTPUT ?? join(tmpdir(), "edge-screenshots");
export const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Characters of what the cluster's program printed last that an error repeats. */
const ERRORS_MOST = 8_000;

export class Cluster {
  /** Serves *files*, and what the nodes put beside any site: the smart client. @param {Record<string, string>} files @param {string[]} options @param {(folder: string) => Promise<void>} fill adds more files */
  static async start(files, options = [], fill = async () => {}) {
    const self = new Cluster();
    self.folder = await mkdtemp(join(tmpdir(), "edge-site-"));
    await fill(self.folder);
    for (const [name, text] of Object.entries(files)) await self.write(name, text);
    self.process = spawn(join(ROOT, ".venv/bin/python"), ["-m", "tests.end_to_end.browser_cluster", self.folder, ...options], { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"] });
    self.ended = new Promise((resolve) => self.process.once("close", resolve));
    self.errors = "";
    self.process.stderr.setEncoding("utf8").on("data", (text) => {
      process.stderr.write(text);
      self.errors = (self.errors + text).slice(-ERRORS_MOST);
    });
    self.lines = createInterface({ input: self.process.stdout })[Symbol.asyncIterator]();
    self.tail = Promise.resolve();
    try {
      self.nodes = await self.answer();
    } catch (error) {
      await rm(self.folder, { recursive: true, force: true });
      throw error;
    }
    opened.add(self.close);
    return self;
  }

  /** The next thing that the cluster's program says; if it has ended, the error tells why: the log of its node. */
  async answer() {
    const { value, done } = await this.lines.next();
    if (!done) return JSON.parse(value);
    const code = await this.ended;
    throw new Error(`the cluster's program has ended with the exit code ${code}:\n${this.errors}`);
  }

  /** Put a file into the site, whole. */
  async write(name, text) {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    const temporary = `${this.folder}.new`;
    await writeFile(temporary, text);
    await rename(temporary, path);
  }

  async remove(name) {
    await rm(join(this.folder, name));
  }

  /** Wait until all nodes serve *text* under *path* (null: 404). */
  async published(path, text) {
    for (const { url } of this.nodes) {
      await until(async () => {
        const answer = await fetch(url + path);
        return (answer.ok ? await answer.text() : null) === text;
      }, `${url}${path} is ${text === null ? "gone" : "the new one"}`);
    }
  }

  tell(command) {
    this.tail = this.tail.then(async () => {
      this.process.stdin.write(`${JSON.stringify(command)}\n`);
      return this.answer();
    });
    return this.tail;
  }

  do(what, node, more = {}) {
    return this.tell({ do: what, node, ...more });
  }

  /** All requests that were answered since the last look: {node, method, target, status, bytes, time}. */
  async log() {
    const all = [];
    for (const { name } of this.nodes) for (const one of await this.do("log", name)) all.push({ node: name, ...one });
    return all;
  }

  /** Bytes that the nodes' fast path has received and sent so far, above TCP: without sockets and what applications answer. */
  bytes = () => this.sum("bytes");

  /** All bytes that the nodes have received and sent so far, above TCP: with what is pushed over sockets, and our own looks at the logs. */
  traffic = () => this.sum("traffic");

  /** @param {"bytes" | "traffic"} what */
  async sum(what) {
    let all = 0;
    for (const { name } of this.nodes) all += await this.do(what, name);
    return all;
  }

  /** Handshakes of TLS so far: {full, resumed}. */
  async handshakes() {
    const all = { full: 0, resumed: 0 };
    for (const { name } of this.nodes) for (const [kind, count] of Object.entries(await this.do("handshakes", name))) all[kind] += count;
    return all;
  }

  close = () => this.stop();

  async stop() {
    opened.delete(this.close);
    this.process.stdin.end();
    await ended(this.process, this.ended);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** What a program, a browser or a page is given to end by itself, milliseconds: a hook that waits for ever has no other end. */
const END_MS = 30_000;

/**
 * What *promise* comes to, or an error after *milliseconds* that says what was waited for.
 * @template T @param {Promise<T>} promise @param {number} milliseconds @param {string} what
 */
export async function within(promise, milliseconds, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain until ${what}`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Wait for the end of a program that was told to end; killed, if it does not.  Its `close` may not come: who has inherited its output keeps that open.
 * @param {import("node:child_process").ChildProcess} process @param {Promise<unknown>} close
 */
export async function ended(process, close) {
  await within(close, END_MS, `${process.spawnfile} ends`).catch(({ message }) => {
    console.error(`${message}: it is killed`);
    process.kill("SIGKILL");
    process.stdout?.destroy();
    process.stderr?.destroy();
    process.unref();
  });
}

/** Kill all processes that *word* is on the command line of. @param {string} word */
async function killed(word) {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes(word)) process.kill(Number(pid), "SIGKILL");
  }
}

/** Close all pages of a test but the browser's first. @param {import("playwright-core").BrowserContext} context */
export async function closePages(context) {
  for (const page of context.pages().slice(1)) await within(page.close(), END_MS, `${page.url()} is closed`);
}

/** What an unmet condition is given, milliseconds: much, for slow machines; nobody waits longer than it takes. */
const PATIENCE_MS = process.env.TEST_PATIENCE ? Number(process.env.TEST_PATIENCE) * 1000 : 30_000;
const LOOK_MS = 20;
const STOP_AGAIN_MS = 500;

/**
 * Wait until *condition* returns something true; that.
 * @template T @param {() => T | Promise<T>} condition @param {string} what is waited for
 */
export async function until(condition, what) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await within(Promise.resolve(condition()), PATIENCE_MS, what);
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What a test that fails has left open; it would keep its file from ending. @type {Set<() => Promise<void>>} */
const opened = new Set();
after(async () => {
  for (const close of opened) await close();
});

/** Have a browser whose home is *profile* trust the authority of TEST_TLS, if there is one: as `make run TLS=1` says to people. @param {string} profile */
export function trust(profile) {
  if (!process.env.TEST_TLS) return;
  const program = "import sys; from pathlib import Path; from ops.localhost_authority import trust_command; print(trust_command(Path(sys.argv[1])))";
  const command = execFileSync(join(ROOT, ".venv/bin/python"), ["-c", program, join(process.env.TEST_TLS, "ca.pem")], { cwd: ROOT, encoding: "utf8" });
  execFileSync("sh", ["-c", command], { env: { ...process.env, HOME: profile } });
}

/** A browser with a profile of its own, which trusts the authority of TEST_TLS; or the one that `close(true)` has left. */
export async function browser(options = {}, left = undefined) {
  const profile = left ?? (await mkdtemp(join(tmpdir(), "edge-profile-")));
  const env = { ...process.env, HOME: profile };
  trust(profile);
  const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, env, ...options });
  const close = async (leave = false) => {
    opened.delete(close);
    await within(context.close(), END_MS, "Chromium ends").catch(({ message }) => {
      console.error(`${message}: it is killed`);
      return killed(profile);
    });
    if (!leave) await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  opened.add(close);
  return { context, profile, close };
}

/** Wait until the worker controls *page*; if none does, the error says how far it has come, and what the console says. */
export async function controlled(page) {
  const known = () => page.evaluate(async () => {
    const { installing, waiting, active } = (await navigator.serviceWorker.getRegistration("/")) ?? {};
    return { controller: navigator.serviceWorker.controller?.state, installing: installing?.state, waiting: waiting?.state, active: active?.state };
  });
  await until(async () => (await known()).controller, "the worker controls the page").catch(async (error) => {
    const console = (await page.consoleMessages()).map((one) => one.text());
    throw new Error(`${error.message}: ${page.url()} ${JSON.stringify([await known(), console])}`);
  });
}

/** Open *url* and wait until the worker controls the page and has stored it, with what it uses. */
export async function visited(context, url) {
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error));
  page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
  await page.goto(url);
  await controlled(page);
  await stored(page, [new URL(page.url()).pathname + new URL(page.url()).search, "/edge/client.js", "/edge/worker/messages.js"]);
  return page;
}

/** What the worker says of itself; it is started for that. */
export const status = (page) => page.evaluate(() => new Promise((resolve) => {
  const channel = new BroadcastChannel("edge");
  channel.onmessage = ({ data }) => {
    if (data.type !== "status") return;
    channel.close();
    resolve(data.status);
  };
  navigator.serviceWorker.controller?.postMessage({ type: "ask" });
}));

/** All of a store in the worker's database: "rows" of stored responses, the "outbox", its "state". */
export const database = (page, store) => page.evaluate(async (store) => {
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  if (!(await indexedDB.databases()).some(({ name }) => name === "edge")) return [];
  const open = await done(indexedDB.open("edge"));
  try {
    return await done(open.transaction(store).objectStore(store).getAll());
  } finally {
    open.close();
  }
}, store);

/** Wait until responses are stored under *paths*; with *since* (Date.now()): and were validated then or later. */
export async function stored(page, paths, since = 0) {
  let missing = paths;
  const found = async () => {
    const rows = await database(page, "rows");
    missing = paths.filter((path) => !rows.some((row) => row.path === path && row.checked >= since));
    return !missing.length;
  };
  await until(found, "all are stored, and current").catch((error) => {
    throw new Error(`${error.message}: ${missing}`);
  });
}

/**
 * Assert that *all* is one question of what has changed: a single request, and up to *hedged* copies of it where the
 * answer was slow, which the budget of hedges allows (sender.js).  The browser looks for a new worker when it likes.
 */
export function assertOneQuestion(all, hedged) {
  const log = all.filter((one) => one.target !== "/sw.js");
  assert.deepEqual([...new Set(log.map((one) => `${one.method} ${one.target.split("=")[0]} ${one.status}`))], ["GET /.edge/changes?since 304"]);
  assert.ok(log.length <= 1 + hedged, `${log.length} requests, ${hedged} of them hedges`);
}

/** The next message of *type* that client.js tells *page* of. */
export const heard = (page, type) => page.evaluate(async (type) => {
  const { edge } = await import("/edge/client.js");
  const { detail } = await new Promise((resolve) => edge.addEventListener(type, resolve, { once: true }));
  return detail;
}, type);

/** Wait until the worker of *page* holds a socket. */
export const connected = (page) => page.evaluate(async () => {
  const { ask, edge } = await import("/edge/client.js");
  const told = new Promise((resolve) => edge.addEventListener("feed", ({ detail }) => detail.how === "socket" && resolve()));
  await ask({ type: "ask" });
  await told;
});

/** The browser's tools for workers of *page*: a session, the registration's id, and `stop`, fulfilled when none runs. */
export async function tools(page) {
  const session = await page.context().newCDPSession(page);
  const { origin } = new URL(page.url());
  const registered = new Promise((resolve) => session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
    const mine = registrations.find((one) => one.scopeURL === `${origin}/` && !one.isDeleted);
    if (mine) resolve(mine.registrationId);
  }));
  const running = new Map();
  session.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
    for (const { versionId, runningStatus } of versions) running.set(versionId, runningStatus);
  });
  await session.send("ServiceWorker.enable");
  const registrationId = await registered;
  const stop = async () => {
    const asked = performance.now();
    let times = 0;
    await until(async () => { // again and again: one that is starting goes on to do so
      if (performance.now() - asked > times * STOP_AGAIN_MS) {
        times += 1;
        await session.send("ServiceWorker.stopAllWorkers");
      }
      return [...running.values()].every((one) => one === "stopped");
    }, "no worker runs");
  };
  return { session, registrationId, stop };
}
