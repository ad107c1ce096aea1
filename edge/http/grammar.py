"""The grammar of HTTP/1.1 as far as this server reads it: one table or regex a rule, with its source.

Nothing here decides what a violation means; see :mod:`edge.http.parser` for that.  Every regex is
used with ``fullmatch`` and is linear: no two adjacent repetitions can share a byte.
"""

from __future__ import annotations

import re

#: tchar, RFC 9110 section 5.6.2.
TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
#: token, RFC 9110 section 5.6.2: methods, field names, codings.
TOKEN = re.compile(TCHAR + rb"+")

#: quoted-string, RFC 9110 section 5.6.4: qdtext or quoted-pair between quotes.
QUOTED_STRING = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'

#: HTTP-version, RFC 9112 section 2.3: case-sensitive, one digit each.
VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")

#: Octets no field value may hold besides CR and LF, which end lines: RFC 9110 section 5.5 (NUL and
#: other control characters; HTAB is allowed, obs-text 0x80-0xFF too).
CONTROL = bytes(c for c in range(0x20) if c not in b"\t\r\n") + b"\x7f"

#: Octets a request-target may consist of: RFC 3986 section 2 (reserved but "#", unreserved, "%").
#: "#" begins a fragment, which is never sent (RFC 9110 section 7.1).  Wider by what browsers send as it is:
#: the path percent-encode set of the URL Standard leaves ``| [ ]``, older browsers left ``^ ` { }``; the
#: query percent-encode set leaves all of these and the backslash.  They mean nothing to anybody.
TARGET = re.compile(rb"[!$%&'()*+,\-./0-9:;=?@A-Z\[\\\]^_`a-z{|}~]+")

#: A percent sign without two hexadecimal digits after it, which is in no URI (RFC 3986 section 2.1), and
#: which browsers send as it is: it stands for itself (URL Standard, percent-decode).
MALFORMED_TRIPLET = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: pct-encoded, RFC 3986 section 2.1.
TRIPLET = re.compile(rb"%([0-9A-Fa-f]{2})")

#: Octets that stand for themselves in a canonical path: pchar without pct-encoded, and "/",
#: RFC 3986 section 3.3.
PATH_LITERALS = frozenset(b"-._~!$&'()*+,;=:@/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

_REG_NAME = rb"(?:[\-._~!$&'()*+,;=0-9A-Za-z]|%[0-9A-Fa-f]{2})+"
_IP_LITERAL = rb"\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[\-._~!$&'()*+,;=:0-9A-Za-z]+)\]"
#: Host = uri-host [ ":" port ], RFC 9110 section 7.2 and RFC 3986 section 3.2.2.  Narrower: the host
#: is not empty, the port has at most five digits.  Wider: digits, colons and dots in brackets are
#: not checked to be an IPv6 address, since nobody here connects to it.
HOST = re.compile(rb"(?:" + _IP_LITERAL + rb"|" + _REG_NAME + rb")(?::[0-9]{0,5})?")

#: absolute-form, RFC 9112 section 3.2.2, of the two schemes that name an HTTP origin
#: (RFC 9110 section 4.2; scheme case-insensitive): authority, then path and query.
ABSOLUTE_FORM = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)")

#: Content-Length = 1*DIGIT, RFC 9110 section 8.6; here at most 19 digits, so that it fits 64 bits.
CONTENT_LENGTH = re.compile(rb"[0-9]{1,19}")

#: chunk-size [ chunk-ext ] without the line end, RFC 9112 section 7.1; at most 16 digits.
CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"((?:[ \t]*;[ \t]*" + TCHAR + rb"+(?:[ \t]*=[ \t]*(?:" + TCHAR + rb"+|" + QUOTED_STRING + rb"))?)*)"
)
#: The whole line of a chunk that is not the last one, of at most 4 digits, without extensions.
PLAIN_CHUNK_LINE = re.compile(rb"(0{0,3}[1-9A-Fa-f][0-9A-Fa-f]{0,3})\r\n")


def _data_of(sizes: range) -> bytes:
    """As many octets as the last digit of the size says, which stands before them."""
    choices = (rb"(?<=[%X%x]\r\n).{%d}" % (size % 16, size % 16, size) for size in sizes)
    return b"(?:" + b"|".join(choices) + b")"


#: One chunk of at most 31 octets without extensions: its size in two digits or in one, and its data; else all
#: that is left, and none of these.  With ``findall`` the chunks at the front of a buffer, at a fifth of what
#: they cost one by one.
SMALL_CHUNK = re.compile(
    rb"(?:(0{0,2}1[0-9A-Fa-f])|(0{0,3}[1-9A-Fa-f]))\r\n((?(1)"
    + _data_of(range(16, 32))
    + b"|"
    + _data_of(range(1, 16))
    + rb"))\r\n|.+",
    re.DOTALL,
)

#: A member of If-Match, If-None-Match: entity-tag, RFC 9110 section 8.8.3.  etagc has no space.
_ENTITY_TAG = rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
ENTITY_TAG = re.compile(_ENTITY_TAG)
#: One step through #entity-tag: empty members (RFC 9110 section 5.6.1.2), the tag, what ends it.
#: A comma may stand inside a tag, therefore lists are not split at commas.
#: With ``findall`` all members; what is none is the third group of the last one, up to the end.
ENTITY_TAG_MEMBER = re.compile(rb"[ \t,]*" + _ENTITY_TAG + rb"[ \t]*(?:,[ \t,]*|\Z)|(.+)", re.DOTALL)

#: qvalue in a weight, RFC 9110 section 12.4.2.
QVALUE = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
#: One member of a comma-separated list whose quoted strings may hold commas: RFC 9110 5.6.1.
LIST_MEMBER = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)

#: The query parameter that, in the last place, stands for a line ``If-None-Match: "TAG"``; TAG is
#: base64url, which needs no encoding in a query.
TAG_PARAMETER = re.compile(rb"~etag=([A-Za-z0-9_-]{1,64})")

#: RFC 9110 section 9.3 and RFC 5789: methods that some resource could have.  TRACE is known, so
#: that it is answered 405 and not 501, but no resource has it.  CONNECT is refused with 400.
METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE"})
#: A longer word is no method that we know, however long it goes on (RFC 9112 section 3: 501).
LONGEST_METHOD = 32
