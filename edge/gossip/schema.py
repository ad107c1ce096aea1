"""Decoding by schema: a message is what its type says, in every field, or it is refused.

:class:`Decoder` takes the type of a message.  msgspec decodes it and checks ranges; what it cannot check, the
grammars of bytes (:class:`edge.gossip.fields.Grammar`), is found in the same type and checked after it.  So
there is one place that says what a field may hold, and nobody has to remember a second one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from edge.errors import EdgeError
from edge.gossip.fields import Grammar

T = TypeVar("T")
#: Raises for a value that does not keep to its grammar; None: there is nothing to check.
Check = Callable[[Any], None] | None


class GossipError(EdgeError):
    """A message of another node cannot be read."""


class Decoder(Generic[T]):
    """Decodes messages of the type *schema*; *what*: how a message is called in errors."""

    def __init__(self, schema: Any, what: str, limit: int) -> None:
        """*limit*: bytes of a message."""
        self.schema = schema
        self.what = what
        self._decoder = msgspec.msgpack.Decoder(schema)
        self._check = check_of(inspect.type_info(schema))
        self.what = what
        self._limit = limit

    def decode(self, data: bytes) -> T:
        """The message in *data*; :class:`GossipError`, in words that hold nothing of it."""
        if len(data) > self._limit:
            raise GossipError(f"{self.what} of {len(data)} bytes, more than {self._limit}")
        try:
            message: T = self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise GossipError(f"no {self.what}: {ascii(str(error))[1:-1][:200]}") from None
        if self._check is not None:
            self._check(message)
        return message


def check_of(schema: inspect.Type, grammar: Grammar | None = None) -> Check:
    """What is to be checked in values of the type *schema*."""
    if isinstance(schema, inspect.Metadata):
        return check_of(schema.type, (schema.extra or {}).get("grammar"))
    if isinstance(schema, inspect.BytesType):
        return None if grammar is None else _grammar(grammar)
    if isinstance(schema, inspect.VarTupleType):
        return _each(check_of(schema.item_type))
    if isinstance(schema, inspect.TupleType):
        return _parts([(number, check_of(one)) for number, one in enumerate(schema.item_types)])
    if isinstance(schema, inspect.StructType):
        return _fields([(field.encode_name, check_of(field.type)) for field in schema.fields])
    if isinstance(schema, inspect.UnionType):
        return _choice(schema)
    return None


def _grammar(grammar: Grammar) -> Check:
    accepts = grammar.accepts

    def check(value: bytes) -> None:
        if not accepts(value):
            raise GossipError(f"{ascii(value[:64])[1:]} is not {grammar.what}")

    return check


def _each(check: Check) -> Check:
    if check is None:
        return None

    def check_all(values: tuple[Any, ...]) -> None:
        for value in values:
            check(value)

    return check_all


def _parts(checks: list[tuple[int, Check]]) -> Check:
    wanted = [(number, check) for number, check in checks if check is not None]

    def check_parts(value: tuple[Any, ...]) -> None:
        for number, check in wanted:
            check(value[number])

    return check_parts if wanted else None


def _fields(checks: list[tuple[str, Check]]) -> Check:
    wanted = [(name, check) for name, check in checks if check is not None]

    def check_fields(value: Any) -> None:
        for name, check in wanted:
            check(getattr(value, name))

    return check_fields if wanted else None


def _choice(schema: inspect.UnionType) -> Check:
    """A union of structs, or of None and one other type."""
    structs = {one.cls: check_of(one) for one in schema.types if isinstance(one, inspect.StructType)}
    others = [
        check for one in schema.types if not isinstance(one, inspect.StructType) and (check := check_of(one))
    ]
    if not any(structs.values()) and not others:
        return None

    def check_choice(value: Any) -> None:
        check = structs.get(type(value))
        if check is not None:
            check(value)
        elif value is not None and type(value) not in structs:
            for other in others:
                other(value)

    return check_choice
