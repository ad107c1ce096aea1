// The smart client's Service Worker: which event goes where.  See docs/explanation/client.md.

import { Worker } from "./edge/worker/worker.js";

const scope = /** @type {any} */ (self);
const worker = new Worker(scope);

scope.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(worker.install().then(async () => {
    if (event.addRoutes) await worker.routes(event);
    await scope.skipWaiting();
  }));
});

scope.addEventListener("activate", (/** @type {any} */ event) => {
  event.waitUntil(worker.activate().then(() => scope.clients.claim()));
});

scope.addEventListener("fetch", (/** @type {any} */ event) => worker.fetch(event));
scope.addEventListener("message", (/** @type {any} */ event) => event.waitUntil(worker.onMessage(event.data)));
scope.addEventListener("sync", (/** @type {any} */ event) => {
  if (event.tag === "edge-outbox") event.waitUntil(worker.outbox.flush());
});
scope.addEventListener("periodicsync", (/** @type {any} */ event) => {
  if (event.tag === "edge-refresh") event.waitUntil(worker.refresh());
});
