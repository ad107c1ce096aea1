"""Pages: which components stand where, streamed by the server and taken over by the runtime in a browser.

They are the same for everybody and bear the groups of the data that they show, so the edge gives them, too.
What is refused or missing is plain HTML (:func:`page`).
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from edge.app.rendering import STATE, Part

NAME = "Unicode, close by"
#: How many of each the entry shows.
RANKED, RECENT, RANKED_ALL, COMMENTS = 8, 5, 50, 50
#: Modules that every page needs at once, so that they are not found out one behind the other.
_MODULES = (
    "/edge/page/app.js", "/edge/page/components.js", "/edge/page/html.js", "/edge/page/patch.js",
    "/edge/page/query.js", "/edge/page/rows.js", "/edge/worker/messages.js", "/edge/page/tokens.js",
    "/components/now.js", "/site/story.js", "/site/roving.js",
)  # fmt: skip

#: Documents that each component asks for or changes something by; a page embeds the hashes of its own.
_DOCUMENTS = {
    "blocks": ("Blocks",),
    "character": ("Character", "Vote"),
    "comments": ("Comment", "Comments", "Recent"),
    "found": ("Search",),
    "grid": ("Block",),
    "now": (),
    "ranking": ("Ranking", "Vote"),
}


@cache
def staging() -> Mapping[str, str] | None:
    """Where the buttons of the staging cluster lead, ``{"url": ..., "token": ...}``; None: elsewhere."""
    told = os.environ.get("EDGE_STAGING")
    return json.loads(told) if told else None


def head(title: str, components: Sequence[str] = ()) -> str:
    """What stands before the contents of a page."""
    full = NAME if title == NAME else f"{title} - {NAME}"
    modules = dict.fromkeys([*_MODULES, *(f"/components/{name}.js" for name in components)])
    preloads = "".join(f'\n<link rel="modulepreload" href="{module}">' for module in modules)
    buttons = staging()
    control = f'\n<meta name="edge-staging" content="{html.escape(json.dumps(buttons))}">' if buttons else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Vote for characters, and watch what your browser and four servers do.">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="#f8fbfb">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0b1414">{control}
<title>{html.escape(full)}</title>
<link rel="icon" href="/site/icon.svg">
<link rel="stylesheet" href="/site/style.css">
<link rel="stylesheet" href="/site/colours.css">
<script type="module" src="/edge/client.js"></script>
<script type="module" src="/components/start.js"></script>
<script type="module" src="/site/now.js"></script>{preloads}
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header>
<a class="name" href="/">{NAME}</a>
<nav aria-label="Site" data-roving><a href="/ranking">Ranking</a> <a href="/blocks">Blocks</a> \
<a href="/.edge/">Dashboard</a></nav>
<form class="search" role="search" action="/search"><label for="search">Search characters by name </label>
<input id="search" name="q" type="search" maxlength="80" placeholder="arrow left, omega …">\
<button>Search</button></form>
</header>
<main id="main" tabindex="-1">
"""


_END = """</main>
<footer>Four nodes answer here. What you see is confirmed by one of them, and kept by your browser.</footer>
"""
FOOT = f"{_END}</body>\n</html>\n"


def pieces(title: str, *contents: str | Part) -> list[Any]:
    """A page of components: strings are HTML as they are."""
    names = list(dict.fromkeys(one.component for one in contents if isinstance(one, Part)))
    return [head(title, names), *contents, _END, STATE, "</body>\n</html>\n"]


def documents(shown: Sequence[Any], identifiers: Mapping[str, str]) -> dict[str, str]:
    """Those of *identifiers* that the components of a page need."""
    names = {name for part in shown if isinstance(part, Part) for name in _DOCUMENTS[part.component]}
    return {name: identifiers[name] for name in sorted(names)}


def now(brief: bool = False) -> Part:
    """The first screen; *brief*: its sentence alone."""
    return Part("now", {"staging": staging(), "brief": brief})


def entry() -> list[Any]:
    """The entry: what just happened, the ranking's top, the latest comments, some blocks."""
    return pieces(
        NAME,
        now(),
        '<div class="columns">',
        Part("ranking", {"first": RANKED, "back": "/"}),
        Part("comments", {"first": RECENT}),
        "</div>",
        Part("blocks", {"all": False}),
    )


def ranking() -> list[Any]:
    """The page of the ranking."""
    props = {"first": RANKED_ALL, "back": "/ranking", "heading": True}
    return pieces("Ranking", Part("ranking", props), now(brief=True))


def blocks() -> list[Any]:
    """All blocks."""
    return pieces("Blocks", Part("blocks", {"all": True}), now(brief=True))


def block(slug: str, name: str, number: int) -> list[Any]:
    """A page of a block."""
    return pieces(name, Part("grid", {"slug": slug, "page": number}), now(brief=True))


def character(code: str, name: str) -> list[Any]:
    """The page of a character: what it is, its votes, its comments."""
    comments = Part("comments", {"code": code, "first": COMMENTS})
    return pieces(name.capitalize(), Part("character", {"code": code}), comments, now(brief=True))


def search(text: str) -> list[Any]:
    """The page of what was found."""
    return pieces(f"{text} - search" if text else "Search", Part("found", {"text": text}), now(brief=True))


def page(title: str, body: str) -> str:
    """A whole page without components."""
    return f"{head(title)}{body}\n{FOOT}"


def problem(title: str, reason: str) -> str:
    """The contents of a page that says why something was not done."""
    return f'<h1>{html.escape(title)}</h1>\n<p>{html.escape(reason)}</p>\n<p><a href="/">To the entry</a></p>'
