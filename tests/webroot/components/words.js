// What another component imports.

/** @param {string} text */
export const shout = (text) => `${text}!`;
