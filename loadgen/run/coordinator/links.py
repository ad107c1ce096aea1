"""The links of an HTML page: what a browser fetches with it, and the pages that it leads to."""

from __future__ import annotations

import contextlib
from html.parser import HTMLParser


class Links(HTMLParser):
    """Addresses in a page: (kind, address)."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        #: What addresses are relative to; None: the page.
        self.base: str | None = None
        with contextlib.suppress(AssertionError):  # what the parser says to <![X[: there are no more links
            self.feed(text)

    # HTMLParser's override

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in values:
            self.found.append(("document", values["href"]))
        elif tag == "base" and "href" in values and self.base is None:
            self.base = values["href"]
        elif tag == "script" and "src" in values:
            self.found.append(("script", values["src"]))
        elif tag == "img" and "src" in values and values.get("loading") != "lazy":
            self.found.append(("image", values["src"]))
        elif tag == "link" and "href" in values:
            relations = values.get("rel", "").lower().split()
            kind = {"stylesheet": "style", "icon": "image", "modulepreload": "script"}
            self.found += [(kind[one], values["href"]) for one in relations if one in kind][:1]
