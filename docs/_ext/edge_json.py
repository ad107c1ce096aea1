"""The keys of ``/edge.json``, from its JSON schema, which the node publishes beside the smart client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from docs._ext.markdown import code, table

SOURCE = Path(__file__).resolve().parents[2] / "webroot" / "edge" / "edge.schema.json"
_HEAD = ("key", "meaning", "default", "example")


class Key(NamedTuple):
    """One key."""

    name: str
    example: str
    default: str
    about: str


def keys(schema: Mapping[str, Any]) -> list[Key]:
    """The keys of the object that *schema* describes; :exc:`ValueError` if one is not explained."""
    found = []
    for name, about in schema["properties"].items():
        if not about.get("description") or not about.get("examples"):
            raise ValueError(f"{SOURCE.name}: {name} has no description, or no example")
        default = (
            "required"
            if name in schema["required"]
            else _json(about["default"])
            if "default" in about
            else ""
        )
        found.append(Key(name, _json(about["examples"][0]), default, about["description"]))
    return found


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _default(text: str) -> str:
    return text if text == "required" else code(text)


def markdown() -> str:
    """Two tables: of the file, and of one of its rules."""
    schema = json.loads(SOURCE.read_text("utf-8"))
    text = ""
    for title, part in (("", schema), ("## A rule\n\n", schema["$defs"]["rule"])):
        rows = [
            (
                code(one.name),
                one.about,
                one.default if one.default == "required" else code(one.default),
                code(one.example),
            )
            for one in keys(part)
        ]
        text += title + table(_HEAD, rows)
    return text
