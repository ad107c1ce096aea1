"""From command line and TOML file to a :class:`Config`: command line over file over defaults.

All problems are found in one go, a line each: ``PLACE: REMEDY`` with the value that is wrong.  Relative
file names start from the working directory on the command line, and from the file's own directory
in the file, so that a folder with a configuration can be moved as a whole.
"""

from __future__ import annotations

import difflib
import json
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
from edge.errors import ConfigError
from edge.networks import MAX_NETWORKS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


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
        _compare(config)
        return config
    raise ConfigError("\n".join(problems))


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
        problems.append(f"--{name} {text}: {wrong}")
        return None


def _take_file(file: Path, found: dict[str, Any], problems: list[str]) -> None:
    """Put what *file* sets into *found*, by attribute."""
    try:
        text = file.read_text("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        problems.append(f"--config {file}: cannot be read ({error.strerror}); name a TOML file")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        problems.append(f"{file}: this is not TOML: {error}")
        return
    wrong_here: list[str] = []
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


def _placed(file: Path, text: str, problems: list[str]) -> list[str]:
    """*problems* of the *file* with that *text*, each behind its place: ``FILE:LINE: ...``."""
    lines = Lines(text)
    return [f"{file}:{lines.of(one)}: {one}" if lines.of(one) else f"{file}: {one}" for one in problems]


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, SETTINGS, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(SETTINGS))}"


def _shown(value: object) -> str:
    """*value* nearly as TOML writes it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
