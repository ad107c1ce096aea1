"""Where a server listens, for which hosts, and with which certificates."""

from __future__ import annotations

import re
from ipaddress import ip_address

from edge.convert.nginx.places import Location
from edge.convert.nginx.server import Server
from edge.convert.statements import Statement, number


def listen(server: Server, one: Statement, here: Location) -> None:
    """``listen``: an endpoint of the node."""
    address, *options = one.args or ("80",)
    server.site.is_default |= "default_server" in options or "default" in options
    if "quic" in options:
        server.draft.remark(one, "HTTP/3 is not spoken; browsers take HTTP/1.1 over TLS")
        return
    if address.startswith("unix:"):
        server.endpoints.append(address)
        return
    host, _, port = address.rpartition(":")
    if address.endswith("]") or (number(port) is None and not host):
        host, port = address, "80"
    if number(port) is None or not _is_interface(host.strip("[]")):
        server.draft.remark(one, 'write listen = ["tcp:PORT:interface=ADDRESS"] for it')
        return
    interface = host.strip("[]")
    kind = "tls" if "ssl" in options else "tcp"
    if "proxy_protocol" in options:
        server.draft.remark(one, 'name the proxies: proxy-protocol = ["10.0.0.0/8"]')
    if interface == "::" and "ipv6only=off" in options:
        server.endpoints.append(f"{kind}:{port}")
    if interface == "::" and kind == "tcp":
        server.endpoints.append(f"tcp6:{port}")
    elif interface in ("", "*"):
        server.endpoints.append(f"{kind}:{port}")
    else:  # a colon of an endpoint's own has a backslash before it
        server.endpoints.append(f"{kind}:{port}:interface=" + interface.replace(":", "\\:"))


def ssl_on(server: Server, one: Statement, here: Location) -> None:
    """``ssl on``, as it was before listeners said it."""
    if one.args == ("on",):
        server.endpoints = [
            re.sub(r"\Atcp6:(\d+)", r"tls:\1:interface=\\:\\:", each)
            if each.startswith("tcp6:")
            else re.sub(r"\Atcp:", "tls:", each)
            for each in server.endpoints
        ]


def server_name(server: Server, one: Statement, here: Location) -> None:
    """``server_name``: the hosts of the site."""
    for name in one.args:
        if name in ("_", "", "localhost", "default_server") or name.startswith("$"):
            continue
        if name.startswith("~") or name.endswith(".*"):
            server.draft.remark(one, f"{name}: hosts are names, or *.NAME for all below one; list them")
        elif name.startswith("."):
            server.site.hosts += [name[1:].lower(), "*" + name.lower()]
        else:
            server.site.hosts.append(name.lower())
    server.site.hosts = list(dict.fromkeys(server.site.hosts))


def ssl_file(server: Server, one: Statement, here: Location) -> None:
    """``ssl_certificate`` and its key: of the listeners of this server."""
    if one.args and "$" in one.args[0]:
        server.draft.remark(one, "a certificate is a file; a [[site]] can have one of its own")
    elif one.args:
        setattr(server, "certificate" if one.name == "ssl_certificate" else "key", one.args[0])


def ssl_protocols(server: Server, one: Statement, here: Location) -> None:
    """``ssl_protocols``: the policy, where it is TLS 1.3 alone."""
    if one.args == ("TLSv1.3",):
        server.draft.keys["tls-policy"] = "modern"


def _is_interface(text: str) -> bool:
    """Whether *text* is an address, or all of them."""
    try:
        return text in ("", "*", "localhost") or bool(ip_address(text))
    except ValueError:
        return False
