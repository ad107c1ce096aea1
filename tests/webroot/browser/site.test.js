// The demonstration site on four nodes, as a visitor uses it; screenshots of it stay.

import assert from "node:assert/strict";
import { cp, mkdir, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { Cluster, OUTPUT, browser, database, until, visited } from "./harness.js";

const WEBROOT = fileURLToPath(new URL("../../../webroot/", import.meta.url));
let cluster;
let chrome;
let home;

before(async () => {
  await mkdir(OUTPUT, { recursive: true });
  // Some blocks are enough: compressing all takes longer than the tests.
  const wanted = /^(basic-latin|greek-and-coptic|arrows|00[0-9a-f]{2}|03[0-9a-f]{2})\b/;
  const favourites = join(tmpdir(), `edge-favourites-${process.pid}.sqlite`);
  cluster = await Cluster.start({}, [`--mount=/favourites=tests.end_to_end.favourites:Favourites:${favourites}`, "--brotli-quality=5"], async (folder) => {
    for (const name of await readdir(WEBROOT)) {
      if (["index.html", "404.html", "offline.html", "edge.json", "site"].includes(name)) await cp(join(WEBROOT, name), join(folder, name), { recursive: true });
    }
    for (const part of ["block", "data/chars"]) {
      await mkdir(join(folder, part), { recursive: true });
      for (const name of await readdir(join(WEBROOT, part))) if (wanted.test(name)) await cp(join(WEBROOT, part, name), join(folder, part, name));
    }
    await cp(join(WEBROOT, "data/names.txt"), join(folder, "data/names.txt"));
  });
  home = cluster.nodes[0].url;
  chrome = await browser({ viewport: { width: 1200, height: 850 } });
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});

test("blocks, characters, search, by mouse and by keyboard", async () => {
  const page = await visited(chrome.context, home);
  assert.match(await page.textContent("h1"), /^1\d\d,\d{3} characters$/);
  await page.click("text=Greek and Coptic");
  await page.waitForURL("**/block/greek-and-coptic.html");
  await page.click('[data-code="3a9"]');
  await page.waitForFunction(() => document.querySelector("#detail h2")?.textContent === "GREEK CAPITAL LETTER OMEGA");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.querySelector("#detail h2")?.textContent.includes("IOTA WITH DIALYTIKA"));
  await page.keyboard.press("Escape");
  await page.waitForSelector("#detail", { state: "hidden" });
  await page.fill("#search", "omega capital greek <b>");
  await page.waitForFunction(() => document.querySelector("#found h2")?.textContent.startsWith("0 found"));
  await page.fill("#search", "greek capital letter omega");
  await page.waitForFunction(() => document.querySelectorAll("#found li").length > 5);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a favourite that is chosen offline is kept and applied exactly once", async () => {
  const page = await visited(chrome.context, `${home}/block/greek-and-coptic.html`);
  await cluster.log();
  await page.click('[data-code="3b1"]');
  await page.waitForSelector("#detail [data-do=star]");
  await cluster.do("kill", "n1");
  await page.click("#detail [data-do=star]");
  await until(async () => (await database(page, "outbox")).length === 1, "it waits in the outbox");
  await cluster.do("start", "n1");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  const visitor = await page.evaluate(() => localStorage.getItem("visitor"));
  await until(async () => (await (await fetch(`${home}/favourites?visitor=${visitor}`)).json()).codes.includes("3b1"), "it is applied");
  await until(async () => !(await database(page, "outbox")).length, "the outbox is empty"); // whoever sent it is done
  const posts = (await cluster.log()).filter((one) => one.method === "POST" && one.target === "/favourites");
  assert.equal(posts.length, 1);
  await page.goto(home);
  await page.waitForSelector("#favourites .star:not(.waits)");
  await page.close();
});

test("without scripts, and where the worker is forced off, the pages are plain pages", async () => {
  const plain = await browser({ javaScriptEnabled: false });
  const page = await plain.context.newPage();
  await page.goto(`${home}/block/arrows.html`);
  assert.equal(await page.locator(".grid a").count(), 112);
  await plain.close();
  const off = await browser();
  const other = await off.context.newPage();
  const errors = [];
  other.on("pageerror", (error) => errors.push(error));
  for (let visits = 0; visits < 2; visits += 1) { // what the first one had begun would be there at the second
    await other.goto(`${home}/?edge=off`);
    assert.equal(await other.evaluate(async () => (await import("/edge/client.js")).kind), "off");
  }
  assert.equal(await other.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
  assert.deepEqual(errors, []);
  await off.close();
});

test("it looks well: light and dark, desk and phone", async () => {
  const page = await chrome.context.newPage();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width: 1200, height: 850 });
    await page.goto(home);
    if (await page.getAttribute("#panel button", "aria-expanded") === "false") await page.click("#panel button");
    await page.waitForSelector("#panel .nodes li.mine");
    await page.waitForFunction(() => document.querySelectorAll("#panel polyline[points*=' ']").length === 4);
    await page.screenshot({ path: join(OUTPUT, `site-${colorScheme}.png`) });
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${home}/block/greek-and-coptic.html#3A9`);
    await page.waitForSelector("#detail dl");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out on a phone");
    await page.screenshot({ path: join(OUTPUT, `phone-${colorScheme}.png`) });
    await page.setViewportSize({ width: 1200, height: 850 });
  }
  await page.close();
});
