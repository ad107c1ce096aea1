// What a request that changes something makes invalid (RFC 9111 section 4.4): what is stored of its target, and of
// what the answer names in Location and Content-Location, if that is of the same origin.

/**
 * @param {import("./response_store.js").ResponseStore} store @param {import("./rules.js").CurrentRules} rules
 * @param {string} url of the request @param {Response} answer
 */
export async function invalidate(store, rules, url, answer) {
  // An error changes nothing.  0: a redirect, which the browser follows; an error at its end is not the answer to this.
  if ((answer.status >= 400 && !answer.redirected) || answer.type === "error") return;
  const { origin } = new URL(url);
  const named = ["location", "content-location"].map((name) => answer.headers.get(name)).filter((value) => value !== null);
  if (answer.redirected) named.push(answer.url);
  const addresses = [url, ...named.filter((value) => URL.canParse(value, url))].map((value) => new URL(value, url)).filter((one) => one.origin === origin);
  await store.invalidate(addresses.map(({ href }) => rules.pathOf(href, origin)));
}
