// IndexedDB as promises: rows of the stored responses, the state of the worker, and the outbox.

export const DATABASE = "edge";
const STORES = { rows: { keyPath: "key" }, state: {}, outbox: { keyPath: "number", autoIncrement: true } };
/** @typedef {keyof typeof STORES} Store */

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Database {
  /** @param {IDBFactory} factory */
  constructor(factory = indexedDB) {
    this.factory = factory;
    /** Whether it is to be there no more: nothing opens it anew. */
    this.removed = false;
    /** @type {Promise<IDBDatabase> | null} */
    this.opening = null;
  }

  /** @returns {Promise<IDBDatabase>} */
  open() {
    if (this.removed) return Promise.reject(new Error("the database was removed"));
    this.opening ??= new Promise((resolve, reject) => {
      const request = this.factory.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        for (const [name, options] of Object.entries(STORES)) request.result.createObjectStore(name, options);
      };
      request.onsuccess = () => {
        // Somebody removes it, or the browser does: the next use opens it again.
        request.result.onversionchange = () => this.close();
        request.result.onclose = () => (this.opening = null);
        resolve(request.result);
      };
      request.onerror = () => {
        this.opening = null;
        reject(request.error);
      };
    });
    return this.opening;
  }

  /** @param {Store} store @returns {Promise<any[]>} */
  async all(store) {
    const database = await this.open();
    return done(database.transaction(store).objectStore(store).getAll());
  }

  /** @param {Store} store @param {IDBValidKey} key @returns {Promise<any>} */
  async get(store, key) {
    const database = await this.open();
    return done(database.transaction(store).objectStore(store).get(key));
  }

  /**
   * All of it, or nothing.  *puts*: values, or [value, key] for the store "state".
   * @param {Store} store @param {any[]} puts @param {IDBValidKey[]} removes @returns {Promise<void>}
   */
  async write(store, puts, removes = []) {
    const database = await this.open();
    const transaction = database.transaction(store, "readwrite", { durability: "relaxed" });
    const objects = transaction.objectStore(store);
    for (const key of removes) objects.delete(key);
    for (const one of puts) {
      if (store === "state") objects.put(one[0], one[1]);
      else objects.put(one);
    }
    await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  close() {
    this.opening?.then((database) => database.close());
    this.opening = null;
  }

  /** Everything is forgotten, but for what is to stay of the *outbox*. @param {any[]} outbox */
  async remove(outbox) {
    this.close();
    this.removed = true;
    await done(this.factory.deleteDatabase(DATABASE));
    if (!outbox.length) return;
    const next = new Database(this.factory);
    await next.write("outbox", outbox);
    next.close();
  }
}
