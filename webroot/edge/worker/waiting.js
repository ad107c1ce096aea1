// Waiting, and how long somebody waits for a node.

/** "fresh-first", where its rule does not say, milliseconds. */
export const FRESH_FIRST_MS = 3000;

/**
 * What keeps the worker awake for *event* as long as that lasts: work for several may outlive the one who began it.
 * @param {{waitUntil(work: Promise<unknown>): void}} event @returns {(work: Promise<unknown>) => void}
 */
export const heldBy = (event) => (work) => {
  try {
    event.waitUntil(work);
  } catch {
    work.catch(() => {}); // its page has given up; others may wait for it
  }
};

/** Fulfilled in *ms* milliseconds, with nothing. @param {number} ms @returns {Promise<undefined>} */
export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
