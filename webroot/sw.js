// The smart client's Service Worker: which of the browser's events goes where (edge/worker/worker.js).

import { Worker } from "./edge/worker/worker.js";

const scope = /** @type {any} */ (self);
/** Of the worker's code: the folder that it is published in; pages show it. */
const VERSION = "./edge/worker/".split("/").at(-2) ?? "";
let worker = new Worker(scope, VERSION);

/** @param {string} name @param {(event: any) => void} listener */
const on = (name, listener) => scope.addEventListener(name, listener);

on("install", (event) => event.waitUntil(worker.install(event)));
on("activate", (event) => event.waitUntil(worker.activate()));
on("fetch", (event) => worker.fetch(event));
on("message", (event) => event.waitUntil(told(event)));
on("sync", (event) => event.tag === "edge-outbox" && event.waitUntil(worker.outbox.flush()));
on("periodicsync", (event) => event.tag === "edge-refresh" && event.waitUntil(worker.refresh()));

/** @param {any} event a page says something */
async function told({ data, source, ports }) {
  if (data.type !== "back") {
    const done = await worker.onMessage(data, source?.id ?? "");
    return ports[0]?.postMessage(done);
  }
  // The browser gives a page the worker that was removed, as long as another tab has it: it begins anew.
  if (worker.life !== "removed" || !(await fetch("/sw.js", { method: "HEAD", cache: "no-cache" })).ok) return undefined;
  worker.channel.close();
  worker = new Worker(scope, VERSION);
  await worker.prepare();
  return scope.clients.claim();
}
