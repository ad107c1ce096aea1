// What stands between the server and the modules of a site, evaluated before them.
//
// Components are pure: what tells the time, draws a lot or goes by the language of a machine would come out
// otherwise in the browser, so here it is not there; nor is anything else than the language itself.  What there
// is cannot be changed, so that no component does anything to another, or to the next rendering.

(() => {
  "use strict";
  const { parse, stringify } = JSON;
  const impure = (name) => function () { throw new TypeError(`components are pure: ${name} is not there`); };
  const { prototype } = Date;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    if (/Locale|^get(?!UTC|Time)|^set|Timezone|^to(?:Date|Time)?String$/.test(name)) prototype[name] = impure(`Date.prototype.${name}`);
  }
  for (const type of [String, Number, BigInt, Array, Int8Array.__proto__]) {
    for (const name of Object.getOwnPropertyNames(type.prototype)) {
      if (/[lL]ocale/.test(name)) type.prototype[name] = impure(`${type.name}.prototype.${name}`);
    }
  }
  Math.random = impure("Math.random");
  // A date that is given is one anywhere; now is not.
  const Given = Date;
  globalThis.Date = function (...given) {
    if (!new.target || !given.length) impure("the time")();
    return Reflect.construct(Given, given, new.target);
  };
  Object.assign(Date, { prototype, UTC: Given.UTC, parse: Given.parse });
  prototype.constructor = Date;
  const code = [function () {}, async function () {}, function* () {}, async function* () {}].map((one) => one.__proto__);
  for (const kind of code) Object.defineProperty(kind, "constructor", { value: impure("code that is made of text") });
  for (const name of ["Function", "eval", "performance", "Atomics", "SharedArrayBuffer", "WeakRef", "FinalizationRegistry", "queueMicrotask", "Intl"]) delete globalThis[name];

  const seen = new Set();
  const freeze = (value) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    for (const key of Reflect.ownKeys(value)) {
      const { value: inner, get, set } = Object.getOwnPropertyDescriptor(value, key);
      [inner, get, set].forEach(freeze);
    }
    freeze(Object.getPrototypeOf(value));
    Object.freeze(value);
  };
  code.forEach(freeze);
  [[][Symbol.iterator](), ""[Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), /a/[Symbol.matchAll]("")].forEach(freeze);
  freeze(globalThis);

  const modules = Object.create(null);
  const HTML = "/edge/page/html.js";
  const QUERY = "/edge/page/query.js";
  const answers = {
    // The HTML of a part.
    render(path, key, props) {
      const { Html, keyed } = modules[HTML];
      const piece = modules[path].render(props);
      if (!(piece instanceof Html)) throw new TypeError("render() has to return html`...`");
      return keyed(key, piece).text;
    },
    // What a part needs: [name, variables, URL] of each query.
    queries(path, documents, props) {
      const { queryUrl } = modules[QUERY];
      return (modules[path].queries?.(props) ?? []).map((query) => [query[0], query[1] ?? {}, queryUrl(documents, query)]);
    },
  };
  return (what, ...given) => {
    try {
      if (what === "evaluate") {
        const exports = given[1](modules);
        Object.values(exports).forEach(freeze);
        modules[given[0]] = exports;
        return "{}";
      }
      return stringify({ value: answers[what](...given.map((one) => parse(one))) });
    } catch (error) {
      // Made a text of in here, where limits hold; null: no memory was left for an error.
      try {
        if (error === null) return '{"name":"InternalError","error":"out of memory","stack":""}';
        return stringify({ name: String(error?.name), error: String(error?.message ?? error), stack: String(error?.stack ?? "") });
      } catch {
        return '{"name":"Error","error":"one that cannot be told","stack":""}';
      }
    }
  };
})();
