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

/** As RFC 8785 writes it: names in order, those that look like numbers, too. @param {any} value @returns {string} */
export function canonical(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one) ?? "null")}]`;
  const names = Object.keys(value).filter((name) => value[name] !== undefined).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)}}`;
}

/**
 * Where a query is answered: the same bytes on all sides, since they are the key of the answer.
 * @param {Record<string, string>} documents @param {Query} query
 */
export function queryUrl(documents, [name, variables = {}]) {
  if (!documents[name]) throw new Error(`there is no query ${name}`);
  const path = `/graphql/${documents[name]}/${name}`;
  const text = canonical(variables);
  return text === "{}" ? path : `${path}?variables=${encodeURIComponent(text)}`;
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
export const propsOf = (props, urls, data) => (urls.every((url) => url in data) ? { ...Object.fromEntries(urls.flatMap((url) => Object.entries(data[url]))), ...props } : null);
