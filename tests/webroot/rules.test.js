import assert from "node:assert/strict";
import test from "node:test";

import { CurrentRules, defaults, matches, parseRules, plan } from "../../webroot/edge/worker/rules.js";

const HERE = "http://n1.example";
const ask = (path, { method = "GET", headers = {}, cache = "default" } = {}) =>
  ({ url: new URL(path, HERE).href, method, headers: new Headers(headers), cache, mode: "cors", destination: "" });

test("what is left to the browser", () => {
  const rules = { ...defaults(), ignore: ["/api/**", "/*.php"], home: ["/cart"], confirm: ["/live/*"] };
  const planned = (...request) => plan(ask(...request), HERE, new CurrentRules(rules));
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
  assert.equal(plan(ask("/a"), HERE, new CurrentRules({ ...rules, off: true })), "pass");
});

test("globs", () => {
  assert.ok(matches(["/a/*"], "/a/b") && !matches(["/a/*"], "/a/b/c") && matches(["/a/**"], "/a/b/c"));
  assert.ok(!matches(["/a.b"], "/axb") && matches(["/(a+"], "/(a+"));
});

test("edge.json is believed whole or not at all, and says what is wrong", () => {
  assert.deepEqual(parseRules('{"v":1}'), defaults());
  assert.equal(parseRules('{"v":1,"off":true,"ignore":["/a"]}').off, true);
  for (const [text, word] of [
    ["{", /no JSON/], ["{}", /"v": 1/], ['{"v":1,"of":true}', /no key "of"/], ['{"v":1,"off":"yes"}', /"off" is not what/],
    ['{"v":1,"ignore":"/a"}', /"ignore" is not/], ['{"v":1,"ignore":["a"]}', /"ignore" is not/], ['{"v":1,"limit_mib":-1}', /limit_mib/],
    ['{"v":1,"offline":"x"}', /offline/],
  ]) assert.throws(() => parseRules(text), word);
});
