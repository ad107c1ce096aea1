// How long nodes take to answer: a peak-sensitive average for choosing, a quantile for hedging.
// All times are in milliseconds and given by the caller.

import { CHOICE } from "./choice.js";

/** Observations that a quantile is taken over. */
export const KEPT = 64;

/** Peak EWMA: follows a rise at once and a fall slowly (as in Finagle's balancer of that name). */
export class PeakEwma {
  /** @param {number} value @param {number} at */
  constructor(value = 0, at = 0) {
    /** 0: nothing observed yet. */
    this.value = value;
    this.at = at;
  }

  /** @param {number} ms @param {number} now */
  observe(ms, now) {
    const keep = Math.exp(-Math.max(0, now - this.at) / CHOICE.tauMs);
    this.value = ms >= this.value ? ms : this.value * keep + ms * (1 - keep);
    this.at = now;
  }

  /**
   * What to expect now: the average, relaxing towards *floor* while nobody looks.
   * @param {number} floor @param {number} now
   */
  expected(floor, now) {
    if (this.value <= floor) return floor;
    return floor + (this.value - floor) * Math.exp(-Math.max(0, now - this.at) / CHOICE.forgiveMs);
  }
}

/** The last observations, and what share of them was faster. */
export class Recent {
  /** @param {number[]} values */
  constructor(values = []) {
    this.values = values.slice(-KEPT);
  }

  /** @param {number} ms */
  observe(ms) {
    this.values.push(ms);
    if (this.values.length > KEPT) this.values.shift();
  }

  /**
   * The *share* quantile (nearest rank), or *unknown* with fewer than 8 observations.
   * @param {number} share @param {number} unknown
   */
  quantile(share, unknown) {
    if (this.values.length < 8) return unknown;
    const sorted = [...this.values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  }
}
