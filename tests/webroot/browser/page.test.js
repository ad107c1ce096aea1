// The page runtime in a real page: what is touched, what stays, and for how long the main thread is held.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { browser } from "./harness.js";

const PAGE = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>app</title><div id="list"></div>
<div id="served"><p data-key="a" class="mine">a &amp; b</p><p data-key="b">b</p></div></html>`;

let server;
let chrome;
let page;

before(async () => {
  server = createServer(async (request, answer) => {
    const isScript = request.url.startsWith("/edge/");
    answer.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    answer.end(isScript ? await readFile(new URL(`../../../webroot${request.url}`, import.meta.url)) : PAGE);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  chrome = await browser();
  page = await chrome.context.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
});
after(async () => {
  await chrome?.close();
  server?.close();
});

/** Run *body* in the page with the runtime's exports. */
const run = (body, argument) => page.evaluate(`(async (argument) => {
  const [{ html, keyed, Html }, { App }, { morph }] = await Promise.all(
    ["html", "app", "patch"].map((name) => import("/edge/page/" + name + ".js")));
  const list = document.querySelector("#list");
  list.replaceChildren();
  const rows = (n, mark = "") => Array.from({ length: n }, (_, i) => ({ id: i, text: "row " + i + mark }));
  const parts = {
    *render(state) { for (const { id, text } of state) yield keyed(id, html\`<li><input><b>\${text}</b></li>\`); },
    async *eventHandler(state, event) { yield state; },
  };
  const texts = () => [...list.children].map((one) => one.textContent).join("|");
  ${body}
})(${JSON.stringify(argument ?? null)})`);

test("html escapes what is put in, but HTML of its own kind", async () => {
  const got = await run(`return String(html\`<p title="\${'"><script>'}">\${"<b>&'"}\${html\`<i>\${1}</i>\`}\${[html\`<u></u>\`, "<"]}\${null}\${false}</p>\`);`);
  assert.equal(got, '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&#39;<i>1</i><u></u>&lt;</p>');
});

test("only changed components are touched; order, additions and removals come out right", async () => {
  const got = await run(`
    const app = new App(list, [], parts);
    await app.show(rows(5));
    const before = [...list.children];
    const seen = [];
    new MutationObserver((all) => seen.push(...all)).observe(list, { subtree: true, childList: true, characterData: true, attributes: true });
    const next = rows(5);
    next[2] = { id: 2, text: "other" };
    await app.show(next);
    await null;
    const touched = seen.length;
    await app.show([next[4], next[0], { id: 9, text: "new" }, next[2]]);
    return [touched, texts(), list.children[0] === before[4], list.children[3] === before[2]];`);
  assert.deepEqual(got, [1, "row 4|row 0|new|other", true, true]);
});

test("any order becomes any other, by a thousand random steps", async () => {
  const wrong = await run(`
    const app = new App(list, [], parts);
    let state = 7;
    const random = (n) => (state = (state * 48271) % 2147483647) % n;
    for (let step = 0; step < 1000; step += 1) {
      const ids = Array.from({ length: 12 }, (_, i) => i).filter(() => random(3)).sort(() => random(3) - 1);
      const next = ids.map((id) => ({ id, text: id + "." + random(2) }));
      await app.show(next);
      const want = next.map((one) => one.text).join("|");
      if (texts() !== want) return [step, want, texts()];
    }`);
  assert.equal(wrong, undefined);
});

test("focus, selection, what was typed, open details and custom elements stay", async () => {
  const got = await run(`
    const app = new App(list, [], { ...parts, *render(state) {
      yield keyed("form", html\`<section><input id="i" value="\${state}"><x-map data-n="\${state}"></x-map><details><summary>s</summary></details><span>\${state}</span></section>\`);
    } });
    await app.show(1);
    const input = document.querySelector("#i");
    input.focus();
    input.value = "typed";
    input.setSelectionRange(2, 4);
    document.querySelector("x-map").innerHTML = "<canvas></canvas>";
    document.querySelector("details").open = true;
    await app.show(2);
    return [document.activeElement === input, input.value, input.selectionStart, input.selectionEnd,
      document.querySelector("x-map").innerHTML, document.querySelector("x-map").dataset.n, document.querySelector("details").open, document.querySelector("span").textContent];`);
  assert.deepEqual(got, [true, "typed", 2, 4, "<canvas></canvas>", "2", true, "2"]);
});

test("what a server has rendered is not rendered again", async () => {
  const got = await run(`
    const root = document.querySelector("#served");
    const [a, b] = root.children;
    const seen = [];
    new MutationObserver((all) => seen.push(...all)).observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    const app = new App(root, "b", { ...parts, *render(state) { yield keyed("a", html\`<p class="mine">a &amp; b</p>\`); yield keyed("b", html\`<p>\${state}</p>\`); } });
    await app.hydrate();
    await app.show("b");
    const untouched = seen.length;
    await app.show("c");
    return [untouched, root.children[0] === a, root.children[1] === b, root.textContent];`);
  assert.deepEqual(got, [0, true, true, "a & bc"]);
});

test("a later event ends the iteration of an earlier one", async () => {
  const got = await run(`
    const ended = [];
    let goOn;
    const gate = new Promise((resolve) => (goOn = resolve));
    const done = new Promise((resolve) => list.addEventListener("done", resolve, { once: true }));
    const app = new App(list, [], { ...parts, async *eventHandler(state, event) {
      try {
        for (let i = 0; i < 5; i += 1) {
          yield [{ id: 1, text: event.detail + i }];
          if (event.detail === "a") await gate;
        }
        ended.push(event.detail + " whole");
      } finally {
        ended.push(event.detail);
        if (ended.length === 3) list.dispatchEvent(new Event("done"));
      }
    }, events: ["say"] });
    const shown = (text) => new Promise((resolve) => new MutationObserver(() => texts() === text && resolve())
      .observe(list, { subtree: true, childList: true, characterData: true }));
    const first = shown("a0");
    list.dispatchEvent(new CustomEvent("say", { detail: "a" }));
    await first;
    const last = shown("b4");
    list.dispatchEvent(new CustomEvent("say", { detail: "b" }));
    await last;
    goOn();
    await done;
    return [texts(), ended];`);
  assert.deepEqual(got, ["b4", ["b whole", "b", "a"]]);
});

test("a state that cannot be shown is none: what comes next is made of the one before", async () => {
  const got = await run(`
    const app = new App(list, [], { ...parts, *render(state) {
      for (const { id, text } of state) {
        if (!text) throw new Error("no text");
        yield keyed(id, html\`<li>\${text}</li>\`);
      }
    } });
    await app.show([{ id: 1, text: "a" }]);
    const why = await app.show([{ id: 1, text: "b" }, { id: 2 }]).then(() => "", ({ message }) => message);
    await app.show([...app.state, { id: 3, text: "c" }]);
    return [why, texts()];`);
  assert.deepEqual(got, ["no text", "a|c"]);
});

test("a newer state supersedes the rest of an older one", async () => {
  const got = await run(`
    const app = new App(list, [], parts);
    const first = app.show(rows(3000));
    const second = app.show(rows(3, " new"));
    return [await first, await second, texts()];`);
  assert.deepEqual(got, [false, true, "row 0 new|row 1 new|row 2 new"]);
});

/** Tasks of the page's main thread while *work* ran, longest first: milliseconds of [wall, CPU]. */
async function tasks(work) {
  const session = await chrome.context.newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["toplevel", "blink.user_timing", "devtools.timeline"] } });
  const result = await work();
  const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await complete;
  await session.detach();
  const [begin, end] = ["begin", "end"].map((name) => events.find((one) => one.name === `patch-${name}`));
  const longest = events
    .filter((one) => /RunTask$/.test(one.name) && one.pid === begin.pid && one.tid === begin.tid && one.ts + one.dur > begin.ts && one.ts < end.ts)
    .map(({ dur, tdur }) => [dur / 1000, (tdur ?? dur) / 1000])
    .sort((one, other) => other[0] - one[0]);
  return { result, longest };
}

test("while 1,000 rows are made and patched an urgent task has its turn after each slice of work", async (context) => {
  for (const what of ["made", "patched"]) {
    // The clock shows work that was done: each row takes a millisecond.  With each there is something urgent to do.
    const { result: [text, most, turns], longest } = await tasks(() => run(`
      const app = new App(list, [], parts);
      if (argument === "patched") await app.show(rows(1000));
      let written = 0, most = 0, turns = 0, ms = 0, waits = false;
      const urgent = () => {
        written = 0;
        turns += 1;
        waits = false;
      };
      const { rows: shown } = app;
      const write = shown.apply;
      shown.apply = (difference) => {
        written += 1;
        most = Math.max(most, written);
        if (!waits) scheduler.postTask(urgent, { priority: "user-blocking" });
        waits = true;
        write.call(shown, difference);
      };
      performance.now = () => (ms += 1);
      performance.mark("patch-begin");
      await app.show(rows(1000, " changed"));
      performance.mark("patch-end");
      delete performance.now;
      return [list.lastElementChild.textContent, most, turns];`, what));
    assert.equal(text, "row 999 changed");
    const figures = longest.slice(0, 4).map(([wall, cpu]) => `${wall.toFixed(1)} ms (CPU ${cpu.toFixed(1)})`);
    context.diagnostic(`${what}: ${longest.length} tasks, the longest took ${figures.join(", ")} (goal: 8 ms); ${turns} turns, ${most} rows at most between two`);
    assert.ok(most <= 3, `${most} rows between two turns`);
    assert.ok(turns >= 1000 / 4, `${turns} turns`);
  }
});

test("a list inside of a piece is changed row by row, whatever changes: a thousand random steps, with interruptions", async () => {
  const wrong = await run(`
    let state = 11;
    const random = (n) => (state = (state * 48271) % 2147483647) % n;
    const row = ({ id, text, inner }) => keyed(id, html\`<li>\${text}<ul>\${inner.map((one) => keyed(one, html\`<li>\${one}</li>\`))}</ul></li>\`);
    const app = new App(list, [], { *render(pieces) {
      for (const { id, title, one, two } of pieces) yield keyed(id, html\`<section><h2>\${title}</h2><ol><li>head</li>\${one.map(row)}</ol><div>\${two.length ? html\`<ul>\${two.map(row)}</ul>\` : "none"}</div></section>\`);
    }, *eventHandler() {} });
    const some = (make) => Array.from({ length: 7 }, (_, i) => i).filter(() => random(3)).sort(() => random(3) - 1).map(make);
    const lines = () => some((id) => ({ id, text: id + "." + random(2), inner: random(4) ? [1, 2] : some((one) => one) }));
    const piece = (id) => ({ id, title: random(5) ? "t" : "u", one: lines(), two: random(6) ? lines() : [] });
    for (let step = 0; step < 1000; step += 1) {
      const pieces = random(9) ? [piece("x"), piece("y")] : some(piece);
      if (!random(8)) app.show([piece("x"), piece("z")]); // superseded at once
      if (!random(8)) {
        const halfway = app.conciliate;
        app.conciliate = async function* (before, state) {
          let left = random(6);
          for await (const one of halfway(before, state)) {
            yield one;
            if (!left--) return;
          }
        };
        await app.show([piece("x"), piece("y")]);
        app.conciliate = halfway;
      }
      await app.show(pieces);
      const want = document.createElement("div");
      want.innerHTML = [...app.render(pieces)].join("");
      if (list.innerHTML !== want.innerHTML) return [step, want.innerHTML, list.innerHTML];
    }`);
  assert.equal(wrong, undefined);
});

test("of a list inside of a piece only the rows that differ are touched, and moving one moves one", async () => {
  const got = await run(`
    const app = new App(list, [], { render: (all) => [keyed("all", html\`<ol>\${all.map(({ id, text }) => keyed(id, html\`<li>\${text}</li>\`))}</ol>\`)], *eventHandler() {} });
    const all = rows(50);
    await app.show(all);
    const seen = [];
    new MutationObserver((records) => seen.push(...records)).observe(list, { subtree: true, childList: true, characterData: true, attributes: true });
    const touched = async (next) => {
      await app.show(next);
      await null;
      return seen.splice(0).map(({ type, addedNodes, removedNodes }) => type + addedNodes.length + removedNodes.length).sort();
    };
    const changed = all.map((one) => (one.id === 7 ? { ...one, text: "seven" } : one));
    return [await touched(all.map((one) => ({ ...one }))), await touched(changed), await touched([...changed.slice(1), changed[0]]), await touched(changed.slice(1)), await touched(changed)];`);
  assert.deepEqual(got.slice(0, 2), [[], ["characterData00"]]);
  assert.ok(got[2].length <= 2, `${got[2]}`);
  assert.deepEqual(got.slice(3), [["childList01"], ["childList10"]]);
});

test("a row is written token by token as its HTML would be parsed, or not at all", async () => {
  const wrong = await run(`
    const { rewrite } = await import("/edge/page/tokens.js");
    let state = 13;
    const random = (n) => (state = (state * 48271) % 2147483647) % n;
    const pick = (...all) => all[random(all.length)];
    const word = () => pick("", "a", "<b>", "&", "&amp;", "&nbsp", '"', "'", " x ", "a > b", "\\n", "0");
    const inner = (depth) => depth > 2 ? html\`\${word()}\` : pick(
      () => html\`\${word()}<b class="\${word()}">\${inner(depth + 1)}</b>\`, () => html\`<i>\${word()}</i> \${word()}<br>\`, () => html\`<a href="/\${word()}" title="\${word()}" ?hidden=\${random(2)}>\${word()}</a>\`,
      () => html\`<p>\${word()}</p>\`, () => html\`<input value="\${word()}">\`, () => html\`<span title='\${word()}'>&nbsp;\${word()}</span>\`, () => html\`<table><tr><td>\${word()}</td></tr></table>\`, () => html\`\${word()}\`)();
    const htmls = Array.from({ length: 400 }, () => html\`<li class="\${word()}">\${inner(0)}\${inner(0)}</li>\`.text);
    const made = (text) => Object.assign(document.createElement("template"), { innerHTML: text }).content.firstElementChild;
    let done = 0;
    for (const before of htmls) for (const text of htmls.slice(random(300)).slice(0, 60)) {
      const element = made(before);
      const was = element.outerHTML;
      const is = rewrite(element, before, text);
      done += is;
      if (is ? element.outerHTML !== made(text).outerHTML : element.outerHTML !== was) return [is, before, text, element.outerHTML];
    }
    return done > 30 ? undefined : done;`);
  assert.equal(wrong, undefined);
});
