// Where the feed of this browser runs: in a Shared Worker, in the page that leads, or nowhere.
//
// "shared"  one Shared Worker for all tabs.  Each tab also queues for its lock: whoever gets that knows that
//           the Shared Worker has died, and starts another.
// "leader"  no Shared Worker: the tab that holds the lock runs the feed; when it goes, the next one does.
// "worker"  neither: the Service Worker polls when it has something to do.
// "off"     no Service Worker either: plain pages.

import { CHANNEL, LOCK } from "../worker/messages.js";

/** @typedef {"shared" | "leader" | "worker" | "off"} Segment */

/** What this browser can do, or what the query *forced* says. @param {string | null} forced @returns {Segment} */
export function segment(forced) {
  const kinds = /** @type {Segment[]} */ (["shared", "leader", "worker", "off"]);
  const able = {
    shared: () => "SharedWorker" in globalThis && "locks" in navigator,
    leader: () => "locks" in navigator && "BroadcastChannel" in globalThis,
    worker: () => "BroadcastChannel" in globalThis,
    off: () => true,
  };
  if (!("serviceWorker" in navigator) || !("caches" in globalThis)) return "off";
  const first = Math.max(0, kinds.indexOf(/** @type {Segment} */ (forced)));
  return kinds.slice(first).find((kind) => able[kind]()) ?? "off";
}

/**
 * Take part in the feed.
 * @param {Segment} kind
 * @param {(message: import("../worker/messages.js").Message) => void} onMessage what this page alone is told
 * @returns {() => void} ends it
 */
export function takePart(kind, onMessage) {
  const end = new AbortController();
  /** @param {() => Promise<unknown>} lead */
  const queue = (lead) => {
    navigator.locks.request(LOCK, { signal: end.signal }, lead).catch(() => {}); // aborted: that was the end
  };
  if (kind === "shared") {
    const connect = () => {
      const worker = new SharedWorker(new URL("../feedworker.js", import.meta.url), { type: "module", name: "edge" });
      worker.port.onmessage = ({ data }) => {
        onMessage(data);
        if (!queued) queue(again); // it lives: behind it, then
        queued = true;
      };
    };
    let queued = false;
    const again = async () => {
      queued = false;
      connect();
    };
    connect();
  } else if (kind === "leader") {
    queue(async () => {
      const { Feed } = await import("../worker/feed.js");
      const channel = new BroadcastChannel(CHANNEL);
      const feed = new Feed(location.origin, (message) => {
        channel.postMessage(message);
        onMessage(message);
      });
      if (end.signal.aborted) return;
      feed.serve(channel);
      feed.start();
      await new Promise((resolve) => end.signal.addEventListener("abort", resolve));
      feed.stop();
      channel.close();
    });
  }
  return () => end.abort();
}
