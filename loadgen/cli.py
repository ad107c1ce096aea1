"""The command ``loadgen``: picks the subcommand, and turns errors into exit codes.

Each is a module with ``configure(parser)`` and ``main(options, parser) -> exit code``, imported only
when it is called: most need libraries that take a while to load.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from loadgen.errors import LoadgenError
from loadgen.output import printable, standard_output

#: Name: module, and what ``loadgen --help`` says of it.
COMMANDS = {
    "run": ("loadgen.run.coordinator.command", "smart clients, as a scenario says, and a verdict"),
    "worker": ("loadgen.run.process.remote", "lends this machine to a run on another one"),
    "record": ("loadgen.record.command", "a scenario of the users whose requests an access log has"),
    "replay": ("loadgen.run.coordinator.replay_command", "an access log's own requests at its own times"),
    "report": ("loadgen.report.command", "results of runs as a page, CSV or Prometheus text"),
    "compare": ("loadgen.compare.command", "whether two runs are different, or it is noise"),
    "har": ("loadgen.har.command", "what pages weigh, by what a browser recorded of them"),
    "simulate": ("loadgen.simulate.command", "a day of ten million registered users on a simulated cluster"),
    "plan": ("loadgen.plan.command", "whether servers and money suffice, hour by hour"),
}
#: Commands that were: name, and what to use instead.
GONE = {
    "flood": "wrk does the same, one request again and again in a closed loop: wrk -c 64 -d 10 URL; "
    "what users would feel says loadgen run"
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line *arguments*; its exit code.

    0 done, 1 error, 2 wrong usage or a threshold missed, 3 invalid, 4 infeasible, 130 Ctrl-C.
    """
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="loadgen", description="Puts load on your own cluster, and says what came back."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in given if not word.startswith("-")), None)
    if chosen in GONE:
        print(f"loadgen {chosen} is no more; {GONE[chosen]}", file=sys.stderr)
        return 2
    for name, (path, about) in COMMANDS.items():
        one = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        if name != chosen:
            continue
        try:
            module = import_module(path)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("numpy", "hdrh"):
                raise
            print(
                f"loadgen: {error.name} is not installed; it comes with pip install 'twistd-edge[loadgen]'",
                file=sys.stderr,
            )
            return 1
        module.configure(one)
        one.set_defaults(main=module.main, parser=one)
    options = parser.parse_args(given)
    try:
        with standard_output():
            return int(options.main(options, options.parser))
    except LoadgenError as error:
        print(printable(f"loadgen {options.command}: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"loadgen {options.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
