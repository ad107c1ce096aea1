import assert from "node:assert/strict";
import test from "node:test";

import {
  decidingFields, directives, isAllowed, isStorable, lifetimes, normalised, secondaryKey, selectingHeaders, strongEtag, updatedFields,
  validators, varyFields, withoutConnection,
} from "../../webroot/edge/worker/caching.js";

const NOW = Date.parse("Tue, 24 Nov 2026 00:00:00 GMT");
const at = (seconds) => new Date(NOW + seconds * 1000).toUTCString();
const storable = (headers, status = 200) => isStorable(new Response(status === 204 ? null : "x", { status, headers }));
const life = (headers) => lifetimes(new Headers(headers), NOW);
const seconds = (headers) => life(headers).fresh / 1000;

test("which responses may be stored", () => {
  for (const headers of [{}, { "cache-control": "no-cache" }, { "cache-control": "max-age=9, private" }, { vary: "Accept-Encoding, Accept" }]) assert.ok(storable(headers));
  for (const headers of [
    { "cache-control": "No-Store" }, { "cache-control": "max-age=9, nO-StOrE" }, { vary: "*" }, { vary: "*, *" }, { vary: ", *" }, { vary: "Foo, *" },
    { vary: "Cookie" }, { vary: "authorization" }, { vary: "Sec-Fetch-Mode" }, { "cache-control": "max-age=9", "edge-client-cache-control": "no-store" },
  ]) assert.ok(!storable(headers), JSON.stringify(headers));
  for (const status of [201, 202, 203, 204, 206, 404, 410, 500, 503]) assert.ok(!storable({ "cache-control": "max-age=9" }, status));
  for (const [name, value] of [["redirected", true]]) {
    const response = new Response("x");
    Object.defineProperty(response, name, { value });
    assert.ok(!isStorable(response));
  }
});

test("directives: the first of two counts, quoted strings are whole, names have no case", () => {
  for (const [value, expected] of [
    ['a="x, y", b=2 ,C', { a: "x, y", b: "2", c: "" }],
    ["max-age=0, max-age=1000", { "max-age": "0" }],
    ['ext="max-age=1000", max-age=1', { ext: "max-age=1000", "max-age": "1" }],
    ['ext="a \\" , no-store", x', { ext: 'a \\" , no-store', x: "" }],
    ["NO-STORE;max-age=5", { "no-store": "", "max-age": "5" }],
    ["max-age = 5", { "max-age": "", 5: "" }],
    ["", {}], [null, {}], [",,, ", {}],
  ]) assert.deepEqual(Object.fromEntries(directives(value)), expected, value);
});

test("freshness, as RFC 9111 computes it", () => {
  for (const [headers, expected] of [
    [{ "cache-control": "max-age=60" }, 60],
    [{ "cache-control": "max-age=003600" }, 3600],
    [{ "cache-control": 'max-age="60"' }, 60],
    [{ "cache-control": "max-age=60", age: "20" }, 40],
    [{ "cache-control": "max-age=60", age: "61" }, 0],
    [{ "cache-control": "max-age=60, no-cache" }, 0],
    [{ "cache-control": "max-age=0", expires: at(60) }, 0],
    [{ "cache-control": "max-age=60", expires: at(-60) }, 60],
    [{ "cache-control": "s-maxage=60" }, 0],
    [{ "cache-control": "max-age=1, s-maxage=60" }, 1],
    [{ "cache-control": "max-age=60, immutable, must-revalidate" }, 60],
    [{ "last-modified": at(-1e6) }, 0], // no heuristics
    [{}, 0],
    // What is no number of seconds is stale (section 4.2.1).
    ...["-1", "1.5", "abc", "'3600'", "", " 60", "1e3"].map((value) => [{ "cache-control": `max-age=${value}`, expires: at(60) }, 0]),
    [{ "cache-control": `max-age=${"9".repeat(400)}` }, 2 ** 31],
    // Age: the first of a list; nothing that is no number.
    ...[["0, 7200", 3600], ["7200, 0", 0], ["abc", 3600], ["-7200", 3600], ["7200.0", 3600], ["2147483648", 0], ["99999999999999999999", 0]]
      .map(([age, expected]) => [{ "cache-control": "max-age=3600", age }, expected]),
    // Expires is told by the clock that tells Date.
    [{ expires: at(60), date: at(0) }, 60],
    [{ expires: at(3660), date: at(3600) }, 60],
    [{ expires: at(300), date: at(400) }, 0],
    [{ expires: at(60) }, 60],
    [{ expires: at(60), date: "foo" }, 60],
    [{ expires: at(0), date: at(0) }, 0],
    [{ expires: at(10), date: at(-10), age: "25" }, 0],
    [{ expires: at(20), date: at(10), age: "15" }, 0],
    [{ expires: "Wednesday, 25-Nov-26 00:00:00 GMT" }, 86400],
    [{ expires: "Wed Nov 25 00:00:00 2026" }, 86400],
    ...["0", "2099", "Wed, 25 Nov 2099 00:00:00 UTC", "Wed, 25 Nov 2099 00:00:00 AEST", "Wed, 25 Nov 99 00:00:00 GMT", "Wed 25 Nov 2099 00:00:00 GMT",
      "Wed,  25 Nov 2099 00:00:00 GMT", "Wed, 25-Nov-2099 00:00:00 GMT", "Wed, 25 Nov 2099 00.00.00 GMT", "Wed, 25 Nov 2099 0:00:00 GMT",
      "Wed, 25 Nov 2099 00:00:00 GMT, Wed, 25 Nov 2099 00:00:00 GMT"].map((expires) => [{ expires }, 0]),
    // No time in the future is an age; a past one is.
    [{ "cache-control": "max-age=60", date: at(1e6) }, 60],
    [{ "cache-control": "max-age=60", date: at(-50) }, 10],
    [{ "cache-control": "max-age=60", date: at(-5000) }, 0],
    // The targeted field stands in place of Cache-Control and Expires (RFC 9213 section 2.2).
    [{ "cache-control": "max-age=60", "edge-client-cache-control": "max-age=5" }, 5],
    [{ "cache-control": "max-age=60", expires: at(60), "edge-client-cache-control": "stale-while-revalidate=5" }, 0],
    [{ "cache-control": "no-cache", "edge-client-cache-control": "max-age=5" }, 5],
  ]) assert.equal(seconds(headers), expected, JSON.stringify(headers));
});

test("how long it may be used when it is stale: where that is permitted, and never where it is forbidden", () => {
  for (const [control, stale, error, strict] of [
    ["max-age=60, stale-while-revalidate=30", 90, 0, false],
    ["stale-while-revalidate=30, stale-if-error=600", 30, 600, false],
    ["max-age=60, stale-while-revalidate=30, must-revalidate", 0, 0, true],
    ["no-cache, stale-while-revalidate=30, stale-if-error=5", 0, 0, true],
    ["max-age=60", 0, 0, false], ["stale-while-revalidate=-3", 0, 0, false], ["stale-while-revalidate", 0, 0, false],
  ]) {
    const found = life({ "cache-control": control });
    assert.deepEqual([found.stale / 1000, found.error / 1000, found.strict], [stale, error, strict], control);
  }
  assert.equal(life({ "cache-control": "max-age=10, stale-while-revalidate=50", age: "100" }).stale, 0);
  // A clock that is wrong takes nobody's permission away.
  assert.equal(life({ "cache-control": "no-cache", "edge-client-cache-control": "stale-while-revalidate=100", date: at(-1e6) }).stale, 100_000);
});

test("what a request says of caches", () => {
  const stored = { age: 60_000, left: 40_000 };
  for (const [headers, allowed] of [
    [{}, true], [{ "cache-control": "no-cache" }, false], [{ pragma: "no-cache" }, false], [{ pragma: "no-cache", "cache-control": "max-age=100" }, true],
    [{ "cache-control": "max-age=0" }, false], [{ "cache-control": "max-age=59" }, false], [{ "cache-control": "max-age=61" }, true],
    [{ "cache-control": "min-fresh=40" }, true], [{ "cache-control": "min-fresh=41" }, false],
  ]) assert.equal(isAllowed(new Headers(headers), stored), allowed, JSON.stringify(headers));
  assert.ok(isAllowed(new Headers(), { age: 60_000, left: -5 }), "how long it is stale is not its business");
});

test("fields of Vary select, normalised without loss", () => {
  const vary = (value) => varyFields(new Response("", { headers: { vary: value } }));
  assert.deepEqual(vary("Accept-Encoding, Origin ,ACCEPT"), ["accept"]);
  assert.equal(normalised("accept", "image/webp,image/avif;q=1,*/*"), "image/avif,image/webp");
  assert.equal(normalised("accept", "*/*"), "");
  assert.notEqual(normalised("accept", "text/html"), normalised("accept", "application/json"));
  assert.equal(normalised("accept", "text/html ,  a/b"), normalised("accept", "text/html,a/b"));
  assert.notEqual(normalised("accept-language", "en-GB,fr"), normalised("accept-language", "en-GB,de"));
  assert.equal(secondaryKey(["accept"], new Headers({ accept: "text/html" })), "accept=text/html");
});

test("the key says what selects again, whatever stands in it", () => {
  const headers = new Headers({ accept: "text/html;q=0.5,a/b", "x-kind": "50%; a=b", "x-none": "" });
  const vary = ["accept", "x-absent", "x-kind", "x-none"];
  const again = selectingHeaders({ path: "/a b?x=;", key: `/a b?x=; ${secondaryKey(vary, headers)}` });
  assert.deepEqual([...again], [["accept", "text/html;q=0.5,a/b"], ["x-kind", "50%; a=b"]]);
  assert.equal(secondaryKey(vary, again), secondaryKey(vary, headers));
});

test("validators: the tag as it came, weak ones too; else the date", () => {
  const fields = (headers) => decidingFields(new Headers(headers));
  assert.deepEqual(validators(fields({ etag: 'W/"1"', "last-modified": "x" })), { "if-none-match": 'W/"1"' });
  assert.deepEqual(validators(fields({ "last-modified": "x" })), { "if-modified-since": "x" });
  assert.deepEqual(validators(fields({ "content-type": "x" })), {});
  assert.equal(strongEtag(new Headers({ etag: 'W/"x"' })), "");
  assert.equal(strongEtag(new Headers({ etag: '"x"' })), "x");
});

test("a 304 updates all fields but those of the bytes", () => {
  const before = { etag: '"1"', "cache-control": "max-age=1", "content-security-policy": "old", age: "50", "edge-client-cache-control": "stale-while-revalidate=9" };
  const after = updatedFields(before, new Headers({
    "cache-control": "max-age=9", "content-security-policy": "new", "content-length": "5", "content-encoding": "x", connection: "x-hop, close", "x-hop": "1", "x-new": "1",
  }));
  assert.deepEqual(after, { etag: '"1"', "cache-control": "max-age=9", "content-security-policy": "new", "x-new": "1" });
  assert.equal(updatedFields(before, new Headers({ "cache-control": "max-age=1" }))["edge-client-cache-control"], "stale-while-revalidate=9");
  const shared = { "cache-control": "no-cache", "cdn-cache-control": "max-age=9" };
  assert.equal(updatedFields(shared, new Headers({ "cache-control": "no-cache" }))["cdn-cache-control"], "max-age=9");
  assert.equal(updatedFields(shared, new Headers({ "cache-control": "private" }))["cdn-cache-control"], undefined);
});

test("the fields that are kept decide as all fields did, behind any number of 304s", () => {
  for (const more of [
    {}, { "cdn-cache-control": "max-age=3600, stale-if-error=9" }, { "cache-control": "max-age=5, s-maxage=60" }, { expires: at(60), date: at(0) },
    { "edge-client-cache-control": "max-age=5, stale-while-revalidate=60", "cdn-cache-control": "max-age=7" },
  ]) {
    const headers = new Headers({ "cache-control": "no-cache", "content-type": "text/html", etag: '"1"', age: "2", ...more });
    const kept = decidingFields(headers);
    assert.deepEqual(lifetimes(new Headers(kept), NOW), lifetimes(headers, NOW), JSON.stringify(more));
    const not = new Headers({ etag: '"1"', age: "2", ...(more.date && { date: more.date }) });
    assert.deepEqual(lifetimes(new Headers(updatedFields(kept, not)), NOW), lifetimes(headers, NOW), JSON.stringify(more));
  }
});

test("what belongs to the connection is not stored", () => {
  const kept = withoutConnection(new Headers({ connection: "keep-alive, a, *bad*", "keep-alive": "x", a: "1", b: "2", te: "x", "content-length": "3", "content-encoding": "br" }));
  assert.deepEqual([...kept.keys()], ["b", "content-encoding", "content-length"]);
});
