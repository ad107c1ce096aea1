"""Sessions of page views: when a user comes, thinks and goes; what a view asks for is another file's.

``virtual_users.py`` has users with the smart client, ``plain_readers.py`` has browsers without it.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from loadgen.models.calendar import TICKS, Calendar
from loadgen.models.users import Users
from loadgen.run.client.clock import Clock
from loadgen.run.client.sender import LogicalRequest, Sender
from loadgen.run.messages.scenario import Mutations
from loadgen.wire.interface import ERRORS, Answer, Wire

#: Purpose of a request that changes something.
MUTATION = -1

#: Called with (request, answer, reason, now) when a request has ended; reason: "" or an error; now: ns.
Record = Callable[[LogicalRequest, "Answer | None", str, int], None]


class SessionParts(NamedTuple):
    """What the sessions of a process are made of, whoever its users are."""

    users: Users
    calendar: Calendar
    sender: Sender
    clock: Clock
    wire: Wire
    counts: Counter[str]
    #: think (seconds), pages (of a session), page (its number), uniform.
    draws: Mapping[str, Callable[[], float]]
    record: Record
    mutations: Mutations | None = None


class Sessions(ABC):
    """The sessions of the users of a process, and their requests that are on their way."""

    def __init__(self, parts: SessionParts) -> None:
        self._users, self._calendar, self._sender = parts.users, parts.calendar, parts.sender
        self._clock, self._wire, self._counts = parts.clock, parts.wire, parts.counts
        draws = parts.draws
        self._think, self._page, self._pages, self._uniform = (
            draws["think"], draws["page"], draws["pages"], draws["uniform"],
        )  # fmt: skip
        self._record = parts.record
        self._mutations = parts.mutations
        self._mutated = 0
        #: Begins the keys of this process: no other one, and no other run, may have the same.
        self._keys = secrets.token_hex(8)
        self.active = 0

    def arrive(self, user: int, tick: int) -> None:
        """Begin a session of *user*."""
        self._users.active[user] = 1
        self._users.pages_left[user] = int(self._pages())
        self.active += 1
        self._counts["sessions"] += 1
        self._calendar.add(user, tick)

    def view(self, user: int, tick: int) -> None:
        """Have *user* view a page as planned; the next one follows from the plan, not from the answers."""
        users = self._users
        left = users.pages_left[user] = users.pages_left[user] - 1
        if left:
            self._calendar.add(user, tick + max(1, int(self._think() * TICKS)))
        self._counts["page_views"] += 1
        self._visit(user, int(self._page()), tick)
        if self._mutations and self._uniform() < self._mutations.share:
            self._mutate(user, self._mutations, self._clock.ns(tick))
        if not left:
            users.active[user] = 0
            self.active -= 1
            self._sender.forget(user)
            if not users.waiting[user]:
                self._wire.leave(user)

    @abstractmethod
    def keep_informed(self, now: int) -> None:
        """Do what is due beside page views; *now*: nanoseconds."""

    @abstractmethod
    def _visit(self, user: int, page: int, tick: int) -> None:
        """Send what *user* asks for when viewing *page* (its number) at *tick*."""

    @abstractmethod
    def _judge(self, request: LogicalRequest, answer: Answer) -> str:
        """Make of the *answer* to a GET what is to be made of it; the reason of a failure, or ""."""

    @abstractmethod
    def _told(self, answer: Answer) -> None:
        """Something has changed: those who have it open are told, and confirm it."""

    def _mutate(self, user: int, mutations: Mutations, planned: int) -> None:
        self._counts["mutations"] += 1
        number = self._mutated = self._mutated + 1
        text = mutations.body.replace("{user}", str(user)).replace("{n}", str(number))
        if values := mutations.values:
            text = text.replace("{value}", values[int(self._uniform() * len(values))])
        body = text.encode()
        lines = f"Content-Type: {mutations.content_type}\r\nIdempotency-Key: {self._keys}-{number}\r\n"
        request = LogicalRequest(
            user, MUTATION, planned, mutations.path.encode(), "post", self._ended, body=body,
            lines=lines.encode(),
        )  # fmt: skip
        self._counts["requests"] += 1
        self._users.waiting[user] += 1
        self._sender.send_to(request, user % self._users.nodes)

    def _ended(self, request: LogicalRequest, answer: Answer | None) -> None:
        """Take the end of a user's request: its answer, or None or an error: it failed for good."""
        if answer is None:
            reason = "no answer by the end"
        elif answer.error:
            reason = ERRORS[answer.error]
        elif request.purpose == MUTATION:
            reason = f"status {answer.status}" if answer.status >= 400 else ""
            if not reason:
                self._told(answer)
        else:
            reason = self._judge(request, answer)
        if reason:
            self._counts["failed"] += 1
        self._record(request, answer, reason, self._clock.now)
        users, user = self._users, request.user
        left = users.waiting[user] = users.waiting[user] - 1
        if not left and not users.active[user]:
            self._wire.leave(user)

    def _body(self, answer: Answer) -> bytes:
        return bytes(self._wire.bodies[answer.body_at : answer.body_at + answer.body_length])
