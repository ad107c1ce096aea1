import assert from "node:assert/strict";
import test from "node:test";

import { canonicalQuery, noVarySearch, withoutIgnored } from "../../webroot/edge/worker/query.js";

test("No-Vary-Search says which queries are equivalent", () => {
  for (const [field, one, two, same] of [
    ["key-order", "a=1&b=2", "b=2&a=1", true], ["key-order", "a=1&a=2", "a=2&a=1", false], ["key-order=?0", "a=1&b=2", "b=2&a=1", false],
    ["params", "a=1", "", true], ["params=?1", "a=1", "b=2&c", true], ["params=?0", "a=1", "a=2", false],
    ['params=("a")', "a=1&b=2", "a=5&b=2", true], ['params=("a")', "a=1&b=2", "a=1&b=3", false], ['params=("a" "c d")', "c+d=1", "a", true], ['params=("%61")', "a=1", "", true],
    ["params=()", "a=1", "a=2", false], ['params, except=("a")', "a=1&b=2", "a=1&c=3", true], ['params,except=( "a" )', "a=1", "a=2", false],
    ['key-order, params=("u,v")', "b=1&a=2&u,v=3", "a=2&b=1", true],
  ]) {
    const variation = noVarySearch(field);
    assert.ok(variation, field);
    assert.equal(canonicalQuery(one, variation) === canonicalQuery(two, variation), same, `${field}: ${one} and ${two}`);
  }
});

test("a field that is wrong says nothing: every difference counts", () => {
  for (const field of [null, "", "param", "params=1", 'params="a"', 'except=("a")', "except", 'params=("a"), except=("b")', 'params=?0, except=("b")', 'key-order=("a")', "params=(a)", 'params=("a"', "params params", "params;x=1"]) {
    assert.equal(noVarySearch(field), null, String(field));
  }
});

test("ignored names go, and the rest stays as it is written", () => {
  const ignored = (name) => ["a", "b"].includes(name);
  for (const [search, left] of [["", ""], ["?", ""], ["?a=1", ""], ["?x=%20+&a=2&y", "?x=%20+&y"], ["?b&c", "?c"], ["?ab=1", "?ab=1"], ["?x=1&&y=2", "?x=1&y=2"]]) {
    assert.equal(withoutIgnored(search, ignored), left, search);
  }
});
