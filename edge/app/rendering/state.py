"""The state of a page, embedded in it for the browser."""

from __future__ import annotations

import json
import re
from typing import Any

#: Would end the script, or begin a comment in it (HTML, 13.2.5.4 ff.); or a line, for older readers of JSON.
#: Halves of surrogate pairs are none in UTF-8.
_HOSTILE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def can_be_embedded(value: Any) -> bool:
    """Whether JSON can say *value*: no NaN, no date, no circle, not nested without end."""
    try:
        _said(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def embedded(state: Any) -> str:
    """*state* as an element that the runtime of components reads; no text in it can end that."""
    text = _said(state)
    safe = _HOSTILE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f'<script type="application/json" id="edge-state">{safe}</script>'


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
