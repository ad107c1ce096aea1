// Firefox, driven over Marionette: JSON in frames `LENGTH:JSON` over a socket of its own (firefox --marionette).

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ended, until } from "./harness.js";

/** Where Debian has it. */
export const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";

export class Firefox {
  /** Start one, with a profile of its own. */
  static async start() {
    const self = new Firefox();
    self.profile = await mkdtemp(join(tmpdir(), "edge-firefox-"));
    const preferences = { "marionette.port": 0, "datareporting.policy.dataSubmissionEnabled": false, "app.update.enabled": false, "browser.shell.checkDefaultBrowser": false, "browser.startup.page": 0, "dom.serviceWorkers.testing.enabled": false };
    await writeFile(join(self.profile, "user.js"), Object.entries(preferences).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(""));
    const env = { ...process.env, HOME: self.profile, MOZ_HEADLESS: "1" };
    self.process = spawn(FIREFOX, ["--marionette", "--headless", "--no-remote", "--profile", self.profile], { env, stdio: "ignore" });
    self.ended = new Promise((resolve) => self.process.once("close", resolve));
    const port = await until(() => readFile(join(self.profile, "MarionetteActivePort"), "utf8").catch(() => ""), "Firefox listens");
    self.socket = connect(Number(port), "127.0.0.1");
    self.answers = new Map();
    self.number = 0;
    let text = Buffer.alloc(0);
    self.socket.on("data", (data) => {
      text = Buffer.concat([text, data]);
      for (;;) {
        const colon = text.indexOf(":");
        const end = colon + 1 + Number(text.subarray(0, Math.max(0, colon)));
        if (colon < 0 || text.length < end) return;
        const message = JSON.parse(text.subarray(colon + 1, end));
        text = text.subarray(end);
        if (!Array.isArray(message)) continue; // it says what it is
        const [, number, error, result] = message;
        const { resolve, reject } = self.answers.get(number);
        self.answers.delete(number);
        if (error) reject(new Error(`${error.error}: ${error.message}`));
        else resolve(result);
      }
    });
    await self.do("WebDriver:NewSession", { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
    await self.do("WebDriver:SetTimeouts", { script: 30_000, pageLoad: 30_000 });
    return self;
  }

  do(command, parameters = {}) {
    this.number += 1;
    const body = JSON.stringify([0, this.number, command, parameters]);
    this.socket.write(`${Buffer.byteLength(body)}:${body}`);
    return new Promise((resolve, reject) => this.answers.set(this.number, { resolve, reject }));
  }

  goto(url) {
    return this.do("WebDriver:Navigate", { url });
  }

  /** What *work*, an async function, returns in the page. */
  async run(work, ...args) {
    const script = `const [args, done] = [[...arguments].slice(0, -1), arguments[arguments.length - 1]];
      (${work})(...args).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value: { value, error } } = await this.do("WebDriver:ExecuteAsyncScript", { script, args, newSandbox: false, sandbox: null });
    if (error) throw new Error(error);
    return value;
  }

  async stop() {
    this.socket?.destroy();
    this.process.kill();
    await ended(this.process, this.ended);
    await rm(this.profile, { recursive: true, force: true });
  }
}
