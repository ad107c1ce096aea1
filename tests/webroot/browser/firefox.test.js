// The smart client in Firefox: what docs/reference/browsers.md says was run there.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { Firefox } from "./firefox.js";
import { Cluster, until } from "./harness.js";

const page = (v, more = "") => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${v}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/s.css"><script type="module" src="/edge/client.js"></script></head>
<body><nav id="nav"></nav><h1>${v}</h1><input id="name">${more}<script>document.querySelector("#nav").textContent = "menu";</script></body></html>`;
const FILES = {
  "index.html": page("v1"), "scripted.html": page("v1"), "s.css": "h1 { color: rgb(1, 2, 3) }", "offline.html": "<!doctype html><h1>offline</h1>",
  "edge.json": JSON.stringify({ v: 1, home: ["/take/**"], queue: ["/take/**"] }),
};

let cluster;
let firefox;
let home;
before(async () => {
  cluster = await Cluster.start(FILES, [`--mount=/take=tests.end_to_end.posting:Posting:${join(tmpdir(), `edge-firefox-posts-${process.pid}`)}`]);
  firefox = await Firefox.start();
  home = cluster.nodes[0].url;
});
after(async () => {
  await firefox?.stop();
  await cluster?.stop();
});

/** Rows of a store of the worker's database. */
const rows = (store) => firefox.run((store) => new Promise((resolve, reject) => {
  const request = indexedDB.open("edge");
  request.onerror = () => reject(request.error);
  request.onsuccess = () => {
    const all = request.result.transaction(store).objectStore(store).getAll();
    all.onsuccess = () => resolve(all.result.map(({ path, number }) => path ?? number));
    request.result.close();
  };
}), store);

/** Open *path* twice: the second time the worker, which has stored it, gives it. */
async function opened(path) {
  for (const _ of [1, 2]) {
    await firefox.goto(home + path);
    await until(() => firefox.run(async () => Boolean(navigator.serviceWorker.controller)), "the worker is in charge");
    await until(async () => (await rows("rows")).includes(path), `${path} is stored`);
  }
}

const h1 = () => firefox.run(async () => document.querySelector("h1")?.textContent);

test("the worker takes over, and one socket of its lasts over navigations", { timeout: 120_000 }, async (context) => {
  await opened("/");
  context.diagnostic(await firefox.run(async () => navigator.userAgent));
  const sockets = async () => (await cluster.log()).filter(({ target }) => target.startsWith("/.edge/socket")).length;
  let count = await sockets();
  await until(async () => (count += await sockets()) > 0, "it opens one");
  for (const path of ["/", "/scripted.html", "/"]) {
    await firefox.goto(home + path);
    await until(() => firefox.run(async () => Boolean(navigator.serviceWorker.controller)), "the worker is in charge");
  }
  assert.equal(count + (await sockets()), 1);
});

test("a new version is merged into what is shown; a new script is offered to be loaded", { timeout: 120_000 }, async () => {
  await opened("/");
  await cluster.write("index.html", page("v2", "<p>more</p>"));
  await until(async () => (await h1()) === "v2", "the page shows it");
  assert.deepEqual(await firefox.run(async () => [document.querySelector("nav").textContent, document.querySelector("p").textContent, getComputedStyle(document.querySelector("h1")).color]), ["menu", "more", "rgb(1, 2, 3)"]);
  await opened("/scripted.html");
  await cluster.write("scripted.html", page("v2", "<script>1</script>"));
  await until(() => firefox.run(async () => [...document.querySelectorAll("[role=status]")].some((one) => one.shadowRoot.textContent.includes("There is a new version"))), "the notice is shown");
  assert.equal(await h1(), "v1");
});

test("any tree becomes any other, focus and what was typed stay", { timeout: 120_000 }, async () => {
  assert.deepEqual(await firefox.run(async () => {
    const { morph } = await import("/edge/page/patch.js");
    const main = document.body.appendChild(document.createElement("main"));
    let state = 7;
    const random = (n) => (state = (state * 48271) % 2147483647) % n;
    const tree = (depth) => Array.from({ length: random(5) }, () => {
      if (!random(4)) return `text${random(3)}`;
      return `<div${random(3) ? "" : ` id="${"abcdefgh"[random(8)]}"`}${random(3) ? "" : ` class="c${random(3)}"`}>${depth > 3 ? "t" : tree(depth + 1)}</div>`;
    }).join("");
    for (let step = 0; step < 300; step += 1) {
      const wanted = new DOMParser().parseFromString(`<main>${tree(0)}</main>`, "text/html").querySelector("main");
      const text = wanted.outerHTML;
      morph(main, wanted);
      if (main.outerHTML !== text && !main.isEqualNode(wanted)) return [step, text, main.outerHTML];
    }
    main.innerHTML = "<div id=l><input id=i></div><div id=r></div>";
    const input = main.querySelector("input");
    input.value = "typed";
    input.focus();
    input.setSelectionRange(2, 4);
    morph(main, new DOMParser().parseFromString("<main><div id=r><input id=i></div><div id=l></div></main>", "text/html").querySelector("main"));
    return [main.querySelector("#r input") === input, document.activeElement === input, input.value, input.selectionStart, input.selectionEnd];
  }), [true, true, "typed", 2, 4]);
});

test("with all nodes gone what was visited works, a change waits, and is sent when one is back", { timeout: 120_000 }, async () => {
  await opened("/");
  for (const { name } of cluster.nodes) await cluster.do("kill", name);
  await firefox.goto(`${home}/`);
  assert.equal(await h1(), "v2");
  assert.deepEqual(await firefox.run(async () => {
    const answer = await fetch("/take/200", { method: "POST", body: "hello" });
    return [answer.status, (await answer.json()).queued];
  }), [202, true]);
  await firefox.goto(`${home}/never.html`);
  assert.equal(await h1(), "offline");
  await cluster.do("start", "n1");
  await firefox.goto(`${home}/`);
  await until(async () => !(await rows("outbox")).length, "it is sent"); // no Background Sync here: pages tell
  assert.match(await (await fetch(`${home}/take/`)).text(), /^[\w-]{36} \/take\/200 hello$/m);
});
