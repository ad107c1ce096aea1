// What is never kept to be sent later, wherever a site lets things wait: passwords, codes that are used once, numbers of
// cards.  Pure.
//
//     by its field     a form waits only if its page has looked at it (client.js), and it has no field of type password
//                      and none whose autocomplete names a current-password, new-password, one-time-code or cc-...
//     by its name      no body waits that has a field with a name like these, in a form or anywhere in JSON

const NAMES = /passw|passphrase|passcode|passwd|\bpass\b|\bpwd|secret|\botp|one[-_]?time|verification[-_]?code|\bpin\b|\bcvc|\bcvv|\bcsc\b|\bcc[-_]?(num|csc|exp|code)|card[-_]?(num|no\b|cvc|cvv|code)/i;

/** Whether a body has a field by such a name. @param {string} type its Content-Type @param {ArrayBuffer} bytes */
export function hasSecret(type, bytes) {
  const text = new TextDecoder().decode(bytes);
  return names(type.split(";")[0].trim().toLowerCase(), text).some((name) => NAMES.test(name.replace(/([a-z])([A-Z])/g, "$1_$2").replaceAll("_", "-")));
}

/** @param {string} type @param {string} text @returns {string[]} */
function names(type, text) {
  if (type === "application/x-www-form-urlencoded") return [...new URLSearchParams(text).keys()];
  if (type === "multipart/form-data") return [...text.matchAll(/^content-disposition:[^\n]*?\bname="?([^"\r\n]*)/gim)].map(([, name]) => name);
  try {
    /** @type {string[]} */
    const keys = [];
    JSON.parse(text, (key, value) => (keys.push(key), value));
    return keys;
  } catch {
    return type === "text/plain" ? text.split("\n").map((line) => line.split("=")[0]).filter((name) => name.length < 100) : [];
  }
}
