"""The messages that nodes send each other: fields, ranges and grammars, from the types that decode them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from msgspec import inspect

from docs._ext.markdown import code, table


def markdown(where: str) -> str:
    """The message ``MODULE:NAME``, a struct or a union of them, and the structs in it; a table each."""
    module, _, name = where.partition(":")
    found: dict[str, inspect.StructType] = {}
    _collect(inspect.type_info(getattr(import_module(module), name)), found)
    return "".join(_struct(one) for one in found.values())


def _collect(kind: Any, found: dict[str, inspect.StructType]) -> None:
    """The structs in *kind*, outer ones first."""
    if isinstance(kind, inspect.StructType) and kind.cls.__name__ not in found:
        found[kind.cls.__name__] = kind
        for field in kind.fields:
            _collect(field.type, found)
    for inner in (*getattr(kind, "types", ()), *getattr(kind, "item_types", ())):
        _collect(inner, found)
    for name in ("type", "item_type"):
        if not isinstance(kind, inspect.StructType) and hasattr(kind, name):
            _collect(getattr(kind, name), found)


def _struct(kind: inspect.StructType) -> str:
    title = kind.cls.__name__ + (f", `{kind.tag!r}`".replace("'", '"') if kind.tag is not None else "")
    first = 0 if kind.tag is None else 1
    rows = [
        (str(first + number), code(field.name), describe(field.type))
        for number, field in enumerate(kind.fields)
    ]
    return f"### {title}\n\n{_about(kind.cls)}\n\n{table(('position', 'field', 'holds'), rows)}"


def _about(cls: type) -> str:
    return (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("    ", "").replace("*", "\\*")


def describe(kind: Any) -> str:
    """What a field of the type *kind* may hold, in words."""
    if isinstance(kind, inspect.Metadata):
        grammar = (kind.extra or {}).get("grammar")
        return describe(kind.type) + (f": {grammar.what}" if grammar is not None else "")
    if isinstance(kind, inspect.IntType):
        return f"{_number(kind.ge)} to {_number(kind.le if kind.le is not None else _below(kind.lt))}"
    if isinstance(kind, inspect.FloatType):
        return f"a number, {kind.ge:g} to {kind.le:g}"
    if isinstance(kind, inspect.StrType):
        return f"text, at most {kind.max_length} characters"
    if isinstance(kind, inspect.BytesType):
        low, high = kind.min_length or 0, kind.max_length
        return f"{high} bytes" if low == high else f"bytes, {low} to {high}"
    if isinstance(kind, inspect.VarTupleType):
        return f"at most {kind.max_length} of ({describe(kind.item_type)})"
    if isinstance(kind, inspect.TupleType):
        return "[" + "; ".join(describe(one) for one in kind.item_types) + "]"
    if isinstance(kind, inspect.UnionType):
        return " or ".join(describe(one) for one in kind.types)
    if isinstance(kind, inspect.StructType):
        return kind.cls.__name__
    return {inspect.BoolType: "true or false", inspect.NoneType: "nil"}[type(kind)]


def _below(limit: int | None) -> int:
    assert limit is not None, "every number has an end"
    return limit - 1


def _number(value: int | None) -> str:
    assert value is not None
    power = (value + 1).bit_length() - 1
    return f"2^{power} - 1" if value + 1 == 1 << power and power > 16 else str(value)
