"""``/.edge/socket``: what clients would otherwise poll for, pushed over WebSocket.

===========  ======================================================================================
``load``     ``{"type": "load", "document": {...}}``: the load document
``changed``  ``{"type": "changed", "seq": N, "s": S}``: something of the site is new; revalidate what is
             shown.  Told at the end of a deploy, not within; ``s``: the state of the site then
``status``   ``{"type": "status", "document": {...}}``: this node alone, as in ``/.edge/status``
===========  ======================================================================================

A new connection has the first two, unless its query says ``?topics=load``.  What is true now comes at
once when it opens.

**Version 2.**  With ``?v=2`` the topic ``load`` is a message ``load`` as above when the connection opens, and
again when there are other nodes or places of them; and behind it, and from then on alone, a binary message
of the figures in a word, numbers big-endian::

      0   u8  4, which is no answer to a question
      1   u8  0
      2  u16  seconds after which clients ask for figures themselves, as ttl_ms says it in a document
      4  u48  when the document was made of which these are the figures: "at", Unix milliseconds
     10   ..  which nodes these are (their "tag"), and two digits for each: :mod:`edge.load.riding`

For example, four nodes in 22 bytes, 24 as a frame, instead of 849::

    04 00 00 05 01 9a 6e d9 6a 7b 6b 4a 33 78 5a 74 59 73 58 72 30 61      "kJ3xZtYsXr0a"

Where there are more than 16 nodes, of which there is no word, documents come as in version 1.

A client may send ``{"type": "subscribe", "topics": [...]}`` to have other topics from
then on, and ask questions in binary messages (:mod:`edge.http.questions`); a message that is something else
closes with 1008 and the reason.

**Cache groups.**  A client that sends ``{"type": "follow", "groups": ["7m-zFnsC", ...]}`` follows these
groups of the answers of its site's applications, and no others, from then on; each is the base64url of the
first 6 bytes of the SHA-256 of its name, 256 at most.  ``{"type": "groups", "at": "..."}`` says that this is
in force, and up to which changes this node is (:mod:`edge.cache.group_history`); the same with
``"g": ["7m-zFnsC"]`` that these have changed, with ``"g": null`` that any may have.  What has changed between
two sockets is asked for (questions of kind 3).  Who is told when: :mod:`edge.cache.followers`.

A message is composed and framed once for all connections of a worker.  When they get it:

* The connections stand in a round that takes one *period* (:func:`period`); whose turn it is gets what is
  new for it.  So pushes are spread over time, however many connections there are, and the crowd does not act
  on new figures all at once.
* Load documents come in one of several rounds (:func:`round_seconds`), so many that all of them take at most
  :data:`SHARE` of the node's link; ``ttl_ms`` in a pushed one says how long the next may take.
* What cannot wait - a node that is gone or back, a change of the site - goes to all at once, and that alone,
  some hundred in each turn of the reactor, but no more often than once in a period.

Who still has bytes of the last push waiting gets nothing on top of them, and the newest when they are taken;
after :data:`edge.node.resources.pushsocket.STUCK_SECONDS` without that the connection is aborted.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import re
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.task import LoopingCall

from edge.cache.followers import MOST, Due, Followers
from edge.cache.group_history import ANY, GroupHistory, hash_of, key_of
from edge.fastpath.interface import SocketState
from edge.fastpath.opening import Audience
from edge.fastpath.sockets import TOPICS as FAST_TOPICS
from edge.http import questions
from edge.http.changes import UNKNOWN, since, state_of
from edge.http.errors import ProtocolError
from edge.http.forms import parse_query
from edge.http.own_origins import own_origins
from edge.http.websocket import accept, framed
from edge.load.document import TTL_MS, decode
from edge.load.riding import ride
from edge.node.process.own_resources import LOAD, status_path
from edge.node.resources.audience import may_see_status, tell_all
from edge.node.resources.pushsocket import PushSocket
from edge.sites import ALONE, entry_name
from edge.table.counters import INDEX
from edge.table.site_state import find_state, state_since

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from edge.fastpath.interface import FastPath
    from edge.node.connection.request import EdgeRequest
    from edge.node.process.group_news import GroupNews
    from edge.sites import SiteHosts
    from edge.table.reader import Reader
    from edge.table.segment import CounterBlock

#: By number (:mod:`edge.fastpath.opening`): what clients may choose, and what load is in version 2.
TOPICS = ("load", "changed", "status", "nodes", "word")
_CHOICE, _SHORT = TOPICS[:3], TOPICS[3:]
_VERSION = re.compile(rb"[2-9]|[1-9][0-9]{1,8}")
_HASH = re.compile(r"[\w-]{8}", re.ASCII)
_TTL = re.compile(r'"ttl_ms":\d+')
_NUMBER = {topic: number for number, topic in enumerate(TOPICS)}
#: The load in any form, of each site its own; and the others.
_LOAD = ("load", *_SHORT)
_BUT_LOAD = tuple(topic for topic in TOPICS if topic not in _LOAD)
#: What a binary message of the figures begins with.
WORD = b"\4\0"
#: What a client gets that says nothing.
DEFAULT_TOPICS = ("load", "changed")
#: Seconds between two looks at the table, and between two steps of the round.
LOOK_SECONDS, STEP_SECONDS = 0.25, 0.05
#: Seconds between two turns in which followers of groups are told, at least.
TELL_SECONDS = 0.01
#: Connections that a worker serves in a second of its round: 1.5 % of a core (`make bench`, sockets).
PACE = 1000
#: Seconds of a round.  Charts want one a second; clients would poll each ``ttl_ms``.
LEAST_PERIOD, MOST_PERIOD = 1.0, TTL_MS / 1000 * 0.9
#: The most seconds between two load documents: in silence clients ask for one then (load_poller.js).
LONGEST_ROUND = 120.0
#: The part of a node's link that pushed load documents take at most.
SHARE = 0.02
#: Connections served in one turn of the reactor when it cannot wait: about 3 ms; of those in the fast path.
URGENT_BATCH, FAST_BATCH = 250, 1000


def period(connections: int) -> float:
    """Seconds in which each of so many connections of a worker gets what is new."""
    return min(MOST_PERIOD, max(LEAST_PERIOD, connections / PACE))


def round_seconds(connections: int, frame_bytes: int, link_bps: float) -> float:
    """Seconds in which each of so many connections gets a load document of *frame_bytes*.

    *link_bps*: bits per second of the link that are this worker's part; 0: unknown.
    """
    needed = connections * frame_bytes * 8 / (link_bps * SHARE) if link_bps else 0.0
    return max(period(connections), min(LONGEST_ROUND, needed))


class Pushing:
    """The push service of one worker: its WebSockets, and what they are sent when."""

    def __init__(
        self,
        reader: Reader,
        origins: Sequence[Collection[bytes]],
        reactor: Any,
        most: int = 1000,
        counters: CounterBlock | None = None,
        audience: str = "public",
        link_bps: float = 0.0,
        sites: Sequence[SiteHosts] = ALONE,
        tells: Callable[[bytes, bytes, str], bool] = tell_all,
    ) -> None:
        """*origins*: by number of the site, serialized origins that may connect beside our own; ``*``: all.

        *most*: connections at once, see :func:`edge.descriptors.socket_limit`.  *audience*: whose choice
        the topic ``status`` is, ``--status``.  *link_bps*: see :func:`round_seconds`.  *sites*: each has a
        load document of its own.  *tells*: see :class:`.edge_resources.EdgeResources`; sockets are strangers.
        """
        self._tells = tells
        self._link_bps = link_bps
        self.sockets: set[PushSocket] = set()
        self._reader = reader
        self._origins = origins
        self._reactor = reactor
        self._most = most
        self._counters = counters
        self._audience = audience
        #: Entries of the table that are pushed whole, by topic.
        self._documents = {
            **{_of_site("load", site.prefix): entry_name(site.prefix, LOAD) for site in (*ALONE, *sites)},
            "status": status_path(audience),
        }
        self._history = GroupHistory()
        self._followers: Followers[PushSocket] = Followers()
        #: When followers are told next.
        self._telling: Any = None
        self._calls = [LoopingCall(self._look), LoopingCall.withCount(self._step)]
        for call in self._calls:
            call.clock = reactor
        #: By topic, ``load`` by site: the message, as frames; the number of the edition in which it was new.
        self._frames: dict[str, bytes] = {}
        #: Where most of them rest; None: all are here.
        self._fast_path: FastPath | None = None
        self._fast_credit, self._fast_hurries = 0.0, False
        self._sites = sites
        #: By the prefix of the site: the tag of the nodes that are told.
        self._tags: dict[str, str] = {}
        self._new_in = dict.fromkeys(TOPICS, 0)
        self._edition = 0
        self._sources: dict[str, Any] = {}
        self._choice: list[str] | None = None
        #: Who is still to be served in this round; and who at once.
        self._round: list[PushSocket] = []
        self._rounds = 0
        self._hurry: list[PushSocket] = []
        self._credit = 0.0
        self._urgent_not_before = 0.0
        #: Topics that cannot wait.
        self._urgent: set[str] = set()

    def share_with(self, fast_path: FastPath) -> None:
        """From now on *fast_path* has those that may rest there."""
        self._fast_path = fast_path
        if self._counters is not None:
            self._counters.set(INDEX["sockets"], 0)

    @property
    def count(self) -> int:
        """How many there are, here and in the fast path."""
        return len(self.sockets) + self._resting

    @property
    def _resting(self) -> int:
        return 0 if self._fast_path is None else self._fast_path.sockets()

    def stop(self) -> None:
        """Look no more."""
        self._rest()
        self._hurry.clear()

    def _begin(self) -> None:
        """Look at the table, and go round, as long as somebody listens."""
        for call, seconds in zip(self._calls, (LOOK_SECONDS, STEP_SECONDS), strict=True):
            if not call.running:
                call.start(seconds, now=False)
        self._welcome()

    def _rest(self) -> None:
        """A worker without connections of this kind need not wake for them 24 times a second."""
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        for call in self._calls:
            if call.running:
                call.stop()
        self._welcome()

    def _welcome(self) -> None:
        """Let the fast path open WebSockets as long as it is told what is true now, and there is room."""
        if self._fast_path is not None:
            looks = self._calls[0].running
            self._fast_path.welcome(self._most - len(self.sockets) if looks else 0, Audience(self._audience))

    def now(self) -> float:
        """The time of the reactor, in seconds."""
        return float(self._reactor.seconds())

    async def open(self, request: EdgeRequest) -> None:
        """Take the connection of *request* over, or refuse it."""
        head = request.head
        own = own_origins(head.host, request.isSecure())
        try:
            choice: tuple[str, ...] = _CHOICE if may_see_status(self._audience, request) else DEFAULT_TOPICS
            topics, choice = _asked(head.query, choice)
            answer = accept(head.method, head.fields, own, self._origins[request.site_number or 0])
            if self.count >= self._most:
                raise ProtocolError("There are too many connections here; try another node.", status=503)
        except ProtocolError as refusal:
            request.refuse(refusal.status, refusal.explanation, refusal.lines)
            return
        socket = PushSocket(self, topics, choice, request.prefix, request.site_number)
        request.channel.upgrade(answer, socket)

    def resume(self, state: SocketState) -> PushSocket:
        """What *state* was before the fast path had it."""
        prefix = self._sites[state.site].prefix
        topics, choice = _named(state.topics), _named(state.choice)
        socket = PushSocket(self, topics, choice, prefix, state.site, state.frames)
        socket.seen = list(state.seen[: len(TOPICS)])
        return socket

    # What a connection asks of us: edge.node.resources.pushsocket.Hub

    def joined(self, socket: PushSocket) -> None:
        """A new connection gets what is true now."""
        if not self._calls[0].running:
            self._compose()  # nobody has looked for a while
        self.came_back(socket)
        socket.greet(b"".join(self._frame(socket, topic) for topic in socket.topics))
        socket.seen = [self._edition] * len(TOPICS)

    def came_back(self, socket: PushSocket) -> None:
        """A connection is here, new or from the fast path."""
        self.sockets.add(socket)
        self._count(1)
        self._begin()

    def state_of(self, socket: PushSocket, frames: int) -> SocketState | None:
        """What the fast path has to know of *socket*; None: it has none."""
        if self._fast_path is None or socket.site is None:
            return None
        seen = (*socket.seen, *[0] * (FAST_TOPICS - len(TOPICS)))
        return SocketState(socket.site, _bits(socket.topics), _bits(socket.choice), seen, frames)

    def left(self, socket: PushSocket) -> None:
        """A connection is gone, or about to go."""
        if socket not in self.sockets:
            return
        self.sockets.discard(socket)
        self._followers.leave(socket)
        self._count(-1)
        if self.count:
            self._welcome()
        else:
            self._rest()

    def sent(self, count: int) -> None:
        """Count so many bytes that went out."""
        if self._counters is not None:
            self._counters.add(INDEX["twisted_bytes_out"], count)

    def _count(self, more: int) -> None:
        if self._counters is not None:
            self._counters.add(INDEX["sockets"], more)

    def answer(self, socket: PushSocket, question: bytes) -> bytes:
        """The answer to *question* of a client; :exc:`ValueError` with the reason if it is none."""
        prefix = socket.prefix
        since, stale = partial(self._since, prefix), partial(self._stale, prefix)
        return questions.answer(question, since, stale, partial(self._groups, prefix))

    def _frame(self, socket: PushSocket, topic: str) -> bytes:
        """The message of *topic* for *socket*, as frames."""
        return self._frames.get(_of_site(topic, socket.prefix) if topic in _LOAD else topic, b"")

    def _since(self, prefix: bytes, state: bytes) -> bytes | None:
        entry = find_state(self._reader)
        if entry is None or entry.body is None or not entry.confirmed:
            return UNKNOWN + b"\n"
        return since(entry.body, state, prefix)

    def _stale(self, prefix: bytes, copies: list[tuple[bytes, bytes]]) -> tuple[bytes | None, list[int]]:
        reader, before = self._reader, find_state(self._reader)
        stale = [
            number
            for number, (tag, path) in enumerate(copies)
            if not self._tells(prefix, path, "") or not reader.is_current(entry_name(prefix, path), tag)
        ]
        return state_since(reader, before), stale

    def hear(self, socket: PushSocket, message: str) -> None:
        """*message* chooses topics or groups; :exc:`ValueError` with the reason if it does neither."""
        said = _understood(message)
        if isinstance(said, _Follow):
            self._follow(socket, said.groups)
        else:
            self._subscribe(socket, _checked(said.topics, socket.choice))

    def _subscribe(self, socket: PushSocket, topics: tuple[str, ...]) -> None:
        new = [topic for topic in topics if topic not in socket.topics]
        socket.topics = topics
        for topic in new:
            socket.seen[_NUMBER[topic]] = 0
        if new:
            self._serve(socket, new)

    # Cache groups

    def tell_groups(self, news: GroupNews) -> None:
        """The supervisor says what has changed."""
        changed = self._history.note(news.changes, news.vector)
        if changed != set():
            self._followers.change(changed, self.now())
            self._tell_followers()

    def _groups(self, prefix: bytes, state: bytes) -> bytes | None:
        """The lines that say which groups of a site have changed since *state*; None: none has."""
        now, hashes = self._history.since(state, prefix.decode("ascii"))
        if hashes is None or not self._reader.holds_answers():
            return UNKNOWN + now + b"\n"
        if now == state and not hashes:
            return None
        return b"".join(line + b"\n" for line in (now, *map(str.encode, hashes)))

    def _follow(self, socket: PushSocket, groups: list[str]) -> None:
        if len(groups) > MOST or not all(map(_HASH.fullmatch, groups)):
            raise ValueError(f"a client follows {MOST} groups at most, each by a hash of 8 characters")
        site = socket.prefix.decode("ascii")
        self._followers.follow(socket, [key_of(one, site) for one in (*groups, *([ANY] if groups else ()))])
        socket.say(self._groups_message())

    def _groups_message(self, **more: object) -> bytes:
        return framed(json.dumps({"type": "groups", "at": self._history.state.decode("ascii"), **more}))

    def _tell_followers(self) -> None:
        """Tell whose turn it is, and come back when it is somebody's again."""
        now = self.now()
        for due in self._followers.due(now):
            self._tell(due, now)
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        at = self._followers.next_at(now)
        self._telling = None
        if at is not None:
            self._telling = self._reactor.callLater(max(TELL_SECONDS, at - now), self._tell_followers)

    def _tell(self, due: Due[PushSocket], now: float) -> None:
        hashes = None if due.groups is None else [hash_of(one) for one in due.groups]
        if hashes is not None and ANY in hashes:
            hashes = None  # everything of its site may have changed
        if not due.follower.push(self._groups_message(g=hashes)):
            self._followers.missed(due, now)

    # Rounds

    def _look(self) -> None:
        """See what is new, and whether it can wait."""
        if not self.count:
            self._rest()
            return
        self._urgent |= self._compose()
        hurries = self._hurry or self._fast_hurries
        if self._urgent and not hurries and self.now() >= self._urgent_not_before:
            topics, self._urgent = frozenset(self._urgent), set()
            self._urgent_not_before = self.now() + period(self.count)
            self._hurry = list(self.sockets)
            self._serve_all(topics)
            self._push_all(_bits(topics))

    def _serve_all(self, topics: frozenset[str]) -> None:
        """Bring some of those who cannot wait up to date in *topics*, and the others in the next turns."""
        for _ in range(min(URGENT_BATCH, len(self._hurry))):
            self._serve(self._hurry.pop(), topics)
        if self._hurry:
            self._reactor.callLater(0, self._serve_all, topics)

    def _push_all(self, topics: int) -> None:
        """The same of those in the fast path; *topics* 0: the others."""
        self._fast_hurries = self._fast_path is not None and bool(
            self._fast_path.push_all(topics, FAST_BATCH)
        )
        if self._fast_hurries:
            self._reactor.callLater(0, self._push_all, 0)

    def _step(self, steps: int) -> None:
        """Serve those whose turn it is, after so many steps."""
        part = steps * STEP_SECONDS / period(self.count)
        self._step_fast(part)
        count = len(self.sockets)
        self._credit = min(count, self._credit + count * part)
        while self._credit >= 1:
            self._credit -= 1
            socket = self._next()
            if socket is not None:
                is_turn = (self._rounds + (id(socket) >> 6)) % self._rounds_of_load() == 0
                self._serve(socket, TOPICS if is_turn else _BUT_LOAD)

    def _step_fast(self, part: float) -> None:
        """The same of those in the fast path, *part* of all."""
        if self._fast_path is None:
            return
        resting = self._resting
        self._fast_credit = min(resting, self._fast_credit + resting * part)
        turns = int(self._fast_credit)
        if turns:
            self._fast_credit -= turns
            self._fast_path.push_round(turns, _bits(TOPICS), _bits(_LOAD), self._rounds_of_load())

    def _rounds_of_load(self) -> int:
        """In each of so many rounds a connection gets the load document, once."""
        count = self.count
        seconds = round_seconds(count, len(self._frames.get("load", b"")), self._link_bps)
        return ceil(seconds / period(count))

    def _next(self) -> PushSocket | None:
        """Whose turn it is: not of those that have gone since the round began, or few would wait for many."""
        while self._round:
            socket = self._round.pop()
            if socket in self.sockets:
                return socket
        self._round = list(self.sockets)
        self._rounds += 1
        return self._round.pop() if self._round else None

    def _serve(self, socket: PushSocket, topics: Collection[str] = TOPICS) -> None:
        """Bring one connection up to date in *topics*."""
        if socket not in self.sockets:
            return
        new_in, seen = self._new_in, socket.seen
        due = [t for t in socket.topics if t in topics and new_in[t] > seen[_NUMBER[t]]]
        if socket.push(b"".join([self._frame(socket, topic) for topic in due])):
            for topic in due:
                seen[_NUMBER[topic]] = self._edition

    def _compose(self) -> set[str]:
        """Make the messages that are new; the topics of those that cannot wait."""
        urgent = set()
        self._edition += 1
        if self._compose_changed():
            urgent.add("changed")
        for name, path in self._documents.items():
            entry = self._reader.find(path)
            if entry is None or entry.body is None or entry.etag == self._sources.get(name):
                continue
            self._sources[name] = entry.etag
            topic, _, prefix = name.partition(" ")
            if topic == "load":
                self._compose_load(prefix, bytes(entry.body))
            else:
                self._publish(topic, _told(topic, bytes(entry.body).decode("utf-8").strip()))
            if name == "load":
                before, self._choice = self._choice, _choice(bytes(entry.body))
                if self._choice != before:
                    urgent.update(_LOAD)
        return urgent

    def _compose_load(self, prefix: str, body: bytes) -> None:
        """Make the messages of a load document of the site with that *prefix*, in both versions."""
        text = body.decode("utf-8").strip()
        ttl_ms = self._ttl_ms(len(text))
        frames = _told("load", _TTL.sub(f'"ttl_ms":{ttl_ms}', text, count=1) if ttl_ms > TTL_MS else text)
        self._publish("load", frames, prefix)
        tag, word = _word(body, ttl_ms)
        if word:
            self._publish("word", word, prefix)
        # The document of the same nodes is new for nobody but who comes, and gets the newest.
        is_news = not word or tag != self._tags.get(prefix)
        self._tags[prefix] = tag
        self._publish("nodes", frames, prefix, is_news)

    def _compose_changed(self) -> bool:
        """Make the message that something of the site is new, if it is; within a deploy it is not yet."""
        sequence, entry = self._reader.sequence, find_state(self._reader)
        message: dict[str, object] = {"type": "changed", "seq": sequence}
        source: bytes | int = sequence
        if entry is not None and entry.body is not None:
            source = state_of(entry.body)
            message["s"] = source.decode("ascii")
        if source in (UNKNOWN, self._sources.get("changed")):
            return False
        self._sources["changed"] = source
        self._publish("changed", framed(json.dumps(message)))
        return True

    def _ttl_ms(self, length: int) -> int:
        """For how long load figures of a document of so many bytes say something: until the next come."""
        seconds = round_seconds(self.count, length, self._link_bps)
        return max(TTL_MS, int(seconds / MOST_PERIOD * TTL_MS))

    def _publish(self, topic: str, frames: bytes, prefix: str = "", is_news: bool = True) -> None:
        """Have *frames* be the message of *topic*, at the site with *prefix*.

        Not *is_news*: for who comes alone.
        """
        of_site = topic in _LOAD
        self._frames[_of_site(topic, prefix.encode("ascii")) if of_site else topic] = frames
        if is_news:
            self._new_in[topic] = self._edition
        if self._fast_path is not None:
            for site in self._sites_of(prefix) if of_site else (None,):
                self._fast_path.publish(_NUMBER[topic], frames, self._new_in[topic], site)

    def _sites_of(self, prefix: str) -> list[int]:
        """The numbers of the sites with that *prefix*."""
        return [number for number, site in enumerate(self._sites) if site.prefix.decode("ascii") == prefix]


def _bits(topics: Collection[str]) -> int:
    """*topics* as the fast path has them."""
    return sum(1 << _NUMBER[topic] for topic in topics)


def _named(bits: int) -> tuple[str, ...]:
    """The reverse."""
    return tuple(topic for topic in TOPICS if bits >> _NUMBER[topic] & 1)


def _of_site(topic: str, prefix: bytes) -> str:
    """That of *topic* for the site with *prefix*, among the messages."""
    return f"{topic} {prefix.decode('ascii')}" if prefix else topic


def _told(topic: str, document: str) -> bytes:
    """The message of a *document*, as frames."""
    return framed(f'{{"type": "{topic}", "document": {document}}}')


def _word(body: bytes, ttl_ms: int) -> tuple[str, bytes]:
    """The tag of the nodes of a load document, and their figures as frames; b"": they are too many."""
    try:
        document = decode(body)
    except msgspec.DecodeError:  # of a newer program
        return "", b""
    word = ride(document.nodes)
    if not word or not word.startswith(document.tag or " "):
        return "", b""
    head = WORD + min(0xFFFF, ceil(ttl_ms / 1000)).to_bytes(2, "big") + document.at.to_bytes(6, "big")
    return document.tag, framed(head + word.encode("ascii"))


def _choice(document: bytes) -> list[str] | None:
    """The nodes that may be chosen, by the load *document*."""
    try:
        return decode(document).choice
    except msgspec.DecodeError:
        return None


def _asked(query: bytes | None, choice: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The topics that the query asks for, and all that it may: of *choice*, in the version that it names."""
    fields = parse_query(query or b"")
    if _VERSION.fullmatch(fields.get(b"v", [b"1"])[-1]):
        choice = _in_words(choice)
    wanted = fields.get(b"topics", [b""])[-1] or b",".join(map(str.encode, DEFAULT_TOPICS))
    try:
        return _checked(wanted.decode("ascii", "replace").split(","), choice), choice
    except ValueError as error:
        raise ProtocolError(f"{error}.") from None


def _in_words(topics: tuple[str, ...]) -> tuple[str, ...]:
    """*topics* with what load is in version 2."""
    return (*(topic for topic in topics if topic != "load"), *_SHORT) if "load" in topics else topics


class _Subscribe(msgspec.Struct, tag="subscribe"):
    """A client chooses its topics."""

    topics: list[str]


class _Follow(msgspec.Struct, tag="follow"):
    """A client chooses its groups."""

    groups: list[str]


def _understood(message: str) -> _Subscribe | _Follow:
    """What *message* says; :exc:`ValueError` with the reason if it means nothing."""
    try:
        return msgspec.json.decode(message, type=_Subscribe | _Follow)
    except (msgspec.DecodeError, RecursionError):
        forms = '{"type": "subscribe", "topics": [...]} and {"type": "follow", "groups": [...]}'
        raise ValueError(f"only {forms} are understood here") from None


def _checked(names: Collection[str], choice: tuple[str, ...]) -> tuple[str, ...]:
    """*names*, each once and in our order, so that equal choices can be one tuple."""
    is_short = _SHORT[0] in choice
    named = [topic for topic in _CHOICE if topic in choice or (is_short and topic == "load")]
    if unknown := set(names) - set(named):
        name = sorted(unknown)[0][:40]
        raise ValueError(f"There is no topic {name!r}; there are {', '.join(named[:-1])} and {named[-1]}")
    chosen = tuple(topic for topic in named if topic in names)
    return _in_words(chosen) if is_short else chosen
