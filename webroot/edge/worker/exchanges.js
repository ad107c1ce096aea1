// What goes to nodes and comes back, for pages that show it: each question, who answered, how soon, in how many bytes.

/** A frame around a message of a WebSocket (RFC 6455 section 5.2): ours are short, and come without a mask. */
const FRAME = 2;
const FRAME_LONG = 4;
const SHORT_MOST = 125;

/** @typedef {import("./messages.js").ExchangeMessage} Exchange */

/**
 * Bytes of an answer as HTTP/1.1 sends it, of the fields that came (nodes show all of theirs to other origins, too); null: its
 * length is not told.
 * @param {Response} response
 */
export function received({ status, statusText, headers, redirected, type }) {
  const length = status === 304 || status === 204 ? 0 : Number(headers.get("content-length") ?? NaN);
  // Each answer has a Date: where none is seen the node does not show all fields to other origins.
  if (redirected || type === "opaqueredirect" || (type === "cors" && !headers.has("date")) || !(length >= 0)) return null;
  let head = `HTTP/1.1 ${status} ${statusText}\r\n\r\n`.length;
  for (const [name, value] of headers) head += name.length + value.length + 4; // ": " and the end of the line
  return head + length;
}

/**
 * A question that was asked over HTTP.
 * @param {{node: string, method: string, path: string, begun: number, ms: number, response?: Response}} what without *response*:
 *   it got no answer
 * @returns {Exchange}
 */
export function overHttp({ node, method, path, begun, ms, response }) {
  return { type: "exchange", at: begun, ms, node, by: "http", method, path, status: response?.status ?? 0, received: response ? received(response) : null };
}

/**
 * A question that was answered over the feed's socket: as its twin over HTTP would be, in the bytes of its frame.
 * @param {{node: string, begun: number, ms: number, answer: Uint8Array}} what
 * @returns {Exchange}
 */
export function overSocket({ node, begun, ms, answer }) {
  const isChanges = answer[0] === 129 || answer[0] === 131; // of files, of groups
  return {
    type: "exchange", at: begun, ms, node, by: "socket", method: isChanges ? "GET" : "POST", path: isChanges ? "/.edge/changes" : "/.edge/revalidate",
    status: isChanges && answer.length === 2 ? 304 : 200, received: answer.length + (answer.length > SHORT_MOST ? FRAME_LONG : FRAME),
  };
}
