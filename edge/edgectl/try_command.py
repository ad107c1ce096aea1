"""``edgectl try``: how a request would be answered, and by which rule."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.config import load
from edge.config.on_disk import AllOnDisk
from edge.config.trying import try_request
from edge.edgectl.tables import escape, facts_table
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from edge.edgectl.admin_client import AdminClient


def add_commands(subparsers: Any) -> None:
    """Add ``try`` to the commands of ``edgectl``."""
    command = subparsers.add_parser("try", help="how would an address be answered, and by which rule?")
    command.add_argument("url", metavar="URL", help="or its path and query, like /news/?page=2")
    command.add_argument("--method", default="GET", help="of the request (default GET)")
    command.add_argument(
        "--header", action="append", default=[], metavar="NAME: VALUE", help="of the request; may be repeated"
    )
    command.add_argument("--address", default="", help="of the visitor, for [[access]]")
    command.add_argument(
        "--config", metavar="FILE", help="by this configuration, without a node (default: ask the node)"
    )


def run(options: argparse.Namespace, client: Callable[[], AdminClient], console: Console) -> int:
    """Print the answer and how it comes about; 0, whatever it is."""
    fields = dict(map(_field, options.header))
    if options.config is None:
        asked = {"url": options.url, "method": options.method, "fields": fields, "address": options.address}
        found = client().ask("POST", "/try", asked)
    else:
        found = _by_configuration(options, fields)
    if options.json:
        print(json.dumps(found))
        return 0
    for step in found["steps"]:
        console.print(f"[bold]{escape(step['what']):12}[/] {escape(step['says'])}", highlight=False)
    sizes = found["bytes"]
    facts = {
        "status": str(found["status"]) if found["status"] else "the application's",
        "fields": "\n".join(found["fields"]) or None,
        "bytes": None if sizes["head"] is None else f"{sizes['head']} of head, {sizes['body']} of body",
        "a 304 weighs": None if sizes["not_modified"] is None else f"{sizes['not_modified']} bytes",
    }
    console.print(facts_table("answer", {name: value for name, value in facts.items() if value}))
    return 0


def _by_configuration(options: argparse.Namespace, fields: dict[str, str]) -> dict[str, Any]:
    config = load({}, Path(options.config))
    asked = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in fields.items()}
    with AllOnDisk(config) as published:
        return try_request(config, published, options.url, options.method, asked, options.address).document()


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.isascii() or not value.isprintable() or not name.strip():
        raise ConfigError(f"--header {text}: write NAME: VALUE, like 'Accept-Encoding: br'")
    return name.strip(), value.strip()
