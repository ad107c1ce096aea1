"""The subcommand ``loadgen record LOG...``: the users of an access log, as a scenario."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePath

from loadgen.errors import UsageError
from loadgen.logs import files
from loadgen.logs.account import Account
from loadgen.logs.reading import read
from loadgen.output import write
from loadgen.record import shown
from loadgen.record.fits import ThinkFit, think_fits, zipf_exponent
from loadgen.record.pages import Listed
from loadgen.record.rates import squeezed
from loadgen.record.scenario import MOST_SECONDS, STEPS, Recorded, page_list, scenario
from loadgen.record.sessions import IDLE_S
from loadgen.record.traffic import Traffic

_MOST_PAGES = 10_000


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    files.configure(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the scenario (default: NAME.toml); NAME.pages.txt is beside it",
    )
    parser.add_argument(
        "--duration", type=float, metavar="S",
        help="seconds of the scenario: the log's curve is squeezed or stretched, its rates stay "
        "(default: as long as the log, a day at most)",
    )  # fmt: skip
    parser.add_argument(
        "--pages", type=int, metavar="N", default=500, help="of the site, most viewed first (default 500)"
    )
    parser.add_argument(
        "--idle", type=float, metavar="S", default=IDLE_S,
        help="of rest, after which a client's next page begins a session (default 1800)",
    )  # fmt: skip
    parser.add_argument("--bots", action="store_true", help="count clients that say they are programs, too")
    parser.add_argument(
        "--alone", action="store_true",
        help="keep pages, too, that one client alone has asked for: they may be somebody's own",
    )  # fmt: skip


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """0 when the scenario is written."""
    _check(options, parser)
    account, traffic = Account(), Traffic(options.bots, options.idle)
    for second, entry in read(options.logs, account):
        traffic.add(second, entry)
    traffic.end()
    if not traffic.views:
        raise UsageError(_nothing(options.logs, traffic))
    pages = traffic.pages.listed(options.alone)[: options.pages]
    thinks = think_fits(traffic.sessions.thinks)
    zipf = zipf_exponent([page.views for page in pages])
    file = Path(options.output or f"{_stem(options.logs[0])}.toml")
    beside = file.with_name(f"{file.stem}.pages.txt")
    if file == beside or str(file) in options.logs:
        raise UsageError(f"{file}: this is a file to read; give another one with -o")
    recorded = _recorded(options, traffic, pages, thinks, zipf)
    if pages:
        write(str(beside), page_list(pages))
    write(str(file), scenario(recorded, beside.name if pages else ""))
    lines = [
        *_read(account, traffic),
        *shown.fits(traffic, thinks, pages, zipf),
        *_left_out(options, traffic, recorded),
        f"{file}: loadgen run {file} --cluster URL, or --plain URL of any server"
        + (f"; its pages: {beside}" if pages else ""),
    ]
    write("-", "".join(f"{line}\n" for line in lines))
    return 0


def _check(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if options.duration is not None and not 0 < options.duration <= MOST_SECONDS:
        parser.error(f"--duration {options.duration:g}: give seconds above 0 and up to a day")
    if not 1 <= options.pages <= _MOST_PAGES:
        parser.error(f"--pages {options.pages}: give 1 to {_MOST_PAGES:,}")
    if not 1 <= options.idle <= 86_400:
        parser.error(f"--idle {options.idle:g}: give 1 to 86400 seconds")
    if options.output == files.STANDARD_INPUT:
        parser.error("--output -: a scenario has a list of pages beside it; give a file")


def _stem(log: str) -> str:
    """The name of a log without what rotation adds."""
    name = PurePath(log).name.partition(".")[0]
    return name if log != files.STANDARD_INPUT and name else "recorded"


def _recorded(
    options: argparse.Namespace, traffic: Traffic, pages: list[Listed], thinks: list[ThinkFit], zipf: float
) -> Recorded:
    span = max(1.0, traffic.span)
    duration = options.duration or min(span, MOST_SECONDS)
    return Recorded(
        name=_stem(options.logs[0]),
        users=traffic.clients.count,
        duration_s=duration,
        steps=squeezed(traffic.begins.steps(span, STEPS), duration / span),
        pages_mean=traffic.sessions.pages_mean,
        think=thinks[0].think if thinks else None,
        zipf=zipf,
        warm=traffic.warm_share,
        pages=pages,
    )


def _nothing(logs: list[str], traffic: Traffic) -> str:
    why = f"{traffic.requests:,} requests, of which none is a page that was given (GET, 200 or 304)"
    bots = f"; {traffic.bots:,} more are of programs, which --bots counts" if traffic.bots else ""
    return f"{', '.join(logs)}: no page view in it: {why}{bots}"


def _read(account: Account, traffic: Traffic) -> list[str]:
    hours = traffic.span / 3600
    return [
        f"{account.lines:,} lines, {account.entries:,} requests in {hours:.2f} h; "
        f"{traffic.clients.count:,} clients, {traffic.sessions.count:,} sessions, "
        f"{traffic.views:,} page views",
        *account.said(),
    ]


def _left_out(options: argparse.Namespace, traffic: Traffic, recorded: Recorded) -> list[str]:
    """What is not in the scenario, each said once."""
    alone = len(traffic.pages) - len(traffic.pages.listed(alone=False))
    sentences = {
        f"{traffic.bots:,} requests of programs (user agent) are not counted; --bots counts them": (
            traffic.bots
        ),
        f"{traffic.queries:,} addresses had a query string: it is left out": traffic.queries,
        f"{traffic.private:,} requests for addresses with what looks like a key, an identity or a mail "
        "address: views of theirs count, the addresses are left out": traffic.private,
        f"{alone:,} pages that one client alone has asked for are left out; --alone keeps them": (
            alone and not options.alone
        ),
        f"{traffic.unnamed:,} views of pages that the log does not name (batches of smart clients, and such "
        "addresses) count for sessions, not for popularity": traffic.unnamed,
        f"more than {options.pages:,} pages: the most viewed are kept; --pages keeps more": (
            len(recorded.pages) == options.pages < len(traffic.pages.listed(options.alone))
        ),
        "there were more pages than are counted at once: rare ones are missing": traffic.pages.forgotten,
        f"{traffic.sessions.crowded_out:,} sessions were ended early: more clients at once than are kept": (
            traffic.sessions.crowded_out
        ),
        f"the log is {traffic.span / 3600:.1f} h long, its curve is fitted into "
        f"{recorded.duration_s / 3600:.2g} h; rates stay": abs(recorded.duration_s - traffic.span) > 1,
    }
    return [sentence for sentence, is_so in sentences.items() if is_so]
