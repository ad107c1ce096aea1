"""The client's scripts, minified when this package is built; publishing finds them by what they were made of.

A node needs no minifier for that: what ``setup.py`` has made is a file beside this one.  Where it was not
made, or is of other sources, scripts are published as they are, a seventh larger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

#: The operator, not the type of a comment.
_VOID = re.compile(r"^(?!\s*(?://|/?\*)).*\bvoid\s*[(\w].*", re.MULTILINE)
#: SHA-256 of a script -> what it has become.
MADE = Path(__file__).with_name("minified.json")


def minified(script: str) -> str:
    """*script* minified, if the build has done that; else as it is."""
    return _made().get(_name(script), script)


@cache
def _made() -> dict[str, str]:
    try:
        return dict(json.loads(MADE.read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def minify(script: str) -> str:
    """*script* minified now; :exc:`ImportError` without tdewolff-minify.

    :exc:`ValueError`: it has the operator ``void``, of which tdewolff-minify 2.24 throws the operand away.
    """
    from minify import string

    if found := _VOID.search(script):
        raise ValueError(f"the minifier breaks {found[0]!r}: write a statement instead")
    # tdewolff-minify 2.24 makes a mere "export" of what only says that this is a module.
    return str(string("application/javascript", script.replace("export {};\n", "")))


def build(scripts_of: Callable[[Callable[[str], str]], object]) -> None:
    """Write :data:`MADE`: of all scripts that *scripts_of* gives to the function that it is given."""
    made: dict[str, str] = {}

    def remember(script: str) -> str:
        made[_name(script)] = smaller = minify(script)
        return smaller

    scripts_of(remember)
    MADE.write_text(json.dumps(made, indent=0), "utf-8")


def _name(script: str) -> str:
    return sha256(script.encode()).hexdigest()
