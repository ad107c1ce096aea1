// The demonstration as `make run` shows it, on ports of its own.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { ended } from "./harness.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Of a whole file of tests, seconds: it ends by itself. */
const BOUND = 400;
/** Of what a button does, milliseconds: nodes may take a minute to come back. */
const PRESS_MS = 90_000;

/** @param {number} port */
const isFree = (port) => new Promise((resolve) => {
  const server = createServer().once("error", () => resolve(false)).listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
});

/** The first of four ports in a row that nobody has now, with those for gossip and for the buttons. */
async function basePort() {
  for (let base = 22_000 + (process.pid % 1_500) * 20; base < 60_000; base += 20) {
    const ports = [0, 1, 2, 3, 9, -1000, -999, -998, -997].map((more) => base + more);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error("no free ports");
}

export class Staging {
  static async start() {
    const self = new Staging();
    self.folder = await mkdtemp(join(tmpdir(), "edge-staging-"));
    const base = await basePort();
    const command = ["--kill-after=20", String(BOUND), join(ROOT, ".venv/bin/python"), "-m", "ops.staging", `--base-port=${base}`, `--folder=${self.folder}`, "--", "--brotli-quality=5"];
    self.process = spawn("timeout", command, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    self.ended = new Promise((resolve) => self.process.once("close", resolve));
    self.output = [];
    self.ready = new Promise((resolve, reject) => {
      createInterface({ input: self.process.stdout }).on("line", (line) => {
        self.output = [...self.output.slice(-200), line];
        if (line.startsWith("Ctrl-C stops")) resolve(undefined);
      }).on("close", () => reject(new Error(`make run has ended:\n${self.output.join("\n")}`)));
    });
    self.ready.catch(() => {}); // ended later on
    try {
      await self.ready;
    } catch (error) {
      await rm(self.folder, { recursive: true, force: true });
      throw error;
    }
    self.nodes = [0, 1, 2, 3].map((n) => ({ name: `n${n + 1}`, url: `http://localhost:${base + n}` }));
    self.home = self.nodes[0].url;
    self.controls = `http://localhost:${base + 9}/`;
    self.token = await readFile(join(self.folder, "token"), "utf8");
    return self;
  }

  /** Press a button, as a page does. @param {string} order @param {string} [node] */
  async press(order, node = "") {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json", origin: this.home };
    const answer = await fetch(this.controls, { method: "POST", headers, body: JSON.stringify({ do: order, node }), signal: AbortSignal.timeout(PRESS_MS) });
    return { status: answer.status, ...(await answer.json()) };
  }

  async stop() {
    this.process.kill("SIGTERM");
    await ended(this.process, this.ended);
    await rm(this.folder, { recursive: true, force: true });
  }
}
