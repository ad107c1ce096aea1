// A body that somebody reads, and that is kept as well: one reader at its source serves both, at the pace of the page.
// What is larger than it may be is not kept, and flows on; when the page gives up, the source ends.

/** Bytes that are read before the page asks for them: small bodies, whole. */
const AHEAD = 256 * 1024;

/**
 * *body* for a page, and what is to be kept of it: null, if it was more than *limit* bytes, broke off, or was given up.
 * @param {ReadableStream<Uint8Array>} body @param {number} limit
 * @returns {[ReadableStream<Uint8Array>, Promise<Blob | null>]}
 */
export function captured(body, limit) {
  const reader = body.getReader();
  /** @type {Uint8Array<ArrayBuffer>[] | null} */
  let chunks = [];
  let size = 0;
  /** @type {(kept: Blob | null) => void} */
  let settle;
  /** @type {Promise<Blob | null>} */
  const kept = new Promise((resolve) => (settle = resolve));
  const drop = () => {
    chunks = null;
    settle(null);
  };
  /** @type {ReadableStream<Uint8Array>} */
  const page = new ReadableStream(/** @type {UnderlyingDefaultSource<Uint8Array>} */ ({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          return settle(chunks && new Blob(chunks));
        }
        size += value.byteLength;
        if (size > limit) drop();
        chunks?.push(/** @type {Uint8Array<ArrayBuffer>} */ (value.slice())); // the page may take the buffer away
        controller.enqueue(value);
      } catch (error) {
        drop();
        controller.error(error);
      }
    },
    cancel(reason) {
      drop();
      return reader.cancel(reason);
    },
  }), new ByteLengthQueuingStrategy({ highWaterMark: AHEAD }));
  return [page, kept];
}

/** The body of *response*, null: larger than *limit* bytes; then its source ends. @param {Response} response @param {number} limit */
export async function read(response, limit) {
  if (!response.body) return new Blob();
  const reader = response.body.getReader();
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const chunks = [];
  let left = limit - Number(response.headers.get("content-length"));
  if (left >= 0) left = limit;
  while (left >= 0) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks);
    chunks.push(/** @type {Uint8Array<ArrayBuffer>} */ (value));
    left -= value.byteLength;
  }
  await reader.cancel();
  return null;
}
