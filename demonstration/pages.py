"""Pages made on the server, of the answers to the same documents that browsers ask for.

They are the same for everybody and bear the groups of the data that they show, so the edge gives them, too.
"""

from __future__ import annotations

import html
import time
from typing import Any
from urllib.parse import quote

Data = dict[str, Any]


def page(title: str, body: str) -> str:
    """A whole page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="/site/icon.svg">
<link rel="stylesheet" href="/site/style.css">
<link rel="stylesheet" href="/site/colours.css">
<script type="module" src="/edge/client.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header>
<nav aria-label="Site"><a class="name" href="/">Unicode, close by</a> <a href="/ranking">Ranking</a></nav>
<form class="search" role="search" action="/search"><label for="search">Search names</label>
<input id="search" name="q" type="search" maxlength="80"><button>Search</button></form>
</header>
<main id="main" tabindex="-1">
{body}
</main>
<footer><a href="/.edge/">Dashboard</a></footer>
</body>
</html>
"""


def entry(data: Data) -> str:
    """The entry: the ranking's top, the latest comments, all blocks."""
    return f"""<h1>Unicode, close by</h1>
<h2>Ranking</h2>
{_ranking(data["ranking"], "/")}
<h2>Comments</h2>
{_comments(data["recent"])}
<h2>Blocks</h2>
<ul class="blocks" data-roving>
{_joined(map(_block_item, data["blocks"]))}
</ul>"""


def ranking(data: Data) -> str:
    """The page of the ranking."""
    return f"<h1>Ranking</h1>\n{_ranking(data['ranking'], '/ranking')}"


def block(data: Data, number: int) -> str:
    """A page of a block."""
    shown = data["block"]
    title = f"<h1>{html.escape(shown['name'])}</h1>\n<p>U+{shown['first']} to U+{shown['last']}</p>"
    links = ""
    if shown["pages"] > 1:
        both = ((number - 1, "prev", "before"), (number + 1, "next", "more"))
        near = [one for one in both if 1 <= one[0] <= shown["pages"]]
        links = " ".join(
            f'<a rel="{rel}" href="/block/{shown["slug"]}?page={n}">{word}</a>' for n, rel, word in near
        )
        links = f'\n<nav aria-label="Pages">{links} {number} of {shown["pages"]}</nav>'
    cells = _joined(map(_cell, shown["characters"]))
    return f'{title}{links}\n<ul class="grid" data-roving>\n{cells}\n</ul>'


def character(data: Data) -> str:
    """The page of a character: what it is, its votes, its comments."""
    shown = data["character"]
    here = f"/character/{shown['code']}"
    facts = _joined(
        f"<dt>{name}</dt><dd>{html.escape(str(shown[key]))}</dd>"
        for name, key in (
            ("Category", "category"),
            ("Uppercase", "upper"),
            ("Lowercase", "lower"),
            ("Made of", "decomposition"),
            ("Number", "numeric"),
        )
        if shown[key]
    )
    return f"""<h1><span class="glyph">{html.escape(shown["glyph"])}</span> {html.escape(shown["name"])}</h1>
<p>U+{int(shown["code"], 16):04X}, in {_block_link(shown["block"])}</p>
<dl>
{facts}
</dl>
<p><b>{shown["votes"]}</b> votes</p>
{_vote(shown["code"], here, True)} {_vote(shown["code"], here, False)}
<h2>Comments</h2>
<form class="comment" method="post" action="/comment">
<input type="hidden" name="code" value="{shown["code"]}"><input type="hidden" name="back" value="{here}">
<label for="text">Your comment</label>
<textarea id="text" name="text" maxlength="500" required></textarea>
<button>Send</button>
</form>
{_comments(shown["comments"])}"""


def search(data: Data, text: str) -> str:
    """The page of what was found."""
    found = _joined(map(_found, data["search"])) if text else ""
    count = len(data["search"]) if text else 0
    said = f"{count} found for {html.escape(text)}" if text else "Search names of characters"
    return f'<h1>{said}</h1>\n<ul class="found" data-roving>\n{found}\n</ul>'


def problem(title: str, reason: str) -> str:
    """A page that says why something was not done."""
    return f'<h1>{html.escape(title)}</h1>\n<p>{html.escape(reason)}</p>\n<p><a href="/">To the entry</a></p>'


def _ranking(shown: list[Data], here: str) -> str:
    if not shown:
        return "<p>Nobody has voted yet: choose a character.</p>"
    items = _joined(
        f'<li data-key="{one["code"]}"><a href="/character/{one["code"]}">{html.escape(one["glyph"])} '
        f"{html.escape(one['name'].title())}</a> <b>{one['votes']}</b> {_vote(one['code'], here, True)}</li>"
        for one in shown
    )
    return f'<ol class="ranking" data-roving>\n{items}\n</ol>'


def _vote(code: str, here: str, wanted: bool) -> str:
    return (
        f'<form class="vote" method="post" action="/vote"><input type="hidden" name="code" value="{code}">'
        f'<input type="hidden" name="wanted" value="{int(wanted)}">'
        f'<input type="hidden" name="back" value="{here}">'
        f"<button>{'Vote' if wanted else 'Take my vote back'}</button></form>"
    )


def _comments(shown: list[Data]) -> str:
    items = _joined(
        f'<li data-key="{one["id"]}">{_about(one)}<p>{html.escape(one["text"])}</p>'
        f'<time datetime="{_iso(one["at"])}">{_iso(one["at"])[:16].replace("T", " ")} UTC</time></li>'
        for one in shown
    )
    return f'<ul class="comments">\n{items}\n</ul>' if shown else "<p>No comments yet.</p>"


def _about(one: Data) -> str:
    about = one.get("character")
    if not about:
        return ""
    return f'<a href="/character/{about["code"]}">{html.escape(about["glyph"])}</a> '


def _block_item(one: Data) -> str:
    return (
        f'<li data-key="{one["slug"]}"><a href="/block/{one["slug"]}">'
        f'<span class="sample" aria-hidden="true">{html.escape(one["sample"])}</span> '
        f"<b>{html.escape(one['name'])}</b> <small>{one['count']:,}</small></a></li>"
    )


def _block_link(one: Data) -> str:
    return f'<a href="/block/{one["slug"]}">{html.escape(one["name"])}</a>'


def _cell(one: Data) -> str:
    name = html.escape(one["name"].title())
    votes = f" <small>{one['votes']}</small>" if one["votes"] else ""
    return (
        f'<li data-key="{one["code"]}"><a href="/character/{quote(one["code"])}" title="{name}" '
        f'aria-label="{name}">{html.escape(one["glyph"])}{votes}</a></li>'
    )


def _found(one: Data) -> str:
    return (
        f'<li data-key="{one["code"]}"><a href="/character/{one["code"]}">{html.escape(one["glyph"])} '
        f"{html.escape(one['name'].title())}</a> <small>{html.escape(one['block']['name'])}</small></li>"
    )


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _joined(items: Any) -> str:
    return "\n".join(items)
