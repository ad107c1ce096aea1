"""Where to listen: Twisted's endpoint strings, read into a :class:`ListenSpec`.

The supervisor opens the sockets itself (one per worker), so it needs to know what a string means, and
not only an endpoint object.  The grammar is Twisted's (``twisted.internet.endpoints.serverFromString``)::

    endpoint = kind *( ":" argument )
    argument = value / name "=" value
    value    = any characters; ":" "=" and "\\" are written with a "\\" before them

    tcp:PORT[:interface=ADDRESS][:backlog=N]             IPv4, or what interface says
    tcp4:PORT...  tcp6:PORT...                           0.0.0.0 and :: where no interface is given
    tls:PORT[:interface=ADDRESS][:backlog=N]             with the certificate of --tls-auto
    tls:PORT:privateKey=FILE:certKey=FILE[:extraCertChain=FILE]...[:interface=ADDRESS][:backlog=N]
    ssl:...                                              the same as tls
    unix:PATH[:mode=OCTAL][:owner=USER][:group=GROUP][:backlog=N]
    systemd:domain=INET|INET6|UNIX:index=N               or name=NAME instead of index

``port=``, ``address=`` (of unix) may be written out, as in Twisted.  Four deviations: an interface is
a numeric address or ``localhost``; ``lockfile=`` is not needed, a dead server's Unix socket is recognised
without one; that socket may have an owner and a group; and a TLS listener may have several certificates: the
first ``privateKey`` belongs to the first ``certKey`` (and ``extraCertChain``), the second to the second, and
so on.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import ConfigError

#: Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn (4096 by default).
DEFAULT_BACKLOG = 4096
#: Bytes of a Unix socket's path (unix(7): sun_path without its NUL).
MAX_UNIX_PATH = 107

_KINDS = {
    "tcp": "tcp",
    "tcp4": "tcp",
    "tcp6": "tcp",
    "tls": "tls",
    "ssl": "tls",
    "unix": "unix",
    "systemd": "systemd",
}
#: A user or a group, by name or by number; numbers have 32 bits.
_WHO = re.compile(r"(?=[0-9]{0,9}(?:[^0-9]|\Z))[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
_EXAMPLES = {
    "tcp": "tcp:8080 or tcp:8080:interface=127.0.0.1",
    "tls": "tls:443:privateKey=key.pem:certKey=cert.pem",
    "unix": "unix:/run/edge/http.sock:mode=660",
    "systemd": "systemd:domain=INET:index=0",
}
_ARGUMENTS = {
    "tcp": ("port", "interface", "backlog"),
    "tls": ("port", "privateKey", "certKey", "extraCertChain", "interface", "backlog"),
    "unix": ("address", "mode", "owner", "group", "backlog"),
    "systemd": ("domain", "index", "name"),
}
_POSITIONAL = {"tcp": "port", "tls": "port", "unix": "address", "systemd": "domain"}
#: Arguments that may be given several times, once for each certificate.
_REPEATED = ("certKey", "privateKey", "extraCertChain")


class CertificateFiles(NamedTuple):
    """The PEM files of a certificate; *certificate* may hold the chain after it, or *chain* does."""

    certificate: str
    key: str
    chain: str | None = None

    def resolved(self, base: Path) -> CertificateFiles:
        """The same with relative names taken from the directory *base*."""
        chain = None if self.chain is None else os.path.join(base, self.chain)
        return CertificateFiles(os.path.join(base, self.certificate), os.path.join(base, self.key), chain)


@dataclass(frozen=True)
class ListenSpec:
    """One endpoint string, understood.  What a kind does not have keeps its default."""

    #: "tcp", "tls", "unix" or "systemd".
    kind: str
    #: As the user wrote it, for messages.
    text: str = field(default="", compare=False)
    #: Numeric address, "" = all of IPv4.
    interface: str = ""
    #: 0 = any free one.
    port: int = 0
    #: Of a Unix socket.
    path: str = ""
    #: Permission bits of a Unix socket; None = as the umask says.
    mode: int | None = None
    #: Whose a Unix socket is, by name or number; "" = who starts the node.
    owner: str = ""
    group: str = ""
    #: Of a TLS listener; the first is for names that none of them has.
    certificates: tuple[CertificateFiles, ...] = ()
    #: Of a socket from systemd: "INET", "INET6" or "UNIX", and which it is, by number or by name.
    domain: str = ""
    index: int | None = None
    name: str | None = None
    backlog: int = DEFAULT_BACKLOG

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        return self.kind == "unix" or (self.interface != "" and ip_address(self.interface).is_loopback)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the certificates."""
        return tuple(name for files in self.certificates for name in files if name)

    def describe(self) -> str:
        """The endpoint string that means this, written out: ``parse_endpoint`` gives an equal spec."""
        if self.kind == "unix":
            parts = ["unix", quote(self.path)]
            if self.mode is not None:
                parts.append(f"mode={self.mode:o}")
            given = (("owner", self.owner), ("group", self.group))
            parts += [f"{name}={quote(who)}" for name, who in given if who]
        elif self.kind == "systemd":
            which = f"index={self.index}" if self.name is None else f"name={quote(self.name)}"
            parts = ["systemd", f"domain={self.domain}", which]
        else:
            parts = [self.kind, str(self.port)]
            for files in self.certificates:
                parts += [f"privateKey={quote(files.key)}", f"certKey={quote(files.certificate)}"]
                if files.chain:
                    parts.append(f"extraCertChain={quote(files.chain)}")
            if self.interface:
                parts.append(f"interface={quote(self.interface)}")
        if self.kind != "systemd" and self.backlog != DEFAULT_BACKLOG:
            parts.append(f"backlog={self.backlog}")
        return ":".join(parts)

    def resolved(self, base: Path) -> ListenSpec:
        """The same with relative file names taken from the directory *base*."""
        changes: dict[str, Any] = {}
        if self.path and not os.path.isabs(self.path):
            changes["path"] = os.path.join(base, self.path)
        certificates = tuple(files.resolved(base) for files in self.certificates)
        if certificates != self.certificates:
            changes["certificates"] = certificates
        if not changes:
            return self
        spec = replace(self, **changes)
        return replace(spec, text=spec.describe())


def parse_endpoint(text: str) -> ListenSpec:
    """What *text* means; :class:`ConfigError` with what is wrong and how to write it."""
    parts = _split(text)
    word = "".join(parts[0])
    kind = _KINDS.get(word)
    if kind is None:
        if word.isdigit():
            raise ConfigError(f"{text}: only a port; write tcp:{word}")
        near = difflib.get_close_matches(word, _KINDS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"write for example {_EXAMPLES['tcp']}"
        raise ConfigError(
            f"{text}: {word or 'nothing'} is no kind of endpoint ({', '.join(_KINDS)}); {remedy}"
        )
    given = _arguments(text, kind, parts[1:])
    arguments = {name: values[0] for name, values in given.items()}
    if kind == "unix":
        return _unix(text, arguments)
    if kind == "systemd":
        return _systemd(text, arguments)
    return _network(text, word, kind, arguments, _certificates(text, given) if kind == "tls" else ())


def quote(value: str) -> str:
    """*value* as it must be written within an endpoint string."""
    for character in "\\:=":
        value = value.replace(character, "\\" + character)
    return value


def systemd_index(spec: ListenSpec, environment: Mapping[str, str]) -> int:
    """The number, from 0, of the socket *spec* means among those systemd passed (sd_listen_fds(3))."""
    if spec.name is None:
        return spec.index or 0
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    if spec.name not in names:
        known = ", ".join(filter(None, names)) or "none"
        raise ConfigError(
            f"{spec.text}: systemd passed no socket named {spec.name} (but {known}); "
            "see FileDescriptorName= in the .socket unit"
        )
    return names.index(spec.name)


def _split(text: str) -> list[list[str]]:
    """Arguments of *text*, each as [value] or [name, value]; escapes are undone."""
    current, escaped = [""], False
    parts = [current]
    for character in text:
        if escaped:
            current[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ":":
            current = [""]
            parts.append(current)
        elif character == "=" and len(current) == 1:
            current.append("")
        else:
            current[-1] += character
    if escaped:
        raise ConfigError(f"{text}: nothing follows the last \\; write \\\\ for a backslash")
    return parts


def _arguments(text: str, kind: str, parts: list[list[str]]) -> dict[str, list[str]]:
    """Arguments by name, as often as they are given; the first without a name is the kind's main one."""
    known = _ARGUMENTS[kind]
    found: dict[str, list[str]] = {}
    for number, part in enumerate(parts):
        if len(part) == 1 and number == 0:
            name, value = _POSITIONAL[kind], part[0]
        elif len(part) == 1:
            hint = "; an IPv6 address needs \\: for each of its colons" if kind in ("tcp", "tls") else ""
            raise ConfigError(f"{text}: {part[0]!r} has no name; write for example {_EXAMPLES[kind]}{hint}")
        else:
            name, value = part
        if name == "lockfile":
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean {near[0]}?" if near else f"{kind} has {', '.join(known)}"
            raise ConfigError(f"{text}: unknown argument {name}; {remedy}")
        if name in found and name not in _REPEATED:
            raise ConfigError(f"{text}: {name} is given twice; remove one")
        found.setdefault(name, []).append(value)
    return found


def _certificates(text: str, given: dict[str, list[str]]) -> tuple[CertificateFiles, ...]:
    """The certificates of a TLS listener, in pairs as they were given; none: the automatic one."""
    if not set(given) & set(_REPEATED):
        return ()
    keys, certificates, chains = (given.get(name, []) for name in ("privateKey", "certKey", "extraCertChain"))
    for name, values in (("privateKey", keys), ("certKey", certificates)):
        if not values or not all(values) or "\0" in "".join(values + chains):
            raise ConfigError(f"{text}: {name} is missing; write for example {_EXAMPLES['tls']}")
    if len(keys) != len(certificates):
        raise ConfigError(
            f"{text}: {len(certificates)} certKey and {len(keys)} privateKey; give each certificate its key"
        )
    if len(chains) not in (0, len(certificates)):
        raise ConfigError(
            f"{text}: {len(certificates)} certKey and {len(chains)} extraCertChain; give each certificate "
            "its chain, or put the chains into the files of the certificates"
        )
    return tuple(map(CertificateFiles, certificates, keys, chains or cycle([None])))


def _network(
    text: str, word: str, kind: str, arguments: dict[str, str], certificates: tuple[CertificateFiles, ...]
) -> ListenSpec:
    port = arguments.get("port", "")
    if not (re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= 65535):
        raise ConfigError(
            f"{text}: {port or 'no port'!r} is no port from 0 to 65535; write for example {_EXAMPLES[kind]}"
        )
    interface = _interface(text, word, arguments.get("interface", ""))
    return ListenSpec(
        kind,
        text,
        interface=interface,
        port=int(port),
        certificates=certificates,
        backlog=_backlog(text, arguments),
    )


def _interface(text: str, word: str, value: str) -> str:
    if not value:
        return {"tcp4": "0.0.0.0", "tcp6": "::"}.get(word, "")
    if value == "localhost":
        return "::1" if word == "tcp6" else "127.0.0.1"
    try:
        address = ip_address(value)
    except ValueError:
        raise ConfigError(
            f"{text}: interface {value!r} is no IP address; "
            "write for example interface=127.0.0.1, or interface=\\:\\:1 for IPv6"
        ) from None
    if word in ("tcp4", "tcp6") and address.version != int(word[3]):
        raise ConfigError(
            f"{text}: {value} is an IPv{address.version} address; write tcp{address.version} or tcp"
        )
    return value


def _unix(text: str, arguments: dict[str, str]) -> ListenSpec:
    path, mode = arguments.get("address", ""), arguments.get("mode")
    if not path or "\0" in path:
        raise ConfigError(f"{text}: a path is missing; write for example {_EXAMPLES['unix']}")
    check_unix_path(text, path)
    if mode is not None and not (
        0 < len(mode) <= 4 and set(mode) <= set("01234567") and int(mode, 8) <= 0o777
    ):
        raise ConfigError(f"{text}: mode {mode!r} is no octal number up to 777; write for example mode=660")
    bits = None if mode is None else int(mode, 8)
    owner, group = arguments.get("owner", ""), arguments.get("group", "")
    for name, who in (("owner", owner), ("group", group)):
        if name in arguments and not _WHO.fullmatch(who):
            raise ConfigError(f"{text}: {name} {who!r} is no name; write for example {name}=www-data")
    backlog = _backlog(text, arguments)
    return ListenSpec("unix", text, path=path, mode=bits, owner=owner, group=group, backlog=backlog)


def check_unix_path(text: str, path: str) -> None:
    """:class:`ConfigError` when *path* is too long for a Unix socket."""
    length = len(os.fsencode(path))
    if length > MAX_UNIX_PATH:
        raise ConfigError(
            f"{text}: the path has {length} bytes, at most {MAX_UNIX_PATH} are possible; choose a shorter one"
        )


def _systemd(text: str, arguments: dict[str, str]) -> ListenSpec:
    domain, index, name = arguments.get("domain", ""), arguments.get("index"), arguments.get("name")
    if domain not in ("INET", "INET6", "UNIX"):
        raise ConfigError(
            f"{text}: domain {domain!r} is not INET, INET6 or UNIX; write for example {_EXAMPLES['systemd']}"
        )
    if (index is None) == (name is None):
        raise ConfigError(f"{text}: give either index= or name=; write for example {_EXAMPLES['systemd']}")
    if index is not None and not (index.isascii() and index.isdigit() and len(index) < 5):
        raise ConfigError(
            f"{text}: index {index!r} is no number from 0; write for example {_EXAMPLES['systemd']}"
        )
    if name is not None and (not name or ":" in name):
        raise ConfigError(
            f"{text}: name {name!r} cannot be a name of a socket; see FileDescriptorName= in the .socket unit"
        )
    return ListenSpec("systemd", text, domain=domain, index=None if index is None else int(index), name=name)


def _backlog(text: str, arguments: dict[str, str]) -> int:
    value = arguments.get("backlog", str(DEFAULT_BACKLOG))
    if not (re.fullmatch(r"[0-9]{1,10}", value) and 0 < int(value) < 2**31):
        raise ConfigError(
            f"{text}: backlog {value!r} is no number above 0; write for example backlog={DEFAULT_BACKLOG}"
        )
    return int(value)
