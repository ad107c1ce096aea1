"""Probes under way (SWIM): own ones, direct then indirect, and pings relayed for others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class OwnProbe:
    """The probe of the member whose turn it is in this protocol period."""

    number: int
    target: str
    sent: float
    #: When others are asked to help, and when it has failed.
    timeout: float
    end: float
    helpers: int = 0
    nacks: int = 0
    indirect: bool = False


@dataclass
class Relayed:
    """A ping that *asker* wanted us to send, by its *number*."""

    asker: str
    number: int
    #: When it is told that there is no answer yet, and when nobody waits any more.
    nack_at: float
    end: float
