// The recipes of docs/howto/recipes.md, as they stand there: each script in a page, each edge.json read.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { parseRules } from "../../../webroot/edge/worker/rules.js";
import { Cluster, browser, controlled, database, visited } from "./harness.js";

const text = await readFile(new URL("../../../docs/howto/recipes.md", import.meta.url), "utf8");
/** Blocks of the section *title* in *language*. */
const blocks = (title, language) => {
  const section = text.split(/^## /m).find((one) => one.startsWith(`${title}\n`));
  return [...section.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, name]) => name === language).map(([, , body]) => body);
};
const script = (title) => blocks(title, "js").join("\n");

const page = (body, code) => `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"><title>t</title><script type="module" src="/edge/client.js"></script></head><body>${body}<script type="module">${code}</script></body></html>`;
const BANNER = blocks('"New version" in your own words', "html").join("");
const FILES = {
  "index.html": page("", ""),
  "docs.html": page("<h1>v1</h1><pre>x</pre>", script("Documentation, a blog")),
  "banner.html": page(`<h1>v1</h1>${BANNER}`, script('"New version" in your own words')),
  "spa.html": page(BANNER, `addEventListener("data", ({ detail }) => (window.data = detail));${script("A single-page application")}`),
  "data/1.json": "1",
  "form.html": page('<p id="waiting"></p><p id="refused"></p>', script("A form that may be sent later")),
  "offline.html": "offline", "thanks-later.html": "<h1>thanks</h1>",
  "edge.json": blocks("A form that may be sent later", "json")[0].replaceAll("/comments", "/take/**"),
};

let cluster;
let chrome;
let home;
before(async () => {
  cluster = await Cluster.start(FILES, [`--mount=/take=tests.end_to_end.posting:Posting:${join(tmpdir(), `edge-recipes-${process.pid}`)}`]);
  home = cluster.nodes[0].url;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});

test("each edge.json is one", () => {
  const all = [...text.matchAll(/^```json\n(.*?)^```/gms)].map(([, body]) => body).filter((body) => body.includes('"v"'));
  assert.equal(all.length, 5);
  for (const one of all) parseRules(one);
});

test("what is shown is prepared again, and the rest stays", async () => {
  const page = await visited(chrome.context, `${home}/docs.html`);
  await page.reload();
  await page.waitForSelector("pre.ready");
  await cluster.write("docs.html", FILES["docs.html"].replace("v1", "v2").replace("<pre>x</pre>", "<pre>x</pre><pre>new</pre>"));
  await page.waitForSelector("pre.ready:nth-of-type(2)");
  assert.deepEqual(await page.locator("h1, pre.ready").allTextContents(), ["v2", "x", "new"]);
  await page.close();
});

test("a banner of one's own in place of the notice", async () => {
  const page = await visited(chrome.context, `${home}/banner.html`);
  await page.reload();
  await controlled(page);
  await cluster.write("banner.html", FILES["banner.html"].replace("v1", "v2").replace("</body>", "<script>1</script></body>"));
  await page.getByText("There is something new.").waitFor();
  assert.equal(await page.getByText("There is a new version of this page.").count(), 0);
  await page.getByRole("button", { name: "Show it" }).click();
  await page.getByRole("heading", { name: "v2" }).waitFor();
  await page.close();
});

test("an application is told which of its data are new", async () => {
  const page = await visited(chrome.context, `${home}/spa.html`);
  await page.evaluate(async () => (await fetch("/data/1.json")).text());
  await page.evaluate(() => document.dispatchEvent(new CustomEvent("edge-update", { detail: { paths: ["/data/1.json", "/x"] }, cancelable: true })));
  assert.deepEqual(await page.evaluate(() => window.data), ["/data/1.json"]);
  assert.equal(await page.isHidden("#new-version"), true);
  await page.evaluate(() => document.dispatchEvent(new CustomEvent("edge-update", { detail: { paths: ["/app.js"] }, cancelable: true })));
  assert.equal(await page.isHidden("#new-version"), false);
  await page.close();
});

test("what waits is shown, and what is refused is dealt with", async () => {
  const page = await visited(chrome.context, `${home}/form.html`);
  await controlled(page);
  await chrome.context.setOffline(true);
  assert.equal(await page.evaluate(async () => (await fetch("/take/422", { method: "POST", body: "my words" })).status), 202);
  await page.getByText("1 to be sent").waitFor();
  await chrome.context.setOffline(false);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText("Not accepted (422): my words").waitFor();
  assert.deepEqual(await database(page, "outbox"), []);
  await page.close();
});
