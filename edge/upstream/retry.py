"""Which questions may be asked twice.

A question that nobody has acted on may always be asked again.  Of one that may have been acted on nobody
knows whether it was; then only those go out once more that do nothing when they are done twice (RFC 9110
sections 9.2.2 and 9.2.1), or whose author says that the application tells the second one from the first
(``Idempotency-Key``, draft-ietf-httpapi-idempotency-key-header).  PUT and DELETE are idempotent by the RFC;
many applications do more with them than it says, so they need the field as well.
"""

from __future__ import annotations

from edge.http.fields import Fields

#: Octets of a question's body that are kept until the answer begins, so that it can be sent twice.
KEPT_BODY = 64 * 1024
#: How often a question is asked, in all.
ATTEMPTS = 2

_DO_NOTHING = (b"GET", b"HEAD", b"OPTIONS")


def may_repeat(method: bytes, fields: Fields, upgrade: bytes = b"") -> bool:
    """Whether a question may be asked again though somebody may have acted on it."""
    if upgrade:
        return False
    return method in _DO_NOTHING or any(name.lower() == b"idempotency-key" for name, _ in fields)
