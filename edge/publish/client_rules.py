"""What is wrong with a site's ``edge.json``, for whoever publishes it.

The smart client takes the file whole or not at all, and says why on the console of a browser, which nobody
reads who could mend it.  So the node looks, too: by the same grammar as the worker
(``webroot/edge/worker/rules.js``) and the schema (``webroot/edge/edge.schema.json``).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, MsgspecError, Struct, json

_Path = Annotated[str, Meta(pattern="^/")]
_Name = Annotated[str, Meta(min_length=1)]
_Positive = Annotated[float, Meta(gt=0)]


class _Rule(Struct, forbid_unknown_fields=True):
    paths: list[Annotated[str, Meta(pattern="^(?:/|https?://[^/]+/)")]]
    use: Literal["fresh-first", "stale-first", "keep", "pass"]
    timeout_ms: _Positive = 1
    max_days: _Positive = 1
    max_count: Annotated[float, Meta(ge=1, multiple_of=1)] = 1


class _Rules(Struct, forbid_unknown_fields=True, rename={"schema": "$schema"}):
    v: Annotated[float, Meta(ge=1, le=1)]
    schema: str = ""
    off: bool = False
    ignore: list[_Path] = []
    home: list[_Path] = []
    confirm: list[_Path] = []
    rules: list[_Rule] = []
    precache: list[_Path] = []
    offline: _Path = "/"
    queue: list[_Path] = []
    queued: Annotated[str, Meta(pattern="^(?:/|$)")] = ""
    ignore_query: list[_Name] = []
    ignore_fields: list[_Name] = []
    limit_mib: _Positive = 1
    max_days: _Positive = 1


def wrong_with(document: bytes) -> str:
    """Why smart clients do not take *document*, a sentence; "" if they do."""
    try:
        json.decode(document.decode("utf-8-sig", "replace"), type=_Rules)
    except MsgspecError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    return ""
