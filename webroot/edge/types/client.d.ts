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
/** What the worker has done since it started. */
export interface Status {
  version: string;
  /** URL of the node that it stays with, and why. */
  node: string;
  why: string;
  nodes: { url: string; id: string; weight: number; latency: number; inFlight: number; ejected: boolean }[];
  /** Answered from what is stored, and not; bytes that were not fetched; validators that were still current. */
  hits: number;
  misses: number;
  saved: number;
  confirmed: number;
  /** Sent to nodes, and of these again. */
  requests: number;
  retries: number;
  hedges: number;
  /** Bytes that are stored, how often a body was written, changes that wait. */
  kept: number;
  puts: number;
  waiting: number;
  unplugged: boolean;
}
/** What `detail` of the events of `edge` is, by their names. */
export interface EdgeEvents {
  /** How the feed comes: something of the site may be new. */
  feed: { type: "feed"; how: "socket" | "none"; url: string };
  /** The site is at another state; the first one says how things are. */
  changed: { type: "changed"; seq: number; s?: string };
  /** Answer to `tell({type: "ask"})`. */
  status: { type: "status"; status: Status };
  /** New versions are stored. */
  updated: { type: "updated"; paths: string[] };
  /** How many changes wait, and milliseconds until it makes sense to try one. */
  outbox: { type: "outbox"; waiting: number; after: number };
  /** A change that waited was refused; status 0: it is too old. */
  refused: { type: "refused"; number: number; url: string; method: string; at: number; status: number };
  /** A change has failed that may not wait: it is larger than 1 MiB, 1,000 wait already, or there may be a secret in it. */
  unkept: { type: "unkept"; url: string; method: string; why: "size" | "full" | "secret" };
  /** New versions of answers in these cache groups are stored. */
  "edge:changed": { type: "edge:changed"; groups: string[]; queries: string[] };
  /** This page needs *path*, which only a later deploy has. */
  outdated: { type: "outdated"; page: string; path: string };
  /** After `tell({type: "debug"})`: how a request of this page was answered; status 0: with an error. */
  decision: {
    type: "decision"; path: string; plan: string; destination: string; page: string; status: number; ms: number; node: string; why: string;
    how?: "fresh" | "stale" | "ask" | "instead"; version?: string; past?: boolean; states?: string[];
  };
  /** After that, too: a question to a node; status 0: no answer; received: bytes of the answer, null: unknown. */
  exchange: { type: "exchange"; at: number; ms: number; node: string; by: "http" | "socket"; method: string; path: string; status: number; received: number | null };
  /** Worker and feed go on as if there were no network, or do so no more. */
  unplug: { type: "unplug"; unplugged: boolean };
  /** The worker has been switched off. */
  removed: { type: "removed" };
}
/** What pages may say to the worker: say your status; tell this page of decisions and exchanges; refresh what is stored; pull the plug; forget. */
export type Order = { type: "ask" } | { type: "debug" } | { type: "refresh" } | { type: "unplug"; unplugged: boolean } | { type: "reset"; what: "kept" | "nodes" | "queue" | "all" };
/** Tell the worker, and wake it for that. */
export declare function tell(order: Order): void;
/** The same, and wait until it has done so. */
export declare function ask(order: Order): Promise<null>;
/** Tells of everything that happens: an event for each message, the message as `detail`. */
export declare const edge: EventTarget;
/** How this page takes part in the feed. */
export declare const kind: "socket" | "worker" | "off";
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
    /** New versions of *queries* are stored, whose cache groups have changed; prevented: this page shows them itself. */
    "edge-changed": CustomEvent<{ groups: string[]; queries: string[] }>;
    /** New versions have been put in place. */
    "edge-patched": CustomEvent<{ paths: string[] }>;
    /** This page has to be loaded; prevented: no notice of ours. */
    "edge-outdated": CustomEvent<{ why: string }>;
  }
}
