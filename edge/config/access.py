"""Who may, as it is configured: ``[[auth]]``, ``[[access]]`` and ``[[rate]]``.

On the command line a rule is a text: ``--auth '/admin/**=/etc/edge/htpasswd'``, ``--access
'/admin/**=10.0.0.0/8,!0.0.0.0/0'``, ``--rate '/api/**=100/minute'``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.access.patterns import MOST_PATTERNS, Patterns
from edge.access.rules import MOST_NETWORKS, MOST_RULES, PERIODS, AccessRule, AuthRule, RateRule, Rules
from edge.addresses.globs import Glob
from edge.config.addresses import tables
from edge.config.values import FILE, Kind, Wrong, WrongTables
from edge.errors import ConfigError
from edge.networks import parse_network

if TYPE_CHECKING:
    from edge.addresses.redirects import AddressRule
    from edge.config.model import SiteRules

#: Requests of a rate, and tokens of a bucket.
MOST_REQUESTS = 1_000_000
_RATE = re.compile(r"([0-9]{1,7})/([a-z]+)(?:,([0-9]{1,7}))?")


def _checked_path(path: str) -> str:
    try:
        Glob(path)
    except ConfigError as error:
        raise Wrong(str(error)) from None
    return path


# [[auth]]


def _auth_of_table(table: dict[str, Any], place: str) -> AuthRule:
    for key in ("path", "users"):
        if not table.get(key):
            raise Wrong(f"{key} is missing; write {_EXAMPLES[key]}")
    realm = table.get("realm", table["path"])
    if not realm.isprintable() or not 0 < len(realm) <= 128:
        raise Wrong("realm: give 1 to 128 printable characters; browsers show them")
    return AuthRule(_checked_path(table["path"]), table["users"], realm)


_EXAMPLES = {
    "path": 'path = "/admin/**"',
    "users": 'users = "/etc/edge/htpasswd"',
    "requests": "requests = 100",
}


def _auth_of_text(text: str) -> AuthRule:
    path, _, users = text.partition("=")
    if not path or not users:
        raise Wrong("write GLOB=FILE, like /admin/**=/etc/edge/htpasswd")
    return _auth_of_table({"path": path, "users": users}, "")


def _absolute(rule: AuthRule, base: Path) -> AuthRule:
    try:
        return AuthRule(rule.path, str(FILE.read(rule.users, base)), rule.realm)
    except Wrong as wrong:
        raise Wrong(f"users = {rule.users!r}: {wrong}") from None


def _auth_from_toml(value: object, base: Path) -> tuple[AuthRule, ...]:
    rules, problems = [], []
    for number, rule in enumerate(_auth_tables(value, base), 1):
        try:
            rules.append(_absolute(rule, base))
        except Wrong as wrong:
            problems.append(f"[[auth]] number {number} ({rule.path[:64]}): {wrong}")
    if problems:
        raise WrongTables(problems)
    return tuple(rules)


_auth_tables = tables(
    "auth", {"path": str, "users": str, "realm": str}, _auth_of_table, _auth_of_text, MOST_RULES
)
AUTH = Kind(
    "GLOB=FILE",
    lambda text, base: _absolute(_auth_of_text(text), base),
    repeated=True,
    tables=_auth_from_toml,
)


# [[access]]


def _access_of_table(table: dict[str, Any], place: str) -> AccessRule:
    path = _checked_path(table.get("path", "/**"))
    lists = []
    for key in ("allow", "deny"):
        networks = table.get(key, [])
        if len(networks) > MOST_NETWORKS:
            raise Wrong(f"{key}: {len(networks)} networks, at most {MOST_NETWORKS} are possible")
        lists.append(tuple(_network(one, key) for one in networks))
    if not any(lists):
        raise Wrong('neither allow nor deny is there; write allow = ["10.0.0.0/8"], or deny')
    return AccessRule(path, *lists)


def _network(text: object, key: str) -> str:
    try:
        parse_network(str(text).strip())
    except ValueError as error:
        raise Wrong(
            f"{key}: {error}; write an address, or a network like 10.0.0.0/8 or 2001:db8::/32"
        ) from None
    return str(text).strip()


def _access_of_text(text: str) -> AccessRule:
    path, _, networks = text.partition("=")
    listed = [one.strip() for one in networks.split(",") if one.strip()]
    deny = [one[1:] for one in listed if one.startswith("!")]
    allow = [one for one in listed if not one.startswith("!")]
    return _access_of_table({"path": path or "/**", "allow": allow, "deny": deny}, "")


ACCESS = Kind(
    "GLOB=NETWORK,!NETWORK",
    lambda text, base: _access_of_text(text),
    repeated=True,
    tables=tables(
        "access", {"path": str, "allow": list, "deny": list}, _access_of_table, _access_of_text, MOST_RULES
    ),
)


# [[rate]]


def _rate_of_table(table: dict[str, Any], place: str) -> RateRule:
    if "requests" not in table:
        raise Wrong(f"requests is missing; write {_EXAMPLES['requests']}")
    requests, per = table["requests"], table.get("per", "second")
    burst = table.get("burst", requests)
    if per not in PERIODS:
        raise Wrong(f"per = {per!r}: choose one of {', '.join(PERIODS)}")
    for key, number in (("requests", requests), ("burst", burst)):
        if not 1 <= number <= MOST_REQUESTS:
            raise Wrong(f"{key} = {number}: give a whole number from 1 to {MOST_REQUESTS}")
    return RateRule(_checked_path(table.get("path", "/**")), requests, per, burst)


def _rate_of_text(text: str) -> RateRule:
    path, _, rate = text.partition("=")
    found = _RATE.fullmatch(rate)
    if found is None:
        raise Wrong(
            "write GLOB=REQUESTS/PERIOD, like /api/**=100/minute, or with a burst: /api/**=100/minute,20"
        )
    table = {"path": path or "/**", "requests": int(found[1]), "per": found[2]}
    return _rate_of_table(table | ({"burst": int(found[3])} if found[3] else {}), "")


RATES = Kind(
    "GLOB=REQUESTS/PERIOD",
    lambda text, base: _rate_of_text(text),
    repeated=True,
    tables=tables(
        "rate",
        {"path": str, "requests": int, "per": str, "burst": int},
        _rate_of_table,
        _rate_of_text,
        MOST_RULES,
    ),
)


def rules_of(site: SiteRules, first: int = 0) -> Rules:
    """The rules of *site*; *first*: the number of its first bucket."""
    return Rules(site.auth, site.access, site.rate, site.index, first)


def access_contradictions(site: SiteRules) -> Iterator[str]:
    """Sentences about rules of *site* that would not do what they seem to."""
    rules = rules_of(site)
    count = len(Patterns(rules).all)
    if count > MOST_PATTERNS:
        yield (
            f"[[auth]], [[access]], [[rate]] together: {count} spellings of paths, at most {MOST_PATTERNS} "
            "are possible; say with one glob, like /admin/**, what several rules say now"
        )
    yield from _led_past(rules, site.rewrite)


def _led_past(rules: Rules, rewrites: Sequence[AddressRule]) -> Iterator[str]:
    """Rewrites from where everybody may to where not everybody may."""
    for rewrite in rewrites:
        to = rewrite.to.partition(":")[0].partition("*")[0].encode("utf-8", "surrogateescape")
        begin = (rewrite.source or "/").partition(":")[0].partition("*")[0].encode("utf-8", "surrogateescape")
        if to.startswith(b"/") and rules.is_protected(to) and not rules.is_protected(begin):
            yield (
                f"[[rewrite]] from {rewrite.source} leads past a rule to {rewrite.to}: [[auth]] and "
                f"[[access]] are about the path that is asked for; give {rewrite.source} the same rule"
            )
