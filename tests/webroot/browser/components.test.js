// One set of components: QuickJS on the server and Chromium write the same bytes, the browser takes over without
// touching anything, and what changes is put in place.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { seeded } from "../random.js";
import { browser, until } from "./harness.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Components of these folders of webroots are compared: the tests' own, and the demonstration's. */
const SITES = [`${ROOT}tests/webroot`, `${ROOT}demonstration/webroot`];
const STATES = Number(process.env.STATES ?? 150);
const TYPES = { ".js": "text/javascript", ".html": "text/html", ".css": "text/css" };
const DOCUMENTS = { Votes: "sha256:1", Vote: "sha256:2" };
const VOTES = "/graphql/sha256:1/Votes?variables=%7B%22code%22%3A%2241%22%7D";

/** A process that renders on the server's side. */
class Server {
  constructor(webroot) {
    this.process = spawn(`${ROOT}.venv/bin/python`, ["-m", "tests.app.rendering_program", webroot], { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async answer(asked) {
    this.process.stdin.write(`${JSON.stringify(asked)}\n`);
    return JSON.parse((await this.lines.next()).value);
  }
}

let server;
let chrome;
const renderers = [];
/** What is served beside files, by path: text, or a function of the request that answers. */
const served = new Map();

before(async () => {
  server = createServer(async (request, answer) => {
    const { pathname } = new URL(request.url, "http://x");
    const own = served.get(request.url) ?? served.get(pathname);
    if (typeof own === "function") return own(request, answer);
    if (own !== undefined) {
      answer.setHeader("content-type", own.startsWith("{") ? "application/json" : "text/html; charset=utf-8");
      return answer.end(own);
    }
    for (const root of pathname.startsWith("/edge/") ? [`${ROOT}webroot`] : SITES) {
      try {
        const text = await readFile(root + pathname.replace(/^\/other(?=\/)/, ""));
        answer.setHeader("content-type", TYPES[extname(pathname)] ?? "text/plain");
        return answer.end(text);
      } catch {
        // the next one
      }
    }
    answer.statusCode = 404;
    answer.end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  served.set("/empty", "<!doctype html><title>t</title><link rel=icon href=data:,>");
  chrome = await browser();
  for (const site of SITES) renderers.push(new Server(site));
});
after(async () => {
  await chrome?.close();
  for (const one of renderers) one.process.stdin.end();
  server?.close();
});

const url = (path) => `http://127.0.0.1:${server.address().port}${path}`;

const HOSTILE = ["</script><script>alert(1)</script>", "<!--", "-->", "]]>", "\u2028", "\u2029", "\0", "\ud800", "\udc00x", "\u{1f600}", "e\u0301", "ﷺ", "&amp;", "&", "<", ">", '"', "'", "`", "${x}",
  "javascript:alert(1)", " java\tscript:x", "data:text/html,x", "https://x.example/?a=b&c", "/p", "\" onload=\"x", "' x='", "__proto__", "constructor", "$&", "\r\n", "\u00a0", "\ufeff", "ǅ", "ß", ""];

/** States of components, as what they are given looks; the seed repeats them. */
class States {
  constructor(seed) {
    this.random = seeded(seed);
  }

  pick = (all) => all[Math.floor(this.random() * all.length)];
  many = (most, make) => Array.from({ length: Math.floor(this.random() * (most + 1)) }, make);
  text = () => this.many(4, () => this.pick([...HOSTILE, "word", "two words", String.fromCodePoint(0x20 + Math.floor(this.random() * 0x2ff00))])).join("");
  number = () => this.pick([0, -0, 1, -1, 0.1, 1e21, 1e-7, 123456789.125, 2 ** 53, Math.floor(this.random() * 1e6), this.random()]);
  flag = () => this.random() < 0.5;
  row = (depth = 0) => ({ key: this.text(), text: this.text(), on: this.flag(), rows: depth < 2 ? this.many(2, () => this.row(depth + 1)) : [] });
  all = () => ({ title: this.text(), number: this.number(), big: this.number(), rows: this.many(4, () => this.row()), nothing: this.pick([null, false, true, "", []]) });
  word = (...all) => this.pick([...all, this.text()]);
  code = () => Math.floor(this.random() * 0x10ffff).toString(16);
  votes = () => Math.floor(this.random() * 1e6);
  at = () => Math.floor(this.random() * 4e9);
  voting = (codes) => this.pick([undefined, Object.fromEntries(codes.map((code) => [code, this.pick(["given", "waits", "", this.text()])]))]);
  block = () => ({ slug: this.text(), name: this.text() });
  glyph = () => ({ code: this.code(), name: this.text(), glyph: this.text(), votes: this.votes(), block: this.block() });
  ranking = () => {
    const ranking = this.many(8, this.glyph);
    return { ranking, first: 8, back: this.word("/"), heading: this.flag(), voting: this.voting(ranking.map(({ code }) => code)), problem: this.pick([undefined, "", this.text()]) };
  };
  comment = () => ({ id: this.votes(), text: this.text(), at: this.at(), character: this.pick([undefined, this.glyph()]) });
  comments = () => ({ [this.pick(["comments", "recent"])]: this.many(6, this.comment), code: this.pick([undefined, this.code()]), state: this.text(), problem: this.text(), text: this.text() });
  blocks = () => ({ all: this.flag(), blocks: this.many(9, () => ({ ...this.block(), count: this.votes(), sample: this.text() })) });
  character = () => ({ code: this.code(), character: { ...this.glyph(), category: this.text(), upper: this.word(""), lower: this.word(""), decomposition: this.word(""), numeric: this.word("") }, voting: this.voting([this.code()]), problem: this.text() });
  grid = () => ({ page: 1 + this.votes(), block: { ...this.block(), first: this.code(), last: this.code(), count: this.votes(), pages: this.pick([1, 2, 99]), characters: this.many(9, this.glyph) } });
  found = () => ({ text: this.word(""), search: this.pick([undefined, this.many(9, this.glyph)]) });
  now = () => ({
    said: this.pick([undefined, this.many(2, this.text)]), offer: this.word(undefined), spared: this.pick([undefined, { requests: this.text(), bytes: this.text(), kept: this.text() }]),
    nodes: this.pick([undefined, this.many(4, () => ({ id: this.text(), url: this.text(), is: this.pick(["up", "slow", "away", "unknown"]), mine: this.flag(), use: this.many(40, () => this.random()) }))]),
    choice: this.word(undefined), staging: this.pick([undefined, null, { url: this.text(), token: this.text() }]), unplugged: this.flag(), pending: this.word(undefined), answer: this.word(undefined), brief: this.flag(),
    rows: this.pick([undefined, this.many(7, () => ({ id: this.votes(), at: this.text(), kind: this.pick(["browser", "node", "news", "you", "bad"]), what: this.text(), bytes: this.word(undefined), ms: this.word(undefined), size: this.votes() }))]),
  });
  counter = () => ({ code: this.text(), votes: this.number(), mine: this.number(), pending: this.flag(), rows: this.many(5, this.text) });
}

/** The demonstration's components. */
const OURS = ["ranking", "comments", "blocks", "character", "grid", "found", "now"];

/** What Chromium makes of each [module, props, key]; null: it throws. */
const inBrowser = async (page, all) => {
  const texts = await page.evaluate(async (all) => {
    const { keyed } = await import("/edge/page/html.js");
    return Promise.all(JSON.parse(all).map(async ([path, props, key]) => {
      const { render } = await import(path);
      try {
        return JSON.stringify(keyed(key, render(props)).text); // halves of surrogate pairs do not come through otherwise
      } catch {
        return null;
      }
    }));
  }, JSON.stringify(all));
  return texts.map((text) => text && JSON.parse(text).toWellFormed());
};

test(`QuickJS and Chromium write the same bytes: ${STATES} states of each component`, async () => {
  const page = await chrome.context.newPage();
  await page.goto(url("/empty"));
  const states = new States(20);
  for (const [site, names] of [[0, ["all", "counter"]], [1, OURS]]) {
    for (const name of names) {
      const all = Array.from({ length: STATES }, () => [name, states[name](), states.text() || "k"]);
      const theirs = await inBrowser(page, all.map(([name, props, key]) => [`/components/${name}.js`, props, key]));
      let rendered = 0;
      for (const [number, asked] of all.entries()) {
        const { html = null } = await renderers[site].answer({ render: asked });
        assert.equal(html, theirs[number], JSON.stringify(asked));
        rendered += html !== null;
      }
      assert.ok(rendered > STATES * 0.9, `${name}: ${rendered} of ${STATES}`);
    }
  }
  await page.close();
});

test("what QuickJS writes of a hostile state has the elements and attributes of the template, and runs nothing", async () => {
  const page = await chrome.context.newPage();
  await page.goto(url("/empty"));
  const states = new States(21);
  const all = Array.from({ length: STATES }, () => states.all());
  const written = [];
  for (const props of all) written.push((await renderers[0].answer({ render: ["all", props, "k"] })).html);
  const wrong = await page.evaluate(([written, rows]) => written.filter((text, number) => {
    const { body } = new DOMParser().parseFromString(text, "text/html");
    const elements = [...body.querySelectorAll("*")];
    const names = new Set(elements.flatMap((one) => [one.localName, ...one.getAttributeNames()]));
    const known = "section data-key h2 p b ul ol li class hidden data-text a href title input type checked disabled value textarea template svg viewBox text".split(" ");
    const runs = [...body.querySelectorAll("a")].some((one) => /^(javascript|data|vbscript):/.test(one.protocol ?? new URL(one.getAttribute("href"), location).protocol));
    return body.children.length !== 1 || [...names].some((name) => !known.includes(name)) || runs || body.querySelectorAll("li").length !== rows[number];
  }), [written, all.map(({ rows }) => JSON.stringify(rows).split('"rows":').length - 1)]);
  assert.deepEqual(wrong, []);
  await page.close();
});

test("elements stand in one another as the text of a component says: a parser moves none (a form in a paragraph ends that)", async () => {
  const page = await chrome.context.newPage();
  await page.goto(url("/empty"));
  const states = new States(23);
  const all = OURS.flatMap((name) => Array.from({ length: 20 }, () => [`/components/${name}.js`, states[name](), "k"]));
  const texts = await inBrowser(page, all);
  const wrong = await page.evaluate((texts) => texts.filter((text) => {
    const isVoid = (name) => /^(?:br|hr|img|input|link|meta|wbr)$/.test(name);
    const said = [...text.matchAll(/<(\/?)([a-z][\w-]*)(?:"[^"]*"|[^">])*?(\/?)>/g)].flatMap(([, end, name, ends]) => (ends && !isVoid(name) ? [name, `/${name}`] : [end + name]));
    const made = (element) => [element.localName, ...[...element.children].flatMap(made), ...(isVoid(element.localName) ? [] : [`/${element.localName}`])];
    const place = document.createElement("main");
    place.innerHTML = text;
    return [...place.children].flatMap(made).join(" ") !== said.join(" ");
  }), texts.filter(Boolean));
  assert.deepEqual(wrong, []);
  assert.ok(texts.filter(Boolean).length > all.length * 0.9);
  await page.close();
});

const HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,"></head><body><main>';
/** Sees all that is touched behind the parser. */
const WATCH = "<script>window.touched = []; new MutationObserver((all) => touched.push(...all)).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });</script>";
const START = '<script type="module">import { start } from "/edge/page/components.js"; window.page = await start(); window.started = true;</script>';

/** A page of the counter for *data*, as the server writes it. */
const written = async (data, more = []) => (await renderers[0].answer({
  page: [HEAD, ["counter", { code: "41" }, ""], "<hr>", ...more, "</main>", null, START, WATCH, "</body></html>"], documents: DOCUMENTS, data,
})).html;

async function opened(path = "/page?edge=off") {
  const page = await chrome.context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  await page.goto(url(path));
  await page.waitForFunction(() => window.started);
  return page;
}

test("taking over touches nothing", async () => {
  const states = new States(22);
  const more = Array.from({ length: 20 }, (_, number) => ["all", { ...states.all(), n: 1 }, `all-${number}`]);
  const html = (await renderers[0].answer({
    page: [HEAD, ["counter", { code: "41", rows: ["</script>"] }, ""], ...more, "</main>", null, START, WATCH, "</body></html>"],
    documents: { ...DOCUMENTS, All: "sha256:3", None: "sha256:4" }, data: { Votes: { votes: 7 }, All: { a: "<!--" }, None: {} },
  })).html;
  served.set("/page", html);
  const page = await opened();
  const { touched, parts, texts } = await page.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve));
    return { touched: touched.length, parts: window.page.app.rows.written.size, texts: document.querySelector("[data-key=counter]").textContent };
  });
  assert.deepEqual([touched, parts, page.errors], [0, 21, []]);
  assert.match(texts, /41\s*7/);
  await page.close();
});

test("an event changes its part: at once, and by the answer; what is typed stays", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }));
  let release;
  const asked = [];
  served.set("/graphql/sha256:2/Vote", async (request, answer) => {
    const body = (await request.toArray()).join("");
    asked.push([request.method, body, Boolean(request.headers["idempotency-key"])]);
    await new Promise((resolve) => (release = resolve));
    answer.end(JSON.stringify({ data: { votes: 8 } }));
  });
  served.set(VOTES, '{"data": {"votes": 8}}');
  const page = await opened();
  await page.fill("[name=text]", "typed");
  await page.click("button");
  await until(() => release, "the mutation is asked for");
  assert.deepEqual(await page.evaluate(() => [document.querySelector("data").textContent, document.querySelector("button").disabled]), ["8", true]);
  release();
  await page.waitForFunction(() => document.querySelector("data").value === "8");
  assert.deepEqual(
    await page.evaluate(() => [document.querySelector("data").textContent, document.querySelector("button").disabled, document.querySelector("[name=text]").value, document.querySelector("ol").innerHTML]),
    ["8", false, "typed", '<li data-key="8 &lt;b&gt;">8 &lt;b&gt;</li>'],
  );
  assert.deepEqual(asked, [["POST", '{"variables":{"code":"41"}}', true]]);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("what has changed is asked for and put in place: that part alone, and no query that is not shown", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }, [["counter", { code: "42" }, "other"]]));
  served.set(VOTES, '{"data": {"votes": 9}}');
  const page = await opened();
  const got = await page.evaluate(async (urls) => {
    const event = new CustomEvent("edge-changed", { detail: { groups: [], queries: urls }, cancelable: true });
    const prevented = !document.dispatchEvent(event);
    while (document.querySelector("data").textContent !== "9") await new Promise((resolve) => setTimeout(resolve, 5));
    return [prevented, touched.map(({ type, target }) => [type, (target.closest ?? target.parentNode.closest).call(target.closest ? target : target.parentNode, "[data-key]").dataset.key])];
  }, [VOTES, "/graphql/sha256:9/Nobody"]);
  assert.deepEqual(got, [true, [["attributes", "counter"], ["characterData", "counter"]]]);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a new version of the page that differs in data is put in place; one that differs otherwise is left to the default", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }));
  const page = await opened("/page");
  const updated = () => page.evaluate(async () => {
    const event = new CustomEvent("edge-update", { detail: { paths: ["/page"] }, cancelable: true });
    return !document.dispatchEvent(event);
  });
  served.set("/page", await written({ Votes: { votes: 10 } }));
  await page.evaluate(() => fetch("/page", { cache: "reload" }));
  assert.equal(await updated(), true);
  await page.waitForFunction(() => document.querySelector("data").textContent === "10");
  served.set("/page", await written({ Votes: { votes: 11 } }, ["<p>new</p>"]));
  await page.evaluate(() => fetch("/page", { cache: "reload" }));
  await page.evaluate(() => document.addEventListener("edge-outdated", (event) => { event.preventDefault(); window.outdated = event.detail.why; }));
  await updated();
  await page.waitForFunction(() => window.outdated);
  assert.equal(await page.evaluate(() => document.querySelector("data").textContent), "10");
  assert.equal(
    await page.evaluate(() => {
      document.head.append(Object.assign(document.createElement("script"), { src: "/components/words.js", type: "module" }));
      return new Promise((resolve) => setTimeout(() => resolve(document.dispatchEvent(new CustomEvent("edge-update", { detail: { paths: ["/page", "/components/words.js"] }, cancelable: true }))), 200));
    }),
    true,
  );
  await page.close();
});

test("what is told to be new before the components are there is put in place when they are", async () => {
  const held = START.replace("start()", "start((name) => new Promise((resolve) => (window.letGo = resolve)).then(() => import(`/components/${name}.js`)))");
  const show = async (data, more) => served.set("/page", (await written(data, more)).replace(START, held));
  const early = async (type, detail) => {
    await show({ Votes: { votes: 7 } });
    const page = await chrome.context.newPage();
    await page.goto(url("/page"));
    await page.waitForFunction(() => window.letGo);
    const prevented = await page.evaluate(async ([type, detail]) => {
      await fetch("/page", { cache: "reload" });
      return !document.dispatchEvent(new CustomEvent(type, { detail, cancelable: true }));
    }, [type, detail]);
    assert.equal(prevented, true);
    return page;
  };
  served.set(VOTES, '{"data": {"votes": 9}}');
  const changed = await early("edge-changed", { groups: [], queries: [VOTES] });
  await changed.evaluate(() => window.letGo());
  await changed.waitForFunction(() => document.querySelector("data").textContent === "9");
  await changed.close();
  const page = await early("edge-update", { paths: ["/page"] });
  await show({ Votes: { votes: 10 } });
  await page.evaluate(() => fetch("/page", { cache: "reload" }));
  await page.evaluate(() => window.letGo());
  await page.waitForFunction(() => document.querySelector("data").textContent === "10");
  await page.close();
  const other = await early("edge-update", { paths: ["/page"] });
  await show({ Votes: { votes: 11 } }, ["<p>new</p>"]); // not ours: by the default
  await other.evaluate(() => fetch("/page", { cache: "reload" }));
  await other.evaluate(() => document.addEventListener("edge-outdated", (event) => { event.preventDefault(); window.outdated = event.detail.why; }));
  await other.evaluate(() => window.letGo());
  await other.waitForFunction(() => window.outdated);
  await other.close();
});

test("what the server could not get, the browser gets", async () => {
  served.set("/page", await written({}));
  served.set(VOTES, '{"data": {"votes": 12}}');
  const page = await opened();
  await page.waitForFunction(() => document.querySelector("data")?.textContent === "12");
  assert.equal(await page.evaluate(() => document.querySelectorAll("[data-key=counter]").length), 1);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("without a network, and with errors, what is shown stays", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }));
  const page = await opened();
  for (const answer of ['{"data": null, "errors": [{"message": "no"}]}', "{", (_, answer) => answer.destroy(), (_, answer) => { answer.statusCode = 503; answer.end('{"data": {"votes": 1}}'); }]) {
    served.set(VOTES, answer);
    await page.evaluate((urls) => window.page.refresh(urls, { cache: "no-store" }), [VOTES]);
    assert.deepEqual(await page.evaluate(() => [touched.length, document.querySelector("data").textContent]), [0, "7"]);
  }
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("a part that cannot be rendered, asked for or loaded costs itself alone: the others are taken over, and are live", async () => {
  const broken = [["all", { n: 1, rows: [] }, "throws"], ["nowhere", {}, "missing"], ["counter", { code: "42" }, "other"]];
  const html = await written({ Votes: { votes: 7 } }, broken);
  served.set("/page", html.replace('"All":"sha256:3",', "")); // its query is not known
  served.set(VOTES, '{"data": {"votes": 9}}');
  const page = await opened();
  assert.deepEqual(await page.evaluate(async (url) => {
    await window.page.refresh([url]);
    return [touched.filter(({ target }) => (target.closest ? target : target.parentNode).closest("[data-key=throws], [data-key=missing]")).length, document.querySelector("[data-key=counter] data").textContent];
  }, VOTES), [0, "9"]);
  // One whose data make it throw later stays as it was, and those behind it do not.
  assert.equal(await page.evaluate(async ([one, other]) => {
    await window.page.take({ [one]: { votes: { toString() { throw new Error("no"); } } }, [other]: { votes: 11 } });
    return [...document.querySelectorAll("data")].map((data) => data.textContent).join();
  }, [VOTES, VOTES.replace("41", "42")]), "9,11");
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("who presses twice has changed it once", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }));
  let asked = 0;
  const waiting = [];
  served.set("/graphql/sha256:2/Vote", (_, answer) => {
    asked += 1;
    waiting.push(() => answer.end('{"data": {"votes": 8}}'));
  });
  served.set(VOTES, '{"data": {"votes": 8}}');
  const page = await opened();
  const press = () => page.evaluate(() => document.querySelector("form").requestSubmit());
  await press();
  await press();
  await until(() => waiting.length, "the mutation is asked for");
  waiting.pop()();
  await page.waitForFunction(() => document.querySelector("li")?.textContent === "8 <b>");
  assert.equal(asked, 1);
  await press(); // it was answered: this is another one
  await until(() => waiting.length, "it is asked for again");
  waiting.pop()();
  await until(() => asked === 2, "it was");
  assert.deepEqual(page.errors, []);
  await page.close();
});

test("an answer that comes behind that to a later question does not replace it", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }));
  const page = await opened();
  const late = [];
  served.set(VOTES, (_, answer) => late.push(answer));
  await page.evaluate((urls) => { window.first = window.page.refresh(urls, { cache: "no-store" }); }, [VOTES]);
  await until(() => late.length, "the first is asked for");
  served.set(VOTES, '{"data": {"votes": 9}}');
  await page.evaluate((urls) => window.page.refresh(urls, { cache: "reload" }), [VOTES]);
  late[0].end('{"data": {"votes": 8}}');
  assert.equal(await page.evaluate(() => window.first.then(() => document.querySelector("data").textContent)), "9");
  await page.close();
});

test("a part that was taken out of the page does not come back", async () => {
  served.set("/page", await written({ Votes: { votes: 7 } }));
  const page = await opened();
  assert.equal(await page.evaluate(async (url) => {
    document.querySelector("[data-key=counter]").remove();
    await window.page.take({ [url]: { votes: 9 } });
    return document.querySelectorAll("[data-key=counter]").length;
  }, VOTES), 0);
  assert.deepEqual(page.errors, []);
  await page.close();
});

/** Pages of Jinja2, of the number of votes of each row. */
const JINJA = `
import json, sys
from jinja2 import Environment
template = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,"></head><body>
<form id="form"><input name="text"></form>
<ol>{% for name, votes in rows %}
  <li data-key="{{ name }}" {% if votes > 8 %}class="many"{% endif %}><b>{{ name }}</b> {{ votes }} <button>vote</button></li>{% endfor %}
</ol><p>{{ rows | length }} rows</p></body></html>""")
print(json.dumps([template.render(rows=rows) for rows in json.loads(sys.argv[1])]))`;

test("what Jinja2 renders anew is put in place, and only what differs is touched", async () => {
  const rows = Array.from({ length: 30 }, (_, number) => [`<r${number}>`, number]);
  const changed = rows.map(([name, votes]) => [name, votes === 7 ? 70 : votes]).filter(([, votes]) => votes !== 3);
  const made = spawn(`${ROOT}.venv/bin/python`, ["-c", JINJA, JSON.stringify([rows, changed])], { stdio: ["ignore", "pipe", "inherit"] });
  const [was, wanted] = JSON.parse((await made.stdout.toArray()).join(""));
  let html = was;
  served.set("/jinja", (_, answer) => answer.setHeader("content-type", "text/html").setHeader("cache-control", "no-store").end(html));
  const page = await chrome.context.newPage();
  await page.goto(url("/jinja"));
  await page.fill("[name=text]", "typed");
  await page.focus("[data-key='<r9>'] button");
  html = wanted;
  const got = await page.evaluate(async (was) => {
    const { Update } = await import("/edge/page/update.js");
    const touched = [];
    new MutationObserver((all) => touched.push(...all)).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    document.querySelector("[data-key='<r9>'] button").focus();
    await new Update(location.href, Promise.resolve(was), async () => null).add(["/jinja"]);
    await null;
    return {
      touched: touched.map(({ type, target }) => `${type} ${target.nodeName}`), focus: document.activeElement.parentNode.dataset.key, text: document.querySelector("[name=text]").value,
      row: ((one) => [one.className, one.innerHTML])(document.querySelector("[data-key='<r7>']")), count: document.querySelectorAll("li").length, last: document.querySelector("p").textContent,
    };
  }, was);
  assert.deepEqual({ ...got, touched: undefined }, { touched: undefined, focus: "<r9>", text: "typed", row: ["many", "<b>&lt;r7&gt;</b> 70 <button>vote</button>"], count: 29, last: "29 rows" });
  assert.ok(got.touched.length <= 6, got.touched.join(", "));
  await page.close();
});
