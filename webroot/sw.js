// The smart client's Service Worker: which of the browser's events goes where (edge/worker/worker.js).

import { Worker } from "./edge/worker/worker.js";

const scope = /** @type {any} */ (self);
const worker = new Worker(scope);

/** @param {string} name @param {(event: any) => void} listener */
const on = (name, listener) => scope.addEventListener(name, listener);

on("install", (event) => event.waitUntil(worker.install(event)));
on("activate", (event) => event.waitUntil(worker.activate()));
on("fetch", (event) => worker.fetch(event));
on("message", (event) => event.waitUntil(worker.onMessage(event.data, event.source?.id ?? "").then((done) => event.ports[0]?.postMessage(done))));
on("sync", (event) => event.tag === "edge-outbox" && event.waitUntil(worker.outbox.flush()));
on("periodicsync", (event) => event.tag === "edge-refresh" && event.waitUntil(worker.refresh()));
