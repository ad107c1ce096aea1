"""What is known of a site when its last directive was taken: its folder, and who may, in order."""

from __future__ import annotations

from collections.abc import Sequence

from edge.addresses import Glob
from edge.addresses.redirects import AddressRule, AddressRules, circles
from edge.convert.caddy.guards import Guard, tables_of
from edge.convert.caddy.matchers import Matcher, holds
from edge.convert.caddy.site import Site
from edge.convert.draft import Remark, Table
from edge.convert.statements import Place


def finish(site: Site, own_files: Sequence[str]) -> None:
    """What is known when the last directive was taken; *own_files*: the configuration, hidden."""
    _finish_files(site, any(table.values["at"] == "/" for table in site.result.tables.get("app", ())))
    root = site.result.keys.get("webroot", "")
    for name in own_files if root else ():
        last = name.rpartition("/")[2]
        if not root.startswith("/") or name.startswith(root.rstrip("/") + "/"):
            site.guards.append(Guard(last, [], [], Place(name, 1)))
    _circles(site)
    tables = tables_of(site.guards)
    _unlead(site, tables)
    if tables:
        site.result.tables["access"] = tables
    if auths := site.result.tables.get("auth"):
        auths.sort(key=lambda table: -len(Glob(table.values["path"]).prefix))


def _finish_files(site: Site, is_whole_app: bool) -> None:
    """The folder of the site: that of the ``file_server`` that gets to all that nothing else answers."""
    whole = [each for each in site.files if each.about.is_all and not each.taken]
    whole.sort(key=lambda each: not each.about.is_of_paths)
    if is_whole_app or site.is_rewritten:
        whole = []
    chosen = whole[0] if whole else None
    if chosen is not None and not chosen.root:
        site.draft.remark(chosen.one, "which folder it shows is not said here: name it by webroot")
    for each in site.files:
        if each is chosen or (
            chosen is not None and each.root == chosen.root and not each.taken and each.about.is_of_paths
        ):
            continue
        if chosen is None:
            site.draft.remark(
                each.one,
                "only these are files, and files win over all else: make a folder of links "
                "to them alone, and name it by webroot, with follow-symlinks = true",
            )
            continue
        site.draft.remark(
            each.one,
            "a site has one folder; put a link into it, and say follow-symlinks = true; "
            "until then nobody is let in",
        )
        site.close(each.one, each.about if not each.about.is_all else Matcher(("/*",)))
    if chosen is None or not chosen.root:
        for key in ("index", "listing", "fallback", "clean-urls"):
            site.result.keys.pop(key, None)
        return
    site.result.keys = {"webroot": chosen.root, **site.result.keys}
    site.only(chosen.one, chosen.about)
    for path in chosen.about.but:
        if not any(holds(f"{at.rstrip('/')}/*", path) for _, at in site.apps):
            site.close(chosen.one, Matcher((path,)))
    for one, at in site.apps:
        site.draft.remark(
            one,
            f"files of webroot below {at} win over the application, Caddy shows none of them: "
            "take out what nobody is to see",
        )


def _unlead(site: Site, tables: Sequence[Table]) -> None:
    """What leads to a file that is not for everybody is left out: here the address decides who may."""
    guarded = [
        Glob(table.values["path"])
        for table in (*tables, *site.result.tables.get("auth", ()))
        if table.values["path"] != "/**" and {"deny", "users"} & table.values.keys()
    ]
    gone = [
        rule
        for table in site.result.tables.get("redirect", ())
        if "to" not in table.values
        for rule in (AddressRule(table.values.get("from", ""), table.values.get("from-regex", "")),)
    ]
    for one, to in site.led:
        is_closed = any(glob.matches(to) for glob in guarded) or any(
            rule.pattern.match(to) is not None for rule in gone
        )
        rules = site.result.tables.get("rewrite", [])
        if not is_closed:
            continue
        site.draft.remark(
            one, f"{to} is not for everybody, and who may goes by the address that is asked for"
        )
        rules[:] = [table for table in rules if table.values["to"] != to]
        if not rules:
            site.result.tables.pop("rewrite", None)
        if site.result.keys.get("fallback") == to:
            del site.result.keys["fallback"]


def _circles(site: Site) -> None:
    """Redirects that lead round in a circle are named, and left out, all of them."""
    tables = site.result.tables.get("redirect", [])
    rules = AddressRules(
        tuple(
            AddressRule(
                table.values.get("from", ""),
                table.values.get("from-regex", ""),
                table.values.get("to", ""),
                table.values["status"],
                place=str(table.place),
            )
            for table in tables
        )
    )
    if found := list(circles(rules)):
        for table in [table for table in tables if "to" in table.values]:
            if table.place is not None and any(str(table.place) in each for each in found):
                site.draft.remarks.append(Remark(table.place, "redir", found[0]))
                tables.remove(table)
                source = table.values.get("from", "*")
                site.guards.append(Guard(Matcher((source,)).globs[0], [], [], table.place))
