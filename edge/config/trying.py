"""How a request would be answered by a configuration, and by which rule: ``edgectl try``.

Told in the order in which a node decides: the site of the host, the path, who may, what is published there
(a file, a redirect, a page that lists a folder), rules with captures, applications, the fallback, nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from edge.access.rules import Rules
from edge.addresses.fields import Fields
from edge.addresses.globs import Glob, decoded
from edge.addresses.navigation import is_navigation
from edge.addresses.patterns import SegmentPattern
from edge.addresses.redirects import LEADING, REWRITE, Leads
from edge.config.applications import answering
from edge.config.model import Config, Site
from edge.config.publishing import publish_settings, site_hosts
from edge.errors import EdgeError
from edge.http.answer import head_200, head_304
from edge.http.negotiation import choose_variant
from edge.http.target import canonical_path, split_target
from edge.networks import parse_network
from edge.resource import CODING_TOKENS, Coding, Resource, split_status
from edge.sites import Hosts

if TYPE_CHECKING:
    from edge.publish.addressing import Addressing

_DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
_SLASHES = re.compile(rb"/{2,}")


class Published(Protocol):
    """What is published for each site, and the rules that are in force for it."""

    def find(self, site: Site, path: bytes) -> Resource | None:
        """What is at the canonical *path*."""

    def addressing(self, site: Site) -> Addressing:
        """The rules: of the configuration, and of ``_redirects`` and ``_headers`` behind them."""


class NoAddress(EdgeError):
    """What is to be tried is no address."""


@dataclass
class Trial:
    """An answer, and how it comes about."""

    status: int = 0
    #: (what decides, what it says), in order.
    steps: list[tuple[str, str]] = field(default_factory=list)
    #: Header lines that go out beside Date, ETag and Content-Length.
    lines: list[str] = field(default_factory=list)
    #: Bytes: of the head, of the body, and of a 304; None: an application decides.
    head: int | None = None
    body: int | None = None
    not_modified: int | None = None

    def say(self, what: str, sentence: str) -> None:
        """One more step."""
        self.steps.append((what, sentence))

    def document(self) -> dict[str, Any]:
        """It, as JSON."""
        return {
            "status": self.status,
            "steps": [{"what": what, "says": says} for what, says in self.steps],
            "fields": self.lines,
            "bytes": {"head": self.head, "body": self.body, "not_modified": self.not_modified},
        }


class _Trying:
    def __init__(
        self,
        config: Config,
        published: Published,
        method: bytes,
        fields: Mapping[bytes, bytes],
        visitor: str,
    ) -> None:
        try:
            self.visitor = str(ip_address(visitor)) if visitor else ""
        except ValueError:
            raise NoAddress(f"--address {visitor}: give an address in numbers, like 192.0.2.7") from None
        self.config = config
        self.find, self.addressing = published.find, published.addressing
        self.method = method
        self.fields = fields
        self.trial = Trial()

    def url(self, url: str) -> Trial:
        host, target = address_of(url)
        trial = self.trial
        hosts = Hosts(site_hosts(self.config))
        number = hosts.find(host) if host else hosts.default
        if number is None:
            trial.say(
                "site", f"no [[site]] has the host {host.decode() or '(none)'}, and none is the default: 421"
            )
            trial.status = 421
            return trial
        site = self.config.sites[number]
        named = f"the host {host.decode()}" if host else "no host was given"
        trial.say("site", f"{site.name or 'the one on top of the file'} ({named})")
        path, query, _ = split_target(target)
        self._path(site, path, query)
        return trial

    def _path(self, site: Site, raw: bytes, query: bytes | None) -> None:
        if self._guards(site, raw):
            return
        trial, path = self.trial, canonical_path(raw)
        if path is None:
            merged = canonical_path(_SLASHES.sub(b"/", raw)) if site.merge_slashes else None
            if b"//" in raw and merged is not None and self.find(site, merged) is not None:
                trial.say("merge-slashes", f"leads to {merged.decode()}")
                self._lead(308, merged)
            elif (app := answering(site.app, raw, b"")) is not None:
                self._application(app.name, app.at)
            else:
                trial.say("path", "other programs could take it for another path: it names nothing")
                trial.status = 404
            return
        if path != raw:
            trial.say("path", f"is {path.decode()}")
        resource = self.find(site, path)
        leads = self.addressing(site).rules.find(decoded(path), query)
        if resource is not None:
            self._published(site, path, resource, leads)
        elif leads is not None and not _takes_all(leads):
            self._by_rule(site, leads)
        elif not path.endswith(b"/") and self.find(site, path + b"/") is not None:
            trial.say("folder", f"leads to {path.decode()}/")
            self._lead(301, path + b"/")
        elif (app := answering(site.app, raw, b"")) is not None:
            self._application(app.name, app.at)
        elif leads is not None:
            self._by_rule(site, leads)
        elif site.fallback and is_navigation(self.method, self.fields):
            trial.say("fallback", f"nothing is there, and this is a navigation: {site.fallback}")
            self._content(site, site.fallback.encode("ascii"))
        else:
            also = " (fallback is for navigations alone)" if site.fallback else ""
            trial.say("file", f"nothing is there{also}; 404.html, if there is one, says so")
            trial.status = 404

    def _guards(self, site: Site, raw: bytes) -> bool:
        """What the rules about who may say of the path *raw*; whether they refuse the visitor."""
        holding = Rules(site.auth, site.access, site.rate, site.index).holding(raw)
        trial, named = self.trial, decoded(raw)
        if holding.networks is not None:
            rule = next((rule for rule in site.access if Glob(rule.path).matches(named)), None)
            where = f"[[access]] path = {rule.path!r}" if rule is not None else "[[access]]"
            may = not self.visitor or holding.networks.allow(parse_network(self.visitor).address)
            who = f"{self.visitor} {'may' if may else 'may not'}" if self.visitor else "not everybody may"
            trial.say("access", f"{where}: {who}")
            if not may:
                trial.status = 403
                return True
        for _, rate in holding.rates:
            trial.say(
                "rate", f"{rate.requests} a {rate.per} from one address, {rate.burst} at once; then 429"
            )
        if holding.auth is not None:
            rule_of = f"[[auth]] path = {holding.auth.path!r}"
            if b"authorization" not in self.fields:
                trial.say("auth", f"{rule_of}: a name and a password of {holding.auth.users} are asked for")
                trial.status = 401
                return True
            trial.say("auth", f"{rule_of}: taken for right, if it is one of {holding.auth.users}")
        return False

    def _published(self, site: Site, path: bytes, resource: Resource, leads: Leads | None) -> None:
        """An entry of the table is there: a file, or what leads elsewhere."""
        status, _ = split_status(resource.representations[0].lines_200)
        if status and leads is not None and leads.status == status:
            self._by_rule(site, leads)
        elif status:
            to = _location(resource)
            self.trial.say("address", f"clean-urls, index and trailing-slash lead to {to.decode()}")
            self._lead(status, to)
        else:
            if leads is not None and leads.status == REWRITE and leads.path != decoded(path):
                self.trial.say("rewrite", f"{_place(leads)}: {leads.address.decode()}")
            self._file(site, path, resource)

    def _by_rule(self, site: Site, leads: Leads) -> None:
        place = _place(leads)
        if leads.status in LEADING:
            self.trial.say("redirect", f"{place}: leads to {leads.address.decode()}")
            self._lead(leads.status, leads.address)
        elif leads.status == REWRITE:
            self.trial.say("rewrite", f"{place}: {leads.address.decode()}")
            self._content(site, leads.address)
        else:
            self.trial.say("redirect", f"{place}: nothing is there")
            self.trial.status = leads.status

    def _content(self, site: Site, path: bytes) -> None:
        """What is at *path*, or where that leads on this site, is the answer."""
        for _ in range(2):
            found = canonical_path(path)
            resource = self.find(site, found) if found is not None else None
            if resource is None or found is None:
                break
            status, _ = split_status(resource.representations[0].lines_200)
            if not status:
                self._file(site, found, resource)
                return
            path = _location(resource)
            self.trial.say("address", f"{found.decode()} leads to {path.decode()}")
        self.trial.say("file", f"nothing is at {path.decode()}")
        self.trial.status = 404

    def _file(self, site: Site, path: bytes, resource: Resource) -> None:
        trial = self.trial
        settings = publish_settings(self.config, site).addresses
        for number, rule in enumerate(self.addressing(site).fields.rules):
            one = Fields((rule,))
            if one.changes((decoded(path),), b""):
                changes = ", ".join(f"{what} {name}" for what, name, _ in rule.changes)
                place = "[[header]]" if number < len(settings.header) else "_headers:"
                trial.say("header", f"{place} path = {rule.path!r}: {changes}")
        if settings.security != "off":
            trial.say("security", f"the preset {settings.security}")
        if self.method not in (b"GET", b"HEAD"):
            trial.say("method", "a file is read: GET, HEAD and OPTIONS")
            trial.status = 405
            return
        variants = sum(1 << one.variant for one in resource.representations)
        number = choose_variant(variants, self.fields.get(b"accept"), self.fields.get(b"accept-encoding"))
        chosen = next(one for one in resource.representations if one.variant == number)
        trial.say("file", f"{resource.path.decode()}, one of {len(resource.representations)} representations")
        trial.say("variant", _named(number))
        trial.status = 200
        head = head_200(_DATE, chosen.etag, resource.modified, chosen.length, chosen.lines_200, b"", False)
        trial.lines = chosen.lines_200.decode("latin-1").split("\r\n")[:-1]
        trial.head, trial.not_modified = (
            len(head),
            len(head_304(_DATE, chosen.etag, chosen.lines_304, b"", False)),
        )
        trial.body = 0 if self.method == b"HEAD" else chosen.length

    def _lead(self, status: int, to: bytes) -> None:
        self.trial.status = status
        self.trial.lines = [f"Location: {to.decode('latin-1')}"]

    def _application(self, name: str, at: str) -> None:
        self.trial.say("application", f"{name}, at {at}; edgectl app explain tells of its stored answers")
        if self.config.traces is not None:
            self.trial.say("traces", "what is not stored goes through Python while traces are made")


def _takes_all(leads: Leads) -> bool:
    pattern = leads.rule.pattern
    return leads.status == REWRITE and isinstance(pattern, SegmentPattern) and pattern.begin == "/"


def _location(resource: Resource) -> bytes:
    """Where a resource leads."""
    return resource.representations[0].lines_304.removeprefix(b"Location: ").rstrip(b"\r\n")


def _place(leads: Leads) -> str:
    return leads.rule.place or leads.rule.source or leads.rule.regex


def _named(variant: int) -> str:
    coding = CODING_TOKENS.get(Coding(variant % 4), "as it is")
    return coding + {0: "", 1: ", as WebP", 2: ", as AVIF"}[variant // 4]


def address_of(url: str) -> tuple[bytes, bytes]:
    """(host, or b""; path and query) of *url*, which may be a path alone; :class:`NoAddress`."""
    try:
        parts = urlsplit(f"//{url}" if url.startswith("/") else url)  # //x/y is a path, too
        target = ((parts.path or "/") + (f"?{parts.query}" if parts.query else "")).encode("ascii")
        host = parts.netloc.rpartition("@")[2].encode("ascii")
    except UnicodeEncodeError:
        raise NoAddress(
            f"{url}: write other characters than ASCII as browsers send them, like %C3%A9"
        ) from None
    except ValueError:
        raise NoAddress(f"{url} is no address") from None
    if parts.scheme not in ("", "http", "https") or not target.startswith(b"/"):
        raise NoAddress(f"{url}: give a URL, or a path from the slash on, like /ranking?page=2")
    return host, target


def try_request(
    config: Config,
    published: Published,
    url: str,
    method: str = "GET",
    fields: Mapping[bytes, bytes] | None = None,
    visitor: str = "",
) -> Trial:
    """How *url* is answered; *fields*: of the request, by lower-case name; *visitor*: the address that asks.

    :class:`NoAddress`.
    """
    return _Trying(config, published, method.encode("ascii", "replace"), fields or {}, visitor).url(url)
