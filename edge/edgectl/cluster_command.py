"""``edgectl cluster``: the certificate authority of a cluster and its nodes' certificates.

``init``, ``cert``, ``rotate`` and ``revoke`` work with the authority's folder, where no node has to be;
``announce`` and ``revoked`` ask a node.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256

from edge.edgectl.tables import revoked_table
from edge.trust.authority import CA_DAYS, NODE_DAYS, AuthorityError, certify, create, revoke, rotate
from edge.trust.contexts import names_of
from edge.trust.revocations import RevocationError, split_lists

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rich.console import Console

    from edge.edgectl.admin_client import AdminClient

#: Bytes of a file that is announced: as JSON it has room in a request to the admin API.
ANNOUNCED_BYTES = 768 * 1024
_LIST_FILE = "give crl.pem of the authority's folder, which edgectl cluster revoke makes"


def add_commands(subparsers: Any) -> None:
    """Add ``cluster`` with its own commands to those of ``edgectl``."""
    cluster = subparsers.add_parser("cluster", help="certificates: init, cert NODE, rotate, revoke")
    commands = cluster.add_subparsers(dest="cluster_command", required=True, metavar="COMMAND")
    init = commands.add_parser("init", help="make the cluster's certificate authority")
    init.add_argument("--cluster", default="edge", metavar="NAME", help="the cluster's name (default edge)")
    cert = commands.add_parser("cert", help="make a certificate for a node")
    cert.add_argument("name", metavar="NODE", help="the node's name, as in twistd edge --node")
    cert.add_argument("--out", type=Path, metavar="DIR", help="where to (default: DIR/NODE)")
    turn = commands.add_parser("rotate", help="make a new authority beside the old one")
    out = commands.add_parser("revoke", help="make the list of revoked certificates, with one node more")
    out.add_argument("who", metavar="NODE", help="a node's name, a certificate's fingerprint, or its file")
    out.add_argument(
        "--since", metavar="TIME", help="when the key was last its owner's, as 2026-11-20T08:00 UTC (now)"
    )
    out.add_argument(
        "--dir", type=Path, default=Path("cluster"), help="the authority's folder (default ./cluster)"
    )
    announce = commands.add_parser("announce", help="tell a node, and so all, whose certificates are revoked")
    announce.add_argument("file", type=Path, metavar="FILE", help="crl.pem of the authority's folder")
    commands.add_parser("revoked", help="the certificates that are revoked, as a node knows")
    for command, days in ((init, CA_DAYS), (cert, NODE_DAYS), (turn, CA_DAYS)):
        command.add_argument(
            "--dir", type=Path, default=Path("cluster"), help="the authority's folder (default ./cluster)"
        )
        command.add_argument(
            "--days", type=int, default=days, metavar="N", help=f"valid for N days (default {days})"
        )


def run(options: argparse.Namespace, client: Callable[[], AdminClient], console: Console) -> int:
    """Do it and say what was made; :class:`edge.errors.EdgeError`.  *client* asks a node."""
    if options.cluster_command == "announce":
        return _announce(options.file, client(), options.json, console)
    if options.cluster_command == "revoked":
        return _tell(client().ask("GET", "/revocations"), options.json, console)
    folder: Path = options.dir
    if options.cluster_command == "revoke":
        return _revoke(folder, options.who, options.since, options.json)
    if options.cluster_command == "init":
        create(folder, options.cluster, options.days)
        made, told = [folder / "ca.pem", folder / "ca.key"], "keep ca.key where no node can read it"
    elif options.cluster_command == "rotate":
        rotate(folder, options.days)
        made = [folder / "ca.pem"]
        told = (
            "it has a new authority and the old ones: copy it to all nodes, SIGHUP them,\n"
            "then give each a new certificate: edgectl cluster cert NODE"
        )
    else:
        out = options.out if options.out is not None else folder / options.name
        made = list(certify(folder, options.name, out, options.days))
        told = f"copy these to STATE-DIR/cluster/ of {options.name}, or name them: --cluster-cert, ..."
    if options.json:
        print(json.dumps({"files": [str(path) for path in made]}))
    else:
        print(*made, told, sep="\n")
    return 0


def _revoke(folder: Path, who: str, since: str | None, as_json: bool) -> int:
    revoked = revoke(folder, who, None if since is None else _time(since))
    if as_json:
        found = [_described(one) for one in revoked]
        print(json.dumps({"file": str(folder / "crl.pem"), "revoked": found}))
        return 0
    for one in revoked:
        print(f"{', '.join(names_of(one))}: {one.fingerprint(SHA256()).hex()}, serial {one.serial_number:x}")
    print(f"revoked in {folder}/crl.pem; tell any one node: edgectl cluster announce {folder}/crl.pem")
    return 0


def _described(one: Certificate) -> dict[str, Any]:
    fingerprint = one.fingerprint(SHA256()).hex()
    return {"names": sorted(names_of(one)), "sha256": fingerprint, "serial": f"{one.serial_number:x}"}


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise AuthorityError(f"--since {text}: give a date and time like 2026-11-20T08:00 (UTC)") from None
    return found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found.astimezone(timezone.utc)


def _announce(file: Path, client: AdminClient, as_json: bool, console: Console) -> int:
    found = client.ask("POST", "/revocations", {"list": _list_in(file)})
    if not as_json:
        console.print("told: this node passes it on" if found["new"] else "this node knew all of it")
    return _tell(found, as_json, console)


def _list_in(file: Path) -> str:
    """The text of *file*; what no node would read is refused here, where the file's name is known."""
    try:
        with file.open("rb") as opened:
            text = opened.read(ANNOUNCED_BYTES + 1)
        if len(text) > ANNOUNCED_BYTES:
            raise AuthorityError(f"{file}: has more than {ANNOUNCED_BYTES} bytes; {_LIST_FILE}")
        if b"-----BEGIN X509 CRL-----" not in text:
            raise AuthorityError(f"{file}: is no list of revoked certificates; {_LIST_FILE}")
        split_lists(text)
        return text.decode("ascii")
    except RevocationError as error:
        raise AuthorityError(f"{file}: {error}; {_LIST_FILE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorityError(f"{file}: cannot be read as a list in PEM form ({error})") from None


def _tell(found: dict[str, Any], as_json: bool, console: Console) -> int:
    print(json.dumps(found)) if as_json else console.print(revoked_table(found))
    return 0
