// /edge.json: what the worker takes is what the published schema describes, and the defaults of both are the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { Ajv2020 } from "ajv/dist/2020.js";

import { defaults, parseRules } from "../../webroot/edge/worker/rules.js";
import { seeded } from "./random.js";

const SCHEMA = JSON.parse(readFileSync(new URL("../../webroot/edge/edge.schema.json", import.meta.url), "utf8"));
const valid = new Ajv2020({ allErrors: true, strictTypes: false }).compile(SCHEMA);

/** Whether the worker takes *given*; what it says of it is a sentence. */
function taken(given) {
  try {
    parseRules(JSON.stringify(given));
    return true;
  } catch (error) {
    assert.match(error.message, /^\/edge\.json/, `no sentence: ${error.stack}`);
    return false;
  }
}

function agree(given) {
  assert.equal(taken(given), valid(given), `${JSON.stringify(given)}: the schema says ${JSON.stringify(valid.errors)}`);
}

test("defaults and keys are those of the schema", () => {
  const { $schema: _, v: __, ...keys } = SCHEMA.properties;
  assert.deepEqual(Object.fromEntries(Object.entries(keys).map(([name, about]) => [name, about.default])), defaults());
});

test("the examples of the schema are taken", () => {
  const example = (properties) => Object.fromEntries(Object.entries(properties).map(([name, { examples }]) => [name, examples[0]]));
  const whole = { ...example(SCHEMA.properties), rules: [example(SCHEMA.$defs.rule.properties)] };
  assert.ok(taken(whole));
  assert.ok(valid(whole));
  for (const [name, { examples }] of Object.entries(SCHEMA.properties)) examples.forEach((value) => agree({ v: 1, [name]: value }));
});

test("worker and schema agree about files that are wrong in any one way, or in several", () => {
  const odd = [
    null, true, false, 0, 1, -1, 0.5, 1e300, "", "/", "/a", "a", "https://x/", "https://x", "ftp://x/", [], [""], ["/"], ["/a", 1], ["a"], [null], [[]], {}, { v: 1 },
    [{}], [{ paths: [], use: "keep" }], [{ paths: ["/a"], use: "kept" }], [{ paths: "/a", use: "keep" }], [{ paths: ["https://x/**"], use: "pass", max_count: 1 }],
    [{ paths: ["/a"], use: "keep", max_count: 1.5 }], [{ paths: ["/a"], use: "keep", more: 1 }], [{ use: "keep" }], [{ paths: ["/a"] }],
    [{ paths: ["x"], use: "keep" }], [{ paths: ["/a"], use: "fresh-first", timeout_ms: 0 }], [{ paths: ["/a"], use: "fresh-first", max_days: "1" }], [["/a"]], [null],
  ];
  const names = [...Object.keys(SCHEMA.properties), "of", "constructor", "toString", "V", ""];
  for (const name of names) for (const value of odd) agree({ v: 1, [name]: value });
  for (const value of [...odd, { v: 2 }, { v: "1" }]) agree(value);
  const random = seeded(7);
  const any = (list) => list[Math.floor(random() * list.length)];
  let rejected = 0;
  for (let i = 0; i < 3000; i += 1) {
    const given = { v: 1 };
    for (let k = random() * 4; k > 0; k -= 1) {
      const name = any(names);
      given[name] = random() < 0.6 ? (Object.hasOwn(SCHEMA.properties, name) ? SCHEMA.properties[name].examples[0] : 1) : any(odd);
    }
    agree(given);
    rejected += Number(!valid(given));
  }
  assert.ok(rejected > 500 && rejected < 2800, `${rejected} of 3000 were wrong: both sides have to be tried`);
});

test("keys that every object inherits are none of the file", () => {
  assert.throws(() => parseRules('{"v":1,"__proto__":{"off":true}}'), /no key "__proto__"/);
  assert.equal(parseRules('{"v":1}').off, false);
});
