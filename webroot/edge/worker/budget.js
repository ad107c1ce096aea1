// A retry budget, as a token bucket: what multiplies load - retries, hedged requests - may be a share of the requests
// and no more.  What is left goes over restarts (saved_state.js): browsers stop a worker after half a minute, and each start
// would bring new ones.

export class Budget {
  /**
   * @param {number} share of the requests that may be spent
   * @param {number} most tokens that can be saved up
   * @param {number} tokens at the start
   */
  constructor(share, most, tokens = most) {
    this.share = share;
    this.most = most;
    this.tokens = tokens;
  }

  /** A request was made. */
  deposit() {
    this.tokens = Math.min(this.most, this.tokens + this.share);
  }

  /** Whether one more may be sent; spends it. */
  spend() {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
