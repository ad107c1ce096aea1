"""Prints ``edge/publish/registered_types.py``: media types by file extension, as IANA and Debian name them.

    python tools/media_types.py /etc/mime.types > edge/publish/registered_types.py

Read are lines ``type extension extension ...``, and the table that Python has; of several types for one
extension the first counts.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from mimetypes import MimeTypes

_HEAD = '''"""Media types by file extension beyond those of the web: the names that IANA and Debian give.

Made by ``tools/media_types.py``; for each top-level type a text of words ``subtype=extension,extension``.
"""

from __future__ import annotations
'''
_EXTENSION = re.compile(r"[a-z0-9][a-z0-9_+.-]*")
#: Conventions that neither table follows.
_CORRECTED = {"3gp": "video/3gpp", "3gpp": "video/3gpp", "3g2": "video/3gpp2", "3gpp2": "video/3gpp2"}


def types_of(lines: Iterable[str]) -> dict[str, str]:
    """The type of each extension."""
    found: dict[str, str] = {}
    for line in lines:
        type_, *extensions = line.split("#")[0].split() or [""]
        for extension in extensions:
            if _EXTENSION.fullmatch(extension.lower()):
                found.setdefault(extension.lower(), type_)
    for suffix, type_ in MimeTypes(filenames=()).types_map[True].items():
        found.setdefault(suffix[1:], type_)
    return {**found, **_CORRECTED}


def module_of(types: dict[str, str]) -> str:
    """The text of the module."""
    by_type: dict[str, dict[str, list[str]]] = {}
    for extension, type_ in sorted(types.items()):
        top, _, subtype = type_.partition("/")
        by_type.setdefault(top, {}).setdefault(subtype, []).append(extension)
    parts = [_HEAD, "REGISTERED = {"]
    for top, subtypes in sorted(by_type.items()):
        words = " ".join(f"{subtype}={','.join(names)}" for subtype, names in sorted(subtypes.items()))
        lines = textwrap.wrap(words, 106, break_long_words=False, break_on_hyphens=False)
        parts += [f'    "{top}": """', *(f"    {line}" for line in lines), '    """,']
    return "\n".join([*parts, "}", ""])


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(module_of(types_of(file)))
