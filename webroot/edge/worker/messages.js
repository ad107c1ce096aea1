// The messages between worker and pages.  All go over one BroadcastChannel; those to the worker that must
// wake it go by postMessage, too; with a port, that is told when the worker has done what is asked.  A page may be older than the worker: types and their fields are wire names.

/** Name of the channel. */
export const CHANNEL = "edge";

/**
 * Address of the worker's script at a site with *rules*.  Addresses of other origins that they name stand in it: a worker that
 * the browser has stopped knows them at its first event, before it has read anything (rules.js, `namedIn`).
 * @param {{rules?: {paths: string[], use: string}[]}} rules
 */
export function scriptOf({ rules = [] }) {
  const named = rules.filter(({ use }) => use !== "pass").flatMap(({ paths }) => paths.filter((path) => path[0] !== "/"));
  return named.length ? `/sw.js?${new URLSearchParams([...new Set(named)].map((one) => ["for", one]))}` : "/sw.js";
}

/**
 * @typedef {import("./nodes.js").LoadDocument} LoadDocument
 *
 * @typedef {{type: "load", document: LoadDocument}} LoadMessage from the feed, or the worker that was asked: figures of all nodes
 * @typedef {{type: "changed", seq: number, s?: string}} ChangedMessage from the feed: something of the site is new; *s*: its state
 * @typedef {{type: "groups", at: string}} GroupsMessage from the feed, and to the worker by pages that can be seen: its node
 *   follows them now, or one has changed; *at*: the state of the groups at that node
 * @typedef {{type: "stay"}} StayMessage to the worker: a page can be seen; again as long as it is, so that the feed goes on
 * @typedef {{type: "live"}} LiveMessage to the worker: a page can be seen again, or there is a new feed
 * @typedef {{type: "edge:changed", groups: string[], queries: string[]}} GroupsChangedMessage from the worker: new versions of
 *   *queries* (paths) are stored, which are in these cache groups
 * @typedef {{type: "feed", how: "socket" | "none", url: string, at?: number}} FeedMessage from the feed: whether it has a socket, to which node, since when
 * @typedef {{type: "updated", paths: string[]}} UpdatedMessage from the worker: new versions are stored
 * @typedef {{type: "outdated", page: string, path: string}} OutdatedMessage from the worker to the page with this client id:
 *   it needs *path*, which only a later deploy has
 * @typedef {{type: "status", status: Status}} StatusMessage from the worker
 * @typedef {{type: "outbox", waiting: number, after: number}} OutboxMessage from the worker: how many changes wait, and
 *   milliseconds until it makes sense to try one
 * @typedef {{type: "refused", number: number, url: string, method: string, at: number, status: number}} RefusedMessage from
 *   the worker: a change that waited, made *at*, was refused with *status*; 0: it is too old
 * @typedef {{type: "unkept", url: string, method: string, why: "size" | "full" | "secret"}} UnkeptMessage from the worker: a change got no
 *   answer, or would have been sent before others of its lane, and may not wait: it has failed
 * @typedef {{type: "queue"}} QueueMessage to the worker: what is in the outbox?  Answered by a list of QueuedChange
 * @typedef {{number: number, url: string, method: string, at: number, after: number, refused?: {status: number, at: number}}} QueuedChange
 *   times in Unix milliseconds: *at* of the change, *after* which it may be tried
 * @typedef {{type: "form", url: string, secret: boolean}} FormMessage to the worker: a page is about to send a form
 * @typedef {{type: "taken", number: number, again: boolean}} TakenMessage to the worker: a page takes a refused change
 * @typedef {{type: "removed"}} RemovedMessage from the worker: it has been switched off
 * @typedef {{type: "shown", urls: string[]}} ShownMessage to the worker: a page shows these
 * @typedef {{type: "renewed", paths: string[], back?: boolean}} RenewedMessage to the worker: a page puts the stored versions of itself
 *   and of *paths* in place; *back*: it has not, or not yet.  Answered by a list of scripts that it has loaded, which are others now
 * @typedef {{type: "refresh"}} RefreshMessage to the worker: a page is idle
 * @typedef {{type: "back"}} BackMessage to a worker that was removed, by a page that registered it again: it begins anew (sw.js)
 * @typedef {{type: "online"}} OnlineMessage to the worker: there may be a network again
 * @typedef {{type: "debug"}} DebugMessage to the worker: tell this page of each decision for it
 * @typedef {{type: "decision", path: string, plan: string, destination: string, page: string, status: number, ms: number,
 *   node: string, why: string, how?: "fresh" | "stale" | "ask" | "instead", version?: string, past?: boolean, states?: string[]}} DecisionMessage
 *   from the worker to that page: how a request was answered ("instead": asked, and no answer came, or an error); *status* 0: with an error; *past*: by a version before the newest, or
 *   asked although one is kept: that is not of the page's version
 * @typedef {{type: "exchange", at: number, ms: number, node: string, by: "http" | "socket", method: string, path: string,
 *   status: number, received: number | null}} ExchangeMessage from the worker to pages that said "debug": a question that the
 *   origin *node* has answered; *status* 0: it did not; *at*: when it was asked, Unix milliseconds; *received*: bytes of the answer above TCP, null: unknown
 * @typedef {{type: "unplug", unplugged: boolean}} UnplugMessage to the worker, and from it: go on as if there were no network (network.js)
 * @typedef {{type: "reset", what: "kept" | "nodes" | "queue" | "all"}} ResetMessage to the worker: forget that
 * @typedef {{type: "script"}} ScriptMessage to the worker: which is its script by the rules that it has?  Answered by an address, null: it has been switched off
 * @typedef {{type: "ask"}} AskMessage to the worker: broadcast your status, what you know of the nodes, and how the feed is
 *
 * @typedef {LoadMessage | ChangedMessage | FeedMessage | UpdatedMessage | OutdatedMessage | StatusMessage | OutboxMessage
 *   | RefusedMessage | UnkeptMessage | QueueMessage | FormMessage | TakenMessage | RemovedMessage | ShownMessage | RenewedMessage
 *   | RefreshMessage | OnlineMessage | BackMessage | AskMessage | DebugMessage | DecisionMessage | ExchangeMessage | UnplugMessage | ResetMessage
 *   | StayMessage | ScriptMessage | GroupsMessage | LiveMessage | GroupsChangedMessage} Message
 *
 * @typedef {object} Status what the worker has done since it started
 * @property {string} version
 * @property {string} node url of the one it stays with
 * @property {string} why
 * @property {{url: string, id: string, weight: number, latency: number, inFlight: number, ejected: boolean}[]} nodes
 * @property {number} hits answered from what is stored
 * @property {number} misses
 * @property {number} saved bytes that were not fetched
 * @property {number} confirmed validators that were still current
 * @property {number} requests sent to nodes
 * @property {number} retries
 * @property {number} hedges
 * @property {number} kept bytes that are stored
 * @property {number} puts written to the Cache
 * @property {number} waiting mutations
 * @property {boolean} unplugged a page pretends that there is no network
 */
export {};
