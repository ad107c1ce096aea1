"""Which fields pass between visitors and applications: RFC 9110 section 7.6, and what poisoning taught.

An application believes some fields because only the server before it can have sent them.  A visitor who can
send them, too, chooses what he is taken for (``X-Forwarded-For``), which resource is answered under an
innocent address (``X-Original-URL``), or what method it is (``X-HTTP-Method-Override``); and where the
answer is stored, he chooses it for everybody.  So such fields never pass, whoever sends them.  Likewise
names with underscores: CGI, and WSGI after it, make ``X_Real_IP`` and ``X-Real-IP`` one variable.

The fields of the connection itself never pass in either direction, and neither do those that ``Connection``
names.
"""

from __future__ import annotations

from functools import lru_cache

from edge.http.fields import Fields, list_members

#: RFC 9110 sections 7.6.1 and 7.8, RFC 9112 section 9.3, RFC 2068 section 19.7.1 (Keep-Alive), RFC 7540
#: section 3.2.1; and what frames a message, which each connection has its own of.
CONNECTION_FIELDS = frozenset(
    {
        b"connection",
        b"content-length",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)

#: What only a server in front of an application may say, or say to another server; in lower case.
_NOT_OF_VISITORS = frozenset(
    {
        # Met by the node itself; trailers of requests are dropped (RFC 9110 section 6.5.1).
        b"expect",
        b"host",
        b"trailer",
        b"proxy-authorization",
        # Who the visitor is and how he came: RFC 7239, and what servers wrote before and since.
        b"forwarded",
        b"x-forwarded",
        b"x-real-ip",
        b"x-real-port",
        b"client-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"x-true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ipcountry",
        b"cf-visitor",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"x-appengine-user-ip",
        b"x-azure-clientip",
        b"x-cluster-client-ip",
        b"x-envoy-external-address",
        b"x-originating-ip",
        b"x-proxyuser-ip",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-nginx-proxy",
        b"x-host",
        b"x-server-name",
        b"x-http-host",
        b"x-scheme",
        b"x-url-scheme",
        b"x-url-scheme-https",
        b"front-end-https",
        b"x-https",
        b"x-port",
        # Who was authenticated in front of it: RFC 9440, and what servers set.
        b"client-cert",
        b"client-cert-chain",
        b"remote-user",
        b"x-remote-user",
        b"x-client-cert",
        b"x-client-dn",
        b"x-client-verify",
        # Which resource, and what method: Zend, Symfony, IIS, Rails, Google, Microsoft.
        b"x-url",
        b"x-rewrite",
        b"x-http-method",
        b"x-http-path",
        b"x-path",
        b"x-request-uri",
        b"x-method",
        b"request-uri",
        b"base-url",
        b"destination-url",
        # What is done with the answer, or becomes a variable of the process (httpoxy).
        b"proxy",
        b"x-sendfile-type",
        b"surrogate-capability",
        b"x-middleware-prefetch",
        b"x-middleware-subrequest",
        # What the node itself is asked.
        b"edge-timing",
    }
)
#: Beginnings of such names.
_NOT_OF_VISITORS_PREFIXES = (
    b"x-forwarded-",
    b"x-original-",
    b"x-rewrite-",
    b"x-accel-",
    b"x-arr-",
    b"x-ssl-",
    b"ssl-client-",
    b"x-waws-",
    b"x-invoke-",
)
#: Ends of such names: ``X-HTTP-Method-Override``, ``X-Method-Override``, ``X-Host-Override`` ...
_NOT_OF_VISITORS_SUFFIXES = (b"-override",)

#: The same as names, and what names begin and end with, for who asks without Python.
NOT_OF_VISITORS = (
    CONNECTION_FIELDS | _NOT_OF_VISITORS,
    _NOT_OF_VISITORS_PREFIXES,
    _NOT_OF_VISITORS_SUFFIXES,
)

#: Fields that ``Connection`` cannot make disappear: an answer without them would mean something else.
_STAYS = frozenset(
    {
        b"cache-control",
        b"cdn-cache-control",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"set-cookie",
        b"vary",
    }
)
#: Longer names than this are not remembered, so that what is remembered stays small.
_REMEMBERED_NAME = 64


def of_visitor(fields: Fields) -> Fields:
    """What an application may be told of a visitor's *fields*; names are tokens."""
    named = _named_by_connection(fields)
    passed = [field for field in fields if field[0] in _PASSING or _passes(field[0])]
    return [field for field in passed if field[0].lower() not in named] if named else passed


def of_answer(fields: Fields) -> Fields:
    """What a visitor may be told of the *fields* of an answer; names are tokens."""
    named = _named_by_connection(fields) - _STAYS
    passed = [field for field in fields if not _is_of_connection(field[0])]
    return [field for field in passed if field[0].lower() not in named] if named else passed


def _named_by_connection(fields: Fields) -> frozenset[bytes]:
    """The fields that lines of Connection name, in lower case."""
    named: frozenset[bytes] = frozenset()
    for name, value in fields:
        if len(name) == 10 and name.lower() == b"connection":
            named |= _options(value) if len(value) <= _REMEMBERED_NAME else _options.__wrapped__(value)
    return named


@lru_cache(maxsize=64)
def _options(value: bytes) -> frozenset[bytes]:
    """The options of one line of Connection, without those that name no other field."""
    return frozenset(list_members(value.lower())) - CONNECTION_FIELDS - {b"close"}


#: Names that may pass, in the spelling of visitors.
_PASSING: set[bytes] = set()
#: How many are remembered.
_MOST_PASSING = 1024


def _passes(name: bytes) -> bool:
    passes = _may_pass(name)
    if passes and len(name) <= _REMEMBERED_NAME:
        if len(_PASSING) >= _MOST_PASSING:  # somebody makes names up
            _PASSING.clear()
        _PASSING.add(name)
    return passes


def _may_pass(name: bytes) -> bool:
    """Whether a visitor may send a field of that name to an application."""
    lower = name.lower()
    return not (
        b"_" in lower
        or lower in CONNECTION_FIELDS
        or lower in _NOT_OF_VISITORS
        or lower.startswith(_NOT_OF_VISITORS_PREFIXES)
        or lower.endswith(_NOT_OF_VISITORS_SUFFIXES)
    )


def _is_of_connection(name: bytes) -> bool:
    return len(name) <= 17 and _of_connection(name)


@lru_cache(maxsize=256)
def _of_connection(name: bytes) -> bool:
    return name.lower() in CONNECTION_FIELDS
