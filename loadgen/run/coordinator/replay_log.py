"""A log made ready for its replay: a schedule of its requests, and what of it is not sent.

Bodies are in no log, so only GET and HEAD are sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from loadgen.errors import LoadgenError, UsageError
from loadgen.logs.account import Account
from loadgen.logs.private import without_secrets
from loadgen.logs.reading import read
from loadgen.run.messages.schedule import ScheduledRequest, pack

#: Clients that are told apart; more share these.
MOST_USERS = 1_000_000
_MOST_S = 86_300.0
_METHODS = (b"GET", b"HEAD")


class Prepared(NamedTuple):
    """What the schedule has."""

    requests: int
    users: int
    #: Until the last request.
    seconds: float
    #: Requests of other methods; addresses that are sent with x for what looks secret.
    others: int
    changed: int
    account: Account


def prepare(logs: Sequence[str], schedule: Path, speed: float, with_secrets: bool = False) -> Prepared:
    """Write the *schedule* of *logs*, *speed* times as fast; :exc:`LoadgenError`."""
    account = Account()
    users: dict[int, int] = {}
    requests = others = changed = 0
    begin: float | None = None
    last = 0.0
    try:
        with schedule.open("wb") as file:
            for at, entry in read(logs, account):
                if entry.method not in _METHODS:
                    others += 1
                    continue
                begin = at if begin is None else begin
                last = (at - begin) / speed
                if last > _MOST_S:
                    raise UsageError(
                        f"{', '.join(logs)}: more than a day of it at --speed {speed:g}; give a higher one"
                    )
                target = entry.target if with_secrets else without_secrets(entry.target)
                changed += target != entry.target
                user = users.get(entry.client)
                if user is None:
                    user = len(users) if len(users) < MOST_USERS else entry.client % MOST_USERS
                    if len(users) < MOST_USERS:
                        users[entry.client] = user
                status, is_head = entry.status, entry.method == b"HEAD"
                file.write(pack(ScheduledRequest(round(last * 1e6), user, status, is_head, target)))
                requests += 1
    except OSError as error:
        raise LoadgenError(
            f"{schedule}: {error.strerror}; the schedule of a log takes as much room as the log: set TMPDIR"
        ) from None
    if not requests:
        raise UsageError(f"{', '.join(logs)}: {others:,} requests, none of them GET or HEAD")
    return Prepared(requests, len(users), last, others, changed, account)
