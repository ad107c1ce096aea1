"""The kinds of values that settings have: each reads text, and text alone says everything.

A value from TOML has a type of its own (:attr:`Kind.type`); it is checked, and then read as its text.
So the command line and the file can never understand a value differently.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from edge.addresses import Glob
from edge.endpoint import ListenSpec, check_unix_path, parse_endpoint
from edge.errors import ConfigError
from edge.networks import networks_of
from edge.publish.injection import Pages
from edge.publish.rules import CacheRules
from edge.publish.types import checked_type

#: Where collectors take traces, below a base URL (OTLP 1.x, OTLP/HTTP Request).
TRACES_PATH = "v1/traces"
#: Of Linux: NAME_MAX, and PATH_MAX without the zero at its end.
NAME_BYTES, PATH_BYTES = 255, 4095


class Wrong(ValueError):
    """A value is wrong; str() is the remedy or the reason with it, without the setting's name."""


class WrongTables(Wrong):
    """Tables of the file are wrong: each of *lines* names the table, the key and the remedy."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Kind:
    """One kind of value."""

    #: What stands for the value in help texts.
    metavar: str
    #: (text, directory that relative names start from) -> value; raises :class:`Wrong`.
    read: Callable[[str, Path], object]
    #: What TOML must give: str, int or bool.
    type: type = str
    #: Several values, as a tuple: the option may be repeated.
    repeated: bool = False
    #: Names to choose from, for shell completion.
    choices: tuple[str, ...] = ()
    #: Of whole numbers: the least and the greatest.
    bounds: tuple[int, int] | None = None
    #: "file" or "directory", for shell completion.
    completes: str = ""
    #: What reads all of TOML's value at once, because it is made of tables.
    tables: Callable[[object, Path], tuple[object, ...]] | None = None

    def from_toml(self, value: object, base: Path) -> object:
        """The value that TOML's *value* means; raises :class:`Wrong`."""
        if self.tables is not None:
            return self.tables(value, base)
        if not self.repeated:
            return self._one(value, base)
        items = value if isinstance(value, list) else [value]
        return tuple(self._one(item, base) for item in items)

    def _one(self, value: object, base: Path) -> object:
        if type(value) is not self.type and not (self.type is float and type(value) is int):
            raise Wrong(_TYPE_REMEDIES[self.type])
        return value if self.type is bool else self.read(str(value), base)


_TYPE_REMEDIES: dict[type, str] = {
    str: 'write a text in quotes, like "text"',
    int: "write a whole number without quotes",
    float: "write a number without quotes, like 0.1",
    bool: "write true or false without quotes",
}


def integer(low: int, high: int) -> Kind:
    """Whole numbers from *low* to *high*."""

    def read(text: str, base: Path) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise Wrong(f"give a whole number from {low} to {high}")
        return int(text)

    return Kind("N", read, int, bounds=(low, high))


def choice(*names: str) -> Kind:
    """Words: one of *names*."""

    def read(text: str, base: Path) -> str:
        if text not in names:
            raise Wrong(f"choose one of {', '.join(names)}")
        return text

    return Kind("|".join(names), read, choices=names)


def _share(text: str, base: Path) -> float:
    is_number = re.fullmatch(r"(?:0|1|0?\.[0-9]+|[01]\.0+|[0-9](?:\.[0-9]+)?e-[0-9]+)", text) is not None
    if len(text) > 20 or not is_number or float(text) > 1:  # 9e-0
        raise Wrong("give a number from 0 (none) to 1 (all), like 0.1")
    return float(text)


def _absolute(text: str, base: Path) -> Path:
    if not text or "\0" in text:
        raise Wrong("give a path")
    try:
        path = base / Path(text).expanduser()
    except RuntimeError as error:
        raise Wrong(f"{error}; write the path out") from None
    if len(os.fsencode(path)) > PATH_BYTES or any(len(os.fsencode(part)) > NAME_BYTES for part in path.parts):
        raise Wrong(f"a name has {NAME_BYTES} bytes at most, and a path {PATH_BYTES}; give a shorter one")
    return path


def _existing_directory(text: str, base: Path) -> Path:
    path = _absolute(text, base)
    try:
        is_directory = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise Wrong("there is no such directory; make it or name another one") from None
    except OSError as error:
        raise Wrong(f"it cannot be looked at ({error.strerror}); name a directory that can") from None
    if not is_directory:
        raise Wrong("this is a file; name the directory that holds the site")
    return path


def _webroot(text: str, base: Path) -> Path | None:
    return None if text == "none" else _existing_directory(text, base)


def _log_file(text: str, base: Path) -> str:
    return text if text in ("-", "journal") else str(_absolute(text, base))


def _name(text: str, base: Path) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", text):
        raise Wrong("give 1 to 63 letters, digits, dots and dashes; the first and the last a letter or digit")
    return text


def _user(text: str, base: Path) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", text):
        raise Wrong("give the name of a user, as in /etc/passwd")
    return text


def _endpoint(text: str, base: Path) -> ListenSpec:
    """An endpoint, or :class:`Wrong` with all but the text itself, which the caller names."""
    try:
        spec = parse_endpoint(text).resolved(base)
        if spec.kind == "unix":
            check_unix_path(spec.text, spec.path)
    except ConfigError as error:
        raise Wrong(str(error).removeprefix(f"{text}: ")) from None
    return spec


def _listen(text: str, base: Path) -> str:
    return _endpoint(text, base).text


def _admin(text: str, base: Path) -> str:
    spec = _endpoint(text, base)
    if spec.kind == "unix" or (spec.kind == "tcp" and spec.is_loopback):
        return spec.text
    raise Wrong(
        "who reaches it rules the node, therefore only this machine may: "
        "give unix:PATH or tcp:PORT:interface=127.0.0.1"
    )


def _web_address(text: str, remedy: str) -> str:
    """Scheme, host and port of *text* as an origin is serialized (RFC 6454 section 6.2)."""
    if not re.fullmatch(r"[!-~]+", text):  # urlsplit leaves out tabs and line ends, and KELVIN SIGN is a k
        raise Wrong(remedy)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Wrong(remedy) from None
    host = parts.hostname or ""
    wrong_host = re.search(r"[^a-z0-9.:_-]", host) is not None or not host
    if parts.scheme not in ("http", "https") or wrong_host or parts.path not in ("", "/"):
        raise Wrong(remedy)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise Wrong(remedy)
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}" + ("" if port in (None, default) else f":{port}")


def _public_url(text: str, base: Path) -> str:
    return _web_address(text, "give scheme and host as browsers see them, like https://n1.example.org")


def _collector(text: str, base: Path) -> str:
    """Where spans are sent to: with a path as it is, without one below it (OTLP's own rule for base URLs)."""
    remedy = "give a collector's address for OTLP over HTTP, like http://127.0.0.1:4318"
    if not re.fullmatch(r"[!-~]{1,1000}", text):
        raise Wrong(remedy)
    if "@" in text or "?" in text or "#" in text:
        raise Wrong(f"{remedy}; secrets belong into OTEL_EXPORTER_OTLP_HEADERS of the node's environment")
    path = text.partition("://")[2].partition("/")[2]
    origin = _web_address(text.removesuffix(path), remedy)
    return f"{origin}/{path.rstrip('/') or TRACES_PATH}"


_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def _dns_name(text: str, base: Path) -> str:
    name = text.lower().rstrip(".") if text.isascii() else ""  # of others some have a letter in lower case
    if name.startswith("*."):
        raise Wrong("names with * need a challenge by DNS, which is not supported; give each name")
    if not _DNS_NAME.fullmatch(name):
        raise Wrong("give a name as it is in the DNS, like www.example.org (other letters as xn--...)")
    return name


def _email(text: str, base: Path) -> str:
    if not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+", text):
        raise Wrong("give an address, like admin@example.org")
    return text


def _directory_url(text: str, base: Path) -> str:
    if not re.fullmatch(r"https://[!-~]+", text):
        raise Wrong("give the URL of an ACME directory, which begins with https://")
    return text


#: Strict-Transport-Security, RFC 6797 section 6.1, and preload, which browsers' lists ask for.
_HSTS = re.compile(r"max-age=[0-9]{1,10}(?:; ?includeSubDomains)?(?:; ?preload)?")


#: Characters of a path that goes out in a field.
_LONGEST_PATH = 200


def _hsts(text: str, base: Path) -> str:
    if text in ("", "none"):
        return ""
    if not _HSTS.fullmatch(text):
        raise Wrong(
            "give max-age=SECONDS, and after it ; includeSubDomains or ; includeSubDomains; preload, or none"
        )
    return text


def _site_path(text: str, base: Path) -> str:
    if len(text) > _LONGEST_PATH or not re.fullmatch(r"/[!#-\[\]-~]*", text):
        raise Wrong(f"give a path of the site, like /rules.json, of {_LONGEST_PATH} characters at most")
    return text


def _origin(text: str, base: Path) -> str:
    if text == "*":
        return text
    return _web_address(text, "give an origin, like https://www.example.org, or * for every one")


#: ``/path=module:name[:argument]``; its parts by name.
MOUNT = re.compile(
    r"/(?P<path>(?!\.{1,2}=|\.edge=)[A-Za-z0-9._~-]+)=(?P<module>[\w.]+):(?P<name>\w+)(?::(?P<argument>.+))?"
)


def _mount(text: str, base: Path) -> str:
    if not MOUNT.fullmatch(text):
        raise Wrong("write /path=module:name or /path=module:name:argument; one segment, not .edge")
    return text


def split_address(text: str) -> tuple[str, int]:
    """(host, port) of ``HOST:PORT``, ``[IPV6]:PORT``; raises :class:`ValueError`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(text)
    if not colon or not re.fullmatch(r"[A-Za-z0-9.:_-]+", host) or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError(text)
    if int(port) > 65_535:
        raise ValueError(text)
    return host, int(port)


def _address(text: str, base: Path) -> str:
    try:
        split_address(text)
    except ValueError:
        raise Wrong("give HOST:PORT, like 10.0.0.1:7000 or [2001:db8::1]:7000") from None
    return text


def _gossip(text: str, base: Path) -> str:
    _address(text, base)
    try:
        address = ip_address(split_address(text)[0])
    except ValueError:
        raise Wrong("give an address of this machine in numbers and a port, like 10.0.0.1:7000") from None
    if address.is_unspecified:
        raise Wrong("the other nodes have to reach this address: give the one of an interface")
    return text


def checked_cache_rule(glob: str, value: str) -> tuple[str, str]:
    """The rule (*glob*, *value*); raises :class:`Wrong`."""
    try:
        CacheRules([(glob, value)])
    except ConfigError as error:
        raise Wrong(str(error)) from None
    return glob, value


def _pages(text: str, base: Path) -> str:
    try:
        Pages([text])
    except ConfigError:
        raise Wrong(
            "an empty glob matches nothing; write for example /blog/**, or ** for all pages"
        ) from None
    return text


def _cache_rule(text: str, base: Path) -> tuple[str, str]:
    glob, equals, value = text.partition("=")
    if not (glob and equals and value):
        raise Wrong("give a glob and a Cache-Control value, like '/news/*=max-age=60'")
    return checked_cache_rule(glob, value)


def _cache_rules_from_toml(value: object, base: Path) -> tuple[object, ...]:
    rules: list[tuple[str, str]] = []
    problems: list[str] = []
    for number, item in enumerate(value if isinstance(value, list) else [value], 1):
        place = f"[[cache]] number {number}: "
        wrong = list(_wrong_in_cache_rule(item))
        problems += [place + one for one in wrong]
        if not wrong and isinstance(item, dict):
            try:
                rules.append(checked_cache_rule(item["glob"], item["value"]))
            except Wrong as error:
                problems.append(f"{place}value = {item['value']!r}: {error}")
    if problems:
        raise WrongTables(problems)
    return tuple(rules)


def _wrong_in_cache_rule(item: object) -> Iterator[str]:
    example = 'write tables [[cache]] with glob = "*.css" and value = "max-age=600"'
    if not isinstance(item, dict):
        yield example
        return
    for key in item:
        if key not in ("glob", "value"):
            yield f"unknown key {key!r}; {example}"
    for key in ("glob", "value"):
        if key not in item:
            yield f"{key} is missing; {example}"
        elif not isinstance(item[key], str):
            yield f"{key} = {item[key]}: {example}"


def _type(text: str, base: Path) -> tuple[str, str]:
    name, equals, type_ = text.partition("=")
    if not equals:
        raise Wrong("give a name and a media type, like .webmanifest=application/manifest+json")
    return _checked_type(name.strip(), type_.strip())


def _checked_type(name: str, type_: object) -> tuple[str, str]:
    if not isinstance(type_, str):
        raise Wrong(f"{name!r}: {_TYPE_REMEDIES[str]}")
    try:
        return checked_type(name, type_)
    except ConfigError as error:
        raise Wrong(str(error)) from None


def _types_from_toml(value: object, base: Path) -> tuple[object, ...]:
    if isinstance(value, dict):
        types, problems = [], []
        for name, type_ in value.items():
            try:
                types.append(_checked_type(name, type_))
            except Wrong as wrong:
                problems.append(f"[types] {name} = {type_!r}: {wrong}"[:300])
        if problems:
            raise WrongTables(problems)
        return tuple(types)
    if isinstance(value, (str, list)):
        return tuple(_type(text, base) for text in _texts(value))
    raise Wrong('write a table [types] with lines like ".webmanifest" = "application/manifest+json"')


def _listing(text: str, base: Path) -> str:
    try:
        return Glob(text).pattern
    except ConfigError as error:
        raise Wrong(str(error)) from None


def _listings_from_toml(value: object, base: Path) -> tuple[object, ...]:
    if isinstance(value, bool):
        return ("/**",) if value else ()
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        if any(set(one) != {"path"} for one in value):
            raise Wrong('a table [[listing]] has the key path, like path = "/pub/**", and no other')
        value = [one["path"] for one in value]
    if isinstance(value, (str, list)):
        return tuple(_listing(text, base) for text in _texts(value))
    raise Wrong('write listing = true for all folders, or listing = ["/pub/**"]')


def _texts(value: str | list[object]) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in texts):
        raise Wrong(_TYPE_REMEDIES[str])
    return texts  # type: ignore[return-value]


def _proxies(text: str, base: Path) -> str:
    try:
        networks_of([text])
    except ValueError:
        raise Wrong(
            "give a network like 10.0.0.0/8 or 2001:db8::/32, one address, or unix for Unix sockets"
        ) from None
    return text


def _service(text: str, base: Path) -> str:
    if not text.isprintable() or not 1 <= len(text) <= 255 or text != text.strip():
        raise Wrong("give 1 to 255 printable characters, as traces are to be found by it")
    return text


def _no_text(text: str, base: Path) -> object:
    raise Wrong("this is a flag and takes no value")


FLAG = Kind("", _no_text, bool)
DIRECTORY = Kind("DIR", _absolute, completes="directory")
WEBROOT = Kind("DIR|none", _webroot, completes="directory")
FILE = Kind("FILE", _absolute, completes="file")
LOG_FILE = Kind("FILE", _log_file, completes="file")
NAME = Kind("NAME", _name)
USER = Kind("USER", _user)
ENDPOINTS = Kind("ENDPOINT", _listen, repeated=True)
ADMIN = Kind("ENDPOINT", _admin)
URL = Kind("URL", _public_url)
COLLECTOR = Kind("URL", _collector)
SHARE = Kind("SHARE", _share, float)
SERVICE = Kind("NAME", _service)
NAMES = Kind("NAME", _dns_name, repeated=True)
EMAIL = Kind("ADDRESS", _email)
DIRECTORY_URL = Kind("URL", _directory_url)
HSTS = Kind("VALUE", _hsts)
SITE_PATH = Kind("/PATH", _site_path)
GOSSIP = Kind("ADDRESS:PORT", _gossip)
PROXIES = Kind("NETWORK", _proxies, repeated=True)
PEERS = Kind("HOST:PORT", _address, repeated=True)
ORIGINS = Kind("ORIGIN", _origin, repeated=True)
MOUNTS = Kind("/PATH=MODULE:NAME[:ARGUMENT]", _mount, repeated=True)
PAGES = Kind("GLOB", _pages, repeated=True)
CACHE_RULES = Kind("GLOB=VALUE", _cache_rule, repeated=True, tables=_cache_rules_from_toml)
TYPES = Kind("NAME=TYPE", _type, repeated=True, tables=_types_from_toml)
LISTINGS = Kind("GLOB", _listing, repeated=True, tables=_listings_from_toml)
