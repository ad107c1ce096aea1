// Has node find modules of the demonstration by the addresses that they have in a browser.

import { register } from "node:module";

const ROOT = new URL("../../", import.meta.url).href;
const hooks = `
const places = { "/edge/": "webroot/edge/", "/components/": "demonstration/webroot/components/", "/site/": "demonstration/webroot/site/" };
export function resolve(specifier, context, next) {
  for (const [begin, place] of Object.entries(places)) {
    if (specifier.startsWith(begin)) return next(${JSON.stringify(ROOT)} + place + specifier.slice(begin.length), context);
  }
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
