// The Shared Worker: holds what all tabs of a browser need once - the socket, the last load document, and the
// Service Worker's last status with its table of requests in flight.

import { CHANNEL, LOCK } from "./worker/messages.js";
import { Feed } from "./worker/feed.js";

const channel = new BroadcastChannel(CHANNEL);
/**
 * The last message of each type that a new tab wants to know.  There is always one: a tab that has heard from us
 * queues for our lock, and so learns that we have died.
 * @type {Map<string, import("./worker/messages.js").Message>}
 */
const last = new Map([["feed", /** @type {import("./worker/messages.js").Message} */ ({ type: "feed", how: "none", url: "" })]]);

/** @param {import("./worker/messages.js").Message} message */
function remember(message) {
  if (["load", "status", "feed", "changed"].includes(message.type)) last.set(message.type, message);
}

const feed = new Feed(location.origin, (message) => {
  remember(message);
  channel.postMessage(message);
});
feed.serve(channel);
channel.onmessage = ({ data }) => {
  remember(data);
  if (data.type === "removed") feed.stop();
};

/** @type {any} */ (self).onconnect = (/** @type {MessageEvent} */ event) => {
  const [port] = event.ports;
  for (const message of last.values()) port.postMessage(message);
};

// Held as long as we live: whoever gets it after us knows that we do not.
navigator.locks.request(LOCK, () => {
  feed.start();
  return new Promise(() => {});
});
