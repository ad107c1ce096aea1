"""The cases: what a client sends, and the frames that have to come back.

They are those of the Autobahn test suite without compression (its numbers name the groups), each with its
strict outcome only: what is wrong ends the connection at the first byte that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.websocket.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, frame

PROTOCOL_ERROR, INVALID_PAYLOAD = 1002, 1007
#: "kosme", with an oxia that needs three bytes.
GREEK = bytes.fromhex("ceba e1bdb9 cf83 cebc ceb5".replace(" ", ""))


class Case(NamedTuple):
    """One of them."""

    name: str
    #: Sent one after the other, each in its own packets.
    sends: tuple[bytes, ...]
    #: Came back before the close.
    frames: tuple[Frame, ...]
    #: The code that the server ends the connection with, None for an empty close frame; the client ends it
    #: with 1000 if nothing else is said.
    code: int | None = 1000
    #: Who says goodbye first.
    by_server: bool = False
    #: The goodbye is among what is sent.
    says_goodbye: bool = False


def whole(name: str, opcode: int, payload: bytes, chop: int = 0, parts: int = 1) -> Case:
    """A message of *parts* frames that comes back; *chop*: bytes that are sent at a time, 0: all."""
    return Case(name, chopped(message(opcode, payload, parts), chop), (Frame(opcode, payload),))


def message(opcode: int, payload: bytes, parts: int = 1) -> bytes:
    """The frames of a message in that many parts, or fewer."""
    size = max(1, -(-len(payload) // parts))
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        frame(opcode if i == 0 else CONTINUATION, piece, fin=i == last) for i, piece in enumerate(pieces)
    )


def chopped(data: bytes, chop: int) -> tuple[bytes, ...]:
    """*data* in pieces of *chop* bytes; 0: in one."""
    return tuple(data[at : at + chop] for at in range(0, len(data), chop)) if chop else (data,)


def wrong(name: str, sends: tuple[bytes, ...], code: int = PROTOCOL_ERROR, *before: Frame) -> Case:
    """What ends the connection; *before*: what comes back before."""
    return Case(name, sends, before, code, by_server=True)


def all_cases() -> Iterator[Case]:
    """All groups."""
    for group in (framing, pings, reserved_bits, opcodes, fragmentation, utf8, closing, limits):
        yield from group()


def framing() -> Iterator[Case]:
    """1.*: messages of every way to write a length."""
    for opcode, byte, kind in ((TEXT, b"*", "text"), (BINARY, b"\xfe", "binary")):
        for size in (0, 125, 126, 127, 128, 65_535, 65_536):
            yield whole(f"1 {kind} of {size} bytes", opcode, byte * size)
        yield whole(f"1 {kind} of 65536 bytes in chops of 997", opcode, byte * 65_536, 997)


def pings() -> Iterator[Case]:
    """2.*: pings are answered with what they hold; pongs are not answered."""
    for payload in (b"", b"Hello, world!", bytes([0, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0, 0xFF]), b"\xfe" * 125):
        yield Case(f"2 ping with {payload[:8]!r}", (frame(PING, payload),), (Frame(PONG, payload),))
    largest = frame(PING, b"\xfe" * 125)
    yield Case("2 ping in octets", chopped(largest, 1), (Frame(PONG, b"\xfe" * 125),))
    yield wrong("2 ping of 126 bytes", (frame(PING, b"\xfe" * 126),))
    for payload in (b"", b"unsolicited"):
        yield Case(f"2 pong with {payload!r}", (frame(PONG, payload),), ())
    yield Case(
        "2 pong, then ping", (frame(PONG, b"unsolicited") + frame(PING, b"asked"),), (Frame(PONG, b"asked"),)
    )
    ten = [b"payload-%d" % number for number in range(10)]
    data = b"".join(frame(PING, payload) for payload in ten)
    answers = tuple(Frame(PONG, payload) for payload in ten)
    yield Case("2 ten pings", (data,), answers)
    yield Case("2 ten pings in octets", chopped(data, 1), answers)


def reserved_bits() -> Iterator[Case]:
    """3.*: no extension gives the reserved bits a meaning."""
    hello = b"Hello, world!"
    yield wrong("3 reserved 1", (frame(TEXT, hello, rsv=1),))
    for rsv, chop in ((2, 0), (3, 0), (4, 1), (5, 0)):
        data = frame(TEXT, hello) + frame(TEXT, hello, rsv=rsv) + frame(PING)
        ways = (data,) if not chop else chopped(data, chop)
        yield wrong(f"3 reserved {rsv} in the second message", ways, PROTOCOL_ERROR, Frame(TEXT, hello))
    parted = (frame(TEXT, hello), frame(TEXT, hello, rsv=3), frame(PING))
    yield wrong("3 reserved 3, frame by frame", parted, PROTOCOL_ERROR, Frame(TEXT, hello))
    yield wrong("3 reserved 6 in a binary message", (frame(BINARY, hello, rsv=6),))
    yield wrong("3 reserved 7 in a ping", (frame(PING, hello, rsv=7),))


def opcodes() -> Iterator[Case]:
    """4.*: opcodes that nobody has given a meaning."""
    hello = b"Hello, world!"
    for opcode in (*range(3, 8), *range(11, 16)):
        yield wrong(f"4 opcode {opcode}", (frame(opcode),))
        yield wrong(f"4 opcode {opcode} with payload", (frame(opcode, b"reserved"),))
        data = frame(TEXT, hello) + frame(opcode, b"reserved") + frame(PING)
        yield wrong(f"4 opcode {opcode} after a message", (data,), PROTOCOL_ERROR, Frame(TEXT, hello))
        yield wrong(
            f"4 opcode {opcode} after a message, in octets",
            chopped(data, 1),
            PROTOCOL_ERROR,
            Frame(TEXT, hello),
        )


def fragmentation() -> Iterator[Case]:
    """5.*: messages in several frames, with control frames between them."""
    for opcode, name in ((PING, "ping"), (PONG, "pong")):
        sends = (frame(opcode, b"fragment1", fin=False) + frame(CONTINUATION, b"fragment2"),)
        yield wrong(f"5 {name} in two fragments", sends)
    first, last = frame(TEXT, b"fragment1", fin=False), frame(CONTINUATION, b"fragment2")
    echo, pong = Frame(TEXT, b"fragment1fragment2"), Frame(PONG, b"between")
    ping = frame(PING, b"between")
    for name, parts, came in (
        ("two fragments", (first, last), (echo,)),
        ("two fragments and a ping", (first, ping, last), (pong, echo)),
    ):
        data = b"".join(parts)
        for how, sends in (
            ("at once", (data,)),
            ("frame by frame", parts),
            ("in octets", chopped(data, 1)),
        ):
            yield Case(f"5 {name} {how}", sends, came)
    stray = frame(CONTINUATION, b"not to be continued")
    hello = frame(TEXT, b"Hello, world!")
    for fin in (True, False):
        alone = frame(CONTINUATION, b"not to be continued", fin=fin)
        for how, sends in (("at once", (alone + hello,)), ("in octets", chopped(alone + hello, 1))):
            yield wrong(f"5 continuation of nothing, final {fin}, {how}", sends)
        yield wrong(f"5 continuation of nothing, final {fin}, frame by frame", (alone, hello))
    data = first + last + frame(CONTINUATION, b"fragment3", fin=False) + hello
    for how, sends in (("at once", (data,)), ("in octets", chopped(data, 1))):
        yield wrong(f"5 continuation after the end {how}", sends, PROTOCOL_ERROR, echo)
    for number in range(2):
        name = "at once" if number else "frame by frame"
        sends = (stray + hello,) if number else (stray, hello)
        yield wrong(f"5 stray, then text, {name}", sends)
    yield wrong("5 two messages at a time", (first + frame(TEXT, b"fragment2"),))
    five = [b"fragment%d" % number for number in range(5)]
    frames = [frame(CONTINUATION if i else TEXT, part, fin=i == 4) for i, part in enumerate(five)]
    first_ping, second_ping = frame(PING, b"ping 1"), frame(PING, b"ping 2")
    parts = (*frames[:2], first_ping, *frames[2:4], second_ping, frames[4])
    came = (Frame(PONG, b"ping 1"), Frame(PONG, b"ping 2"), Frame(TEXT, b"".join(five)))
    yield Case("5 five fragments and two pings", (b"".join(parts),), came)
    yield Case("5 five fragments and two pings, frame by frame", parts, came)


def utf8() -> Iterator[Case]:
    """6.*: text is UTF-8, and what is not ends the connection at the byte that shows it."""
    for parts in ((b"",), (b"", b"", b""), (b"", b"middle frame payload", b"")):
        data = b"".join(
            frame(CONTINUATION if i else TEXT, part, fin=i == len(parts) - 1) for i, part in enumerate(parts)
        )
        yield Case(f"6 text of {len(parts)} frames", (data,), (Frame(TEXT, b"".join(parts)),))
    text = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield whole("6 text", TEXT, text)
    yield whole("6 text in two frames within a character", TEXT, text, parts=2)
    yield whole("6 text, a byte a frame", TEXT, text, parts=len(text))
    yield whole("6 Greek, a byte a frame", TEXT, GREEK, parts=len(GREEK))
    broken = GREEK + b"\xed\xa0\x80" + b"edited"
    yield wrong("6 a surrogate", (frame(TEXT, broken),), INVALID_PAYLOAD)
    yield wrong("6 a surrogate, a byte a frame", (message(TEXT, broken, len(broken)),), INVALID_PAYLOAD)
    for bad in (b"\xf4\x90\x80\x80", b"\xf4\x90"):  # fail fast: the rest is never sent
        parts = (frame(TEXT, GREEK, fin=False) + frame(PING), frame(CONTINUATION, bad, fin=False))
        yield wrong(f"6 beyond U+10FFFF, {len(bad)} bytes of it", parts, INVALID_PAYLOAD, Frame(PONG, b""))
        whole_frame = frame(TEXT, GREEK + bad + b"edited")
        end = len(whole_frame) - len(b"edited")
        cut = len(whole_frame) - len(bad + b"edited")
        sends = (whole_frame[:cut], whole_frame[cut:end])
        yield wrong(f"6 beyond U+10FFFF, {len(bad)} bytes within a frame", sends, INVALID_PAYLOAD)
    for payload in valid_texts():
        yield whole(f"6 valid {payload[:12].hex()}", TEXT, payload)
        yield whole(f"6 valid {payload[:12].hex()}, a byte a frame", TEXT, payload, parts=len(payload))
    for payload in invalid_texts():
        yield wrong(f"6 invalid {payload[:12].hex()}", (frame(TEXT, payload),), INVALID_PAYLOAD)


def valid_texts() -> Iterator[bytes]:
    """First and last of each length, non-characters and specials."""
    for text in ("hello$world", "hello¢world", "hello€world", "hello\U00024b62world"):
        yield text.encode()
    for end in range(2, len(GREEK) + 1):
        if is_utf8(GREEK[:end]):
            yield GREEK[:end]
    for code in (0, 0x80, 0x800, 0x10000, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF, 0xD7FF, 0xE000, 0xFFFD):
        yield chr(code).encode()
    for plane in range(1, 17):
        for code in (0xFFFE, 0xFFFF):
            yield chr(plane << 16 | code).encode()
    for code in range(0xFFF9, 0x10000):
        yield chr(code).encode()


def invalid_texts() -> Iterator[bytes]:
    """Cut, overlong, beyond the end, surrogates, and bytes that no text has."""
    for end in range(1, len(GREEK)):
        if not is_utf8(GREEK[:end]):
            yield GREEK[:end]
    longest = {2: (0xC0, 0xDF), 3: (0xE0, 0xEF), 4: (0xF0, 0xF7), 5: (0xF8, 0xFB), 6: (0xFC, 0xFD)}
    for length, (lowest, highest) in longest.items():
        yield b"".join(bytes([lead, 0x20]) for lead in range(lowest, highest + 1))
        yield bytes([lowest]) + b"\x80" * (length - 2)
        yield bytes([highest]) + b"\xbf" * (length - 2)
        yield bytes([lowest]) + b"\x80" * (length - 2) + b"\xaf"  # an overlong "/"
        yield bytes([lowest]) + b"\x80" * (length - 1)  # an overlong NUL
        if length > 3:
            yield bytes([highest]) + b"\xbf" * (length - 1)
    for overlong in ("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf", "f490 8080", "f888808080"):
        yield bytes.fromhex(overlong)
    for count in range(1, 7):
        yield (b"\x80\xbf" * 3)[:count]
    yield bytes(range(0x80, 0xC0))
    yield b"\xbf"
    for impossible in ("fe", "ff", "fefeffff"):
        yield bytes.fromhex(impossible)
    high, low = ("eda080", "edadbf", "edae80", "edafbf"), ("edb080", "edbfbf")
    for one in (*high, *low, "edbe80"):
        yield bytes.fromhex(one)
    for one in high:
        for other in low:
            yield bytes.fromhex(one + other)


def is_utf8(data: bytes) -> bool:
    """As Python sees it."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def closing() -> Iterator[Case]:
    """7.*: who says goodbye, and how."""
    hello = b"Hello, world!"
    yield whole("7 a message, then goodbye", TEXT, hello)
    goodbye = close()
    for name, after in (
        ("goodbye twice", goodbye),
        ("goodbye, then a ping", frame(PING)),
        ("goodbye, then text", frame(TEXT, hello)),
    ):
        yield Case(f"7 {name}", (goodbye + after,), (), says_goodbye=True)
    parts = frame(TEXT, b"fragment1", fin=False), goodbye, frame(CONTINUATION, b"fragment2")
    yield Case("7 goodbye between fragments", (b"".join(parts),), (), says_goodbye=True)
    sends = (frame(TEXT, hello, rsv=1) + message(BINARY, bytes(2**22), 64),)
    yield wrong("7 4 MiB after the failure", sends)
    large = b"BAsd7&jh23" * 26_215
    data = frame(TEXT, large) + frame(TEXT, hello) + goodbye + frame(PING)
    came = (Frame(TEXT, large), Frame(TEXT, hello))
    yield Case("7 256 KiB, text, goodbye, ping", (data,), came, says_goodbye=True)
    yield Case("7 empty goodbye", (close(None),), (), None, says_goodbye=True)
    yield wrong("7 goodbye of one byte", (frame(CLOSE, b"a"),))
    for reason in (b"", b"Hello World!", b"*" * 123):
        sends = (close(1000, reason),)
        yield Case(f"7 goodbye with {len(reason)} bytes", sends, (), says_goodbye=True)
    yield wrong("7 goodbye of 126 bytes", (close(1000, b"*" * 124),))
    yield wrong("7 goodbye that is no text", (close(1000, GREEK + b"\xed\xa0\x80edited"),), INVALID_PAYLOAD)
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield Case(f"7 goodbye with {code}", (close(code),), (), code, says_goodbye=True)
    for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield wrong(f"7 goodbye with {code}", (close(code),))
        yield wrong(f"7 goodbye with {code} and a reason", (close(code, b"why"),))


def limits() -> Iterator[Case]:
    """9.* and 10.*: large messages, many fragments, small pieces, many messages."""
    for opcode, kind in ((TEXT, "text"), (BINARY, "binary")):
        for kib in (64, 256, 1024, 4096, 8192, 16_384):
            yield whole(f"9 {kind} of {kib} KiB", opcode, b"BAsd7&jh" * (kib * 128))
        payload = b"\x21" * 2**22
        for size in (64, 256, 1024, 4096, 16_384, 65_536, 2**18, 2**20, 2**22):
            yield whole(f"9 {kind} of 4 MiB in frames of {size}", opcode, payload, parts=len(payload) // size)
        for chop in (64, 128, 256, 512, 1024, 2048):
            yield whole(f"9 {kind} of 1 MiB in chops of {chop}", opcode, payload[: 2**20], chop)
        for size in (0, 16, 64, 256, 1024, 4096):
            one = b"*" * size
            sends, came = (frame(opcode, one),) * 1000, (Frame(opcode, one),) * 1000
            yield Case(f"9 {kind} of {size} bytes, 1000 times", sends, came)
    yield whole("10 text of 65536 bytes in frames of 1300", TEXT, b"*" * 65_536, parts=65_536 // 1300 + 1)
