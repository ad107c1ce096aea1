"""Applications behind the edge, as they are configured: ``--app /shop=shop:app``, or tables ``[[app]]``.

An application is *run* by the node (``run``: WSGI, ASGI or ``twisted.web``), or is somewhere already
(``to``: a socket that speaks edge-app/1, or HTTP upstreams).  :data:`KEYS` is the one list of what a table
may say; each wrong key, value and combination is a line that names the table, the key and the way out.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.config.values import MOUNT, Kind, Wrong, WrongTables, integer, split_address
from edge.endpoint import check_unix_path
from edge.errors import ConfigError
from edge.http.grammar import HOST, TARGET
from edge.http.target import canonical_path, unambiguous_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: Items of one list of a table, and characters of one item.
MAX_ITEMS, MAX_TEXT = 64, 1024
#: Representations of one address that ``vary`` may tell apart.
MAX_VARIANTS = 64
#: Applications of a node: their numbers are bytes (edge/node/supervisor/answers.py, edge/gossip/entries.py).
MOST_APPLICATIONS = 256


class Target(NamedTuple):
    """One place that ``to`` names."""

    #: "unix": edge-app/1; "http+unix", "http": HTTP/1.1.
    kind: str
    #: Of Unix sockets, absolute.
    path: str = ""
    host: str = ""
    port: int = 0


@dataclass(frozen=True, kw_only=True)
class Application:
    """One application.  Texts and numbers only, so that it can be told to workers as it is."""

    #: In logs, metrics and ``edgectl app``; unique in a node.
    name: str
    #: The path whose whole tree is the application's: "/" or like "/shop", without a slash at the end.
    at: str
    #: ``module:name``, which the node runs; "": it is somewhere already.
    run: str = ""
    #: ``unix:PATH``, ``http+unix:PATH`` or ``http://HOST:PORT``, paths absolute; see :attr:`targets`.
    to: tuple[str, ...] = ()
    #: The interpreter that runs it; "": the node's own.
    python: str = ""
    #: The working directory of its processes, in which its modules are looked for first.
    folder: str = ""
    #: Environment variables on top of the node's own, by name.
    environment: tuple[tuple[str, str], ...] = ()
    processes: int = 1
    #: Of each process: requests that a WSGI application works on at once.
    threads: int = 8
    #: From the question to the first byte of the answer.
    timeout_seconds: int = 30
    #: Requests of one worker that the application has not begun to answer.
    queue: int = 256
    #: Of each process; 0: no limit.
    memory_mib: int = 0
    #: Globs of whole paths, as in cache rules.
    share: tuple[str, ...] = ()
    #: Globs of names of query parameters.
    ignore_query: tuple[str, ...] = ()
    #: Fields, in lower case, and the values told apart; all others are one more.
    vary: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Seconds beyond its lifetime for which a stored answer is served while the application fails.
    stale_if_error: int = 0
    #: What it is told as Host; "": what the visitor sent.
    host: str = ""
    #: The path that HTTP upstreams are asked every few seconds, whether they do well; "": none.
    probe: str = ""
    #: The prefix of its site (:mod:`edge.sites`).
    site: str = ""

    @property
    def targets(self) -> tuple[Target, ...]:
        """:attr:`to`, understood."""
        return tuple(map(_target, self.to))

    @property
    def is_hosted(self) -> bool:
        """Whether the node runs it."""
        return bool(self.run)

    def describe(self) -> str:
        """What it is and where, in a line."""
        return f"{self.name} at {self.at}: {self.run or ', '.join(self.to)}"


def is_under(route: bytes, at: bytes) -> bool:
    """Whether a path that is routed as *route* lies in the tree at the path *at*."""
    return at == b"/" or (route.startswith(at) and route[len(at) : len(at) + 1] in (b"", b"/"))


def answering(configured: Sequence[Application], path: bytes, prefix: bytes = b"") -> Application | None:
    """The application that answers *path* at the site with *prefix*, as its exact bytes are asked.

    None: none does.
    """
    route = canonical_path(path) or unambiguous_path(path)
    if route is None or is_under(route, b"/.edge"):
        return None
    site = prefix.decode("ascii", "replace")
    longest_first = sorted((one for one in configured if one.site == site), key=lambda one: -len(one.at))
    return next((one for one in longest_first if is_under(route, one.at.encode("ascii"))), None)


class Key(NamedTuple):
    """One key of a table ``[[app]]``."""

    #: (value from TOML, directory that relative names start from) -> value; raises :class:`Wrong`.
    read: Callable[[Any, Path], object]
    help: str
    #: "run" or "to": it has a meaning only beside that key.
    beside: str = ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong('write a text in quotes, like "text"')
    if not value.isprintable() or not value or len(value) > MAX_TEXT:
        raise Wrong(f"give 1 to {MAX_TEXT} printable characters")
    return value


def _texts(value: object) -> tuple[str, ...]:
    """A text, or a list of them, each once."""
    texts = tuple(map(_text, value if isinstance(value, list) else [value]))
    if len(texts) > MAX_ITEMS:
        raise Wrong(f"at most {MAX_ITEMS} are possible")
    return tuple(dict.fromkeys(texts))


def _whole(low: int, high: int) -> Callable[[Any, Path], object]:
    kind = integer(low, high)

    def read(value: Any, base: Path) -> object:
        if type(value) is not int:
            raise Wrong("write a whole number without quotes")
        return kind.read(str(value), base)

    return read


def _name(value: Any, base: Path) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", _text(value)):
        raise Wrong("give 1 to 32 letters, digits, dashes and underscores; the first a letter or digit")
    return str(value)


#: The segments of a path that an application can be at; what it is asked below it may have any bytes.
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~!$&'()*+,;=:@-]+")


def _at(value: Any, base: Path) -> str:
    text = _text(value)
    segments = text.strip("/").split("/") if text.strip("/") else []
    if not text.startswith("/") or not all(map(_SEGMENT.fullmatch, segments)):
        raise Wrong("give the path whose tree it answers, like / or /shop, without % and ?")
    if segments[:1] == [".edge"]:
        raise Wrong("/.edge is the node's own; choose another path")
    return "/" + "/".join(segments)


_RUN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def _run(value: Any, base: Path) -> str:
    text = _text(value)
    if not _RUN.fullmatch(text):
        raise Wrong('write "module:name", as in Python: "shop:app" is what app = ... in shop.py makes')
    return text


_TO = "give unix:PATH (edge-app/1), http+unix:PATH or http://HOST:PORT, or a list"


def _to(value: Any, base: Path) -> tuple[str, ...]:
    texts = tuple(_one_target(text, base) for text in _texts(value))
    if not texts:
        raise Wrong(_TO)
    if len({_target(text).kind == "unix" for text in texts}) > 1:
        raise Wrong(
            "all of them speak edge-app/1 (unix:), or all speak HTTP (http+unix:, http://); make two tables"
        )
    return texts


def _one_target(text: str, base: Path) -> str:
    kind, _, rest = text.partition(":")
    if kind in ("unix", "http+unix"):
        path = os.path.join(
            base, os.path.expanduser(rest.removeprefix("//") if kind == "http+unix" else rest)
        )
        if not rest.strip("/"):
            raise Wrong(f"{text}: {_TO}")
        try:
            check_unix_path(text, path)
        except ConfigError as error:
            raise Wrong(str(error)) from None
        return f"{kind}:{path}"
    if kind == "https":
        raise Wrong(
            f"{text}: applications are reached without TLS; give http://HOST:PORT, within a network you trust"
        )
    if kind == "http":
        rest = rest.removesuffix("/")
        address = rest.removeprefix("//")
        address = address if re.search(r":[0-9]+\Z", address) else f"{address}:80"
        try:
            host, port = split_address(address)
        except ValueError:
            raise Wrong(
                f"{text}: give scheme, host and port, like http://127.0.0.1:8000, without a path"
            ) from None
        if rest.startswith("//") and port:
            return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    raise Wrong(f"{text}: {_TO}")


def _target(text: str) -> Target:
    kind, _, rest = text.partition(":")
    if kind != "http":
        return Target(kind, path=rest)
    host, port = split_address(rest.removeprefix("//"))
    return Target(kind, host=host, port=port)


def _python(value: Any, base: Path) -> str:
    path = os.path.join(base, os.path.expanduser(_text(value)))
    return os.path.join(path, "bin", "python") if os.path.isdir(path) else path


def _folder(value: Any, base: Path) -> str:
    return os.path.abspath(os.path.join(base, os.path.expanduser(_text(value))))


#: What interpreters and loaders would run before anything else.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def _environment(value: Any, base: Path) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or len(value) > MAX_ITEMS:
        raise Wrong(f'write a table of at most {MAX_ITEMS} texts, like {{ DATABASE = "shop.sqlite" }}')
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name):
            raise Wrong(f"{name!r}: give letters, digits and underscores; the first no digit")
        if not isinstance(text, str) or "\0" in text:
            raise Wrong(f'{name}: write a text in quotes, like "text"')
    return tuple(sorted(value.items()))


def _share(value: Any, base: Path) -> tuple[str, ...]:
    globs = _texts(value)
    for glob in globs:
        if not glob.startswith("/"):
            raise Wrong(
                f'{glob}: write globs of whole paths, like "/shop/**"; * stops at a slash, ** does not'
            )
    return globs


def _ignore_query(value: Any, base: Path) -> tuple[str, ...]:
    globs = _texts(value)
    for glob in globs:
        if re.search(r"[=&?#\s]", glob.replace("?", "")):
            raise Wrong(f'{glob}: write names of parameters alone, like "utm_*"')
    return globs


#: Never in the question that fills the cache, or with a meaning of their own there.
_NO_VARY = {
    "cookie", "authorization", "proxy-authorization", "host", "forwarded", "connection", "te", "upgrade",
    "transfer-encoding", "content-length", "trailer", "range", "if-range", "if-match", "if-none-match",
    "if-modified-since", "if-unmodified-since", "accept-encoding", "origin", "referer", "user-agent",
}  # fmt: skip


def _vary(value: Any, base: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise Wrong(
            'write a table of fields and the values told apart, like { Accept-Language = ["en", "de"] }'
        )
    found, count = {}, 1
    for field, given in value.items():
        name = field.lower()
        if not re.fullmatch(r"[a-z0-9-]{1,64}", name) or name in found:
            raise Wrong(f"{field}: give the name of a request field, once, like Accept-Language")
        if name == "accept-encoding":
            raise Wrong("Accept-Encoding is told apart anyway; leave it out")
        if name in _NO_VARY or name.startswith("x-forwarded"):
            raise Wrong(
                f"{field}: what differs with it is not for sharing; answer with Cache-Control: private there"
            )
        values = _texts(given)
        if not values or any(not text.isascii() or text != text.strip() for text in values):
            raise Wrong(f'{field}: give the values told apart, like ["en", "de"]; all others are one more')
        found[name] = values
        count *= len(values) + 1
    if count > MAX_VARIANTS:
        raise Wrong(
            f"that makes {count} representations of each address, at most {MAX_VARIANTS} are possible; "
            "tell fewer values apart"
        )
    return tuple(found.items())


def _host(value: Any, base: Path) -> str:
    text = _text(value)
    if not text.isascii() or not HOST.fullmatch(text.encode()):
        raise Wrong('give a name, with a port if it needs one, like "shop.example" or "127.0.0.1:8000"')
    return text


def _probe(value: Any, base: Path) -> str:
    text = _text(value)
    if not text.startswith("/") or not text.isascii() or not TARGET.fullmatch(text.encode()):
        raise Wrong('give a path that answers 200 while all is well, like "/health"')
    return text


#: In the order of the reference.
KEYS: dict[str, Key] = {
    "name": Key(_name, "Its name in logs, metrics and `edgectl app`; else made of `run`, or of `at`."),
    "at": Key(
        _at,
        "The path whose whole tree it answers, like `/` or `/shop`; needed. The longest path that fits "
        "counts, and a file of the webroot wins over all.",
    ),
    "run": Key(
        _run,
        "`module:name`, which the node runs: a WSGI or ASGI application, a twisted.web resource, or what "
        "makes one of these; which of them is recognised.",
    ),
    "to": Key(
        _to,
        "Where it is already, instead of `run`: `unix:PATH` (edge-app/1), `http+unix:PATH` or "
        "`http://HOST:PORT` (HTTP/1.1); or a list.",
    ),
    "python": Key(
        _python, "The interpreter that runs it, or a virtual environment; else the node's own.", "run"
    ),
    "folder": Key(
        _folder,
        "Working directory of its processes, where its modules are looked for first; else the folder of the "
        "file, and of `--app` the working directory.",
        "run",
    ),
    "environment": Key(_environment, "A table of environment variables, on top of the node's own.", "run"),
    "processes": Key(_whole(1, 256), "Processes that run it; 1.", "run"),
    "threads": Key(
        _whole(1, 1024), "Requests that each process of a WSGI application works on at once; 8.", "run"
    ),
    "memory-mib": Key(
        _whole(0, 1 << 22),
        "MiB of memory (resident) above which a process is replaced; 0 = no limit, and the default.",
        "run",
    ),
    "timeout-seconds": Key(_whole(1, 3600), "Seconds until the answer has to begin, then 504; 30."),
    "queue": Key(
        _whole(1, 1_000_000),
        "Requests of one worker that the application may leave unanswered at once; above it 503 without "
        "waiting; of these no address has more than it leaves free; 256.",
    ),
    "share": Key(
        _share,
        "Globs of paths whose first request fills the cache already, without Cookie and Authorization: "
        "what is asked there is the same for all, and a bare max-age or Expires is enough to be shared.",
    ),
    "ignore-query": Key(
        _ignore_query,
        "Globs of query parameters that answers do not depend on, like `utm_*`; the application is asked "
        "without them.",
    ),
    "vary": Key(
        _vary,
        "A table of request fields and the values that are told apart, like "
        '`{ Accept-Language = ["en", "de"] }`; each other value counts as none.',
    ),
    "stale-if-error": Key(
        _whole(0, 31_536_000),
        "Seconds for which a stored answer goes on to be served while the application fails, unless that "
        "answer said so itself; 0.",
    ),
    "host": Key(
        _host, "What it is told as `Host`, whatever the visitor asked for; else what the visitor sent."
    ),
    "probe": Key(
        _probe,
        "A path that each HTTP upstream is asked every 5 seconds; one that does not answer 200 to 399 is "
        "left out until it does.",
        "to",
    ),
}


#: Keys whose values are told to nobody: what starts a node logs what is wrong with them.
_SECRET = frozenset({"environment"})


def application_of(table: dict[str, Any], place: str, base: Path) -> Application:
    """The application that *table* describes; :class:`WrongTables` : problems, each after *place*."""
    problems: list[str] = []
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in KEYS:
            problems.append(f"{place}: unknown key {key!r}; {_nearest(name)}")
        elif name in found:
            problems.append(f"{place}: {key} is there in both spellings; remove one")
        else:
            found[name] = None  # also when it is wrong: it was said
            try:
                found[name] = KEYS[name].read(value, base)
            except Wrong as wrong:
                shown = "..." if name in _SECRET else _shown(value)
                problems.append(f"{place}: {key} = {shown}: {wrong}")
    problems += [f"{place}: {problem}" for problem in _contradictions(found)]
    if problems:
        raise WrongTables(problems)
    found.setdefault("name", _made_name(found))
    if "run" in found:
        found.setdefault("folder", str(base))
    return Application(**{key.replace("-", "_"): value for key, value in found.items()})


def _contradictions(found: dict[str, Any]) -> Iterable[str]:
    if "at" not in found:
        yield 'at is missing; give the path that it answers, like at = "/"'
    if "run" in found and "to" in found:
        yield "run and to exclude each other; keep run if the node is to run it, to if it runs elsewhere"
    elif "run" not in found and "to" not in found:
        yield 'neither run nor to; give run = "module:name", or to = "http://127.0.0.1:8000"'
    elif "run" in found:
        if "probe" in found:
            yield "probe is for HTTP upstreams (to), and the node runs this; remove probe"
    else:
        if "probe" in found and any(_target(text).kind == "unix" for text in found["to"] or ()):
            yield "probe is for HTTP upstreams, and this speaks edge-app/1 (unix:); remove probe"
        for key in found:
            if KEYS[key].beside == "run":
                yield f"{key} is for what the node runs, and this runs elsewhere (to); remove {key}"


def _made_name(found: dict[str, Any]) -> str:
    source = found["run"].split(":")[0].split(".")[0] if "run" in found else found["at"].strip("/") or "root"
    return (re.sub(r"[^A-Za-z0-9_-]+", "-", source).strip("-_") or "app")[:32]


def application_of_text(text: str, base: Path) -> Application:
    """The application that ``PATH=WHAT`` describes; raises :class:`Wrong`."""
    at, equals, what = text.partition("=")
    if not equals or not what:
        raise Wrong(
            "write /PATH=module:name, /PATH=http://HOST:PORT, /PATH=http+unix:PATH or /PATH=unix:PATH"
        )
    elsewhere = re.match(r"(?:unix|http|https|http\+unix):", what) is not None
    table = {"at": at, "to": what.split(",")} if elsewhere else {"at": at, "run": what}
    try:
        return application_of(table, "", base)
    except WrongTables as wrong:
        raise Wrong(str(wrong).removeprefix(": ")) from None


def _from_toml(value: object, base: Path) -> tuple[Application, ...]:
    """All tables ``[[app]]``; a list of texts is read as on the command line."""
    items = value if isinstance(value, list) else [value]
    applications: list[Application] = []
    problems: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            if isinstance(item, dict):
                applications.append(application_of(item, _place(item, number), base))
            else:
                applications.append(application_of_text(_text(item), base))
        except WrongTables as wrong:
            problems += wrong.lines
        except Wrong as wrong:
            problems.append(f"app = {_shown(item)}: {wrong}")
    if problems:
        raise WrongTables(problems)
    return tuple(applications)


def _place(table: dict[str, Any], number: int) -> str:
    called = table.get("name", table.get("at"))
    return f"[[app]] number {number}" + (
        f" ({called[:32]})" if isinstance(called, str) and called.isprintable() else ""
    )


def contradictions(applications: Sequence[Application], mounts: Sequence[str]) -> Iterable[str]:
    """What of several *applications*, and of *mounts*, cannot be together, a sentence each."""
    if len(applications) > MOST_APPLICATIONS:
        yield (
            f"app: {len(applications)} applications, at most {MOST_APPLICATIONS} are possible on a node; "
            "have one of them serve several paths, or give others a node of their own"
        )
    for name, count in Counter(one.name for one in applications).items():
        if count > 1:
            yield f"app {name}: {count} applications have this name; give each its own, by name in [[app]]"
    for (site, at), count in Counter((one.site, one.at) for one in applications).items():
        if count > 1:
            place = f"{at} of {site}" if site else at
            yield f"app {place}: {count} applications are at this path; choose another at for all but one"
    mounted = {f"/{match['path']}" for match in map(MOUNT.fullmatch, mounts) if match is not None}
    for at in sorted(mounted & {one.at for one in applications if not one.site}):
        yield f"app {at}: a mount is at this path, too; remove one"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, KEYS, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KEYS)}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


APPLICATIONS = Kind("/PATH=WHAT", application_of_text, repeated=True, tables=_from_toml)
