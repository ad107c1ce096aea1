import assert from "node:assert/strict";
import test from "node:test";

import { propsOf, queryUrl } from "../../webroot/edge/page/query.js";

const documents = { All: "sha256:1" };
const variables = (value) => decodeURIComponent(queryUrl(documents, ["All", value]).split("=")[1] ?? "");

test("one meaning has one address, that of RFC 8785: names in order, also those that look like numbers", () => {
  assert.equal(variables({ b: 1, 10: 1, 9: 1, a: { "\u00fc": 1, z: [{ 2: 1, 11: 1 }] } }), '{"10":1,"9":1,"a":{"z":[{"11":1,"2":1}],"\u00fc":1},"b":1}');
  assert.equal(variables({ first: undefined }), "");
  assert.equal(variables({}), "");
  assert.equal(variables({ all: [undefined, null, -0, 1e21, "\ud800"] }), '{"all":[null,null,0,1e+21,"\\ud800"]}');
});

test("an answer that names __proto__ gives a component a field, and no other prototype", () => {
  const props = propsOf({ own: 1 }, ["/a"], { "/a": JSON.parse('{"__proto__": {"own": 2, "more": 3}}') });
  assert.deepEqual([props.own, props.more, Object.hasOwn(props, "__proto__")], [1, undefined, true]);
});
