"""Says which interpreter it is in, and what can be imported there."""

import importlib.util
import json
import os
import signal
import sys

from edge.app import changed, share


def app(environ, start_response):
    """JSON."""
    share(edge=1)
    changed("x")
    here = {
        "prefix": sys.prefix,
        "path": sys.path,
        "folder": os.getcwd(),
        "variable": os.environ.get("SHOP"),
        "blocked": [int(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        "sigterm": signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL,
        "uid": os.getuid(),
        "found": [name for name in ("msgspec", "flask") if importlib.util.find_spec(name)],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(here).encode()]
