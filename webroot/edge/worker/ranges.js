// Ranges out of a whole that is kept (RFC 9110 section 14).

/**
 * First and last octet of *value* in a representation of *length* octets; null: no single range of
 * octets, so that the whole is the answer; "none": nothing of it lies inside.
 * @param {string} value of Range @param {number} length
 * @returns {[number, number] | null | "none"}
 */
export function parseRange(value, length) {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(value);
  if (!match || (!match[1] && !match[2])) return null;
  if (!match[1]) {
    const suffix = Number(match[2]);
    return suffix && length ? [Math.max(0, length - suffix), length - 1] : "none";
  }
  const first = Number(match[1]);
  const last = match[2] ? Math.min(Number(match[2]), length - 1) : length - 1;
  if (match[2] && Number(match[2]) < first) return null;
  return first < length ? [first, last] : "none";
}

/**
 * The part of *whole* that *value* asks for: 206, 416, or the whole.
 * @param {Response} whole @param {string} value @returns {Promise<Response>}
 */
export async function slice(whole, value) {
  const body = await whole.blob();
  const headers = new Headers(whole.headers);
  const range = parseRange(value, body.size);
  if (range === null) return new Response(body, { status: 200, headers });
  if (range === "none") {
    return new Response(null, { status: 416, headers: { "content-range": `bytes */${body.size}` } });
  }
  headers.set("content-range", `bytes ${range[0]}-${range[1]}/${body.size}`);
  headers.set("content-length", String(range[1] - range[0] + 1));
  return new Response(body.slice(range[0], range[1] + 1, body.type), { status: 206, headers });
}
