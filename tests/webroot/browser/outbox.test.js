// Forms and changes made while there is no network, in Chromium: what waits, what does not, and what people see.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, afterEach, before } from "node:test";

import { Cluster, browser, closePages, database, until, visited } from "./harness.js";

const form = (action, fields) => `<form method="post" action="${action}">${fields}<button>Send</button></form>`;
const page = (title, body) => `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>${title}</title><script type="module" src="/edge/client.js"></script><h1>${title}</h1>${body}</html>`;
const FILES = {
  "index.html": page("home", ""),
  "login.html": page("login", form("/take/wait/200", '<input name="user" value="me"><input name="a" type="password" value="hush">')),
  "code.html": page("code", form("/take/wait/200", '<input name="b" autocomplete="one-time-code" value="123456">')),
  "comment.html": page("comment", form("/take/wait/200", '<input name="text" value="hello">')),
  "other.html": page("other", form("/take/other/200", '<input name="text" value="hello">')),
  "kept.html": page("kept", form("/take/kept/200", '<input name="text" value="hello">')),
  "offline.html": page("offline", ""),
  "edge.json": JSON.stringify({ v: 1, home: ["/take/**"], queue: ["/take/wait/**", "/take/script/*"], ignore: [] }),
};

let cluster;
let chrome;
let home;

before(async () => {
  cluster = await Cluster.start(FILES, ["--body-max-mib=2", `--mount=/take=tests.end_to_end.posting:Posting:${join(tmpdir(), `edge-posting-${process.pid}`)}`]);
  home = cluster.nodes[0].url;
  chrome = await browser();
});
after(async () => {
  await chrome?.close();
  await cluster?.stop();
});
afterEach(() => closePages(chrome.context));

const posted = async () => (await (await fetch(`${home}/take/`)).text()).trim().split("\n").filter(Boolean);

/** Open the page *name*, and send its form while there is no network. */
async function sent(name) {
  const page = await visited(chrome.context, `${home}/${name}`);
  await chrome.context.setOffline(true);
  await page.click("button");
  await page.waitForLoadState();
  return page;
}

test("a form of which the site says nothing gets the offline page, and nothing of it is kept", async () => {
  const page = await sent("other.html");
  assert.equal(await page.textContent("h1"), "offline");
  assert.deepEqual(await database(page, "outbox"), []);
  await chrome.context.setOffline(false);
});

for (const name of ["login.html", "code.html"]) {
  test(`a form with a secret never waits, even where forms may: ${name}`, async () => {
    const page = await sent(name);
    assert.equal(await page.textContent("h1"), "offline");
    assert.deepEqual(await database(page, "outbox"), []);
    await chrome.context.setOffline(false);
  });
}

test("a form that may wait shows a page, and is sent once when the site is back", async () => {
  const before = (await posted()).length;
  const page = await sent("comment.html");
  assert.match(await page.textContent("body"), /What you have sent is kept in this browser/);
  assert.equal((await database(page, "outbox")).length, 1);
  await chrome.context.setOffline(false);
  await page.goto(`${home}/`);
  await until(async () => !(await database(page, "outbox")).length, "the outbox is empty");
  const all = (await posted()).slice(before);
  assert.equal(all.length, 1);
  assert.match(all[0], /^[\w-]{36} \/take\/wait\/200 text=hello$/);
});

test("a change that is refused is told, kept until a page takes it, and nothing behind it is lost", async () => {
  const page = await visited(chrome.context, `${home}/`);
  await chrome.context.setOffline(true);
  const answers = await page.evaluate(async () => {
    const send = async (status, body) => (await fetch(`/take/script/${status}`, { method: "POST", body })).status;
    return [await send(409, "first"), await send(200, "second")];
  });
  assert.deepEqual(answers, [202, 202]);
  await page.evaluate(async () => {
    const { edge } = await import("/edge/client.js");
    edge.addEventListener("refused", (event) => (window.told = event.detail));
  });
  await chrome.context.setOffline(false); // Background Sync may be the first to send it
  await page.evaluate(() => dispatchEvent(new Event("online")));
  const told = await (await page.waitForFunction(() => window.told)).jsonValue();
  assert.deepEqual([told.status, told.method, new URL(told.url).pathname], [409, "POST", "/take/script/409"]);
  await until(async () => (await database(page, "outbox")).length === 1, "the other one was sent");
  await page.goto(`${home}/`); // the page that comes later finds it, too
  const again = await page.evaluate(async () => {
    const { queue, take } = await import("/edge/client.js");
    const [{ number, refused }] = await queue();
    if (refused.status !== 409) throw new Error(refused.status);
    return new TextDecoder().decode((await take(number)).body);
  });
  assert.equal(again, "first");
  assert.deepEqual(await database(page, "outbox"), []);
  assert.deepEqual((await posted()).slice(-2).map((line) => line.split(" ").slice(1).join(" ")), ["/take/script/409 first", "/take/script/200 second"]);
});

test("a change over 1 MiB fails where it cannot be sent, its page hears why, and those around it keep their order", async () => {
  const before = (await posted()).length;
  const page = await visited(chrome.context, `${home}/`);
  await page.evaluate(async () => {
    const { edge } = await import("/edge/client.js");
    window.told = [];
    edge.addEventListener("unkept", ({ detail: { method, why, url } }) => window.told.push([method, why, new URL(url).pathname]));
    window.send = (body) => fetch("/take/wait/200", { method: "POST", body }).then(({ status }) => status, ({ name }) => name);
  });
  await chrome.context.setOffline(true);
  const answers = await page.evaluate(() => Promise.all([window.send("first"), window.send("x".repeat(2 ** 20 + 1)), window.send("second")]));
  assert.deepEqual(answers, [202, "TypeError", 202]);
  await until(async () => (await page.evaluate(() => window.told)).length, "the page is told");
  assert.deepEqual(await page.evaluate(() => window.told), [["POST", "size", "/take/wait/200"]]);
  await chrome.context.setOffline(false);
  assert.equal(await page.evaluate(() => window.send("y".repeat(2 ** 20 + 1))), 200, "behind those that wait");
  const all = (await posted()).slice(before).map((line) => line.split(" ")[2].slice(0, 6));
  assert.deepEqual(all, ["first", "second", "yyyyyy"]);
  assert.deepEqual(await database(page, "outbox"), []);
});

test("a change that waits outlives a site that switches the client off, and goes out when that is taken back", { timeout: 120_000 }, async () => {
  const before = (await posted()).length;
  const rules = FILES["edge.json"];
  const page = await visited(chrome.context, `${home}/`);
  await until(async () => (await database(page, "rows")).some(({ path }) => path === "/edge.json"), "the rules are kept");
  // The server has named a time, so that it is not sent now.
  await page.evaluate(async () => {
    const row = { lane: "/take/wait/**", url: `${location.origin}/take/wait/200`, method: "POST", headers: [], body: new TextEncoder().encode("late").buffer, at: Date.now(), after: Date.now() + 60_000 };
    const request = indexedDB.open("edge", 1);
    const database = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const transaction = database.transaction("outbox", "readwrite");
    transaction.objectStore("outbox").put(row);
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
  });
  await cluster.write("edge.json", '{"v":1,"off":true}');
  await cluster.published("/edge.json", '{"v":1,"off":true}');
  const gone = () => page.evaluate(async () => !(await navigator.serviceWorker.getRegistration()) && !(await caches.keys()).length);
  await page.goto(`${home}/`);
  await until(gone, "the client is gone");
  await until(async () => (await database(page, "rows")).length === 0, "what it has stored is gone");
  const [row] = await database(page, "outbox");
  assert.equal(row.url, `${home}/take/wait/200`);
  await cluster.write("edge.json", rules);
  await cluster.published("/edge.json", rules);
  await page.evaluate(async () => {
    const request = indexedDB.open("edge", 1);
    const database = await new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const transaction = database.transaction("outbox", "readwrite");
    const all = transaction.objectStore("outbox");
    all.openCursor().onsuccess = ({ target }) => target.result.update({ ...target.result.value, after: 0 });
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
  });
  await page.goto(`${home}/`);
  await until(async () => (await posted()).length > before, "it is sent");
  assert.match((await posted()).at(-1), / \/take\/wait\/200 late$/);
});
