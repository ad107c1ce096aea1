"""``twistd edge --check``: would this configuration work on this machine, as this user, now?

Everything is tried as far as it leaves no trace: folders are looked into, certificates are loaded,
addresses are bound and let go at once.  Nothing is created and nothing listens.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import os
import pwd
import shlex
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from edge.config.address_report import told_of_addresses
from edge.config.model import AUTOMATIC, Config, Site
from edge.config.sites import overlaps
from edge.config.traces import sdk_missing
from edge.endpoint import ListenSpec, systemd_index
from edge.errors import ConfigError

#: What a node says that would answer nothing but 404.
SERVES_NOTHING = (
    "--webroot none: a node alone would serve nothing; name a webroot, an [[app]] or a [[redirect]], "
    "or give --gossip and --peer"
)


def find_problems(config: Config) -> list[str]:
    """What would keep this node from starting, or browsers from it, a sentence each."""
    return list(_problems(config))


def find_exposed(config: Config) -> list[str]:
    """Files with secrets that everybody on this machine may read, a sentence each."""
    secret = {files.key: "a private key" for spec in config.endpoints for files in spec.certificates}
    if config.gossip is not None:
        secret[str(config.cluster_key)] = "a private key"
    secret.update((rule.users, "hashes of passwords") for site in config.sites for rule in site.auth)
    return [
        f"{name}: everybody on this machine may read it, and it holds {what}; chmod o-r {shlex.quote(name)}"
        for name, what in secret.items()
        if _is_for_all(name)
    ]


def _is_for_all(name: str) -> bool:
    file = os.path.realpath(name)
    try:
        return bool(os.stat(file).st_mode & stat.S_IROTH) and all(
            os.stat(folder).st_mode & stat.S_IXOTH for folder in Path(file).parents
        )
    except OSError:
        return False  # what is wrong with it is told elsewhere


def _problems(config: Config) -> Iterator[str]:
    if config.serves_nothing:
        yield SERVES_NOTHING
    for site in config.sites:
        yield from _webroot_problems(site)
    if problem := _unwritable(config.state_dir):
        yield f"--state-dir {config.state_dir}: {problem}"
    elif problem := _unwritable(config.cache_dir):
        yield f"--cache-dir {config.cache_dir}: {problem}"
    if config.access_log == "journal" and not os.path.exists("/run/systemd/journal/socket"):
        yield "--access-log journal: there is no systemd-journald here; name a file, or - for standard output"
    elif config.access_log not in (None, "-", "journal"):
        log = Path(str(config.access_log))
        blocked = "it is a directory; name a file" if log.is_dir() else _unwritable(log.parent)
        if not blocked and not log.parent.is_dir():
            blocked = f"there is no directory {log.parent}; make it, or name a file elsewhere"
        if blocked or (log.exists() and not os.access(log, os.W_OK)):
            yield f"--access-log {log}: {blocked or 'this user may not write to it; see its permissions'}"
    if config.traces is not None and (problem := sdk_missing()):
        yield problem
    yield from _user_problems(config)
    if config.worker_user is not None and not _is_user(config.worker_user):
        name = config.worker_user
        yield f"--worker-user {name}: there is no such user; useradd --system {name} makes one"
    if config.fast_path == "native" and not has_native():
        yield (
            "--fast-path native: it has not been built; install a C compiler (gcc) and reinstall, "
            "or use --fast-path auto"
        )
    if config.gossip is not None:
        from edge.trust.contexts import PeerCertificates

        try:
            own = PeerCertificates(config.node, config.cluster_cert, config.cluster_key, config.cluster_ca)
            own.load()
        except ConfigError as error:
            yield str(error)
    running = is_running(config)
    for option, spec in [
        *(("--listen", spec) for spec in config.endpoints),
        ("--admin", config.admin_endpoint),
    ]:
        if problem := _unusable(config, spec, running):
            yield f"{option} {spec.text}: {problem}"
    yield from _unnamed(config)


def _is_user(name: str) -> bool:
    try:
        return pwd.getpwnam(name) is not None
    except KeyError:
        return False


def _webroot_problems(site: Site) -> Iterator[str]:
    option = f"[[site]] {site.name}: webroot" if site.name else "--webroot"
    if site.webroot is None:
        return
    if not site.webroot.is_dir():
        yield f"{option} {site.webroot}: there is no such directory; make it or name another one"
    elif not os.access(site.webroot, os.R_OK | os.X_OK):
        yield f"{option} {site.webroot}: this user may not read it; see its permissions"


def _user_problems(config: Config) -> Iterator[str]:
    """What is wrong with the files of users who may log in."""
    from edge.access.htpasswd import read_users

    for name in dict.fromkeys(rule.users for site in config.sites for rule in site.auth):
        try:
            read_users(name)
        except ConfigError as error:
            yield from str(error).splitlines()


def summarize(config: Config) -> str:
    """What a node with *config* would do, in a few lines."""
    fast: str = config.fast_path
    if fast == "auto":
        fast = "native (auto)" if has_native() else "python (auto: there is no native build)"
    lines = [
        f"node {config.node} of cluster {config.cluster}",
        *(_of_site(site) for site in config.sites),
        *(f"listen     {text}" for text in config.listen),
        *(f"app        {one.describe()}" for one in config.applications),
        *(f"automatic  {name}, from {config.acme_directory}" for name in config.automatic_names),
        f"admin      {config.admin}",
        f"gossip     {config.gossip or 'none: a node alone'}",
        *(f"peer       {text}" for text in config.peer),
        f"state      {config.state_dir}",
        *_of_traces(config),
        f"workers    {config.worker_count or '0: all in one process'}",
        f"fast path  {fast}",
    ]
    for site in config.sites:
        if len(config.sites) > 1:
            lines.append(f"{'site':10} {site.name or 'the default one'}")
        lines += (f"{kind:10} {text}" for kind, text in told_of_addresses(site))
    lines += overlaps(config.sites)
    if config.file:
        lines.insert(1, f"file       {config.file}")
    if is_running(config):
        lines.append("a node runs with this state directory now: its ports count as free")
    return "\n".join(lines)


def _of_site(site: Site) -> str:
    folder = site.webroot or "none"
    if site.default and not site.hosts:
        return f"webroot    {folder}"
    return f"site       {', '.join(site.hosts)}{' and all others' if site.default else ''}: {folder}"


def _of_traces(config: Config) -> Iterator[str]:
    if config.traces is not None:
        believed = ", ".join(config.traces_from) or "nobody"
        yield f"traces     to {config.traces}, share {config.traces_sample:g}, believing {believed}"


def has_native() -> bool:
    """Whether the native fast path has been built and loads."""
    try:
        importlib.import_module("edge._native")
    except ImportError:
        return False
    return True


def is_running(config: Config) -> bool:
    """Whether a supervisor holds the lock of the state directory."""
    try:
        lock = os.open(config.state_dir / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _unwritable(directory: Path) -> str:
    """Why files cannot be made in *directory*, which may not exist yet; "" if they can."""
    existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
    if not existing.is_dir():
        return f"{existing} is no directory; name another one"
    if not os.access(existing, os.W_OK | os.X_OK):
        missing = "" if existing == directory else " to make it there"
        return f"this user may not write to {existing}{missing}; change its owner or name another directory"
    return ""


def _unusable(config: Config, spec: ListenSpec, running: bool) -> str:
    """Why *spec* cannot be listened on; "" if it can.  *running*: our own node may hold it now."""
    if spec.kind == "systemd":
        return _not_passed(spec)
    if spec.kind == "unix":
        return _unix_unusable(spec, running)
    pem = str(config.state_dir / AUTOMATIC)
    is_made = pem in spec.files and not os.path.exists(pem)
    problem = _certificate_problem(spec) if spec.kind == "tls" and not is_made else ""
    return problem or _unbindable(spec, running)


def _not_passed(spec: ListenSpec) -> str:
    """Sockets are only there when systemd starts us: outside of that there is nothing to check."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return ""
    try:
        index = systemd_index(spec, os.environ)
    except ConfigError as error:
        return str(error).removeprefix(f"{spec.text}: ")
    count = os.environ.get("LISTEN_FDS", "0")
    return "" if index < int(count) else f"systemd passed {count} sockets, there is no number {index}"


def _unix_unusable(spec: ListenSpec, running: bool) -> str:
    path = Path(spec.path)
    if not os.path.lexists(path):
        return _unwritable(path.parent)
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return "there is a file of that name that is no socket; move it or choose another path"
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(spec.path)
        except ConnectionRefusedError:
            return _unwritable(path.parent)
        except BlockingIOError:
            pass
        except OSError as error:
            return f"{error.strerror}; see its permissions"
    return "" if running else "another program listens there; stop it or choose another path"


def _unnamed(config: Config) -> Iterator[str]:
    """Where browsers are sent to a name that no certificate has."""
    from edge.trust.credentials import name_problem, read_credential

    files = [each for spec in config.endpoints for each in spec.certificates]
    try:
        problem = name_problem(map(read_credential, files), config.public_url or "")
    except ConfigError:
        return  # said already; or it has not been made yet
    if files and problem is not None:
        yield problem


def _certificate_problem(spec: ListenSpec) -> str:
    from edge.trust.credentials import read_credential, validity_problem

    for files in spec.certificates:
        try:
            problem = validity_problem(read_credential(files), time.time())
        except ConfigError as error:
            problem = str(error)
        if problem is not None:
            return problem
    return ""


def _unbindable(spec: ListenSpec, running: bool) -> str:
    address = spec.interface or "0.0.0.0"
    try:
        found = socket.getaddrinfo(address, spec.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        family, _, _, _, where = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                ""
                if running
                else f"port {spec.port} is in use by another program; stop it or choose another port"
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return (
                f"this user may not listen on port {spec.port}; use a port from 1024, a systemd socket, "
                "or give the capability CAP_NET_BIND_SERVICE"
            )
        if error.errno == errno.EADDRNOTAVAIL:
            return f"this machine has no interface with the address {address}; see `ip address`"
        return f"{error.strerror or error}; choose another address"
    return ""
