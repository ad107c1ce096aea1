"""The keys that a ``msgspec`` struct describes: of a TOML file with its tables, or of a JSON document."""

from __future__ import annotations

import types
import typing
from importlib import import_module
from typing import Any

import msgspec
from sphinx.pycode import ModuleAnalyzer

from docs._ext.markdown import code, prose, table

_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
#: By the end of a key.
_UNITS = {
    "_ms": "milliseconds",
    "_gigabits_per_s": "Gbit/s",
    "_per_s": "per second",
    "_s": "seconds",
    "_bps": "bits per second",
    "_bytes": "bytes",
    "kilobytes": "kB",
    "_gigabytes": "GB",
    "minutes": "minutes",
    "eur_per_month": "EUR a month",
    "eur_per_hour": "EUR an hour",
    "eur_per_terabyte_out": "EUR a terabyte",
}


def markdown(where: str, form: str = "toml") -> str:
    """The struct ``MODULE:NAME`` and the structs of its fields, a table each; *form*: toml or json."""
    module, _, name = where.partition(":")
    return _tables(getattr(import_module(module), name), (), form)


def _tables(kind: Any, path: tuple[str, ...], form: str) -> str:
    docs = ModuleAnalyzer.for_module(kind.__module__).find_attr_docs()
    rows, below = [], ""
    for field in msgspec.structs.fields(kind):
        inner = _struct(field.type)
        if inner is not None:
            many = typing.get_origin(field.type) is tuple
            inside = (*path, field.name)
            title = ".".join(inside)
            if form == "toml":
                title = f"[[{title}]]" if many else f"[{title}]"
            below += f"### `{title}`\n\n{_first_paragraph(inner)}\n\n{_tables(inner, inside, form)}"
            continue
        about = " ".join(docs.get((kind.__name__, field.name), ())).strip()
        rows.append((code(field.name), prose(about), _type(field.type, field.name), _default(field)))
    return table(("key", "meaning", "type, range, unit", "default"), rows) + below


def _first_paragraph(kind: type) -> str:
    return prose((kind.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("``", ""))


def _struct(kind: Any) -> Any:
    """The struct that a field's type is, or holds; None if it is none."""
    for one in (kind, *typing.get_args(kind)):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one
    return None


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if default in ((), {}, [], "", None):
        return "none"
    return code(msgspec.json.encode(default).decode())


def _type(kind: Any, name: str) -> str:
    unit = next((text for end, text in _UNITS.items() if name.endswith(end)), "")
    return ", ".join(part for part in (_described(kind), unit) if part)


def _described(kind: Any) -> str:
    """A type in words, with its range."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "__metadata__"):
        plain = _described(kind.__origin__)
        return plain + "".join(_range(meta) for meta in kind.__metadata__)
    if origin is typing.Literal:
        return " or ".join(code(str(one)) for one in arguments)
    if origin in (typing.Union, types.UnionType):
        return _described(next(one for one in arguments if one is not type(None)))
    if origin is tuple:
        return f"list of {_described(arguments[0])}"
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def _range(meta: msgspec.Meta) -> str:
    low = "" if meta.ge is None else f" from {_number(meta.ge)}"
    low += "" if meta.gt is None else f" above {_number(meta.gt)}"
    return low + ("" if meta.le is None else f" to {_number(meta.le)}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
