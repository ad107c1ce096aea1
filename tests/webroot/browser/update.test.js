// New versions of a page that is shown: put in place around what scripts and readers have done, or a notice.

import assert from "node:assert/strict";
import test, { after, before } from "node:test";

import { Cluster, browser, until, visited } from "./harness.js";

/** A page as sites are: its scripts fill a menu, highlight, show a banner. */
const doc = (v, more = "") => `<!doctype html><html lang="en" class="${v}"><head><meta charset="utf-8"><title>doc ${v}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/s.${v}.css"><script type="module" src="/edge/client.js"></script></head><body data-v="${v}"><nav id="nav"></nav><h1>${v}</h1><pre>let x = 1;</pre>
<form><input id="name"></form><dialog id="modal">d</dialog>${more}<script>
document.getElementById("nav").innerHTML = "<a href=/>rendered by script</a>";
document.querySelector("pre").innerHTML = "<b class=kw>let</b> x = 1;";
document.querySelector("h1").addEventListener("click", () => (document.title = "clicked"));
const banner = document.createElement("dialog"); banner.id = "cookie"; banner.textContent = "cookie banner"; document.body.append(banner); banner.show();
</script></body></html>`;
const css = (colour) => `h1 { color: rgb(${colour}) }`;
const FILES = {
  "doc.html": doc("v1"), "s.v1.css": css("255, 0, 0"), "s.v2.css": css("0, 128, 0"),
  "busy.html": doc("v1"), "scripted.html": doc("v1", '<script src="/old.js"></script>'), "own.html": doc("v1", '<script src="/old.js"></script>'), "old.js": "window.which = 1;", "new.js": "window.which = 2;",
  "plain.html": `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>p</title><link rel="stylesheet" href="/same.css"><script type="module" src="/edge/client.js"></script><h1>p</h1></html>`,
  "same.css": css("1, 1, 1"),
  "late.html": doc("v1", '<script src="/first.js"></script>'), "first.js": "window.first = 1;", "chunk.js": "export const v = 1;",
  "cleared.html": doc("v1"), "again.html": doc("v1"), "module.js": "export const v = 1;",
  "injected.html": `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"><title>i</title></head><body><h1>v1</h1></body></html>`,
};

let cluster;
let chrome;
let home;

before(async () => {
  cluster = await Cluster.start(FILES, ["--inject-client=injected.html"]);
  chrome = await browser();
  home = cluster.nodes[0].url;
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});

/** Open *path* twice: the second time the worker gives it. */
async function opened(path) {
  const page = await visited(chrome.context, home + path);
  await page.reload();
  await page.waitForFunction(() => navigator.serviceWorker.controller && document.querySelector("h1"));
  await page.evaluate(async () => {
    await import("/edge/client.js");
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
  return page;
}

const see = (page) => page.evaluate(() => ({
  h1: document.querySelector("h1").textContent, colour: getComputedStyle(document.querySelector("h1")).color, nav: document.querySelector("nav").textContent,
  pre: document.querySelector("pre").innerHTML, banner: document.querySelector("#cookie")?.open, title: document.title, sheets: [...document.querySelectorAll("link[rel=stylesheet]")].map((one) => one.outerHTML),
  classes: document.documentElement.className, v: document.body.dataset.v,
}));

const shows = (page, h1) => until(async () => (await see(page)).h1 === h1, `the page shows ${h1}`);

test("what puts new versions in place is asked for again where it did not come at first", async () => {
  const fresh = await browser(); // whose worker has not kept it yet
  try {
    const page = await visited(fresh.context, `${home}/again.html`);
    let refused = 0;
    await fresh.context.route("**/edge/page/update.js", (route) => (refused += 1, route.abort()));
    await cluster.write("again.html", doc("v2"));
    await until(() => refused > 3, "the page asks again, after the tries of its worker");
    await fresh.context.unroute("**/edge/page/update.js");
    await shows(page, "v2");
  } finally {
    await fresh.close();
  }
});

test("what scripts have put in stays, head and styles are those of the new version, and no old style lies under a new body", async () => {
  const page = await opened("/doc.html");
  assert.equal((await see(page)).colour, "rgb(255, 0, 0)");
  await page.evaluate(() => {
    window.seen = new Set();
    new MutationObserver(() => seen.add(`${document.querySelector("h1").textContent} ${getComputedStyle(document.querySelector("h1")).color}`))
      .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    document.addEventListener("edge-patched", (event) => (window.patched = event.detail.paths));
  });
  // A page that is still loading may be loaded again instead (LOADING_MS in worker/page_parts.js); this one is in use.
  await new Promise((resolve) => setTimeout(resolve, 10_500));
  await cluster.write("doc.html", doc("v2"));
  await shows(page, "v2");
  assert.deepEqual(await see(page), {
    h1: "v2", colour: "rgb(0, 128, 0)", nav: "rendered by script", pre: '<b class="kw">let</b> x = 1;', banner: true, title: "doc v2",
    sheets: ['<link rel="stylesheet" href="/s.v2.css">'], classes: "v2", v: "v2",
  });
  await page.click("h1");
  assert.equal(await page.title(), "clicked", "listeners stay");
  assert.deepEqual(await page.evaluate(() => [...window.seen].filter((one) => one === "v2 rgb(255, 0, 0)" || one === "v1 rgb(0, 128, 0)")), []);
  assert.deepEqual(await page.evaluate(() => window.patched), ["/doc.html"]);
  await cluster.write("doc.html", doc("v1")); // and again, from there
  await shows(page, "v1");
  await page.close();
});

test("a reader who types or has a dialog open is not disturbed; then it comes", async () => {
  const page = await opened("/busy.html");
  await page.evaluate(() => document.addEventListener("edge-update", () => (window.told = true)));
  await page.focus("#name");
  await page.keyboard.type("Ada");
  await cluster.write("busy.html", doc("v2"));
  await page.waitForFunction(() => window.told);
  await page.evaluate(() => document.querySelector("#modal").showModal());
  await page.waitForTimeout(700); // two looks of the page at its reader
  assert.equal((await see(page)).h1, "v1");
  await page.evaluate(() => document.querySelector("#modal").close()); // the field has the focus again
  await page.waitForTimeout(700);
  assert.equal((await see(page)).h1, "v1");
  await page.evaluate(() => document.querySelector("#name").blur());
  await shows(page, "v2");
  assert.equal(await page.inputValue("#name"), "Ada");
  await page.close();
});

test("a new script is not run in an old page: the reader is offered to load it, unless the site says it its way", async () => {
  const page = await opened("/scripted.html");
  await cluster.write("scripted.html", doc("v2", '<script src="/new.js"></script>'));
  await page.getByText("There is a new version of this page.").waitFor();
  assert.equal((await see(page)).h1, "v1");
  await page.getByRole("button", { name: "Reload" }).click();
  await page.waitForFunction(() => window.which === 2);
  assert.equal((await see(page)).h1, "v2");
  await page.close();

  const own = await opened("/own.html");
  await own.evaluate(() => document.addEventListener("edge-outdated", (event) => {
    window.why = event.detail.why;
    event.preventDefault();
  }));
  await cluster.write("own.html", doc("v2", '<script src="/new.js"></script>'));
  await own.waitForFunction(() => window.why);
  assert.equal(await own.evaluate(() => window.why), "<script> is for pages that are loaded");
  assert.equal(await own.getByText("There is a new version of this page.").count(), 0);
  await own.close();
});

test("a style sheet that changes under the same name is loaded anew", async () => {
  const page = await opened("/plain.html");
  const colour = () => page.evaluate(() => getComputedStyle(document.querySelector("h1")).color);
  assert.equal(await colour(), "rgb(1, 1, 1)");
  await cluster.write("same.css", css("2, 2, 2"));
  await until(async () => (await colour()) === "rgb(2, 2, 2)", "the new style is in force");
  assert.equal(await page.locator("link[rel=stylesheet]").count(), 1);
  await page.close();
});

test("a page that does not name the client has it from the node, and is brought up to date like others", async () => {
  const page = await opened("/injected.html");
  assert.equal(await page.locator('head script[src="/edge/client.js"]').count(), 1);
  await cluster.write("injected.html", FILES["injected.html"].replace("v1", "v2"));
  await page.waitForFunction(() => document.querySelector("h1").textContent === "v2");
  await page.close();
});

/** What the page is told that has to be loaded. */
const outdated = (page) => page.evaluate(() => document.addEventListener("edge-outdated", (event) => {
  window.why = event.detail.why;
  event.preventDefault();
}));

test("a new version that is given up leaves the page what goes with what it is, also what it imports later", async () => {
  const other = await opened("/plain.html");
  await other.evaluate(() => fetch("/chunk.js").then((answer) => answer.text())); // kept
  const page = await opened("/late.html");
  await outdated(page);
  await new Promise((resolve) => setTimeout(resolve, 10_500)); // it is not loading any more
  await cluster.write("chunk.js", "export const v = 2;");
  await cluster.write("late.html", doc("v2", '<script src="/first.js"></script>').replace("s.v2.css", "none.css"));
  await page.waitForFunction(() => window.why);
  assert.match(await page.evaluate(() => window.why), /none\.css cannot be loaded/);
  assert.equal(await page.evaluate(() => import("/chunk.js").then(({ v }) => v, () => "none")), 1);
  await other.close();
  await page.close();
});

test("a module that was imported behind a full list of what the page has used is a script of it still", async () => {
  const page = await opened("/cleared.html");
  await outdated(page);
  await page.evaluate(async () => {
    performance.clearResourceTimings();
    performance.setResourceTimingBufferSize(0);
    await import("/module.js");
  });
  await new Promise((resolve) => setTimeout(resolve, 10_500));
  await cluster.write("module.js", "export const v = 2;");
  await cluster.write("cleared.html", doc("v2"));
  await page.waitForFunction(() => window.why);
  assert.equal(await page.evaluate(() => window.why), "/module.js has changed");
  assert.equal((await see(page)).h1, "v1");
  await page.close();
});
