"""Where a site listens, with which certificates, and where its log is."""

from __future__ import annotations

from edge.convert.caddy.matchers import ALL, Matcher
from edge.convert.caddy.site import CLOSED, Scope, Site
from edge.convert.statements import Statement


def tls(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``tls``: certificates, and those of visitors."""
    for each in one.block or ():
        if each.name != "client_auth":
            continue
        mode = next(
            (line.args[0] for line in each.block or () if line.name == "mode" and line.args), "require"
        )
        if mode in ("request", "verify_if_given"):  # who has none is let in
            site.draft.remark(
                each, "visitors are not asked for certificates here; whoever has none was let in, too"
            )
        else:
            site.draft.remark(each, f"visitors are not asked for certificates here: {CLOSED}")
            site.close(each, ALL)
    if any("{" in arg for arg in args):
        site.draft.remark(one, "a certificate is a file: name it")
    elif len(args) == 2:
        site.certificate = (args[0], args[1])
    elif args == ("internal",):
        site.is_internal = True
        site.draft.remark(
            one,
            "Caddy signs a certificate of its own here; name one: "
            'listen = ["tls:443:privateKey=FILE:certKey=FILE"]',
        )
    elif len(args) == 1 and "@" in args[0]:
        site.draft.keys["acme-email"] = args[0]
    elif args or any(each.name != "client_auth" for each in one.block or ()):
        site.draft.remark(one, 'certificates: tls-auto, or listen = ["tls:443:privateKey=FILE:certKey=FILE"]')


def bind(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``bind``: where it listens."""
    site.binds += args


def log(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``log``: the access log of the node."""
    for each in one.block or ():
        if each.name == "output" and each.args[:1] == ("file",) and each.args[1:] and "{" not in each.args[1]:
            known = site.draft.keys.setdefault("access-log", each.args[1])
            if known != each.args[1]:
                site.draft.remark(each, f"a node has one access log, here {known}; it names the host")
        elif each.name == "output" and each.args[:1] in (("stdout",), ("stderr",)):
            site.draft.keys["access-log"] = "-"
        elif each.name == "format" and each.args[:1] == ("json",):
            pass  # it is so by itself
        elif each.name not in ("level", "roll_size", "roll_keep"):
            site.draft.remark(each, 'a line is "combined", "common" or "json": access-log-format')
