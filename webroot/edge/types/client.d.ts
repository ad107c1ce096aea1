// Types of /edge/client.js, for TypeScript: map "/edge/*" to this folder in `paths` of tsconfig.json.

/** A change that waits or was refused; times are Unix milliseconds. */
export interface QueuedChange {
  number: number;
  url: string;
  method: string;
  /** When it was made. */
  at: number;
  /** When it may be tried next. */
  after: number;
  refused?: { status: number; at: number };
}
/** All of it, as it is taken out of the outbox. */
export interface QueuedRequest extends QueuedChange {
  /** The glob of `queue` that let it wait. */
  lane: string;
  headers: [string, string][];
  body: ArrayBuffer;
}
/** What `detail` of the events of `edge` is, by their names. */
export interface EdgeEvents {
  /** How the feed comes: something of the site may be new. */
  feed: { type: "feed"; how: "socket" | "poll" | "none"; url: string };
  /** New versions are stored. */
  updated: { type: "updated"; paths: string[] };
  /** How many changes wait, and milliseconds until it makes sense to try one. */
  outbox: { type: "outbox"; waiting: number; after: number };
  /** A change that waited was refused; status 0: it is too old. */
  refused: { type: "refused"; number: number; url: string; method: string; at: number; status: number };
  /** The worker has been switched off. */
  removed: { type: "removed" };
}
/** Tells of everything that happens: an event for each message, the message as `detail`. */
export declare const edge: EventTarget;
/** How this page takes part in the feed. */
export declare const kind: "shared" | "leader" | "worker" | "off";
/** What is in the outbox. */
export declare function queue(): Promise<QueuedChange[]>;
/** Take a refused change out of the outbox; *again*: it is to be sent again, behind what waits. */
export declare function take(number: number, again?: boolean): Promise<QueuedRequest | undefined>;
/** Has new versions put in place, by their paths, as if nobody had prevented "edge-update". */
export declare function put(paths: string[]): void;

declare global {
  interface DocumentEventMap {
    /** New versions are stored; prevented: this page does what is to be done itself. */
    "edge-update": CustomEvent<{ paths: string[] }>;
    /** New versions have been put in place. */
    "edge-patched": CustomEvent<{ paths: string[] }>;
    /** This page has to be loaded; prevented: no notice of ours. */
    "edge-outdated": CustomEvent<{ why: string }>;
  }
}
