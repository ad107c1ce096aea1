"""Values that somebody might send, made from the schema of a message: in range, at its edges, beyond them.

:class:`Attacker` walks the type of a message (``msgspec.inspect``), so a field that is added tomorrow is
attacked tomorrow.  What it makes is MessagePack; a good part of it decodes, and that part is what does harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
from msgspec import inspect

#: Text that means something to a terminal, to HTML, to HTTP, to SQL, or to nobody.
TEXTS = (
    "", " ", "a\n", "\x1b]0;pwned\x07", "\x1b[2J", "<img src=x onerror=alert(1)>", "javascript:alert(1)",
    "../..", "a\r\nX: y", "\x00", "\u202e", "\ud7ff", "%n%s", "' OR 1=1 --", "a" * 63, "a" * 64, "a" * 5000,
    "evil", "-a",
)  # fmt: skip
#: Text that some pattern or other allows.
EXAMPLES = ("evil", "10.6.6.6", "https://attacker.example", "")
BYTES = (
    b"", b"/", b"/.edge/load", b"/../x", b"//", b"/a b", b"/%2e%2e/", b"/\r\nX: y", b"relative",
    b"/" + b"a" * 9000, b"A: b\r\n\r\nHTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"X: \x1b[2J\r\n", b"X: a\nb\r\n", b"no line", b"X : a\r\n", b"\x00" * 32, b"\xff" * 32,
)  # fmt: skip
NUMBERS = (-(1 << 63), -1, 0, 1, 2, 255, 1 << 16, (1 << 31) - 1, 1 << 32, (1 << 48) - 1, 1 << 53,
           (1 << 62) - 1, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip
FLOATS = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 0.5, 1.0, 1e6, 1e12, 1e300)
OTHER = (None, True, -1, 1.5, "text", b"bytes", [], {}, [[]], {"a": 1})


class Attacker:
    """Makes messages of any type; *known*: what is in use at the victim, and does most harm.

    *hints*: more of that, by the names of fields.  A field without a hint is attacked all the same.
    """

    def __init__(self, random: Random, known: Sequence[Any] = (), wrong: float = 0.02) -> None:
        """*wrong*: how likely a field is of another type, or out of its range."""
        self.random = random
        self.known: list[Any] = list(known)
        self.hints: dict[str, list[Any]] = {}
        self.wrong = wrong

    def message(self, schema: Any) -> bytes:
        """One message of the type *schema*, encoded."""
        return msgspec.msgpack.encode(self.value(inspect.type_info(schema)))

    def value(self, schema: inspect.Type) -> Any:
        """A value for a field of the type *schema*."""
        random = self.random
        if random.random() < self.wrong:
            return random.choice((*OTHER, *TEXTS, *BYTES, *NUMBERS))
        if isinstance(schema, inspect.Metadata):
            return self._constrained(schema)
        if isinstance(schema, inspect.StructType):
            return self._struct(schema)
        if isinstance(schema, inspect.UnionType):
            return self.value(random.choice(schema.types))
        if isinstance(schema, inspect.TupleType):
            return [self.value(one) for one in schema.item_types]
        if isinstance(schema, inspect.VarTupleType):
            most = schema.max_length if schema.max_length is not None else 50
            count = random.choice((schema.min_length or 0, 1, 2, 5, min(most, 20)))
            if random.random() < 0.02:
                count = min(most + random.randint(0, 1), 3000)
            one = [self.value(schema.item_type)] * count if count > 50 else None
            return one or [self.value(schema.item_type) for _ in range(count)]
        return self._plain(schema)

    def _struct(self, schema: inspect.StructType) -> list[Any]:
        fields = [
            self.random.choice(self.hints[field.name])
            if self.hints.get(field.name) and self.random.random() < 0.8
            else self.value(field.type)
            for field in schema.fields
        ]
        made = fields if schema.tag is None else [schema.tag, *fields]
        return made[: self.random.randint(0, len(made))] if self.random.random() < self.wrong else made

    def _constrained(self, schema: inspect.Metadata) -> Any:
        grammar = (schema.extra or {}).get("grammar")
        if grammar is not None and self.random.random() < 0.95:
            fitting = [one for one in self.known if isinstance(one, bytes) and grammar.accepts(one)]
            return self.random.choice([*fitting, grammar.example])
        return self.value(schema.type)

    def _plain(self, schema: inspect.Type) -> Any:
        random = self.random
        if isinstance(schema, inspect.IntType):
            low, high = _range(schema)
            near = [one + random.randint(-2, 2) for one in self.known if type(one) is int]
            within = [one for one in near if low <= one <= high]
            if within and random.random() < 0.4:
                return random.choice(within)
            if random.random() < 0.5:
                return low
            edges = (low, high, high - 1, low + 1, random.randint(low, high))
            return random.choice(edges if random.random() < 0.97 else NUMBERS)
        if isinstance(schema, inspect.FloatType):
            within = (schema.ge or 0.0, schema.le or 1e12, 0.5)
            return random.choice(within if random.random() < 0.9 else FLOATS)
        if isinstance(schema, inspect.StrType):
            texts = (*(one for one in self.known if isinstance(one, str)), *EXAMPLES)
            fitting = [one for one in texts if re.search(schema.pattern or "", one)]
            return random.choice(fitting if fitting and random.random() < 0.97 else TEXTS)
        if isinstance(schema, inspect.BytesType):
            low, high = schema.min_length or 0, min(schema.max_length or 64, 64)
            known = (one for one in (*self.known, *BYTES) if isinstance(one, bytes))
            fitting = [one for one in known if low <= len(one) <= (schema.max_length or len(one))]
            made = [random.randbytes(random.randint(low, max(low, high))), bytes(low)]
            return random.choice([*fitting, *made] if random.random() < 0.97 else BYTES)
        if isinstance(schema, inspect.BoolType):
            return random.random() < 0.5
        return None


def _range(schema: inspect.IntType) -> tuple[int, int]:
    low = schema.ge if schema.ge is not None else (schema.gt + 1 if schema.gt is not None else -(1 << 63))
    high = schema.le if schema.le is not None else (schema.lt - 1 if schema.lt is not None else (1 << 63) - 1)
    return int(low), int(high)


def leaves(schema: inspect.Type, where: str = "") -> list[tuple[str, inspect.Type]]:
    """(where, type) of every field of a message that holds no others, with its constraints."""
    if isinstance(schema, inspect.StructType):
        return [
            found
            for field in schema.fields
            for found in leaves(field.type, f"{where}.{schema.cls.__name__}.{field.name}")
        ]
    if isinstance(schema, inspect.UnionType):
        return [found for one in schema.types for found in leaves(one, where)]
    if isinstance(schema, inspect.TupleType):
        return [found for n, one in enumerate(schema.item_types) for found in leaves(one, f"{where}[{n}]")]
    if isinstance(schema, inspect.VarTupleType):
        return [(where, schema), *leaves(schema.item_type, f"{where}[]")]
    if isinstance(schema, inspect.Metadata) and not isinstance(schema.type, inspect.BytesType):
        return leaves(schema.type, where)
    return [(where, schema)]
