// Live pages on four real nodes: somebody changes data at one node, and Chromium at another one shows them.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Cluster, browser, controlled, until } from "./harness.js";

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Live</title>
<script type="module" src="/edge/client.js"></script>
<p id="ranking"></p><p id="recent"></p>
<script type="module">
  window.messages = [];
  window.shownAt = {};
  const show = async (name) => {
    const { value } = await (await fetch("/live/" + name)).json();
    document.getElementById(name).textContent = value;
    window.shownAt[name + value] = Date.now();
  };
  document.addEventListener("edge-changed", (event) => {
    event.preventDefault();
    window.messages.push(event.detail);
    for (const path of event.detail.queries) show(path.slice(6));
  });
  show("ranking");
  show("recent");
</script>`;

/** An application of two values, each in a group; a page that fetches them, and one that a server has rendered. */
class Application {
  static async start() {
    const self = new Application();
    self.values = { ranking: 0, recent: 0 };
    self.calls = [];
    self.server = createServer((request, response) => self.answer(request, response));
    await new Promise((resolve) => self.server.listen(0, "127.0.0.1", resolve));
    return self;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  answer({ method, url }, response) {
    const name = url.split("/")[2];
    this.calls.push(`${method} ${name}`);
    const send = (body, type, fields) => {
      response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body), ...fields });
      response.end(body);
    };
    const shared = (groups) => ({
      "cdn-cache-control": "max-age=600", "cache-control": "no-cache",
      "edge-client-cache-control": "stale-while-revalidate=2592000, stale-if-error=2592000", "cache-groups": groups,
    });
    if (method === "POST") {
      this.values[name] += 1;
      send(String(this.values[name]), "text/plain", { "cache-group-invalidation": `"${name}"` });
    } else if (name === "page") send(PAGE, "text/html", shared('"page"'));
    else if (name === "rendered") {
      send(`<!doctype html><html lang="en"><title>Live</title><script type="module" src="/edge/client.js"></script><p id="ranking">${this.values.ranking}</p>`, "text/html", shared('"ranking"'));
    } else send(JSON.stringify({ value: this.values[name] }), "application/json", shared(`"${name}"`));
  }
}

let application;
let cluster;
before(async () => {
  application = await Application.start();
  cluster = await Cluster.start({ "index.html": "<!doctype html><title>x</title>" }, [`--app=/live=${application.url}`]);
});
after(async () => {
  await cluster?.stop();
  application?.server.closeAllConnections();
  application?.server.close();
});

/** Change *name* at the node *number*; what it is then. */
async function vote(name, number = 0) {
  const { url } = cluster.nodes[number];
  const answer = await fetch(`${url}/live/${name}`, { method: "POST", headers: { origin: url } });
  assert.equal(answer.status, 200);
  return Number(await answer.text());
}

const text = (page, id) => page.evaluate((id) => document.getElementById(id)?.textContent, id);

/** How often, and how far apart, a page is looked at for a change before another one is made. */
const FOLLOWED_LOOKS = 100;
const FOLLOWED_LOOK_MS = 30;

/** A page at the third node whose groups are followed: a change of them has been shown. */
async function followed(context, path = "/live/page") {
  const page = await context.newPage();
  await page.goto(cluster.nodes[2].url + path);
  await controlled(page);
  await page.reload();
  await until(async () => {
    const wanted = await vote("ranking");
    const shown = async () => Number(await text(page, "ranking")) === wanted;
    for (let looks = 0; looks < FOLLOWED_LOOKS; looks += 1) {
      if (await shown()) return true;
      await new Promise((resolve) => setTimeout(resolve, FOLLOWED_LOOK_MS));
    }
    return false; // it was not followed yet
  }, "a change is shown");
  return page;
}

test("a change at n1 is shown by a browser at n3, by one message, and nothing else is asked for", async () => {
  const { context, close } = await browser();
  const page = await followed(context);
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1500)); // what lags is looked at once more
    return !(await cluster.log()).some(({ target }) => target.startsWith("/live/"));
  }, "nothing is asked for any more");
  await page.evaluate(() => (window.messages.length = 0));
  const wanted = await vote("ranking");
  await until(async () => Number(await text(page, "ranking")) === wanted, "it is shown");
  assert.deepEqual(await page.evaluate(() => window.messages), [{ groups: ["ranking"], queries: ["/live/ranking"] }]);
  const asked = (await cluster.log()).filter(({ method, target }) => method === "GET" && target.startsWith("/live/"));
  assert.ok(asked.every(({ target }) => target.startsWith("/live/ranking")), JSON.stringify(asked));
  assert.equal(await text(page, "recent"), "0");
  await close();
});

test("whoever asks the worker how it is, again and again, has it ask nodes nothing", async () => {
  const { context, close } = await browser();
  const page = await followed(context);
  await until(async () => {
    const { questions } = await page.evaluate(async () => {
      const answers = (type) => new Promise((resolve) => edge.addEventListener(type, resolve, { once: true }));
      const { ask, edge } = await import("/edge/client.js");
      window.exchanges = 0;
      navigator.serviceWorker.addEventListener("message", ({ data }) => (window.exchanges += Number(data.type === "exchange")));
      await ask({ type: "debug" });
      await new Promise((resolve) => setTimeout(resolve, 500));
      window.exchanges = 0;
      for (let times = 0; times < 5; times += 1) {
        const told = answers("status");
        ask({ type: "ask" });
        await told;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return { questions: window.exchanges };
    });
    return questions === 0; // what lags is looked at once more
  }, "nothing is asked for any more");
  await close();
});

test("of a page without scripts of its own the new HTML is put in place", async () => {
  const { context, close } = await browser();
  const page = await followed(context, "/live/rendered");
  const marked = await page.evaluate(() => (window.mark = "the same document"));
  const wanted = await vote("ranking", 1);
  await until(async () => Number(await text(page, "ranking")) === wanted, "it is shown");
  assert.equal(await page.evaluate(() => window.mark), marked);
  await close();
});

test("two tabs have one feed; after a time without a network both catch up, and who is not seen asks nothing", async () => {
  const { context, close } = await browser();
  const page = await followed(context);
  const other = await context.newPage();
  await other.goto(`${cluster.nodes[2].url}/live/page`);
  await until(async () => (await text(other, "ranking")) === (await text(page, "ranking")), "both show the same");
  const missed = await vote("recent");
  await until(async () => Number(await text(other, "recent")) === missed && Number(await text(page, "recent")) === missed, "both tabs show it");
  await cluster.do("kill", "n3");
  const wanted = await vote("ranking");
  await until(async () => Number(await text(page, "ranking")) === wanted && Number(await text(other, "ranking")) === wanted, "another node tells it");
  await cluster.do("start", "n3");
  await close();
});

test("who changes something reads it in the next page", async () => {
  const { context, close } = await browser();
  const page = await followed(context, "/live/rendered");
  for (let times = 0; times < 5; times += 1) {
    const wanted = await page.evaluate(async () => (await fetch("/live/ranking", { method: "POST" })).text());
    await page.goto(`${cluster.nodes[2].url}/live/rendered`);
    assert.equal(await text(page, "ranking"), wanted);
  }
  await close();
});
