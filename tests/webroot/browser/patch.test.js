// DOM morphing in a real browser: what comes out, what is touched, and what stays.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import test, { after, before } from "node:test";

import { browser } from "./harness.js";

let server;
let chrome;
let page;

before(async () => {
  server = createServer(async (request, answer) => {
    const isScript = request.url.startsWith("/edge/");
    answer.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    answer.end(isScript ? await readFile(new URL(`../../../webroot${request.url}`, import.meta.url)) : "<!doctype html><title>t</title><link rel=icon href=data:,><main></main>");
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

/** Run *body* in the page, with what it needs to say much in few words. */
const run = (body, argument) => page.evaluate(`(async (argument) => {
  const { morph, Merge, Conflict } = await import("/edge/page/patch.js");
  const main = document.querySelector("main");
  const parsed = (html) => new DOMParser().parseFromString("<main>" + html + "</main>", "text/html").querySelector("main");
  const show = (html) => { main.innerHTML = html; };
  const become = (html) => morph(main, parsed(html));
  /** The page was made of *was*; scripts did *doing*; now it is to be as *wanted*. */
  const merge = (was, doing, wanted) => {
    show(was);
    doing();
    new Merge([main], [parsed(was)], [parsed(wanted)]).apply();
    return main.innerHTML;
  };
  const refused = (was, doing, wanted) => {
    show(was);
    doing();
    const shown = main.innerHTML;
    try { new Merge([main], [parsed(was)], [parsed(wanted)]).apply(); } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      return main.innerHTML === shown ? error.message : "touched";
    }
    return "merged: " + main.innerHTML;
  };
  const $ = (selector) => document.querySelector(selector);
  /** What *work* touches: nodes put in, taken out, attributes and texts written. */
  const touched = (work) => {
    const observer = new MutationObserver(() => {});
    observer.observe(main, { subtree: true, childList: true, characterData: true, attributes: true });
    work();
    const count = { added: 0, removed: 0, written: 0 };
    for (const one of observer.takeRecords()) {
      count.added += one.addedNodes.length;
      count.removed += one.removedNodes.length;
      count.written += one.type !== "childList";
    }
    return count;
  };
  ${body}
})(${JSON.stringify(argument ?? null)})`);

const PAIRS = [
  ["<p>a</p>", "<p>b</p>"],
  ["<p class=x>a</p>", "<p id=y>a</p>"],
  ["", "<p>a</p>text<!-- c -->"],
  ["<p>a</p>text<!-- c -->", ""],
  ["<p>a</p><b>b</b><i>c</i>", "<i>c</i><b>b</b><p>a</p>"],
  ["<hr id=a>", "<div><hr id=a></div>"],
  ["<div><hr id=a></div>", "<hr id=a>"],
  ["<div id=a><b id=b></b></div>", "<b id=b><div id=a></div></b>"],
  ["<a id=a></a><br><b id=b></b>", "<br><a id=a><b id=b></b></a>"],
  ["<div id=l><i id=x></i></div><div id=r><i id=y></i></div>", "<div id=l><i id=y></i></div><div id=r><i id=x></i></div>"],
  ["<p id=a></p><p id=a>2</p>", "<p id=a>2</p><p id=a>3</p><p id=a></p>"],
  ["<p data-key=1>a</p><p data-key=2>b</p>", "<p data-key=2>b2</p><p data-key=3>c</p><p data-key=1>a</p>"],
  ["<template><p>a</p></template>", "<template class=x><p>b</p><i></i></template>"],
  ["<svg viewBox='0 0 1 1'><a xlink:href='#a'></a></svg>", "<svg viewBox='0 0 2 2'><a xlink:href='#b'></a></svg>"],
  ["<table><tr><td>1</table>", "<table><tr><td>0<tr><td>1<td>2</table>"],
  ["<p @click='a' :b='1'>a</p>", "<p @click='b' :c='1'>a</p>"],
  ["<textarea>a</textarea>", "<textarea rows=2>b</textarea>"],
  ["<select><option>a<option selected>b</select>", "<select><option selected>a<option>b<option>c</select>"],
  ["\n <p>a</p>\n <p>b</p>\n", "\n <p>0</p>\n <p>a</p>\n <b></b>\n <p>b</p>\n"],
  ["<x-y a=1></x-y>", "<x-z a=1></x-z>"],
];

test("what comes out is what was wanted, there and back again", async () => {
  const wrong = await run(`return argument.flatMap((pair) => [pair, [...pair].reverse()]).filter(([from, to]) => {
    show(from);
    become(to);
    return !main.isEqualNode(parsed(to));
  });`, PAIRS);
  assert.deepEqual(wrong, []);
});

test("any tree becomes any other, two-way and three-way, by two thousand random steps", async () => {
  const wrong = await run(`
    let state = 7;
    const random = (n) => (state = (state * 48271) % 2147483647) % n;
    const tree = (depth) => Array.from({ length: random(5) }, () => {
      if (!random(4)) return "text" + random(3);
      const name = ["div", "p", "b", "section"][random(depth ? 4 : 3)].replace("p", depth > 2 ? "i" : "p");
      const id = random(3) ? "" : ' id="' + "abcdefgh"[random(8)] + '"';
      const key = random(5) ? "" : ' data-key="' + random(3) + '"';
      return "<" + name + id + key + (random(3) ? "" : ' class="c' + random(3) + '"') + ">" + (depth > 3 || name === "p" ? "t" + random(2) : tree(depth + 1)) + "</" + name + ">";
    }).join("");
    let was = "";
    show(was);
    for (let step = 0; step < 2000; step += 1) {
      const wanted = tree(0);
      if (step % 2) become(wanted);
      else new Merge([main], [parsed(was)], [parsed(wanted)]).apply();
      if (!main.isEqualNode(parsed(wanted))) return [step, was, wanted, main.innerHTML];
      was = wanted;
    }`);
  assert.equal(wrong, undefined);
});

test("focus, selection, scroll and what was typed stay, wherever an element with an id goes", async () => {
  const got = await run(`
    const all = [];
    for (const [from, to] of [
      ["<input id=i><input id=o>", "<input id=o><input id=i>"],
      ["<div id=l><input id=i></div><div id=r></div>", "<div id=l></div><div id=r><input id=i></div>"],
      ["<div><div><input id=i></div></div>", "<section><input id=i></section>"],
      ["<form><input id=i></form>", "<h1>new</h1><form><p>new</p><input id=i class=x></form>"],
    ]) for (const native of [true, false]) {
      show(from);
      const moveBefore = Element.prototype.moveBefore;
      if (!native) delete Element.prototype.moveBefore;
      const input = $("#i");
      input.value = "typed";
      input.focus();
      input.setSelectionRange(2, 4);
      become(to);
      Element.prototype.moveBefore = moveBefore;
      all.push([$("#i") === input, document.activeElement === input, input.value, input.selectionStart, input.selectionEnd].join());
    }
    return [...new Set(all)];`);
  assert.deepEqual(got, ["true,true,typed,2,4"]);
});

test("a control that a reader has changed stays so; another shows what the new version says", async () => {
  const got = await run(`
    show('<input id=a value=1><input id=b value=1><input id=c type=checkbox><input id=d type=checkbox><textarea id=e>1</textarea><textarea id=f>1</textarea><select id=g><option>x<option>y</select><select id=h><option>x<option>y</select><details></details>');
    for (const id of ["b", "f"]) $("#" + id).value = "mine";
    $("#d").checked = true;
    $("#h").value = "y";
    $("details").open = true;
    become('<input id=a value=2><input id=b value=2><input id=c type=checkbox checked><input id=d type=checkbox class=n><textarea id=e>2</textarea><textarea id=f>2</textarea><select id=g><option>x<option selected>y</select><select id=h><option>x<option>y<option>z</select><details><p>new</details>');
    return [...main.querySelectorAll("input, textarea, select")].map((one) => one.type === "checkbox" ? one.checked : one.value).concat($("details").open);`);
  assert.deepEqual(got, ["2", "mine", true, true, "2", "mine", "y", "y", true]);
});

test("a frame is not loaded anew when it moves, and an element that goes elsewhere is the same one", async () => {
  const got = await run(`
    show('<div id=a><iframe id=f srcdoc="x"></iframe></div><div id=b></div>');
    const frame = $("#f");
    await new Promise((resolve) => (frame.onload = resolve));
    frame.contentWindow.mark = 1;
    become('<div id=b><iframe id=f srcdoc="x"></iframe></div><div id=a></div>');
    return [$("#f") === frame, $("#b").contains(frame), Element.prototype.moveBefore ? frame.contentWindow.mark : 1];`);
  assert.deepEqual(got, [true, true, 1]);
});

const ROWS = `
  const row = (n, mark = "") => '<li id="r' + n + '"><b>row ' + n + mark + '</b> <i>x</i></li>';
  const plain = (n, mark = "") => '<li><b>row ' + n + mark + '</b> <i>x</i></li>';
  const many = Array.from({ length: 1000 }, (_, n) => n);`;

test("of 1,000 rows only what differs is touched", async () => {
  const got = await run(`${ROWS}
    const result = {};
    for (const [name, one] of [["with ids", row], ["without", plain]]) {
      const from = many.map((n) => one(n)).join("");
      const cases = {
        "every tenth": many.map((n) => one(n, n % 10 ? "" : "!")),
        "one in front": [one(5000), ...many.map((n) => one(n))],
        "one out of the middle": many.filter((n) => n !== 500).map((n) => one(n)),
        "the last in front": [999, ...many.slice(0, 999)].map((n) => one(n)),
      };
      for (const [what, to] of Object.entries(cases)) {
        show(from);
        const { added, removed, written } = touched(() => become(to.join("")));
        if (main.innerHTML !== to.join("")) throw new Error(what);
        result[name + ", " + what] = [added, removed, written].join();
      }
    }
    return result;`);
  for (const how of ["with ids", "without"]) {
    assert.equal(got[`${how}, every tenth`], "0,0,100");
    assert.equal(got[`${how}, one in front`], "1,0,0");
    assert.equal(got[`${how}, one out of the middle`], "0,1,0");
    assert.equal(got[`${how}, the last in front`], "1,1,0");
  }
});

test("what is hostile is done in steps that grow with its size", async (context) => {
  // Counted: what the planning looks at.  Twice the size may not take four times of it.
  const got = await run(`
    const shapes = {
      "all alike": (n) => ["<p></p>".repeat(n), "<p>x</p>".repeat(n)],
      "all with one id": (n) => ["<p id=a></p>".repeat(n), "<b></b>" + "<p id=a>x</p>".repeat(n)],
      "one key": (n) => ["<p data-key=a></p>".repeat(n), "<p data-key=a>x</p>".repeat(n)],
      "reversed": (n) => [0, 1].map((back) => Array.from({ length: n }, (_, i) => "<p id=r" + (back ? n - i : i + 1) + "></p>").join("")),
      "deep": (n) => [0, 1].map((x) => ("<div>".repeat(400) + "<i id=a" + x + "></i>" + "</div>".repeat(400)).repeat(n / 400)),
      "ids at the bottom": (n) => [0, 1].map((x) => Array.from({ length: n / 100 }, (_, i) => "<div>".repeat(99) + "<i id=i" + (x ? n / 100 - i - 1 : i) + "></i>" + "</div>".repeat(99)).join("")),
      "texts": (n) => [0, 1].map((x) => Array.from({ length: n }, (_, i) => "<br>" + (i + x)).join("")),
    };
    const result = {};
    for (const [name, shape] of Object.entries(shapes)) {
      result[name] = [2000, 4000].map((n) => {
        const [from, to] = shape(n);
        show(from);
        let steps = 0;
        const count = (prototype, property) => {
          const original = Object.getOwnPropertyDescriptor(prototype, property);
          Object.defineProperty(prototype, property, { ...original, get() { steps += 1; return original.get.call(this); } });
          return () => Object.defineProperty(prototype, property, original);
        };
        const back = ["parentNode", "nodeName", "previousSibling", "nextSibling", "nodeType"].map((property) => count(Node.prototype, property));
        const begin = performance.now();
        const wanted = parsed(to);
        morph(main, wanted);
        const ms = performance.now() - begin;
        for (const one of back) one();
        if (main.innerHTML !== parsed(to).innerHTML) throw new Error(name);
        return [steps, Math.round(ms)];
      });
    }
    show("");
    return result;`);
  for (const [shape, [[half, ms], [whole, longer]]] of Object.entries(got)) {
    context.diagnostic(`${shape}: ${half} steps (${ms} ms), twice the size: ${whole} (${longer} ms)`);
    assert.ok(whole < 2.5 * half + 1000, `${shape}: ${half} -> ${whole}`);
  }
});

test("what scripts have put in stays, and the difference is applied around it", async () => {
  const got = await run(`return [
    merge("<nav></nav><h1>1</h1><pre>let x</pre>", () => {
      $("nav").innerHTML = "<a>menu</a>";
      $("pre").innerHTML = "<b>let</b> x";
      main.insertAdjacentHTML("beforeend", "<dialog>banner</dialog>");
    }, "<nav></nav><h1>2</h1><p>new</p><pre>let x</pre>"),
    merge("<p class='a b'>t</p>", () => $("p").classList.add("js"), "<p class='b c'>t</p>"),
    merge("<ul><li>1<li>2</ul>", () => $("li").after(Object.assign(document.createElement("li"), { textContent: "ad" })), "<ul><li>1<li>2<li>3</ul>"),
    merge("<p>1</p><p>2</p>", () => $("p").remove(), "<p>1</p><p>2 new</p>"),
    merge("<div>a</div><div>b</div>", () => main.prepend(Object.assign(document.createElement("div"), { className: "toolbar", textContent: "tools" })), "<div>a</div><div>c</div>"),
    merge("<p id=a>1</p>", () => $("#a").remove(), "<p id=a>1</p><p>2</p>"),
    merge("<p>old</p><p>stays</p>", () => {}, "<p>stays</p>"),
    merge("<p hidden>1</p>", () => ($("p").hidden = false), "<p hidden>2</p>"),
  ];`);
  assert.deepEqual(got, [
    "<nav><a>menu</a></nav><h1>2</h1><p>new</p><pre><b>let</b> x</pre><dialog>banner</dialog>",
    '<p class="b js c">t</p>',
    "<ul><li>1</li><li>ad</li><li>2</li><li>3</li></ul>",
    "<p>2 new</p>",
    '<div class="toolbar">tools</div><div>a</div><div>c</div>',
    "<p>2</p>",
    "<p>stays</p>",
    "<p>2</p>",
  ]);
});

test("what does not fit what scripts have made is refused, and nothing is touched", async () => {
  const got = await run(`return [
    refused("<h1>a</h1><pre>let x</pre>", () => ($("pre").innerHTML = "<b>let</b> x"), "<h1>b</h1><pre>let y</pre>"),
    refused("<h1>a</h1><nav id=n></nav>", () => ($("nav").innerHTML = "<a>menu</a>"), "<h1>b</h1><nav id=n><a>home</a></nav>"),
    refused("<h1>a</h1><p id=p>1</p>", () => $("p").remove(), "<h1>b</h1><p id=p>2</p>"),
    refused("<h1>a</h1><img src=a>", () => ($("img").src = "z"), "<h1>b</h1><img src=b>"),
    refused("<h1>a</h1><time>1</time>", () => ($("time").textContent = "9"), "<h1>b</h1><time>2</time>"),
    refused("<h1>a</h1><script>1</script>", () => {}, "<h1>b</h1><script>2</script>"),
    refused("<h1>a</h1>", () => {}, "<h1>b</h1><div><script src=x></script></div>"),
    refused("<h1>a</h1><script>1</script>", () => {}, "<h1>b</h1>"),
    refused("<script nonce=1>1</script>a", () => {}, "<script nonce=2>1</script>b"),
    refused("a<script type='application/ld+json'>1</script>", () => {}, "b<script type='application/ld+json'>2</script>"),
  ];`);
  assert.deepEqual(got, [
    "a script has written into <pre>",
    'a script has filled <nav id="n">',
    'a script has taken <p id="p"> away',
    "a script has changed src of <img>",
    "a script has written into <time>",
    "<script> is for pages that are loaded",
    "<div> is for pages that are loaded",
    "<script> is for pages that are loaded",
    'merged: <script nonce="1">1</script>b',
    'merged: b<script type="application/ld+json">2</script>',
  ]);
});
