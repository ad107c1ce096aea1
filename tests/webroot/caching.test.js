import assert from "node:assert/strict";
import test from "node:test";

import { directives, freshnessLeft, isStorable, normalised, secondaryKey, strongEtag, varyFields } from "../../webroot/edge/worker/caching.js";

const storable = (headers, status = 200) => isStorable(new Response(status === 204 ? null : "x", { status, headers }));

test("which responses may be stored", () => {
  assert.ok(storable({}) && storable({ "cache-control": "no-cache" }) && storable({ vary: "Accept-Encoding, Accept" }));
  for (const headers of [{ "cache-control": "No-Store" }, { "cache-control": "max-age=9, private" }, { vary: "*" }, { vary: "Cookie" }]) assert.ok(!storable(headers));
  for (const status of [204, 206, 301, 404, 500]) assert.ok(!storable({}, status));
  const opaque = new Response("x");
  Object.defineProperty(opaque, "type", { value: "opaque" });
  assert.ok(!isStorable(opaque));
});

test("freshness, as RFC 9111 computes it", () => {
  const fresh = (headers) => freshnessLeft(new Headers(headers), Date.parse("Tue, 24 Nov 2026 00:00:00 GMT"));
  assert.equal(fresh({ "cache-control": "max-age=60" }), 60_000);
  assert.equal(fresh({ "cache-control": "max-age=60", age: "20" }), 40_000);
  assert.equal(fresh({ "cache-control": "max-age=60, no-cache" }), 0);
  assert.equal(fresh({ expires: "Tue, 24 Nov 2026 00:01:00 GMT", date: "Tue, 24 Nov 2026 00:00:00 GMT" }), 60_000);
  assert.equal(fresh({ expires: "0" }), 0);
  assert.equal(fresh({}), 0);
  assert.deepEqual([...directives('a="x, y", b=2 ,C')], [["a", "x, y"], ["b", "2"], ["c", ""]]);
});

test("fields of Vary are normalised", () => {
  assert.deepEqual(varyFields(new Response("", { headers: { vary: "Accept-Encoding, Origin ,ACCEPT" } })), ["accept"]);
  assert.equal(normalised("accept", "image/webp,image/avif;q=1,*/*"), "image/avif,image/webp");
  assert.equal(normalised("accept-language", "de-DE,de;q=0.9"), "de-de");
  assert.equal(secondaryKey(["accept"], new Headers({ accept: "text/html" })), "accept=");
  assert.equal(strongEtag(new Headers({ etag: 'W/"x"' })), "");
  assert.equal(strongEtag(new Headers({ etag: '"x"' })), "x");
});
