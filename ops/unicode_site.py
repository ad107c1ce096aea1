"""The data of the demonstration site: a browser of Unicode, made of what Python's :mod:`unicodedata` knows.

``python -m ops.unicode_site [DIR]`` writes into the webroot *DIR* (default: the checkout's)::

    index.html              all blocks
    block/NAME[-N].html     at most 256 characters of a block, rendered; the page works without scripts
    data/chars/FIRST.json   64 code points: {"41": {"name": ..., "category": ..., ...}}
    data/names.txt          a line "41 LATIN CAPITAL LETTER A" for each character that has a name of its own
    data/version.json       of the data; nothing is written when it is there already

"""

from __future__ import annotations

import html
import json
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from demonstration.services.characters import ALGORITHMIC, Block, blocks, facts, glyph_of, name_of

#: Grows when what is written changes.
FORMAT = 2
PER_PAGE = 256
PER_FILE = 64


def pages_of(block: Block) -> Iterator[tuple[str, tuple[int, ...]]]:
    """(file name without extension, characters) of each page of *block*."""
    for start in range(0, len(block.characters), PER_PAGE):
        number = start // PER_PAGE
        yield (
            f"{block.slug}-{number + 1}" if number else block.slug,
            block.characters[start : start + PER_PAGE],
        )


def shown(code: int) -> str:
    """The character as text of a page."""
    return html.escape(glyph_of(code))


def cell(code: int) -> str:
    """A character in the page of its block."""
    name = html.escape(name_of(code).title())
    address = f'href="#{code:04X}" data-code="{code:x}"'
    return f'<li><a {address} title="{name}" aria-label="{name}">{shown(code)}</a></li>'


def page(title: str, body: str, up: str = "") -> str:
    """A whole HTML page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/site/icon.svg">
<link rel="stylesheet" href="/site/style.css">
<script type="module" src="/edge/client.js"></script>
<script type="module" src="/site/app.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the characters</a>
<header>
<a class="name" href="/">Unicode, close by</a>{up}
<form class="search" role="search"><label for="search">Search names</label>
<input id="search" name="q" type="search" placeholder="arrow left, greek omega …" autocomplete="off"></form>
</header>
<main id="main" tabindex="-1">
<section id="found" aria-label="Found characters" hidden></section>
{body}
</main>
<aside id="detail" aria-label="Character" hidden></aside>
<aside id="panel" aria-label="What the smart client does"></aside>
<footer>{unicodedata.unidata_version} of Unicode, served by four nodes.
<a href="/.edge/">Dashboard</a></footer>
</body>
</html>
"""


def index(all_blocks: Sequence[Block]) -> str:
    """HTML of the first page: all blocks."""
    total = sum(len(block.characters) for block in all_blocks)
    items = "\n".join(
        f'<li data-key="{block.slug}"><a href="/block/{block.slug}.html">'
        f'<span class="sample" aria-hidden="true">{html.escape(block.sample)}</span>'
        f"<b>{html.escape(block.name)}</b><small>{len(block.characters):,}</small></a></li>"
        for block in all_blocks
    )
    body = f"""<h1>{total:,} characters</h1>
<p class="lead">Every page here comes out of this browser first, and is confirmed by whichever node has
the most to spare. Stop one of them, or all: what you have seen stays.</p>
<section id="favourites" aria-label="Favourites" hidden></section>
<h2>{len(all_blocks)} blocks</h2>
<ul class="blocks">
{items}
</ul>"""
    return page("Unicode, close by", body)


def block_page(block: Block, number: int, name: str, characters: tuple[int, ...], names: list[str]) -> str:
    """HTML of one page of a block."""
    cells = "\n".join(map(cell, characters))
    links = ""
    if len(names) > 1:
        before = f'<a rel="prev" href="/block/{names[number - 1]}.html">before</a>' if number else ""
        after = (
            f'<a rel="next" href="/block/{names[number + 1]}.html">more</a>'
            if number + 1 < len(names)
            else ""
        )
        links = f'<nav aria-label="Pages">{before} <span>{number + 1} of {len(names)}</span> {after}</nav>'
    body = f"""<h1>{html.escape(block.name)}</h1>
<p class="lead">U+{characters[0]:04X} to U+{characters[-1]:04X}</p>
{links}
<ul class="grid">
{cells}
</ul>
{links}"""
    return page(f"{html.escape(block.name)} - Unicode, close by", body)


def build(folder: Path) -> int:
    """Write everything; the number of files, 0 if they were there."""
    version = {"format": FORMAT, "unicode": unicodedata.unidata_version}
    marker = folder / "data" / "version.json"
    try:
        if json.loads(marker.read_text()) == version:
            return 0
    except (OSError, ValueError):
        pass
    all_blocks = blocks()
    files = {"index.html": index(all_blocks)}
    chars: dict[int, dict[str, dict[str, str]]] = {}
    names = []
    for block in all_blocks:
        pages = list(pages_of(block))
        for number, (name, characters) in enumerate(pages):
            files[f"block/{name}.html"] = block_page(
                block, number, name, characters, [one for one, _ in pages]
            )
        for code in block.characters:
            known = facts(code)
            chars.setdefault(code // PER_FILE, {})[f"{code:x}"] = known
            if not ALGORITHMIC.match(known["name"]):
                names.append(f"{code:x} {known['name']}")
    for number, known_ones in chars.items():
        name = f"data/chars/{number * PER_FILE:04x}.json"
        files[name] = json.dumps(known_ones, ensure_ascii=False, separators=(",", ":"))
    files["data/names.txt"] = "\n".join(names) + "\n"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    marker.write_text(json.dumps(version))  # last: what was cut off is written again
    return len(files) + 1


def main(arguments: list[str]) -> int:
    """Write the data of the demonstration site; the exit code."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parents[1] / "webroot"
    if not folder.is_dir():
        print(f"{folder}: there is no such folder; name the webroot", file=sys.stderr)
        return 2
    written = build(folder)
    if written:
        print(f"{folder}: {written:,} files of the Unicode browser")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
