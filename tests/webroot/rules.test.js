import assert from "node:assert/strict";
import test from "node:test";

import { parseRange, slice } from "../../webroot/edge/worker/ranges.js";
import { defaults, directives, etagOf, freshFor, matches, isStorable, normalised, parseRules, plan, varyOf, variant } from "../../webroot/edge/worker/rules.js";

const HERE = "http://n1.example";
const ask = (path, { method = "GET", headers = {}, cache = "default" } = {}) =>
  ({ url: new URL(path, HERE).href, method, headers: new Headers(headers), cache, mode: "cors", destination: "" });
const kept = (headers, status = 200) => isStorable(new Response(status === 204 ? null : "x", { status, headers }));

test("what is left to the browser", () => {
  const rules = { ...defaults(), ignore: ["/api/**", "/*.php"], home: ["/cart"], confirm: ["/live/*"] };
  const planned = (...request) => plan(ask(...request), HERE, rules);
  assert.equal(planned("/a.html"), "cache");
  assert.equal(planned("/live/score"), "confirm");
  assert.deepEqual([planned("/cart"), planned("/cart", { method: "PUT" })], ["pass", "mutation"]);
  for (const path of ["/api/x/y", "/x.php", "/.edge/load", "http://other.example/", "/a?~etag=x"]) assert.equal(planned(path), "pass", path);
  assert.equal(planned("/x/y.php"), "cache");
  assert.equal(planned("/a", { method: "POST" }), "mutation");
  assert.equal(planned("/a", { method: "HEAD" }), "pass");
  assert.equal(planned("/a", { cache: "reload" }), "confirm");
  assert.equal(planned("/a", { cache: "no-store" }), "pass");
  assert.equal(planned("/a", { headers: { accept: "text/event-stream" } }), "pass");
  assert.equal(planned("/a", { headers: { authorization: "x" } }), "pass");
  assert.equal(plan(ask("/a"), HERE, { ...rules, off: true }), "pass");
});

test("globs", () => {
  assert.ok(matches(["/a/*"], "/a/b") && !matches(["/a/*"], "/a/b/c") && matches(["/a/**"], "/a/b/c"));
  assert.ok(!matches(["/a.b"], "/axb") && matches(["/(a+"], "/(a+"));
});

test("edge.json is believed whole or not at all, and says what is wrong", () => {
  assert.deepEqual(parseRules('{"v":1}'), defaults());
  assert.equal(parseRules('{"v":1,"off":true,"ignore":["/a"]}').off, true);
  for (const [text, word] of [
    ["{", /no JSON/], ["{}", /"v": 1/], ['{"v":1,"of":true}', /no key "of"/], ['{"v":1,"off":"yes"}', /"off" has to be/],
    ['{"v":1,"ignore":"/a"}', /a list of paths/], ['{"v":1,"ignore":["a"]}', /beginning with/], ['{"v":1,"limit_mib":-1}', /limit_mib/],
    ['{"v":1,"offline":"x"}', /offline/],
  ]) assert.throws(() => parseRules(text), word);
});

test("which answers are kept", () => {
  assert.ok(kept({}) && kept({ "cache-control": "no-cache" }) && kept({ vary: "Accept-Encoding, Accept" }));
  for (const headers of [{ "cache-control": "No-Store" }, { "cache-control": "max-age=9, private" }, { vary: "*" }, { vary: "Cookie" }]) assert.ok(!kept(headers));
  for (const status of [204, 206, 301, 404, 500]) assert.ok(!kept({}, status));
  const opaque = new Response("x");
  Object.defineProperty(opaque, "type", { value: "opaque" });
  assert.ok(!isStorable(opaque));
});

test("freshness, as RFC 9111 computes it", () => {
  const fresh = (headers) => freshFor(new Headers(headers), Date.parse("Tue, 24 Nov 2026 00:00:00 GMT"));
  assert.equal(fresh({ "cache-control": "max-age=60" }), 60_000);
  assert.equal(fresh({ "cache-control": "max-age=60", age: "20" }), 40_000);
  assert.equal(fresh({ "cache-control": "max-age=60, no-cache" }), 0);
  assert.equal(fresh({ expires: "Tue, 24 Nov 2026 00:01:00 GMT", date: "Tue, 24 Nov 2026 00:00:00 GMT" }), 60_000);
  assert.equal(fresh({ expires: "0" }), 0);
  assert.equal(fresh({}), 0);
  assert.deepEqual([...directives('a="x, y", b=2 ,C')], [["a", "x, y"], ["b", "2"], ["c", ""]]);
});

test("fields of Vary are normalised", () => {
  assert.deepEqual(varyOf(new Response("", { headers: { vary: "Accept-Encoding, Origin ,ACCEPT" } })), ["accept"]);
  assert.equal(normalised("accept", "image/webp,image/avif;q=1,*/*"), "image/avif,image/webp");
  assert.equal(normalised("accept-language", "de-DE,de;q=0.9"), "de-de");
  assert.equal(variant(["accept"], new Headers({ accept: "text/html" })), "accept=");
  assert.equal(etagOf(new Headers({ etag: 'W/"x"' })), "");
  assert.equal(etagOf(new Headers({ etag: '"x"' })), "x");
});

test("ranges come out of the whole", async () => {
  assert.deepEqual(parseRange("bytes=0-3", 10), [0, 3]);
  assert.deepEqual(parseRange("bytes=-3", 10), [7, 9]);
  assert.deepEqual(parseRange("bytes=5-99", 10), [5, 9]);
  assert.equal(parseRange("bytes=10-", 10), "none");
  for (const none of ["bytes=3-1", "bytes=-", "lines=1-2", "bytes=0-1,3-4"]) assert.equal(parseRange(none, 10), null);
  const whole = () => new Response("0123456789", { headers: { etag: '"x"' } });
  const part = await slice(whole(), "bytes=2-4");
  assert.deepEqual([part.status, part.headers.get("content-range"), await part.text()], [206, "bytes 2-4/10", "234"]);
  assert.equal((await slice(whole(), "bytes=20-")).status, 416);
  assert.equal((await slice(whole(), "bytes=0-1,3-4")).status, 200);
});
