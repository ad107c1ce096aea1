// What the dashboard shows, as it comes: the load document from this node - from another one while this is away -
// and from every node what it says of itself.  Each over one WebSocket, by polling where none comes through.

/** Milliseconds between two tries, before jitter: doubled from the first to the last; to the other while polling works. */
const FIRST_MS = 500;
const MOST_MS = 15_000;
const POLL_MS = 3_000;
/** A socket that says nothing for so long hangs, and so does a poll; nodes push at least every 4.5 s. */
const SILENT_MS = 12_000;
const PATIENCE_MS = 4_000;

/** One node's socket, opened again whenever it ends. */
class Line {
  /** *topics* of the node at *url*; *hear(message)* for each message, *tell(how)* when it begins or ends. */
  constructor(url, topics, hear, tell) {
    this.url = url;
    this.topics = topics;
    this.hear = hear;
    this.tell = tell;
    this.how = "";
    this.failures = 0;
    this.open();
  }

  open() {
    const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}/.edge/socket?topics=${this.topics.join(",")}`);
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.failures = 0;
      this.watch();
      this.be("live");
      this.hear(JSON.parse(event.data));
    });
    socket.addEventListener("close", () => socket === this.socket && this.again());
    this.watch();
  }

  watch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.again(), SILENT_MS);
  }

  be(how) {
    if (this.how !== how) this.tell((this.how = how));
  }

  /** The socket is gone: poll once, then try another one. */
  async again() {
    clearTimeout(this.timer);
    const before = this.socket;
    this.socket = null;
    before?.close();
    const failures = (this.failures += 1);
    let how = "lost";
    for (const topic of this.topics) {
      try {
        const signal = AbortSignal.timeout(PATIENCE_MS);
        const answer = await fetch(`${this.url}/.edge/${topic}`, { cache: "no-store", credentials: "omit", signal });
        if (this.closed) return;
        if (answer.ok) this.hear({ type: topic, document: await answer.json() });
        if (answer.ok) how = "polled";
      } catch {
        // Nobody there: the next try will tell.
      }
    }
    if (this.closed) return;
    this.be(how);
    const ms = Math.min(how === "polled" ? POLL_MS : MOST_MS, FIRST_MS * 2 ** (failures - 1));
    this.timer = setTimeout(() => this.open(), ms * (0.75 + Math.random() / 2));
  }

  /** Have *topics* from now on. */
  subscribe(topics) {
    this.topics = topics;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "subscribe", topics }));
  }

  close() {
    this.closed = true;
    const socket = this.socket;
    this.socket = null;
    clearTimeout(this.timer);
    socket?.close();
  }
}

/**
 * Follow the cluster while the page is visible.  *onLoad(document)*; *onStatus(url, document)*: what the node
 * there says of itself, null when it says nothing any more; *onState("live" | "polled" | "lost", stand)*: of this
 * node, *stand*: the url of the one whose load document it is instead, or "".
 */
export function follow({ onLoad, onStatus, onState }) {
  /** By url; "": this node's, for the load document. */
  const lines = new Map();
  let stand = "";
  let home = "lost";

  /** While this node is away another one says how the cluster is. */
  function choose() {
    const present = (url) => url && lines.get(url)?.how === "live";
    const next = home !== "lost" ? "" : present(stand) ? stand : ([...lines.keys()].find(present) ?? "");
    if (next !== stand) {
      lines.get(stand || undefined)?.subscribe(["status"]);
      lines.get(next || undefined)?.subscribe(["load", "status"]);
      stand = next;
    }
    onState(home, stand);
  }

  /** A line for what the node at *url* says of itself. */
  function line(url) {
    const hear = (message) => (message.type === "load" ? learn(message.document) : onStatus(url, message.document));
    return new Line(url, ["status"], hear, (how) => {
      if (how === "lost") onStatus(url, null);
      if (home === "lost") choose();
    });
  }

  function learn(load) {
    onLoad(load);
    const wanted = new Set(load.nodes.filter((node) => node.state !== "left").map((node) => node.url));
    for (const url of wanted) {
      if (!lines.has(url)) lines.set(url, line(url));
    }
    for (const [url, one] of lines) {
      if (url === "" || wanted.has(url)) continue;
      one.close();
      lines.delete(url);
    }
  }

  function change() {
    if (document.visibilityState === "visible" && !lines.size) {
      lines.set("", new Line(location.origin, ["load"], (message) => learn(message.document), (how) => {
        home = how;
        choose();
      }));
    } else if (document.visibilityState !== "visible") {
      for (const one of lines.values()) one.close();
      lines.clear();
      stand = "";
    }
  }
  document.addEventListener("visibilitychange", change);
  change();
}
