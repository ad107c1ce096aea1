"""Forms: everything that can be done here, without scripts.

A page is the same for everybody, so its forms hold no secret.  What keeps other sites from sending them is
what the browser says of where they come from, ``Sec-Fetch-Site`` and ``Origin``.  A browser that says
neither (w3m, lynx) gets one page more, which is his alone: with a token that only his session can use, in a
form to confirm.

An accepted form is answered 303 (RFC 9110, section 15.4.4), so that loading the page again sends nothing.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Bytes of a form: a comment of 500 characters, percent-encoded, and some.
MAX_BYTES = 16 * 1024
_MAX_FIELDS = 16


class WrongForm(ValueError):
    """A form that is not taken; str() says why."""


def read_form(body: bytes) -> dict[str, str]:
    """The fields of an urlencoded form; :class:`WrongForm`."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise WrongForm("the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise WrongForm("a field stands twice in the form")
    return fields


def comes_from(headers: Mapping[str, str], scheme: str, origins: Collection[str], guarded: bool) -> str:
    """ "here", "elsewhere" or "unknown"; *guarded*: a node has refused what comes from elsewhere already."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if origin is None and site is None:
        return "unknown"
    if guarded or site in ("same-origin", "none"):
        return "here"
    if origin is not None and (origin in origins or origin == f"{scheme}://{headers.get('host', '')}"):
        return "here"
    return "elsewhere"


def back(target: str) -> str:
    """*target* if it is a path of this site, else the entry."""
    is_here = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if is_here and target.isascii() and target.isprintable() and len(target) <= 1000 else "/"


def confirmation(action: str, fields: Mapping[str, str], token: str) -> str:
    """The body of the page that asks a browser, which does not say where a form comes from, once more."""
    inputs = "\n".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in {**fields, "token": token}.items()
    )
    what = "vote" if action == "/vote" else "comment"
    return f"""<h1>Is this from you?</h1>
<p>Your browser does not say which page a form comes from. So that no other site can send one in your name,
confirm your {what} here.</p>
<form method="post" action="{action}">
{inputs}
<button>Yes, send my {what}</button>
</form>
<p><a href="{html.escape(back(fields.get("back", "/")))}">No, back</a></p>"""
