"""The key of a stored answer: the path, the exact query, and buckets of the configured fields.

The application sees exactly the bytes of the key, so whatever it makes of them, it makes the same for
everybody who has that key.  Nothing is normalised: ``/a``, ``//a`` and ``/%61`` are three keys, and so are
``?x=1&y=2`` and ``?y=2&x=1``.  Taken away are only parameters that the operator has said not to matter
(``ignore-query``), and the last ``~etag=TAG``, which is ours; the application does not see them either.

A *bucket* is what a configured field of the request comes to: one of the values that are told apart, or b"".
Fields whose value is a list with weights, as Accept-Language, are read so: the best that is told apart;
others whole.  The clean question says the bucket, not what the visitor sent.

The name of a key, which is hashed, is the prefix of the site (:mod:`edge.sites`) and the target, then a line
``field=value`` for each configured field.  No target holds a line feed, so no two keys have one name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from itertools import product
from typing import NamedTuple

from edge.http.fields import list_members
from edge.http.grammar import QVALUE, TAG_PARAMETER
from edge.remembered import remembered
from edge.sites import LONGEST_PREFIX, split_name

#: The longest target and the longest name that are kept; longer ones are passed on, and not stored.
LONGEST_TARGET = 4096
#: The same of an address: the prefix of a site before the target.
LONGEST_ADDRESS = LONGEST_TARGET + LONGEST_PREFIX
#: Fields whose value is a list of what is acceptable, with weights (RFC 9110 section 12.5).
_WEIGHTED = re.compile(rb"accept(?:-.*)?\Z")

#: Lower-case field -> values that are told apart, lower case, in the order of the configuration.
Vary = Sequence[tuple[bytes, Sequence[bytes]]]


class Key(NamedTuple):
    """What an answer is stored under."""

    #: Path and query, as the application is asked.
    target: bytes
    #: (field, bucket), in the order of the configuration.
    buckets: tuple[tuple[bytes, bytes], ...] = ()
    #: Of the site (:mod:`edge.sites`).
    prefix: bytes = b""

    @property
    def name(self) -> bytes:
        """What is hashed."""
        name = self.prefix + self.target
        return b"\n".join([name, *(b"%b=%b" % bucket for bucket in self.buckets)]) if self.buckets else name

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    @classmethod
    def of_name(cls, name: bytes) -> Key:
        """The key with that :attr:`name`."""
        named, *lines = name.split(b"\n")
        prefix, target = split_name(named)
        if not lines:  # nearly always
            return cls(target, (), prefix)
        buckets = ((field, value) for field, _, value in (one.partition(b"=") for one in lines))
        return cls(target, tuple(buckets), prefix)


class KeyMaker:
    """Makes the keys of one application's requests."""

    def __init__(self, ignored: Sequence[str] = (), vary: Vary = (), prefix: bytes = b"") -> None:
        """*ignored*: globs of names of query parameters; *vary*: see :data:`Vary`; *prefix*: of the site."""
        self._prefix = prefix
        globs = "|".join(translate(glob) for glob in ignored)
        self._ignored = re.compile(globs.encode("utf-8"), re.DOTALL) if ignored else None
        self._vary = [(field.lower(), {value.lower(): value for value in values}) for field, values in vary]

    @property
    def fields(self) -> frozenset[bytes]:
        """The configured fields, lower case."""
        return frozenset(field for field, _ in self._vary)

    def key(self, path: bytes, query: bytes | None, fields: Mapping[bytes, bytes]) -> Key | None:
        """The key of a request; None: too long to be kept.

        *fields*: lower-case name -> value, lines of one name joined.
        """
        target = self.target(path, query)
        if len(target) > LONGEST_TARGET:
            return None
        if not self._vary:
            return Key(target, (), self._prefix)
        buckets = tuple((field, _bucket(field, fields.get(field), told)) for field, told in self._vary)
        return Key(target, buckets, self._prefix)

    def names(self, path: bytes, query: bytes | None) -> list[bytes]:
        """The names of all keys that requests for that target can have, one for each choice of buckets.

        None, if nothing is kept under so long a target.
        """
        target = self.target(path, query)
        if len(target) > LONGEST_TARGET:
            return []
        fields = [field for field, _ in self._vary]
        choices = product(*[[b"", *told.values()] for _, told in self._vary])
        return [Key(target, tuple(zip(fields, chosen, strict=True)), self._prefix).name for chosen in choices]

    def address(self, path: bytes, query: bytes | None) -> bytes | None:
        """The address of all keys that requests for that target can have: see :func:`address_of`.

        None, if nothing is kept under so long a target.
        """
        target = self.target(path, query)
        return None if len(target) > LONGEST_TARGET else self._prefix + target

    def target(self, path: bytes, query: bytes | None) -> bytes:
        """Path and query without what does not count."""
        if query is None:
            return path
        kept = without_tag(query)
        if self._ignored is not None and kept is not None:
            ignored = self._ignored
            parameters = kept.split(b"&")
            left = [one for one in parameters if not ignored.match(one.partition(b"=")[0])]
            if len(left) < len(parameters):
                kept = b"&".join(left) or None
        return path if kept is None else b"%b?%b" % (path, kept)


def address_of(name: bytes) -> bytes:
    """The prefix and the target in the *name* of a key, which all variants of them have in common."""
    return name.partition(b"\n")[0]


def without_tag(query: bytes) -> bytes | None:
    """*query* without a last parameter ``~etag=TAG``; None: nothing else was there."""
    at = query.rfind(b"&") + 1
    if not TAG_PARAMETER.fullmatch(query, at):
        return query
    return query[: at - 1] if at else None


def _bucket(field: bytes, value: bytes | None, told: Mapping[bytes, bytes]) -> bytes:
    if value is None:
        return b""
    return _bucket_of(value, field, tuple(told.items()))


@remembered(1024)
def _bucket_of(value: bytes, field: bytes, told: tuple[tuple[bytes, bytes], ...]) -> bytes:
    known = dict(told)
    if not _WEIGHTED.match(field):
        return known.get(b" ".join(value.lower().split()), b"")
    best, most, order = b"", 0, list(known.values())
    for member in list_members(value.lower()):
        wanted, _, weight = (part.strip(b" \t") for part in member.partition(b";"))
        thousandths = _thousandths(weight)
        found = known.get(wanted) or known.get(wanted.partition(b"-")[0])
        if found is None or not thousandths:
            continue
        # Of equals, the one that is configured first: the order of the list means nothing (RFC 9110 12.5.4).
        if thousandths > most or (thousandths == most and order.index(found) < order.index(best)):
            best, most = found, thousandths
    return best


def _thousandths(weight: bytes) -> int:
    """The weight ``q=0.5`` of a member in thousandths; 1000 without one, 0 if it is malformed."""
    if not weight:
        return 1000
    name, _, value = weight.partition(b"=")
    return int(float(value) * 1000) if name.strip() == b"q" and QVALUE.fullmatch(value) else 0
