// Header fields that a page itself has put into a request.  They are sent on, and select among stored responses, if
// Vary names them; a response that does not say so may still have been chosen by them, and is left alone then.

import { TARGETED } from "./caching.js";

/** What browsers put into requests. */
const BROWSERS = /^(?:accept|accept-language|device-memory|dnt|downlink|dpr|ect|origin|priority|purpose|range|referer|rtt|save-data|sec-.*|service-worker.*|upgrade-insecure-requests|user-agent|viewport-width|width)$/;
/** What speaks to caches. */
const TO_CACHES = ["cache-control", "pragma"];

/** Names of the fields that only the page's own origin is told: elsewhere they would cost a preflight. @param {Request} request */
export function ownFields({ mode, headers }) {
  return mode === "navigate" ? [] : [...headers.keys()].filter((name) => !BROWSERS.test(name));
}

/** Names of the fields that may have chosen the answer. @param {Request} request @param {string[]} ignored by the site's rules */
export function selectingFields(request, ignored) {
  const { mode, destination, headers } = request;
  const names = ownFields(request).filter((name) => !TO_CACHES.includes(name) && !ignored.includes(name));
  if (mode !== "navigate" && !destination) {
    if ((headers.get("accept") ?? "*/*") !== "*/*") names.push("accept");
    if (headers.has("accept-language")) names.push("accept-language");
  }
  return names;
}

/** Whether a response with *fields* says by *vary* that it depends on *names* - or on nothing else: a file that a node has published. @param {string[]} names @param {string[]} vary @param {Headers} fields */
export function isCovered(names, vary, fields) {
  return fields.has(TARGETED) || names.every((name) => vary.includes(name));
}
