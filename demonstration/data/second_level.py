"""Redis before the database: what was read once is read from there, by all processes that share it.

A key has the *versions* of what it was read from, asked for before the database is; a write draws a new
version after its commit, and so no value that was read before is found after.  Versions are random, so one
that Redis has forgotten cannot come back.  Values live :data:`VALUE_SECONDS`: no longer is anything old
that could not be taken back.  Without Redis everything goes on; that is said once, and it is tried again.

Other programs may say in Redis what they have changed (:class:`Channel`)::

    redis-cli XADD demonstration:changes MAXLEN '~' 10000 '*' kind vote code 65
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import redis

from demonstration.data.store import Change, Comment, Score, Store
from edge.app.graphql.once import Kept

#: Seconds that a value lives at most.
VALUE_SECONDS = 10
#: Seconds that an answer of Redis is waited for: the database takes less than a few times that.
PATIENCE = 0.25
#: Seconds until it is tried again, twice as many each time.
RETRY_SECONDS, RETRY_MOST_SECONDS = 1.0, 30.0
STREAM, GROUP = "demonstration:changes", "nodes"
#: Seconds after which another process takes over what one has not told.
TAKE_OVER_SECONDS = 5.0
_PREFIX = "demonstration:"

Value = TypeVar("Value")


def connect(url: str, patience: float = PATIENCE) -> redis.Redis:
    """A client of the Redis at *url*, which connects when it is asked something."""
    return redis.Redis.from_url(
        url, socket_timeout=patience, socket_connect_timeout=patience, decode_responses=True, retry=None
    )


class SecondLevel:
    """A store whose reads are kept in Redis.  Implements :class:`demonstration.data.store.Store`."""

    def __init__(
        self, store: Store, client: redis.Redis, url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._redis = client
        self._url = url
        self._clock = clock
        self._retry_at = 0.0
        self._retry = RETRY_SECONDS
        #: What has changed while Redis could not be told.
        self._owed: dict[str, None] = {}

    def vote(self, visitor: str, code: int, wanted: bool) -> tuple[int, list[Change]]:
        votes, changes = self._store.vote(visitor, code, wanted)
        self.renew(changes)
        return votes, changes

    def comment(
        self, visitor: str, code: int, text: str, key: str, at: float
    ) -> tuple[Comment, list[Change]]:
        comment, changes = self._store.comment(visitor, code, text, key, at)
        self.renew(changes)
        return comment, changes

    def scores(self, codes: Sequence[int]) -> dict[int, int]:
        found = self._read("scores", list(codes), ["votes"], lambda: list(self._store.scores(codes).items()))
        return {code: votes for code, votes in found}

    def top(self, first: int) -> list[Score]:
        return [Score(*row) for row in self._read("top", first, ["votes"], lambda: self._store.top(first))]

    def comments(self, code: int | None, first: int) -> list[Comment]:
        made_of = "comments" if code is None else f"comments:{code}"
        found = self._read("comments", [code, first], [made_of], lambda: self._store.comments(code, first))
        return [Comment(*row) for row in found]

    def claim(self) -> list[Change]:
        changes = self._store.claim()
        self.renew(changes)
        return changes

    def told(self, changes: Iterable[Change]) -> None:
        self._store.told(changes)

    def wait(self, seconds: float, stopped: threading.Event) -> None:
        self._store.wait(seconds, stopped)

    def begin(self, who: str, key: str, fingerprint: str) -> Kept | None:
        return self._store.begin(who, key, fingerprint)

    def finish(self, who: str, key: str, status: int, body: bytes) -> None:
        self._store.finish(who, key, status, body)

    def abandon(self, who: str, key: str) -> None:
        self._store.abandon(who, key)

    def close(self) -> None:
        self._redis.close()
        self._store.close()

    def _read(self, name: str, arguments: Any, made_of: list[str], ask: Callable[[], Any]) -> Any:
        """What *ask* gives, from Redis if it is there."""
        versions = self._ask_redis(lambda: self._versions(made_of))
        if versions is None:
            return ask()
        key = f"{_PREFIX}{name}:{json.dumps(arguments, separators=(',', ':'))}:{'.'.join(versions)}"
        kept = self._ask_redis(lambda: self._redis.get(key))
        if isinstance(kept, str):
            return json.loads(kept)
        found = ask()
        text = json.dumps(found, separators=(",", ":"))
        self._ask_redis(lambda: self._redis.set(key, text, ex=VALUE_SECONDS))
        return found

    def _versions(self, made_of: list[str]) -> list[str]:
        names = [f"{_PREFIX}version:{one}" for one in made_of]
        found: Any = self._redis.mget(names)
        for at, version in enumerate(found):
            if version is None:
                self._redis.set(names[at], secrets.token_hex(8), nx=True)
                found[at] = self._redis.get(names[at])
        return [str(version) for version in found]

    def renew(self, changes: Iterable[Change]) -> None:
        for change in changes:
            names = ["votes"] if change.kind == "vote" else ["comments", f"comments:{change.code}"]
            self._owed.update(dict.fromkeys(names))
        if self._owed:
            self._ask_redis(lambda: True)

    def _pay(self) -> None:
        """Draw new versions of all that changed; those that cannot be drawn now are owed still."""
        owed = list(self._owed)
        if owed:
            self._redis.mset({f"{_PREFIX}version:{name}": secrets.token_hex(8) for name in owed})
            for name in owed:
                self._owed.pop(name, None)

    def _ask_redis(self, ask: Callable[[], Value]) -> Value | None:
        """What *ask* gives; None while Redis is not there."""
        if self._clock() < self._retry_at:
            return None
        try:
            self._pay()
            answer = ask()
        except redis.RedisError as error:
            if self._retry_at == 0.0:
                print(
                    f"{self._url}: Redis cannot be asked ({error}); the database is, until it is there again",
                    file=sys.stderr,
                )
            self._retry_at = self._clock() + self._retry
            self._retry = min(self._retry * 2, RETRY_MOST_SECONDS)
            return None
        if self._retry_at:
            print(f"{self._url}: Redis is there again", file=sys.stderr)
            self._retry_at, self._retry = 0.0, RETRY_SECONDS
        return answer


class Channel:
    """The stream in Redis by which other programs say what changed; each message is one process's to tell."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._is_joined = False

    def take(self, seconds: float) -> list[tuple[str, Change]]:
        """(number of the message, change) of what was said, waiting for it *seconds* at most.

        :class:`redis.RedisError`: it cannot be known.
        """
        try:
            self._join()
            _, old, *_ = self._redis.xautoclaim(
                STREAM, GROUP, self._name, int(TAKE_OVER_SECONDS * 1000), count=100
            )
            if not old:
                answer: Any = self._redis.xreadgroup(
                    GROUP, self._name, {STREAM: ">"}, count=100, block=max(1, int(seconds * 1000))
                )
                old = answer[0][1] if answer else []
        except redis.ResponseError:  # Redis has begun anew, without the group
            self._is_joined = False
            raise
        return [(number, _change(number, fields)) for number, fields in old]

    def told(self, numbers: Sequence[str]) -> None:
        """Forget the messages with these *numbers*."""
        if numbers:
            self._redis.xack(STREAM, GROUP, *numbers)
            self._redis.xdel(STREAM, *numbers)

    def _join(self) -> None:
        if not self._is_joined:
            try:
                self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            except redis.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            self._is_joined = True


def _change(number: str, fields: dict[str, str] | None) -> Change:
    """The change that a message says; what cannot be read is of no kind, and touches nothing."""
    kind, code = (fields or {}).get("kind", ""), (fields or {}).get("code", "")
    if kind not in ("vote", "comment") or not code.isdecimal() or len(code) > 7:
        print(
            f"{STREAM}: message {number} is no change: kind is vote or comment, code decimal", file=sys.stderr
        )
        return Change(0, "", 0)
    return Change(0, kind, int(code))
