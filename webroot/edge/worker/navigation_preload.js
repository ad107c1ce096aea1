// Navigation preload: while nothing is stored, a page is better asked for before the worker has started.  As soon as
// a page that is stored is navigated to, it is a wasted request at each navigation.

export class NavigationPreload {
  /** @param {NavigationPreloadManager | undefined} manager undefined: the browser has none */
  constructor(manager) {
    this.manager = manager;
    this.disabled = false;
  }

  async enable() {
    await this.manager?.enable();
  }

  /** Ask the browser for no more of them, once. */
  async disable() {
    if (this.disabled) return;
    this.disabled = true;
    await this.manager?.disable().catch(() => {}); // a wasted request at worst
  }
}
