// Collapsed requests: those that want the same wait for one answer.  Who gives up leaves; when all have, the request ends.
// What may not be stored is for one of them, and each of the others asks; an error of a node is for all.

import { isStorable } from "./caching.js";

/** @typedef {{waiting: number, controller: AbortController, response: Promise<Response>, taken?: boolean}} Flight */

export class Collapsing {
  constructor() {
    /** On their way. @type {Map<string, Flight>} */
    this.flights = new Map();
  }

  /**
   * The answer to the request *key*, which *send* sends if nobody has.
   * @param {string} key @param {AbortSignal} signal of who asks
   * @param {(signal: AbortSignal) => Promise<Response>} send @returns {Promise<Response>}
   */
  async join(key, signal, send) {
    let flight = this.flights.get(key);
    const ended = () => {
      if (this.flights.get(key) === flight) this.flights.delete(key);
    };
    if (!flight) {
      const controller = new AbortController();
      flight = { waiting: 0, controller, response: send(controller.signal) };
      this.flights.set(key, flight);
      flight.response.then(ended, ended);
    }
    const mine = flight;
    mine.waiting += 1;
    /** @type {() => void} */
    let leave = () => {};
    const gaveUp = new Promise((_, reject) => {
      leave = () => {
        mine.waiting -= 1;
        if (!mine.waiting) {
          ended();
          mine.controller.abort(signal.reason);
        }
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
    });
    const response = await Promise.race([mine.response, gaveUp]).finally(() => signal.removeEventListener("abort", leave));
    mine.waiting -= 1;
    if (response.status < 500 && !isStorable(response)) {
      if (mine.taken) return send(signal);
      mine.taken = true;
      return response;
    }
    return mine.waiting ? response.clone() : response; // a clone that nobody reads would hold all of it
  }
}
