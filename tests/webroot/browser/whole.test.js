// What belongs together, in Chromium: the switch, the feed of a page whose node is gone, versions of a page's parts.

import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import test, { after, afterEach, before } from "node:test";

import { seeded } from "../random.js";
import { Cluster, browser, closePages, controlled, database, status, stored, tools, until, visited } from "./harness.js";

/** Random histories, and the seed of the first one. */
const HISTORIES = Number(process.env.HISTORIES ?? 12);
const SEED = Number(process.env.SEED ?? 1);
/** A pause within a deploy that may end it, milliseconds: nodes take 200 without a change for its end. */
const CUT_MS = 100;

const page = (title, more = "") => `<!doctype html><html lang="en"><link rel="icon" href="data:,">${more}<title>${title}</title><script type="module" src="/edge/client.js"></script><p>${title}</p></html>`;
const FILES = { "index.html": page("index"), "other.html": page("other") };

let cluster;
let chrome;
let home;

before(async () => {
  cluster = await Cluster.start(FILES);
  home = cluster.nodes[0].url;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});
afterEach(() => closePages(chrome.context));

/** What is there of the client in the browser, for the origin of *page*. */
const remains = (page) => page.evaluate(async () => ({
  registrations: (await navigator.serviceWorker.getRegistrations()).length,
  caches: await caches.keys(),
  databases: (await indexedDB.databases()).map(({ name }) => name),
}));
const NOTHING = { registrations: 0, caches: [], databases: [] };

test("while the site says off, visits leave nothing behind; switched back, the client is there at the next navigation", { timeout: 120_000 }, async () => {
  const rules = await (await fetch(`${home}/edge.json`)).text();
  assert.deepEqual(JSON.parse(rules), { v: 1 }, "a site without rules has these: asking for them is no error");
  const off = '{"v":1,"off":true}';
  await cluster.write("edge.json", off);
  await cluster.published("/edge.json", off);
  const fresh = await browser();
  const page = await fresh.context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  for (let i = 0; i < 3; i += 1) {
    await cluster.log();
    await page.goto(home);
    await page.evaluate(async () => (await import("/edge/client.js")).kind);
    await until(async () => (await cluster.log()).some(({ target }) => target === "/edge.json"), "the rules are read");
    assert.deepEqual(await remains(page), NOTHING);
  }
  // Somebody registers all the same, as an older page does: the installation fails, and leaves nothing.
  const failed = await page.evaluate(() => navigator.serviceWorker.register("/sw.js").then(async (registration) => {
    const worker = registration.installing ?? registration.waiting;
    while (worker && worker.state !== "redundant") await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    return true;
  }, () => true));
  assert.equal(failed, true);
  await until(async () => !(await remains(page)).registrations, "no registration is left");
  assert.deepEqual(await remains(page), NOTHING);
  assert.deepEqual(errors, []);
  await cluster.remove("edge.json");
  await cluster.published("/edge.json", rules);
  await page.goto(home);
  await controlled(page);
  assert.equal((await remains(page)).registrations, 1);
  await fresh.close();
});

test("switched off and on while another tab stays open, the client is there again at the next navigation", { timeout: 120_000 }, async () => {
  const rules = await (await fetch(`${home}/edge.json`)).text();
  const off = '{"v":1,"off":true}';
  const fresh = await browser();
  const other = await visited(fresh.context, home);
  await cluster.write("edge.json", off);
  await cluster.published("/edge.json", off);
  const page = await fresh.context.newPage();
  await until(async () => {
    await page.goto(home);
    return !(await remains(page)).registrations;
  }, "it is switched off");
  await cluster.remove("edge.json");
  await cluster.published("/edge.json", rules);
  await page.goto(home);
  await controlled(page);
  await stored(page, ["/"]);
  await page.reload();
  await stored(page, ["/"]);
  assert.equal((await remains(page)).registrations, 1);
  assert.equal((await status(page)).version !== "", true);
  await other.close();
  await fresh.close();
});

test("a page that is opened while its own node is gone is told of the others by the worker", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  await page.goto(`${home}/other.html`);
  await stored(page, ["/other.html"]);
  await until(async () => (await database(page, "state")).some(({ load }) => load?.nodes.length === 4), "the worker has written down all nodes");
  await page.addInitScript(() => {
    globalThis.heard = [];
    new BroadcastChannel("edge").onmessage = ({ data }) => globalThis.heard.push(data);
  });
  const { stop } = await tools(page);
  await cluster.do("kill", "n1");
  await stop(); // a new one knows what was written down
  await page.goto(home);
  const heard = () => page.evaluate(() => globalThis.heard);
  const isLoad = ({ type, document }) => type === "load" && document.nodes.length === 4;
  await until(async () => (await heard()).some(isLoad), "the worker tells of the nodes");
  const isTrue = ({ id, weight }) => (id === "n1") === (weight === 0);
  await until(async () => (await heard()).some((one) => isLoad(one) && one.document.nodes.every(isTrue)), "the feed of another node brings true figures");
  await fresh.close();
  await cluster.do("start", "n1");
});

test("debugging tells each decision for a page on its console, and nothing otherwise", { timeout: 120_000 }, async () => {
  const page = await visited(chrome.context, home);
  const lines = [];
  page.on("console", (message) => lines.push([message.type(), message.text()]));
  await page.goto(`${home}/other.html`);
  await page.goto(`${home}/?edge=debug`);
  const groups = () => lines.filter(([type]) => type === "startGroupCollapsed").map(([, text]) => text);
  await until(() => groups().some((text) => text.includes(" /?edge=debug ")) && groups().some((text) => text.includes(" /edge/client.js ")), "it is told of the page and its script");
  assert.ok(!lines.some(([, text]) => text.includes("/other.html")), "nothing before it was wished");
  assert.ok(lines.some(([, text]) => /kept, and|asked of a node/.test(text)));
  await page.evaluate(() => localStorage.setItem("edgeDebug", "1"));
  lines.length = 0;
  await page.goto(`${home}/other.html`);
  await until(() => groups().some((text) => text.includes("/other.html")), "it is told where the page's storage says so");
  await page.evaluate(() => localStorage.removeItem("edgeDebug"));
});

test("the page about the client shows what is kept, forgets it when told, and needs no network", { timeout: 120_000 }, async () => {
  const fresh = await browser();
  const page = await visited(fresh.context, home);
  page.errors.length = 0;
  await page.goto(`${home}/.edge/client`);
  await page.waitForSelector('#kept tbody tr th >> text="/edge/client.js"');
  await page.waitForSelector("#nodes tr.mine");
  assert.equal(await page.textContent("#state"), "At work");
  await page.fill("#find", "segments");
  await page.waitForFunction(() => document.querySelectorAll("#kept tbody tr").length === 1);
  await page.fill("#find", "");
  await page.focus('[data-column="size"]');
  await page.keyboard.press("Enter");
  await page.waitForSelector('#kept th[aria-sort="ascending"] [data-column="size"]:focus');
  assert.deepEqual(page.errors, []);
  await stored(page, ["/.edge/client", "/.edge/client.css", "/.edge/client.js"]);
  await fresh.context.setOffline(true);
  await page.reload();
  await page.waitForSelector('#kept tbody tr th >> text="/edge/client.js"');
  assert.equal(await page.textContent("#state"), "At work, without a network");
  await page.click('button[data-what="kept"]');
  await page.keyboard.press("Escape");
  assert.notEqual((await database(page, "rows")).length, 0, "not without a yes");
  await page.click('button[data-what="kept"]');
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until(async () => !(await database(page, "rows")).length, "what was kept is forgotten");
  await page.click('button[data-what="all"]');
  await page.click('#sure button[value="yes"]');
  await until(async () => JSON.stringify(await remains(page)) === JSON.stringify(NOTHING), "nothing is left");
  await fresh.close();
});

test("a page that its reader goes back to is as it was left, gets no part of a later deploy, and is told that there is one", { timeout: 120_000 }, async () => {
  const fresh = await browser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const files = (number) => ({ "back.html": page(`version ${number}`), "late.js": `export default ${number};` });
  const publish = async (all) => {
    for (const [name, text] of Object.entries(all)) await cluster.write(name, text);
    for (const [name, text] of Object.entries(all)) await cluster.published(`/${name}`, text);
  };
  await publish(files(1));
  const tab = await visited(fresh.context, `${home}/back.html`);
  await tab.evaluate(() => {
    globalThis.newer = 0;
    document.addEventListener("edge-update", (event) => { // it stays what it is
      event.preventDefault();
      globalThis.newer += 1;
    });
  });
  await tab.goto(`${home}/other.html`);
  await stored(tab, ["/other.html"]);
  await publish(files(2));
  await tab.evaluate(async () => (await fetch("/late.js")).text());
  await stored(tab, ["/late.js"]);
  await tab.goBack({ waitUntil: "commit" });
  assert.notEqual(await tab.evaluate(() => globalThis.newer), undefined, "the browser has kept it");
  const late = await tab.evaluate(() => import("/late.js").then((one) => one.default, () => "none"));
  assert.notEqual(late, 2, "of the second deploy, in a page of the first");
  await until(() => tab.evaluate(() => globalThis.newer), "there is word of the newer version");
  await fresh.close();
});

/** The files of the deploy *version*, some of which stay as they were in *before*. */
function deploy(before, version, random) {
  const says = (name, number) => ({
    js: `(window.parts ??= []).push(["${name}", ${number}]);`, css: `:root { --style: ${number}; }`,
  })[name.split(".")[1]];
  const numbers = { ...before };
  for (const name of ["app.js", "lib.js", "lazy.js", "style.css", "a.html", "b.html", "c.html"]) if (!numbers[name] || random() < 0.6) numbers[name] = version;
  const html = (name) => `<!doctype html><html lang="en"><link rel="icon" href="data:,"><link rel="stylesheet" href="/h/style.css"><title>${name}</title><script>window.parts = [["${name}", ${numbers[name]}]]</script><script src="/h/app.js"></script><script type="module" src="/h/lib.js"></script><script type="module" src="/edge/client.js"></script><p>${name}`;
  return { numbers, files: Object.fromEntries(Object.keys(numbers).map((name) => [`h/${name}`, name.endsWith("html") ? html(name) : says(name, numbers[name])])) };
}

test("no page runs with parts of two deploys: random histories of visits, deploys, evictions and restarts", { timeout: 400_000 }, async (context) => {
  const counts = { visits: 0, whole: 0, later: 0 };
  const fresh = await browser();
  const deploys = [];
  const publish = async (random) => {
    const next = deploy(deploys.at(-1), deploys.length + 1, random);
    deploys.push(next.numbers);
    // At once, in any order.
    await mkdir(join(cluster.folder, "h"), { recursive: true });
    const names = Object.keys(next.files).sort(() => random() - 0.5);
    for (const name of names) await writeFile(join(cluster.folder, "h", `.${basename(name)}`), next.files[name]);
    const there = { ...deploys.at(-2) };
    let last = performance.now();
    for (const name of names) {
      // A machine that is busy may pause us for longer than a node takes for the end of a deploy: the site was like that.
      if (performance.now() - last > CUT_MS) deploys.splice(-1, 0, { ...there });
      renameSync(join(cluster.folder, "h", `.${basename(name)}`), join(cluster.folder, name));
      there[basename(name)] = next.numbers[basename(name)];
      last = performance.now();
    }
    return next.files;
  };
  const isWhole = (parts) => deploys.some((numbers) => parts.every(([name, number]) => numbers[name] === number));
  const given = (page) => page.evaluate(() => [...window.parts, ["style.css", Number(getComputedStyle(document.documentElement).getPropertyValue("--style"))]].filter(([, number]) => number));
  const first = await publish(seeded(SEED));
  await cluster.published("/h/a.html", first["h/a.html"]);
  const page = await visited(fresh.context, `${home}/h/a.html`);
  const { stop } = await tools(page);
  for (let seed = SEED; seed < SEED + HISTORIES; seed += 1) {
    const random = seeded(seed);
    let deploying = Promise.resolve();
    for (let i = 0; i < 4; i += 1) {
      const at = random();
      if (at < 0.5) deploying = deploying.then(() => publish(random));
      else if (at < 0.65) await stop();
      else if (at < 0.8) await page.evaluate(async (share) => { // what the browser may do at any time
        const cache = await caches.open("edge-bodies");
        for (const request of await cache.keys()) if (Math.random() < share) await cache.delete(request);
      }, random());
      await page.goto(`${home}/h/${["a", "b", "c"][Math.floor(random() * 3)]}.html`).catch(() => {}); // loaded again meanwhile
      await page.waitForLoadState();
      counts.visits += 1;
      const parts = await given(page).catch(() => []);
      assert.ok(isWhole(parts), `SEED=${seed}: ${JSON.stringify(parts)} of ${JSON.stringify(deploys.slice(-4))}`);
      if (parts.length >= 4) counts.whole += 1;
      if (random() < 0.4) { // a script that is asked for later
        await page.evaluate(() => import("/h/lazy.js").catch(() => {})).catch(() => {});
        const all = await given(page).catch(() => []);
        assert.ok(isWhole(all), `SEED=${seed}, later: ${JSON.stringify(all)} of ${JSON.stringify(deploys.slice(-4))}`);
        counts.later += 1;
      }
    }
    await deploying;
  }
  context.diagnostic(JSON.stringify(counts));
  assert.ok(counts.whole > counts.visits / 2, "pages are mostly there at once");
  await fresh.close();
});
