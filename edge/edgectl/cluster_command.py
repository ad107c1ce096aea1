"""``edgectl cluster``: the certificate authority of a cluster and its nodes' certificates.  Asks no node."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.trust.authority import CA_DAYS, NODE_DAYS, certify, create, rotate


def add_commands(subparsers: Any) -> None:
    """Add ``cluster`` with its own commands to those of ``edgectl``."""
    cluster = subparsers.add_parser("cluster", help="certificates: init, cert NODE, rotate")
    commands = cluster.add_subparsers(dest="cluster_command", required=True, metavar="COMMAND")
    init = commands.add_parser("init", help="make the cluster's certificate authority")
    init.add_argument("--cluster", default="edge", metavar="NAME", help="the cluster's name (default edge)")
    cert = commands.add_parser("cert", help="make a certificate for a node")
    cert.add_argument("name", metavar="NODE", help="the node's name, as in twistd edge --node")
    cert.add_argument("--out", type=Path, metavar="DIR", help="where to (default: DIR/NODE)")
    turn = commands.add_parser("rotate", help="make a new authority beside the old one")
    for command, days in ((init, CA_DAYS), (cert, NODE_DAYS), (turn, CA_DAYS)):
        command.add_argument(
            "--dir", type=Path, default=Path("cluster"), help="the authority's folder (default ./cluster)"
        )
        command.add_argument(
            "--days", type=int, default=days, metavar="N", help=f"valid for N days (default {days})"
        )


def run(options: argparse.Namespace) -> int:
    """Do it and say what was made; :class:`edge.errors.EdgeError`."""
    folder: Path = options.dir
    if options.cluster_command == "init":
        create(folder, options.cluster, options.days)
        print(f"{folder}/ca.pem and {folder}/ca.key: keep the key where no node can read it")
    elif options.cluster_command == "rotate":
        rotate(folder, options.days)
        print(f"{folder}/ca.pem has a new authority and the old ones: copy it to all nodes, SIGHUP them, ")
        print("then give each a new certificate: edgectl cluster cert NODE")
    else:
        out = options.out if options.out is not None else folder / options.name
        for path in certify(folder, options.name, out, options.days):
            print(path)
        print(f"copy these to STATE-DIR/cluster/ of {options.name}, or name them: --cluster-cert, ...")
    return 0
