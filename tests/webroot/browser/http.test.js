// The smart client as a cache of an application, in Chromium: what tests/webroot/http_cache.test.js says of its logic
// holds with the browser's own requests, streams and signals.

import assert from "node:assert/strict";
import test, { after, before, beforeEach } from "node:test";

import { Cluster, browser, controlled, database, stored, until } from "./harness.js";

const SCRIPT = '<script type="module" src="/edge/client.js"></script>';
const FILES = {
  "index.html": `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>home</title>${SCRIPT}<p>home`,
  "offline.html": "<!doctype html><title>offline</title><p>offline page",
  "kept.html": `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>kept</title>${SCRIPT}<p>kept`,
  "folder/index.html": `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>folder</title>${SCRIPT}<p>folder`,
  "big.bin": "0123456789abcdef".repeat(70_000),
  "edge.json": JSON.stringify({ v: 1, $schema: "/edge/edge.schema.json", precache: ["/kept.html"], limit_mib: 8 }),
};

let cluster;
let chrome;
let home;
let page;

before(async () => {
  cluster = await Cluster.start(FILES, ["--mount=/app=tests.end_to_end.answering:Answering"]);
  home = cluster.nodes[0].url;
  chrome = await browser();
  page = await chrome.context.newPage();
  await page.goto(`${home}/`);
  await controlled(page);
  await stored(page, ["/", "/kept.html"]);
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});
beforeEach(() => page.goto(`${home}/`));

/** What the application was asked since the beginning. */
const told = async () => (await fetch(`${home}/app/log`)).json();
const fetched = (path, options) => page.evaluate(async ([path, options]) => {
  const response = await fetch(path, options);
  return { url: response.url.slice(location.origin.length), redirected: response.redirected, status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) };
}, [path, options]);

test("an idle page of an application asks for nothing after its load, whatever its validator", async () => {
  for (const name of ["plain", "weak", "clock"]) {
    await page.goto(`${home}/app/${name}`);
    await stored(page, [`/app/${name}`]);
    await page.goto(`${home}/`);
    await page.goto(`${home}/app/${name}`);
    const count = async () => (await told()).asked.length;
    await until(async () => {
      const before = await count();
      await page.waitForTimeout(1200); // longer than a question waits for others
      return (await count()) === before;
    }, `all that belongs to the load of ${name} is asked`);
    const before = await count();
    await page.waitForTimeout(1500);
    assert.deepEqual((await told()).asked.slice(before), [], name);
  }
});

test("HTML does not come for JSON, nor JSON for HTML", async () => {
  for (let i = 0; i < 2; i += 1) {
    await page.goto(`${home}/app/negotiated`);
    assert.equal(await page.textContent("#text"), "html");
    assert.equal((await fetched("/app/negotiated", { headers: { accept: "application/json" } })).text, '{"json": true}');
  }
  const asked = (await told()).asked.filter(([, what]) => what === "negotiated");
  assert.ok(asked.length <= 3, `both are kept: ${JSON.stringify(asked)}`);
});

test("what a POST changes is asked for anew", async () => {
  assert.equal((await fetched("/app/state")).text, "0");
  await stored(page, ["/app/state"]);
  assert.equal((await fetched("/app/state")).text, "0");
  assert.equal((await fetched("/app/state", { method: "POST" })).text, "1");
  assert.equal((await fetched("/app/state")).text, "1");
});

test("what one user was given is gone for the next where a logout clears the site's data, and the precache is there still", async () => {
  const paths = async () => (await database(page, "rows")).map(({ path }) => path);
  const mine = (await fetched("/app/state")).text;
  await stored(page, ["/app/state", "/kept.html"]);
  const asked = async () => (await told()).asked.filter(([, what]) => what === "state").length;
  const count = await asked();
  assert.equal((await fetched("/app/out", { method: "POST" })).text, "bye");
  assert.deepEqual((await paths()).filter((path) => path === "/app/state" || path === "/kept.html"), ["/kept.html"]);
  assert.equal((await fetched("/app/state")).text, mine);
  assert.equal(await asked(), count + 1, "it is asked for again");
});

test("url, redirected, Content-Length and Age are as they are without a worker", async () => {
  const moved = await fetched("/app/moved");
  assert.deepEqual([moved.url, moved.redirected], ["/app/state", true]);
  const whole = await fetched("/kept.html?x=1#y");
  assert.deepEqual([whole.url, whole.redirected, whole.headers["content-length"]], ["/kept.html?x=1", false, String(FILES["kept.html"].length)]);
  const again = await fetched("/kept.html");
  assert.match(again.headers.age, /^\d+$/);
  assert.ok(again.headers.date && again.headers.etag);
});

test("a redirect is asked for once, whoever asks, and leads where it leads without a worker", async () => {
  const elsewhere = cluster.nodes[1].url;
  await page.goto(`${home}/folder/`); // from the store: nothing is preloaded any more
  const asked = async (what, work) => {
    const before = (await told()).asked.length;
    await work();
    const after = (await told()).asked.slice(before).filter(([, name]) => name === "moved" || name === "away");
    assert.deepEqual(after.map(([method, name]) => `${method} ${name}`), [`GET ${what}`]);
  };
  for (const query of ["", "?code=1"]) {
    await asked("moved", () => page.goto(`${home}/app/moved${query}#here`));
    assert.equal(page.url(), `${home}/app/state#here`);
    await asked("away", () => page.goto(`${home}/app/away?to=${elsewhere}/kept.html`));
    assert.equal(page.url(), `${elsewhere}/kept.html`);
    await page.goto(`${home}/`);
    await asked("moved", async () => assert.deepEqual((await fetched(`/app/moved${query}`)).url, "/app/state"));
    await asked("away", async () => assert.equal(await page.evaluate(async (path) => (await fetch(path)).text(), `/app/away?to=${elsewhere}/kept.html`), FILES["kept.html"]));
    await asked("away", () => page.evaluate(async (path) => {
      const image = new Image();
      image.src = path;
      await image.decode().catch(() => {}); // it is a page
    }, `/app/away?to=${elsewhere}/kept.html&image`));
  }
});

test("a download that is given up ends at its source", async () => {
  for (const how of ["signal", "reader"]) {
    const before = await told();
    await page.evaluate(async (how) => {
      const controller = new AbortController();
      const response = await fetch("/app/endless", { signal: controller.signal });
      const reader = response.body.getReader();
      await reader.read();
      if (how === "signal") controller.abort();
      else await reader.cancel();
    }, how);
    await until(async () => (await told()).ended > before.ended, `the application sees that its reader has gone: ${how}`);
  }
});

test("one body over its share passes by, and nothing goes for it", async () => {
  const rows = () => page.evaluate(async () => {
    const names = {};
    for (const name of await caches.keys()) names[name] = (await (await caches.open(name)).keys()).map(({ url }) => decodeURIComponent(new URL(url).pathname).slice(13));
    return names;
  });
  await fetched("/folder/");
  await stored(page, ["/folder/"]);
  const before = await rows();
  for (let i = 0; i < 2; i += 1) assert.equal((await fetched("/big.bin")).text.length, FILES["big.bin"].length);
  const after = await rows();
  assert.deepEqual(after["edge-precache"], before["edge-precache"]);
  assert.ok(after["edge-precache"].some((key) => key.startsWith("/kept.html")), JSON.stringify(after));
  assert.ok(before["edge-bodies"].every((key) => after["edge-bodies"].includes(key)));
  assert.ok(!after["edge-bodies"].some((key) => key.startsWith("/big.bin")));
});

test("with all nodes gone, addresses of campaigns and of index files lead to what is kept", async () => {
  await page.goto(`${home}/folder/`);
  await stored(page, ["/folder/"]);
  await page.goto(`${home}/folder`);
  assert.equal(page.url(), `${home}/folder/`);
  for (const { name } of cluster.nodes) await cluster.do("stop", name);
  for (const [path, title] of [["/folder/?utm_source=news&fbclid=1", "folder"], ["/folder/index.html", "folder"], ["/folder", "folder"], ["/?gclid=5", "home"], ["/kept.html", "kept"], ["/none", "offline"]]) {
    await page.goto(home + path);
    assert.equal(await page.title(), title, path);
  }
});
