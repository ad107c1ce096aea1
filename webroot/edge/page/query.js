// What the parts of a page show: its own props, and the answers to the queries of its component.
//
// The state of a page, as a server embeds it (<script type="application/json" id="edge-state">):
//
//     documents   {name: hash}             of the queries and mutations that its components may need
//     parts       [[key, component, props], ...]
//     data        {url: data}              answers, by the URL of the query
//     shell       string                   names the HTML around the parts

/** @typedef {[name: string, variables?: Record<string, unknown>]} Query */
/** @typedef {import("./html.js").Html} Html */
/** @typedef {Record<string, any>} Props */
/**
 * @typedef {object} Component
 * @property {(props: any) => Html} render
 * @property {(props: any) => Query[]} [queries]
 * @property {Record<string, (props: any, event: any, page: any) => AsyncIterable<Props> | Iterable<Props>>} [eventHandlers]
 */

/** As RFC 8785 writes it: names in order. @param {unknown} value @returns {string} */
const canonical = (value) =>
  JSON.stringify(value, (_, one) => (one && typeof one === "object" && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one));

/**
 * Where a query is answered: the same bytes on all sides, since they are the key of the answer.
 * @param {Record<string, string>} documents @param {Query} query
 */
export function queryUrl(documents, [name, variables = {}]) {
  if (!documents[name]) throw new Error(`there is no query ${name}`);
  const path = `/graphql/${documents[name]}/${name}`;
  return Object.keys(variables).length ? `${path}?variables=${encodeURIComponent(canonical(variables))}` : path;
}

/**
 * URLs of the queries of a component.
 * @param {Record<string, string>} documents @param {Component} component @param {Props} props
 */
export const urlsOf = (documents, component, props) => (component.queries?.(props) ?? []).map((query) => queryUrl(documents, query));

/**
 * What a component is rendered with; null: an answer is missing.
 * @param {Props} props @param {string[]} urls of its queries @param {Record<string, Props>} data by URL
 */
export const propsOf = (props, urls, data) => (urls.every((url) => url in data) ? Object.assign({}, ...urls.map((url) => data[url]), props) : null);
