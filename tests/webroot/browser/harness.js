// Four real nodes and a real Chromium.  Requests are counted on the nodes' side, in their access logs.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Screenshots stay here. */
export const OUTPUT = process.env.TEST_OUTPUT ?? join(tmpdir(), "edge-screenshots");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export class Cluster {
  /** Serves *files*, and what the nodes put beside any site: the smart client. @param {Record<string, string>} files @param {string[]} options @param {(folder: string) => Promise<void>} fill adds more files */
  static async start(files, options = [], fill = async () => {}) {
    const self = new Cluster();
    self.folder = await mkdtemp(join(tmpdir(), "edge-site-"));
    await fill(self.folder);
    for (const [name, text] of Object.entries(files)) await self.write(name, text);
    self.process = spawn(join(ROOT, ".venv/bin/python"), ["-m", "tests.end_to_end.browser_cluster", self.folder, ...options], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
    self.lines = createInterface({ input: self.process.stdout })[Symbol.asyncIterator]();
    self.nodes = JSON.parse((await self.lines.next()).value);
    self.tail = Promise.resolve();
    return self;
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
      for (let tries = 0; ; tries += 1) {
        const answer = await fetch(url + path);
        const found = answer.ok ? await answer.text() : null;
        if (found === text) break;
        if (tries > 200) throw new Error(`${url}${path} is still ${found}`);
        await pause(50);
      }
    }
  }

  tell(command) {
    this.tail = this.tail.then(async () => {
      this.process.stdin.write(`${JSON.stringify(command)}\n`);
      return JSON.parse((await this.lines.next()).value);
    });
    return this.tail;
  }

  do(what, node, more = {}) {
    return this.tell({ do: what, node, ...more });
  }

  /** Requests since the last look: {node, method, target, status, sent}; without those of this harness. */
  async log() {
    const all = [];
    for (const { name } of this.nodes) for (const one of await this.do("log", name)) all.push({ node: name, ...one });
    return all;
  }

  /** Bytes that the nodes have received and sent so far, above TCP; without sockets and mounted resources. */
  async bytes() {
    let all = 0;
    for (const { name } of this.nodes) all += await this.do("bytes", name);
    return all;
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin.end();
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A browser with a profile of its own. */
export async function browser(options = {}) {
  const profile = await mkdtemp(join(tmpdir(), "edge-profile-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS, ...options });
  return { context, close: async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  } };
}

/** Open *url* and wait until the worker controls the page and has kept it. */
export async function visited(context, url) {
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error));
  page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
  await page.goto(url);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await page.waitForFunction(async () => {
    const cache = await caches.open("edge-bodies");
    return (await cache.keys()).length > 3;
  });
  return page;
}

/** What the worker says of itself. */
export const status = (page) => page.evaluate(() => new Promise((resolve) => {
  const channel = new BroadcastChannel("edge");
  channel.onmessage = ({ data }) => data.type === "status" && resolve(data.status);
  channel.postMessage({ type: "ask" });
  setTimeout(() => resolve(null), 1000);
}));

/** Until *look* returns something true. */
export async function eventually(look, what, ms = 15_000) {
  const until = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > until) throw new Error(`waited in vain for: ${what}`);
    await pause(50);
  }
}
