"""From command line and TOML file to a :class:`Config`: command line over file over defaults.

All problems are found in one go, a line each: ``PLACE: REMEDY`` with the value that is wrong.  Relative
file names start from the working directory on the command line, and from the file's own directory
in the file, so that a folder with a configuration can be moved as a whole.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import re
import select
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.config.access import access_contradictions
from edge.config.addresses import address_contradictions
from edge.config.applications import contradictions
from edge.config.lines import Lines
from edge.config.model import Config
from edge.config.settings import SETTINGS
from edge.config.sites import site_contradictions
from edge.config.values import Wrong, WrongTables
from edge.endpoint import check_unix_path, parse_endpoint
from edge.errors import ConfigError, plain
from edge.networks import MAX_NETWORKS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


#: Of a configuration file: 200,000 redirects are half of it.
MOST_BYTES = 32 << 20
#: Seconds within which who writes a pipe has to begin.
PATIENCE_SECONDS = 5.0


def load(given: Mapping[str, bool | list[str]], file: Path | None = None) -> Config:
    """The configuration that *given* and *file* make.

    *given*: what the command line said, by name with dashes: a bool for flags, else the texts in
    the order given.  :class:`ConfigError` with a line for each problem.
    """
    problems: list[str] = []
    found: dict[str, Any] = {}
    if file is not None:
        file = file.absolute()
        _take_file(file, found, problems)
    for name, said in given.items():
        setting = SETTINGS[name]
        if isinstance(said, bool):
            found[setting.attribute] = said
            continue
        said = said if setting.kind.repeated else said[-1:]
        values = [_take(problems, name, text) for text in said]
        found[setting.attribute] = tuple(values) if setting.kind.repeated else values[0]
    if found.get("site"):
        found["top"] = any(name in found for name in ("webroot", "app", "mount"))
        found.setdefault("webroot", None)  # the demonstration is for who names no folder at all
    if not problems:
        config = Config(**found, file=file, given=dict(given))
        try:
            check_unix_path(f"--admin {config.admin}", config.admin_endpoint.path)
        except ConfigError as error:
            raise ConfigError(f"{error}, like --admin unix:/run/edge/{config.node}.sock") from None
        try:
            _compare(config)
        except ConfigError as error:
            raise ConfigError("\n".join(placed(config, one) for one in str(error).splitlines())) from None
        return config
    raise ConfigError(plain("\n".join(problems)))


def _compare(config: Config) -> None:
    """Raise :class:`ConfigError` where settings contradict each other."""
    problems = [*contradictions(config.applications, config.mount), *site_contradictions(config.sites)]
    for site in config.sites:
        problems += [
            f"site {site.name}: {one}" if site.name else one
            for one in (*address_contradictions(site), *access_contradictions(site))
        ]
    if problems:
        raise ConfigError("\n".join(problems))
    seen: set[tuple[str, int, str]] = set()
    for spec in map(parse_endpoint, config.listen):
        place = (spec.interface, spec.port, spec.path)
        if place in seen and (spec.port or spec.path):
            raise ConfigError(
                f"--listen {spec.text}: {spec.path or f'port {spec.port}'} is listened on by another one "
                "already; leave one of them out"
            )
        seen.add(place)
    secure = [spec for spec in map(parse_endpoint, config.listen) if spec.kind == "tls"]
    bare = [spec for spec in secure if not spec.files]
    if config.inject_client and not config.smart_client:
        raise ConfigError(
            "--inject-client: with --no-smart-client there is nothing that the tag could name; "
            "leave out one of them"
        )
    for name, networks in (
        ("proxy-protocol", config.proxy_protocol),
        ("trusted-proxies", config.trusted_proxies),
    ):
        if len(networks) > MAX_NETWORKS:
            raise ConfigError(
                f"--{name}: {len(networks)} networks, at most {MAX_NETWORKS} are possible; join some"
            )
    if config.redirect_https and not secure:
        raise ConfigError(
            "--redirect-https: this node listens nowhere for HTTPS, so nobody could follow; "
            "add --listen tls:443 and its certificate"
        )
    certified = [site for site in config.site if site.certificate is not None]
    if certified and not secure:
        raise ConfigError(
            f"[[site]] {certified[0].name}: no listener would show its certificate; add --listen tls:443"
        )
    if bare and not config.automatic_names and not certified:
        raise ConfigError(
            f"--listen {bare[0].text}: it has no certificate; "
            "add :privateKey=FILE:certKey=FILE, or have one got by itself: --tls-auto www.example.org"
        )
    if config.tls_auto and not bare:
        raise ConfigError(
            f"--tls-auto {config.tls_auto[0]}: no listener would have that certificate; "
            "add --listen tls:443, without files"
        )


def reload(config: Config) -> Config:
    """The same command line with the file as it is now; :class:`ConfigError` as with :func:`load`."""
    return load(config.given, config.file)


def _take(problems: list[str], name: str, text: str) -> Any:
    """What the option *name* makes of *text*; if it cannot, a line is added to *problems*."""
    try:
        return SETTINGS[name].kind.read(text, Path.cwd())
    except Wrong as wrong:
        shown = text if len(text) <= 80 else text[:77] + "..."
        problems.append("--{} {}: {}".format(name, shown.replace("\n", "\\n"), wrong))
        return None


def _take_file(file: Path, found: dict[str, Any], problems: list[str]) -> None:
    """Put what *file* sets into *found*, by attribute."""
    try:
        text = _text_of(file)
        document = tomllib.loads(text)
    except OSError as error:
        problems.append(f"--config {file}: cannot be read ({error.strerror}); name a TOML file")
        return
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(
            f"{file}:{line}: this is not TOML: byte {error.object[error.start]:#04x} is not UTF-8; save the "
            "file as UTF-8"
        )
        return
    except RecursionError:
        problems.append(f"{file}: this is not TOML: its lists lie too deep one inside the other; is this it?")
        return
    except tomllib.TOMLDecodeError as error:
        found_at = re.search(r" \(at line (\d+), column \d+\)\Z", str(error))
        place = f"{file}:{found_at[1]}" if found_at is not None else str(file)
        problems.append(f"{place}: this is not TOML: {error}; see https://toml.io for how it is written")
        return
    except ValueError:  # Python reads no number of so many digits
        problems += _placed(file, text, [f"{_longest_number(text)}: {_TOO_LONG}"])
        return
    wrong_here = [f"{key}: {_TOO_LONG}" for key, value in document.items() if not _has_whole_numbers(value)]
    if wrong_here:  # nor can it write them
        problems += _placed(file, text, wrong_here)
        return
    seen: dict[str, str] = {}
    for key, value in document.items():
        name = key.replace("_", "-")
        setting = SETTINGS.get(name)
        if setting is None:
            wrong_here.append(f"unknown key {key!r}; {_nearest(name)}")
        elif name in seen:
            wrong_here.append(f"{key} and {seen[name]} are the same key; remove one")
        else:
            seen[name] = key
            try:
                found[setting.attribute] = setting.kind.from_toml(value, file.parent)
            except WrongTables as wrong:
                wrong_here += wrong.lines
            except Wrong as wrong:
                wrong_here.append(f"{key} = {_shown(value)}: {wrong}")
    if wrong_here:
        problems += _placed(file, text, wrong_here)


#: What is to be done about a number beyond 64 bits (TOML 1.0, Integer).
_TOO_LONG = "this is not TOML: a whole number has at most 64 bits; give a smaller one"


def _has_whole_numbers(value: object) -> bool:
    """Whether all whole numbers within *value* are of TOML's 64 bits."""
    if isinstance(value, dict):
        return all(map(_has_whole_numbers, value.values()))
    if isinstance(value, list):
        return all(map(_has_whole_numbers, value))
    return not isinstance(value, int) or -(1 << 63) <= value < 1 << 63


def _longest_number(text: str) -> str:
    """The key on the line of *text* with the most digits in a row."""
    line = max(text.splitlines(), key=lambda line: max(map(len, re.findall(r"[0-9_]+", line)), default=0))
    return line.partition("=")[0].strip()[:64]


def _text_of(file: Path) -> str:
    """The text of *file*, no longer than any that is meant; a pipe is read, too."""
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as opened:
        if stat.S_ISFIFO(os.fstat(fd).st_mode) and not select.select([fd], [], [], PATIENCE_SECONDS)[0]:
            raise OSError(errno.ENODATA, "it is a pipe that nobody writes")
        os.set_blocking(fd, True)
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"more than {MOST_BYTES >> 20} MiB")
    return data.decode("utf-8")


def _placed(file: Path, text: str, problems: list[str]) -> list[str]:
    """*problems* of the *file* with that *text*, each behind its place: ``FILE:LINE: ...``."""
    lines = Lines(text)
    return [f"{file}:{lines.of(one)}: {one}" if lines.of(one) else f"{file}: {one}" for one in problems]


def placed(config: Config, problem: str) -> str:
    """*problem* behind the place in the file of *config* that it is about, if it stands in one.

    For what several settings come to together, and for what this machine makes of them.
    """
    option = re.match(r"--(?:no-)?([a-z0-9-]+)", problem)
    if config.file is None or problem.startswith("/") or (option and option[1] in config.given):
        return problem
    try:
        line = Lines(config.file.read_text("utf-8")).near(problem)
    except (OSError, UnicodeDecodeError):
        return problem
    if line is not None:
        return f"{config.file}:{line}: {problem}"
    return problem if option else f"{config.file}: {problem}"


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, SETTINGS, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(SETTINGS))}"


def _shown(value: object) -> str:
    """*value* nearly as TOML writes it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
