// What no page waits for is asked for over few connections: each more is a handshake for its node, and is held for minutes.

/** Requests at once. */
const LANES = 2;

/**
 * What *work* comes to for each of *items*, in their order; a few are done at once.
 * @template T, R @param {T[]} items @param {(item: T) => Promise<R>} work @returns {Promise<R[]>}
 */
export async function inLanes(items, work) {
  /** @type {R[]} */
  const results = [];
  const rest = items.entries();
  const lane = async () => {
    for (const [number, item] of rest) results[number] = await work(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}
