"""A TOML file becomes a :class:`~loadgen.plan.inputs.Plan`, or a list of everything that is wrong with it.

Each problem is a line ``FILE: KEY = VALUE: REMEDY``.
"""

from __future__ import annotations

import difflib
import json
import sys
import typing
from pathlib import Path
from typing import Any

import msgspec

from loadgen.errors import UsageError
from loadgen.plan.inputs import Plan, Table, contradictions, range_of

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib


def read(file: Path) -> Plan:
    """The plan in *file*; :exc:`UsageError` with a line for each problem."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; plans/ has examples") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: this is no UTF-8 text; plans/ has examples") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: this is no TOML: {error}") from None
    return parse(document, str(file))


def parse(document: dict[str, Any], name: str) -> Plan:
    """The plan that the tables *document* of the file *name* make."""
    problems: list[str] = []
    plan: Plan = _table(Plan, document, "", problems)
    if not problems:
        problems = contradictions(plan)
    if problems:
        raise UsageError("\n".join(f"{name}: {problem}" for problem in problems))
    return plan


def checked(kind: Any, value: object) -> Any:
    """*value* as a field of the type *kind* takes it; :exc:`ValueError` with the remedy."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_remedy(kind) or str(error)) from None


def _table(kind: Any, given: dict[str, Any], place: str, problems: list[str]) -> Any:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        field = fields.get(key)
        if field is None:
            problems.append(f"unknown key {place}{key}; {_nearest(key, list(fields))}")
        elif isinstance(field.type, type) and issubclass(field.type, Table):
            if isinstance(value, dict):
                values[key] = _table(field.type, value, f"{place}{key}.", problems)
            else:
                problems.append(f"{place}{key} = {_shown(value)}: write a table [{place}{key}]")
        else:
            try:
                values[key] = checked(field.type, value)
            except ValueError as error:
                problems.append(f"{place}{key} = {_shown(value)}: {error}")
    for name, field in fields.items():
        if field.required and name not in given:
            is_table = isinstance(field.type, type) and issubclass(field.type, Table)
            remedy = f"write a table [{place}{name}]" if is_table else _remedy(field.type)
            problems.append(f"{place}{name} is missing; {remedy}")
    return None if problems else kind(**values)


def _remedy(kind: Any) -> str:
    limits = range_of(kind)
    if limits:
        low, high, whole = limits
        return f"give a {'whole ' if whole else ''}number from {low:,g} to {high:,.0f}"
    if typing.get_origin(kind) is typing.Literal:
        return f"give {' or '.join(json.dumps(choice) for choice in typing.get_args(kind))}"
    return "write a text in quotes" if kind is str else ""


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
