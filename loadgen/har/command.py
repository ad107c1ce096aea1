"""The subcommand ``loadgen har FILE...``: page weights for plans, and a list of pages for scenarios."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from loadgen.errors import UsageError
from loadgen.har.archive import Exchange, read
from loadgen.har.weights import Site, figures, site
from loadgen.output import write


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE",
        help="HAR files: developer tools of a browser, network, save all as HAR; with an empty cache",
    )  # fmt: skip
    parser.add_argument(
        "--pages", metavar="LIST", help="write the pages and their parts: [site] list of a scenario"
    )


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """0 when the weights are printed."""
    exchanges: list[Exchange] = []
    broken = 0
    for number, path in enumerate(options.files):
        found, no_exchange = read(path)
        broken += no_exchange
        for one in found:
            one.pageref = f"{number} {one.pageref}" if one.pageref else ""
        exchanges += found
    made = site(exchanges)
    names = ", ".join(map(str, options.files))
    if not made.pages:
        raise UsageError(
            f"{names}: no page in it: none of {len(exchanges):,} answers is a document that was given"
        )
    if options.pages:
        if any(Path(options.pages).resolve() == path.resolve() for path in options.files):
            raise UsageError(f"--pages {options.pages}: this is a file to read; give another one")
        lines = (" ".join([page.document.path, *(part.path for part in page.parts)]) for page in made.pages)
        write(options.pages, "".join(f"{line}\n" for line in lines))
    write("-", "".join(f"{line}\n" for line in (*_weights(made, names), *_left_out(made, broken))))
    return 0


def _weights(made: Site, names: str) -> Iterator[str]:
    mean = figures(made.pages)
    yield f"# {len(made.pages):,} pages of {made.origin}, from {names}"
    yield "# Of a plan:"
    yield "[pages]"
    yield f"resources_per_view = {mean.resources_per_view:.3g}"
    yield f"kilobytes_per_resource = {mean.bytes_per_resource / 1000:.4g}"
    yield f"path_bytes = {max(1.0, mean.path_bytes):.3g}"
    if mean.head_bytes > 0:
        yield "[requests]"
        yield f"head_bytes = {mean.head_bytes:.4g}"
    yield "# Of loadgen simulate:"
    yield (
        f"# assets_per_page {mean.assets_per_page:.0f}, shared_assets {mean.shared_assets}, "
        f"page_bytes {mean.page_bytes:.0f}, asset_bytes {mean.asset_bytes:.0f}"
    )


def _left_out(made: Site, broken: int) -> Iterator[str]:
    for count, why in (
        (made.others, "of other origins"),
        (made.not_given, "no GET that was given (200 or 304)"),
        (made.private, "whose addresses have what looks like a key, an identity or a mail address"),
        (broken, "that are none of HAR 1.2"),
    ):
        if count:
            yield f"# left out: {count:,} exchanges {why}"
