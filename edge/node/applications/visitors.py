"""From a visitor's request to the question that an application is asked.

What the visitor may not say is left out (:mod:`edge.upstream.fields`); the target stays as he sent it, but
for a validator at its end, which becomes the field that it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.http.fields import list_members
from edge.node.applications.origin import Question
from edge.upstream.fields import of_visitor

if TYPE_CHECKING:
    from edge.http.parser import RequestHead
    from edge.node.connection.streamed import StreamChannel

#: Protocols that nobody may switch to through a node: what follows 101 is not looked at, and these are
#: HTTP, in which requests would reach the application by all rules (h2c smuggling).
_NOT_SWITCHED = (b"h2c", b"h2", b"http/", b"tls/")


def question_of(head: RequestHead, channel: StreamChannel, host: bytes = b"") -> Question:
    """What the application is asked by the request with *head*; *host*: its own name, if it has one."""
    fields = of_visitor(head.headers)
    target = head.target
    if head.tag is not None or not target.startswith(b"/"):
        target = head.path
        query = head.query
        if query is not None and head.tag is not None:
            query = query[: max(query.rfind(b"&"), 0)] or None
        if query is not None:
            target += b"?" + query
    if head.tag is not None:
        fields.append((b"If-None-Match", b'"%b"' % head.tag))
    return Question(
        head.method,
        target,
        fields,
        host or head.host or b"",
        channel.isSecure(),
        getattr(channel.getPeer(), "host", ""),
        channel.network,
        head.content_length,
        channel.waits_for_continue,
        _upgrade_of(head),
        trace=channel.span.context if channel.span is not None else None,
        keep=channel.holding.keep_apart,
    )


def _upgrade_of(head: RequestHead) -> bytes:
    """The one protocol that a request asks to switch to; b"" for none, or for one that nobody may."""
    upgrade = head.fields.get(b"upgrade")
    if upgrade is None or head.has_body or head.version == b"HTTP/1.0":
        return b""
    names = list_members(upgrade)
    options = list_members(head.fields.get(b"connection", b"").lower())
    if len(names) != 1 or b"upgrade" not in options or names[0].lower().startswith(_NOT_SWITCHED):
        return b""
    return names[0]
