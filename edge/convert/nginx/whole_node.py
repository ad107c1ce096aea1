"""What a server says that holds for a whole node: its log, its proxies, the length of bodies."""

from __future__ import annotations

import re

from edge.convert.nginx.places import Location
from edge.convert.nginx.server import Server
from edge.convert.nginx.words import USUAL_FILES
from edge.convert.statements import Statement


def body_size(server: Server, one: Statement, here: Location) -> None:
    """``client_max_body_size``: the largest of all places."""
    size = bytes_of(one.args[0]) if one.args else 0
    if size:
        known = server.draft.keys.get("body-max-mib", 1)
        server.draft.keys["body-max-mib"] = min(max(size >> 20, known), 1024)
    else:
        server.draft.remark(one, "body-max-mib is at most 1024, and there is always a limit")


def include(server: Server, one: Statement, here: Location) -> None:
    """A file that is not there."""
    if not any(name.rpartition("/")[2] in USUAL_FILES for name in one.args):
        server.draft.remark(one, "that file is not here; convert where the whole configuration is")


def real_address(server: Server, one: Statement, here: Location) -> None:
    """``set_real_ip_from``: whose Forwarded and X-Forwarded-For are believed."""
    proxies = server.draft.keys.setdefault("trusted-proxies", [])
    proxies += [arg for arg in one.args if arg not in proxies and arg != "unix:"]


def real_field(server: Server, one: Statement, here: Location) -> None:
    """``real_ip_header``: the field that is believed."""
    if tuple(arg.lower() for arg in one.args) not in (("x-forwarded-for",), ("forwarded",)):
        server.draft.remark(
            one,
            "Forwarded and X-Forwarded-For of trusted-proxies are believed, and the PROXY protocol of "
            "proxy-protocol; let the proxy send one of them",
        )


def access_log(server: Server, one: Statement, here: Location) -> None:
    """``access_log``: the one of the node."""
    path, name = (*one.args, "", "")[:2]
    if path in ("", "off"):
        return
    known = server.draft.keys.get("access-log", path)
    if not path.startswith("/") or "$" in path:
        server.draft.remark(one, "the access log is a file; or journal, or - for standard output")
    elif known != path:
        server.draft.remark(one, f"a node has one access log, here {known}; it names the host of each line")
    else:
        is_json = name in server.around.json_logs
        server.draft.keys["access-log"] = path
        server.draft.keys["access-log-format"] = "json" if is_json else "combined"
        if name not in ("", "combined") and not is_json and "=" not in name:
            server.draft.remark(one, f'{name}: a line is "combined", "common" or "json" (which says most)')


def bytes_of(text: str) -> int:
    """nginx's sizes: ``8m``; 0: this is none."""
    found = re.fullmatch(r"([0-9]{1,9})([kKmMgG]?)", text)
    return int(found[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[found[2].lower()] if found else 0
