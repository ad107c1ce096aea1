// Waiting, and how long somebody waits for a node.

/** "fresh-first", where its rule does not say, milliseconds. */
export const FRESH_FIRST_MS = 3000;

/** Fulfilled in *ms* milliseconds, with nothing. @param {number} ms @returns {Promise<undefined>} */
export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
