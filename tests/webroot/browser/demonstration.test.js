// The demonstration, as somebody uses it who opens it for the first time: four nodes with the application behind them, a
// browser with scripts and one without, text browsers, and the buttons.  Screenshots stay.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import test, { after, afterEach, before, beforeEach } from "node:test";
import { promisify } from "node:util";

import { received } from "../../../webroot/edge/worker/exchanges.js";
import { OUTPUT, browser, closePages, controlled, until, visited } from "./harness.js";
import { Staging } from "./staging.js";

const run = promisify(execFile);
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** Tab stops of a page, at most. */
const STOPS = 10;

let staging;
let chrome;
let plain;

before(async () => {
  await mkdir(OUTPUT, { recursive: true });
  staging = await Staging.start();
  plain = await browser({ javaScriptEnabled: false });
});
after(async () => {
  await plain?.close();
  await staging?.stop();
});
// A browser of its own for each test: what one has published, or has left without a network, is nothing to the next one.
beforeEach(async () => {
  chrome = await browser({ viewport: { width: 1200, height: 850 } });
});
afterEach(async () => {
  await staging.press("bring-back");
  await chrome.close();
  await closePages(plain.context);
});

/** Wait until the text of *selector* is like *pattern*; that. */
const says = (page, selector, pattern) => until(async () => {
  const text = (await page.locator(selector).first().innerText()).replace(/\s+/g, " ");
  return pattern.test(text) ? text : null;
}, `${selector} says ${pattern}`).catch(async (error) => {
  throw new Error(`${error.message}; it says: ${await page.locator(selector).first().innerText()}`);
});

const button = (page, text) => page.locator(".try button", { hasText: text });

/** What the timeline tells. */
const rows = (page) => page.locator(".timeline li").allInnerTexts();

/** Open the entry as somebody does who was there before. */
async function again(context, url = staging.home) {
  const page = await visited(context, url);
  await page.goto(url);
  await controlled(page);
  return page;
}

test("a first visit came over the network, the next one from the browser, confirmed in bytes that can be counted", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, staging.home);
  await says(page, ".said", /^This page came from n1 over the network in \d+ ms, \d+\.\d kB\. .*Load it again, and see\.$/);
  await page.click(".said a");
  const said = await says(page, ".said", /^This page came from your browser in \d+ ms\. n\d confirmed everything you have with \d+ bytes\./);
  await until(async () => (await rows(page)).some((row) => /n\d confirmed everything you have/.test(row)), "the timeline tells it, too");
  await until(async () => Number(await page.locator(".spared dd").first().innerText()) > 5, "requests were spared");
  assert.deepEqual(page.errors, [], said);
  await fresh.close();
});

test("bytes of an answer are those on the wire", { timeout: 60_000 }, async () => {
  const { port } = new URL(staging.home);
  /** All bytes of the answer to a GET. */
  const wire = (path, fields) => new Promise((resolve, reject) => {
    const chunks = [];
    connect(Number(port), "127.0.0.1", function () {
      this.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nConnection: close\r\n${fields}\r\n`);
    }).on("data", (data) => chunks.push(data)).on("end", () => resolve(Buffer.concat(chunks))).on("error", reject);
  });
  for (const path of ["/site/style.css", "/ranking", "/graphql/documents.json"]) {
    await wire(path, "");
    for (const isKept of [false, true]) {
      const ask = (headers = {}) => fetch(staging.home + path, { headers: { "accept-encoding": "identity", connection: "close", ...headers }, cache: "no-store" });
      const etag = (await ask()).headers.get("etag");
      const answer = await ask(isKept ? { "if-none-match": etag } : {});
      const bytes = await wire(path, `Accept-Encoding: identity\r\n${isKept ? `If-None-Match: ${etag}\r\n` : ""}`);
      const age = /^age: (\d+)/im.exec(bytes.toString("latin1"))?.[1].length ?? 0;
      const ours = (answer.headers.get("age") ?? "").length;
      const extra = answer.headers.has("keep-alive") || !answer.headers.get("connection") ? "Connection: close\r\n".length : 0;
      assert.equal(answer.status, isKept ? 304 : 200);
      assert.equal(received(answer) - ours + age + extra, bytes.length, `${path}, ${answer.status}: ${bytes.toString("latin1").slice(0, 600)}`);
    }
  }
});

test("three buttons: a node is killed, all are killed, they come back; what was seen works, and what was done meanwhile is sent", { timeout: 180_000 }, async () => {
  const { context } = chrome;
  const page = await again(context);
  await page.goto(`${staging.home}/character/2602`);
  await page.goto(staging.home);
  const mine = async () => (await page.locator(".node.mine b").innerText());
  await until(async () => (await page.locator(".node").count()) === 4, "four nodes are shown");
  await button(page, /^Kill n\d$/).click();
  const first = (await says(page, ".answer", /^n\d was killed: no goodbye, its connections just end\.$/)).slice(0, 2);
  await until(async () => (await mine()) !== first, "the browser goes on with another one");
  await says(page, ".choice", /^Your browser stays with n\d[:.]/);
  assert.match(await page.locator(`.node[data-key="${first}"]`).getAttribute("class"), /away/);
  await says(page, ".said", /^n\d is dead\. (n\d answers in its place, and no request was lost|This page did not notice)\./);
  await button(page, "Kill all four").click();
  await says(page, ".said", /^No node answers\. This page came from your browser in \d+ ms all the same\./);
  await page.goto(`${staging.home}/character/2602`);
  await says(page, "h1", /umbrella/i);
  await page.click("form.vote button");
  await says(page, "form.vote button", /^Waits$/);
  await page.goto(staging.home);
  await says(page, ".said", /^No node answers.*1 change of yours waits here/);
  await page.screenshot({ path: join(OUTPUT, "demonstration-all-killed.png") });
  await button(page, "Bring all back").click();
  await page.waitForFunction(() => / back, after/.test(document.querySelector(".answer").textContent), null, { timeout: 90_000 });
  await until(async () => (await (await fetch(`${staging.home}/ranking`)).text()).includes("umbrella"), "the vote has been sent");
  await says(page, ".ranking", /umbrella 1/i);
});

test("a published change is put in place on all pages, and none is loaded again", { timeout: 60_000 }, async () => {
  const page = await again(chrome.context);
  const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await colour();
  await page.evaluate(() => {
    window.marked = true;
    window.seen = []; // rows: there is room for seven, and others may come behind
    const timeline = document.querySelector(".timeline");
    new MutationObserver(() => seen.push(timeline.innerText)).observe(timeline, { subtree: true, childList: true, characterData: true });
  });
  await button(page, "Publish a change").click();
  await says(page, ".answer", /^n1 has a new \/site\/colours\.css of \d+ bytes/);
  await until(async () => (await colour()) !== before, "the colours are others");
  assert.equal(await page.evaluate(() => window.marked), true);
  await until(() => page.evaluate(() => seen.some((rows) => /new versions? put in place: .*\/site\/colours\.css/.test(rows))), "it is told");
});

test("slow, and offline: shown, explained, and taken back", { timeout: 90_000 }, async () => {
  const page = await again(chrome.context);
  await until(() => page.locator(".node.mine").count(), "a node is mine");
  await button(page, /^Slow n\d down$/).click();
  const slow = (await says(page, ".answer", /^n\d runs a tenth of the time/)).slice(0, 2);
  assert.match(await page.locator(`.node[data-key="${slow}"]`).getAttribute("class"), /slow/);
  await button(page, "Go offline").click();
  await says(page, ".said", /^You are offline, and asked to be\. This page came from your browser/);
  await page.goto(staging.home);
  await says(page, ".said", /^You are offline, and asked to be\. This page came from your browser/);
  await button(page, "Go online").click();
  await says(page, ".said", /^This page came from your browser.*confirmed/);
});

test("a vote and a comment on one node are seen by a browser on another", { timeout: 90_000 }, async () => {
  const other = await browser();
  const watching = await again(other.context, `${staging.nodes[2].url}/character/266b`);
  await watching.evaluate(() => (window.marked = true));
  const page = await again(chrome.context, `${staging.home}/character/266b`);
  await page.click("form.vote button");
  await page.fill("#text", "Sings <b>well</b>.");
  await page.click("form.comment button");
  await says(watching, ".votes", /^1 vote/);
  await says(watching, ".comments ul", /Sings <b>well<\/b>\./);
  assert.equal(await watching.evaluate(() => window.marked), true, "it was not loaded again");
  await other.close();
});

for (const [how, which] of [["with scripts", () => chrome], ["without scripts", () => plain]]) {
  test(`votes, comments, ranking and search, ${how}`, { timeout: 90_000 }, async () => {
    const page = await which().context.newPage();
    const [code, name] = how === "with scripts" ? ["2192", "rightwards arrow"] : ["2190", "leftwards arrow"];
    await page.goto(staging.home);
    await page.fill("#search", name);
    await page.click("form.search button");
    await says(page, "h1", new RegExp(`found for “${name}”`));
    await page.click(`.results a[href="/character/${code}"]`);
    await says(page, "h1", new RegExp(name, "i"));
    await page.click("form.vote button");
    await says(page, ".votes", /^1 vote/);
    await page.fill("#text", `Points somewhere, ${how}.`);
    await page.click("form.comment button");
    await says(page, ".comments ul", new RegExp(`Points somewhere, ${how}\\.`));
    await page.click('header a[href="/ranking"]');
    await says(page, ".ranking", new RegExp(`${name} 1`, "i"));
    await page.goto(staging.home);
    await says(page, ".comments", new RegExp(`Points somewhere, ${how}\\.`));
    await page.click('.blocks a[href="/block/arrows"]');
    await says(page, `.grid a[href="/character/${code}"]`, /1/);
  });
}

test("without scripts the first screen is honest, and buttons work as forms", { timeout: 60_000 }, async () => {
  const page = await plain.context.newPage();
  await page.goto(staging.home);
  await says(page, ".said", /^A node made this page, and it came over the network\./);
  for (const one of await page.locator(".live").all()) assert.equal(await one.isVisible(), false);
  assert.equal(await page.locator(".try button").count(), 5);
  await button(page, "Kill n1").click();
  await says(page, "h1", /^n1 was killed/);
  await page.click(`a[href="${staging.nodes[1].url}/"]`);
  await says(page, "#now h1", /what just happened/i);
});

test("over plain http:// of another name there is no worker, and the page says why", { timeout: 60_000 }, async () => {
  const address = staging.home.replace("localhost", "edge.test");
  const fresh = await browser({ args: [`--host-resolver-rules=MAP edge.test 127.0.0.1`, "--no-sandbox", "--disable-gpu"] });
  const page = await fresh.context.newPage();
  await page.goto(address);
  await says(page, ".said", /over the network.*Over plain http:\/\/ browsers run no Service Worker, except on localhost\./);
  await fresh.close();
});

/** Presses Tab until the focus is where it was; what had it. */
async function tabs(page) {
  const stops = [];
  await page.evaluate(() => document.activeElement?.blur());
  for (let n = 0; n < 40; n += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const one = document.activeElement;
      return one && one !== document.body ? `${one.closest("[data-key]")?.closest("section, header, form")?.className ?? ""} ${one.localName} ${one.textContent.trim().slice(0, 30)}` : "";
    });
    if (!stop || stop === stops[0]) return stops; // around
    stops.push(stop);
  }
  return stops;
}

test("by keyboard everything is within ten stops; after a redraw the focus is where it was", { timeout: 90_000 }, async () => {
  const page = await again(chrome.context);
  await says(page, ".said", /from your browser/);
  for (const path of ["/", "/ranking", "/blocks", "/block/arrows", "/character/2192", "/search?q=arrow"]) {
    await page.goto(staging.home + path);
    await page.waitForFunction(() => document.querySelector("[data-stop]"));
    const stops = await tabs(page);
    assert.ok(stops.length <= STOPS, `${path} has ${stops.length}: ${stops.join(" | ")}`);
  }
  await page.goto(staging.home);
  await says(page, ".choice", /stays with/);
  await button(page, /^Kill n\d$/).focus();
  const reached = [];
  for (let n = 0; n < 5; n += 1) {
    await page.keyboard.press("ArrowRight");
    reached.push(await page.evaluate(() => document.activeElement.textContent));
  }
  assert.deepEqual(reached.map((one) => one.replace(/n\d/, "n")), ["Kill all four", "Slow n down", "Bring all back", "Publish a change", "Go offline"]);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await says(page, ".answer", /new \/site\/colours\.css/);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Publish a change");
  // A vote by keyboard: the list is another one then, and the focus is on the button of the same character.
  const vote = page.locator(".ranking form.vote button").first();
  await vote.focus();
  const code = await page.evaluate(() => document.activeElement.closest("li").dataset.key);
  await page.keyboard.press("Enter");
  await until(() => page.evaluate(() => /Voted/.test(document.activeElement.textContent)), "the vote is given");
  assert.equal(await page.evaluate(() => document.activeElement.closest("li").dataset.key), code);
});

test("axe finds nothing, nothing sticks out, nothing jumps; light and dark, desk and phone", { timeout: 240_000 }, async () => {
  const page = await again(chrome.context);
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((one) => (one.hadRecentInput ? 0 : (window.shift += one.value)))).observe({ type: "layout-shift", buffered: true });
  });
  const axe = await readFile(AXE, "utf8");
  for (const [name, path] of [["entry", "/"], ["ranking", "/ranking"], ["blocks", "/blocks"], ["block", "/block/arrows"], ["character", "/character/2192"], ["search", "/search?q=arrow"], ["dashboard", "/.edge/"]]) {
    for (const colorScheme of ["entry", "character"].includes(name) ? ["light", "dark"] : ["light"]) {
      await page.emulateMedia({ colorScheme });
      for (const [size, width, height] of [["phone", 390, 844], ["desk", 1200, 850]]) {
        await page.setViewportSize({ width, height });
        await page.goto(staging.home + path);
        await page.waitForFunction(() => document.querySelector("[data-stop], #nodes > *"));
        if (name === "entry") await says(page, ".choice", /stays with/);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path}, ${size}: nothing sticks out`);
        await page.screenshot({ path: join(OUTPUT, `demonstration-${name}-${colorScheme}-${size}.png`), fullPage: name === "entry" });
        if (name !== "dashboard") assert.ok((await page.evaluate(() => window.shift)) < 0.05, `${path}, ${size}: it jumps by ${await page.evaluate(() => window.shift)}`);
      }
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 150)} ${failureSummary}`).slice(0, 3).join(", ")}`), [], `${path}, ${colorScheme}`);
    }
  }
  assert.equal(await page.locator('header a[href="/"]').count(), 1, "the dashboard leads to the site");
});

test("text browsers show it, and can vote", { timeout: 60_000 }, async () => {
  for (const [program, ...options] of [["lynx", "-dump", "-nolist", "-display_charset=utf-8"], ["w3m", "-dump", "-O", "UTF-8"]]) {
    const text = async (path) => (await run(program, [...options, staging.home + path], { env: { ...process.env, HOME: staging.folder, LANG: "C.UTF-8" } })).stdout.replace(/\s+/g, " ");
    assert.match(await text("/"), /What just happened A node made this page.*Kill n1.*Ranking.*Characters to look at.*Arrows/);
    assert.doesNotMatch(await text("/"), /undefined|requests spared|Each request/);
    assert.match(await text("/character/2193"), /downwards arrow in Arrows.*0 votes.*Vote.*Comments/i);
    assert.match(await text("/search?q=downwards+arrow"), /found for “downwards arrow”.*downwards arrow/);
  }
  // As with the keys: the form is sent, and confirmed, since lynx does not say where a form comes from.
  const keys = join(staging.folder, "keys");
  const to = (links) => [...Array(links).fill("Down Arrow"), "^J"]; // eight stand before the vote, seven before the confirmation
  await writeFile(keys, [...to(8), ...to(7), "Q", "y"].map((key) => `key ${key}\n`).join(""));
  const command = `lynx -accept_all_cookies -cmd_script=${keys} ${staging.home}/character/2193`;
  await run("script", ["-qec", command, "/dev/null"], { env: { ...process.env, HOME: staging.folder, TERM: "xterm", LANG: "C.UTF-8" }, timeout: 30_000 }).catch((error) => error);
  await until(async () => /downwards arrow/.test(await (await fetch(`${staging.home}/ranking`)).text()), "lynx has voted");
});
