"""Attempts to have others read what one has chosen: poisoning of caches, and caches that are deceived.

Each attempt is what somebody sends first, several times, and what somebody else asks then.  The application
behind is as gullible as can be (:func:`reflection`): it answers everything that has reached it, target,
method, fields and body, and says that all of it may be shared for a minute, but what lies under
``/private``.  So whatever of the first request has any influence on the second one's answer is seen in it:
:data:`MARK`.

Sources: J. Kettle, "Practical Web Cache Poisoning" (2018), "Web Cache Entanglement" (2020); H. Nguyen et
al., "Your Cache Has Fallen" (CPDoS, CCS 2019); O. Gil, "Web Cache Deception" (2017); S. Mirheidari et al.,
"Cached and Confused" (USENIX Security 2020); M. Doyhenard, "Gotta cache 'em all" (2024); J. Linhart, "HTTP
Desync Attacks" (2019 on); and the advisories of frameworks.
"""

from __future__ import annotations

import json
from typing import NamedTuple

#: What one has chosen, and nobody else may see.
MARK = b"evilmark"
_MARK = MARK.decode()


class Attempt(NamedTuple):
    """One attempt; requests are bytes as they are sent, each on a connection of its own."""

    name: str
    first: bytes
    second: bytes


def reflection(
    method: str, target: str, fields: list[tuple[str, str]], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """(status, fields, body) of the gullible application's answer: all that has reached it."""
    told = {"method": method, "target": target, "fields": fields, "body": body.decode("latin-1")}
    answer = json.dumps(told).encode()
    headers = {"Content-Type": "application/json", "X-Method": method}
    if not target.startswith("/private"):
        headers["Cache-Control"] = "public, s-maxage=60"
    if any(len(value) > 2000 for _, value in fields):
        return 400, headers, answer + MARK  # "request header too large", and stored by who stores errors
    override = next((value for name, value in fields if "override" in name.lower()), None)
    if override is not None or method not in ("GET", "HEAD"):
        return 200, headers, answer + MARK
    return 200, headers, answer


def request(
    target: str, *fields: str, method: str = "GET", host: str = "localhost", body: bytes = b""
) -> bytes:
    """A request; its connection ends with the answer."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def attempts() -> list[Attempt]:
    """All of them."""
    found: list[Attempt] = []

    def path() -> str:
        return f"/page{len(found)}"

    def add(name: str, first: bytes, second: bytes | None = None) -> None:
        found.append(Attempt(name, first, second if second is not None else request(path())))

    for field in _UNKEYED:
        add(f"unkeyed field: {field}", request(path(), field.replace("MARK", _MARK)))

    for host in (
        f"{_MARK}.example",
        f"localhost:80{_MARK}",
        f"{_MARK}@localhost",
        f"localhost/{_MARK}",
        f"{_MARK}",
    ):
        add(f"Host: {host}", request(path(), host=host))
    add("Host in another case", request(path(), f"X-Forwarded-Host: {_MARK}", host="LOCALHOST"))
    add("two Hosts", request(path(), f"Host: {_MARK}"))
    add("another authority in the target", request(f"http://{_MARK}.example{path()}"))

    for name, before, after in (
        ("case of the path", "/PAGE", f"?{_MARK}"),
        ("an encoded letter", "/%70age", f"?{_MARK}"),
        ("two slashes", "//page", f"?{_MARK}"),
        ("a segment of one dot", "/./page", f"?{_MARK}"),
        ("a segment of two dots", f"/{_MARK}/../page", ""),
        ("encoded dots", f"/{_MARK}/%2e%2e/page", ""),
        ("an encoded slash", f"/{_MARK}%2f..%2fpage", ""),
        ("a backslash", f"/{_MARK}\\..\\page", ""),
        ("an encoded backslash", f"/{_MARK}%5c..%5cpage", ""),
        ("NUL", "/page", f"%00{_MARK}"),
        ("an encoded number sign", "/page", f"%23{_MARK}"),
        ("a fragment", "/page", f"#{_MARK}"),
        ("an encoded question mark", "/page", f"%3f{_MARK}"),
        ("a path parameter", "/page", f";{_MARK}"),
        ("an encoded line end", "/page", f"%0d%0a{_MARK}:"),
        ("a space", "/page", f"%20{_MARK}"),
        ("a dot at the end", "/page", f".?{_MARK}"),
        ("a slash at the end", "/page", f"/?{_MARK}"),
    ):
        number = len(found)
        add(f"path: {name}", request(f"{before}{number}{after}"))

    for name, query, innocent in (
        ("a parameter where there is none", f"?q={_MARK}", ""),
        ("another value", f"?q={_MARK}", "?q=good"),
        ("a second value", f"?q=good&q={_MARK}", "?q=good"),
        ("a second value before", f"?q={_MARK}&q=good", "?q=good"),
        ("cloaked by a semicolon in an ignored one", f"?q=good&utm_source=x;q={_MARK}", "?q=good"),
        ("cloaked by an encoded ampersand", f"?q=good&utm_source=x%26q={_MARK}", "?q=good"),
        ("cloaked by a second question mark", f"?q=good?utm_source=x&q={_MARK}", "?q=good"),
        ("in an ignored one", f"?utm_source={_MARK}", ""),
        ("in an ignored one beside another", f"?q=good&utm_content={_MARK}", "?q=good"),
        ("in the name of an ignored one", f"?q=good&utm_{_MARK}=1", "?q=good"),
        ("an ignored name encoded", f"?q=good&utm%5fsource={_MARK}", "?q=good"),
        ("as a list", f"?q[]={_MARK}&q=good", "?q=good"),
        ("in another order", f"?a={_MARK}&q=good", "?q=good&a="),
        ("after a nameless one", f"?&q={_MARK}", "?"),
        ("a JSONP callback", f"?callback={_MARK}", "?callback=good"),
        ("behind a validator", f"?q={_MARK}&~etag=x", "?q=good"),
        ("a validator that is none", f"?~etag={_MARK}%0d%0a", ""),
    ):
        add(f"query: {name}", request(path() + query), request(path() + innocent))

    form = "Content-Type: application/x-www-form-urlencoded"
    body = f"q={_MARK}".encode()
    sized = f"Content-Length: {len(body)}"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    add("fat GET", request(path(), sized, body=body))
    add("fat GET with a form", request(path(), sized, form, body=body))
    add("fat GET in chunks", request(path(), form, "Transfer-Encoding: chunked", body=chunks))
    add("fat GET that waits", request(path(), sized, form, "Expect: 100-continue", body=body))
    add("fat HEAD", request(path(), sized, form, method="HEAD", body=body))
    for method in ("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE", "GETX", "CONNECT"):
        add(f"method: {method}", request(path(), f"X-A: {_MARK}", "Content-Length: 0", method=method))
    add("method in the query", request(path() + f"?_method=POST&x={_MARK}"))

    add("oversize: a field of 3 KiB", request(path(), "X-Oversized: " + "x" * 3000))
    add("oversize: a field of 15 KiB", request(path(), "X-Oversized: " + "x" * 15_000))
    add("oversize: a field of 20 KiB", request(path(), "X-Oversized: " + "x" * 20_000))
    add("oversize: 90 fields", request(path(), *[f"X-{n}: {_MARK}" for n in range(90)]))
    add("oversize: a cookie", request(path(), "Cookie: a=" + "x" * 4000))
    for name, character in (("bell", "\a"), ("line feed", "\n"), ("carriage return", "\r"), ("NUL", "\0")):
        add(f"meta character: {name}", request(path(), f"X-Meta: a{character}{_MARK}"))

    inner = f"GET /{_MARK} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    ended = b"0\r\n\r\n" + inner
    for name, lines in (
        ("CL.TE", (f"Content-Length: {len(ended)}", "Transfer-Encoding: chunked")),
        ("TE.CL", ("Transfer-Encoding: chunked", "Content-Length: 4")),
        ("TE.TE", ("Transfer-Encoding: chunked", "Transfer-Encoding: x")),
        ("TE with a tab", ("Transfer-Encoding:\tchunked", f"Content-Length: {len(ended)}")),
        ("TE before a colon", (f"Content-Length: {len(ended)}", "Transfer-Encoding : chunked")),
        ("TE folded", (f"Content-Length: {len(ended)}", "X: y", " Transfer-Encoding: chunked")),
        ("CL.0", (f"Content-Length: {len(inner)}",)),
        ("two lengths", ("Content-Length: 0", f"Content-Length: {len(inner)}")),
    ):
        data = inner if name in ("CL.0", "two lengths") else ended
        add(f"smuggling: {name}", request(path(), *lines, method="POST", body=data))
    upgrade = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    )
    add("smuggling: h2c", request(path(), *upgrade) + inner)

    cookie = f"Cookie: session={_MARK}"
    for name, suffix in (
        ("a style sheet below it", "/x.css"),
        ("a script below it", "/x.js"),
        ("an image below it", "/logo.png"),
        ("an icon below it", "/favicon.ico"),
        ("a path parameter", ";x.css"),
        ("an encoded slash", "%2fx.css"),
        ("NUL", "%00x.css"),
        ("an encoded question mark", "%3fx.css"),
        ("an encoded number sign", "%23x.css"),
        ("a line end", "%0ax.css"),
        ("a query", "?x.css"),
        ("a way out that the cache resolves", "/..%2fstatic/x.css"),
        ("a way out", "/%2e%2e/static/x.css"),
        ("a suffix", ".css"),
        ("well known", "/robots.txt"),
    ):
        target = f"/private{len(found)}{suffix}"
        second = request(f"{target}")
        if "%2e%2e" in target or "..%2f" in target or "%00" in target:  # nobody's: another address is asked
            second = request(path())
        add(f"deception: {name}", request(target, cookie), second)
    add("deception: credentials", request(f"/private{len(found)}/x.css", f"Authorization: Bearer {_MARK}"),
        request(f"/private{len(found)}/x.css"))  # fmt: skip
    return found


#: Fields that no key holds; MARK stands for what the attacker chooses.
_UNKEYED = (
    "X-Forwarded-Host: MARK", "X-Forwarded-Proto: MARK", "X-Forwarded-Scheme: MARK", "X-Forwarded-For: MARK",
    "X-Forwarded-Port: MARK", "X-Forwarded-Prefix: /MARK", "X-Forwarded-Server: MARK",
    "X-Forwarded-Path: /MARK",
    "Forwarded: host=MARK", "Forwarded: for=MARK;proto=MARK", "X-Host: MARK", "X-Original-Host: MARK",
    "X-Original-URL: /MARK", "X-Rewrite-URL: /MARK", "X-Original-URI: /MARK", "X-HTTP-Host-Override: MARK",
    "X-HTTP-Method-Override: MARK", "X-HTTP-Method: MARK", "X-Method-Override: MARK", "X-Real-IP: MARK",
    "True-Client-IP: MARK", "Client-IP: MARK", "CF-Connecting-IP: MARK", "X_Forwarded_Host: MARK",
    "X-Forwarded_Host: MARK", "Content_Length: MARK", "User-Agent: MARK", "Accept-Language: MARK",
    "Accept: text/MARK", "Accept-Encoding: MARK", "Accept-Charset: MARK", "Cookie: lang=MARK",
    "Authorization: Basic MARK", "Proxy-Authorization: Basic MARK", "Referer: https://MARK/",
    "X-Requested-With: MARK", "X-API-Version: MARK", "Content-Type: text/MARK", "Range: bytes=0-0, MARK",
    "If-None-Match: \"MARK\"", "If-Modified-Since: MARK", "If-Match: \"MARK\"", "If-Range: \"MARK\"",
    "Via: 1.1 MARK", "Max-Forwards: MARK", "Pragma: MARK", "Cache-Control: MARK", "Origin: https://MARK",
    "X-WAP-Profile: MARK", "Sec-Purpose: MARK", "Save-Data: MARK", "Accept-Datetime: MARK", "Priority: MARK",
    "X-Middleware-Prefetch: MARK", "X-Middleware-Subrequest: MARK", "X-Invoke-Status: MARK", "RSC: MARK",
    "Next-Router-State-Tree: MARK", "X-Nextjs-Data: MARK", "X-Now-Route-Matches: MARK", "Purpose: MARK",
    "X-Amz-Website-Redirect-Location: /MARK", "X-Backend-Host: MARK", "Base-Url: https://MARK",
    "Destination: https://MARK/", "Translate: MARK", "TE: MARK", "Trailer: MARK", "Keep-Alive: MARK",
    "Proxy: http://MARK", "Transfer-Encoding: MARK", "Expect: MARK", "Upgrade: MARK", "X-Sendfile-Type: MARK",
    "X-Accel-Mapping: /=MARK", "Surrogate-Capability: MARK", "CDN-Loop: MARK", "Depth: MARK", "Timeout: MARK",
)  # fmt: skip
