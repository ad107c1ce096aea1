"""Native TLS: libssl's handshakes, and record layers in C behind cffi.

Nothing here decides anything: it turns Python values into the C structures and back.  Importing it fails with
:exc:`ImportError` where ``edge._tls`` was not built; then Twisted's TLS serves.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, NamedTuple

from edge._tls import ffi, lib
from edge.errors import ConfigError
from edge.tls.interface import ALPN, Alert, Credential, Opened, RecordLayer

_SUITES = ("", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_NOTHING = Opened(b"")
#: Flags of a state that opening nothing tells of.
_TELLING = lib.EDGE_TLS_FLAG_CLOSED | lib.EDGE_TLS_FLAG_OWES | lib.EDGE_TLS_FLAG_DEAD
_uncleared = ffi.new_allocator(should_clear_after_alloc=False)
_SCRATCH_BYTES = 128 * 1024
#: Connections of one cipher suite at once, of which memory is reserved.
STATES = 1 << 22


class TicketKey(NamedTuple):
    """What session tickets are sealed with (RFC 5077 section 4)."""

    #: 16 bytes that stand in the ticket.
    name: bytes
    #: 32 bytes, for AES-256-CBC.
    cipher: bytes
    #: 32 bytes, for HMAC-SHA-256.
    mac: bytes


class NativeTls:
    """TLS in one worker process: cipher suites, the states of its connections, the keys of its tickets."""

    def __init__(self, states: int = STATES) -> None:
        """*states*: connections of one cipher suite at once."""
        tls = lib.edge_tls_new(states)
        if tls == ffi.NULL:
            raise ConfigError(f"{version()} lacks what TLS 1.3 needs, or there is no memory")
        self.tls = ffi.gc(tls, lib.edge_tls_free)
        #: What the last opening found.
        self.opened = ffi.new("edge_tls_opened *")
        self._scratch = _uncleared("uint8_t[]", _SCRATCH_BYTES)
        #: By their usual names, the preferred one first.
        self.groups = (("X25519MLKEM768",) if tls.hybrid else ()) + ("X25519", "P-256")

    def scratch(self, size: int) -> Any:
        """Room for *size* bytes up to the next call; only what was written in this one is copied from it."""
        return self._scratch if size <= _SCRATCH_BYTES else _uncleared("uint8_t[]", size)

    @property
    def functions(self) -> int:
        """The address of the table of functions that the loop calls."""
        return int(ffi.cast("uintptr_t", ffi.addressof(lib.edge_tls_native)))

    @property
    def address(self) -> int:
        """The address of what they work on."""
        return int(ffi.cast("uintptr_t", self.tls))

    def context(self, credentials: Sequence[Credential]) -> NativeContext:
        """The certificates of a listener; the first serves names that none of them has.

        :exc:`ConfigError`: one that cannot be used, with the reason.
        """
        return NativeContext(self, credentials)

    def set_ticket_keys(self, keys: Sequence[TicketKey]) -> None:
        """Seal tickets with the first of *keys* from now on, and take those of all: for all listeners.

        1 to 16 keys.  Before the first call it is a random one, which no other process takes.
        """
        if not 1 <= len(keys) <= lib.EDGE_TLS_TICKET_KEYS:
            raise ValueError(f"{len(keys)} ticket keys: 1 to {lib.EDGE_TLS_TICKET_KEYS} can be used")
        if any((len(key.name), len(key.cipher), len(key.mac)) != (16, 32, 32) for key in keys):
            raise ValueError("a ticket key has a name of 16 bytes and two keys of 32 bytes")
        lib.edge_tls_set_tickets(self.tls, b"".join(b"".join(key) for key in keys), len(keys))

    def record_layer(self, state: bytes, partial: bytes = b"") -> NativeRecordLayer:
        """The connection of an exported state.  :exc:`ValueError`: that is none."""
        index = lib.edge_tls_state_import(self.tls, state, len(state))
        if not index:
            raise ValueError("not the state of a TLS 1.3 connection")
        return NativeRecordLayer(self, index, partial)

    def layer_of(self, state: int, partial: bytes) -> NativeRecordLayer:
        """What the loop has let go of: the state of that index."""
        return NativeRecordLayer(self, state, partial)

    def owned(self, layer: RecordLayer) -> NativeRecordLayer:
        """*layer*, if it is one of these.  :exc:`OSError`: it is another build's, or another process's."""
        if isinstance(layer, NativeRecordLayer) and layer.tls is self:
            return layer
        raise OSError(errno.EINVAL, "not a record layer of this fast path")

    def states(self) -> int:
        """Connections that are past their handshake now."""
        return int(lib.edge_tls_states(self.tls))


class NativeContext:
    """The certificates of a listener, in libssl's form."""

    def __init__(self, tls: NativeTls, credentials: Sequence[Credential]) -> None:
        """As :meth:`NativeTls.context`."""
        context = lib.edge_tls_context_for(tls.tls)
        if context == ffi.NULL:
            raise MemoryError
        self.context = ffi.gc(context, lib.edge_tls_context_release)
        for one in credentials:
            problem = lib.edge_tls_context_add(context, one.chain, len(one.chain), one.key, len(one.key))
            if problem != ffi.NULL:
                raise ConfigError(f"the certificate in {one.where} cannot be used: {_text(problem)}")
        problem = lib.edge_tls_context_finish(context)
        if problem != ffi.NULL:
            where = ", ".join(one.where for one in credentials)
            raise ConfigError(f"the certificates in {where} cannot be used: {_text(problem)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names that the certificates have, sorted."""
        found: list[str] = []
        while (name := lib.edge_tls_context_name(self.context, len(found))) != ffi.NULL:
            found.append(_text(name))
        return tuple(found)

    @property
    def address(self) -> int:
        """For the loop."""
        return int(ffi.cast("uintptr_t", self.context))


class NativeRecordLayer:
    """A record layer in C.  Implements :class:`~edge.tls.interface.RecordLayer`."""

    def __init__(self, tls: NativeTls, state: int, partial: bytes = b"") -> None:
        """Owns the *state* of that index."""
        self.tls = tls
        self._state = state
        #: The bytes of a record that is not whole.
        self.partial = partial

    @property
    def state(self) -> int:
        """The index of the state.  :exc:`ValueError`: it was given up."""
        if not self._state:
            raise ValueError("the state of this record layer has another owner, or was discarded")
        return self._state

    @property
    def suite(self) -> str:
        return suite_name(lib.edge_tls_state_suite(self.tls.tls, self.state))

    @property
    def alpn(self) -> bytes | None:
        flags = lib.edge_tls_state_flags(self.tls.tls, self.state)
        return ALPN if flags & lib.EDGE_TLS_FLAG_HTTP else None

    def open(self, data: bytes, replies: bool = True) -> Opened:
        state = self.state
        data = self.partial + data if self.partial else data
        if not data and not lib.edge_tls_state_flags(self.tls.tls, state) & _TELLING:
            return _NOTHING
        out, opened = self.tls.scratch(len(data)), self.tls.opened
        lib.edge_tls_state_open(self.tls.tls, state, data, len(data), out, opened)
        self.partial = data[opened.consumed :]
        if opened.sends >= 0:
            raise Alert(opened.sends, True, self._alert(opened.sends))
        if opened.received >= 0:
            raise Alert(opened.received, False)
        plaintext = bytes(ffi.buffer(out, opened.written))
        answer = self._seal(b"") if opened.owes and replies else b""
        return Opened(plaintext, answer, opened.closed)

    def seal(self, data: bytes | memoryview) -> bytes:
        return self._seal(data)

    def _seal(self, data: bytes | memoryview) -> bytes:
        state = self.state
        size = len(data)
        out = self.tls.scratch(lib.edge_tls_sealed_bytes(size))
        source = data if isinstance(data, bytes) else ffi.from_buffer(data)
        written = lib.edge_tls_state_seal(self.tls.tls, state, source, size, out)
        return bytes(ffi.buffer(out, written))

    def _alert(self, description: int) -> bytes:
        out = ffi.new("uint8_t[]", lib.EDGE_TLS_ALERT)
        written = lib.edge_tls_state_alert(self.tls.tls, self.state, description, out)
        return bytes(ffi.buffer(out, written))

    def close(self) -> bytes:
        return self._alert(0)

    def export(self) -> tuple[bytes, bytes]:
        state, self._state = self.state, 0
        out = ffi.new("uint8_t[]", lib.EDGE_TLS_CELL)
        length = lib.edge_tls_state_bytes(self.tls.tls, state)
        lib.edge_tls_state_export(self.tls.tls, state, out)
        exported = bytes(ffi.buffer(out, length)), self.partial
        ffi.memmove(out, bytes(length), length)
        self.partial = b""
        return exported

    def discard(self) -> None:
        if self._state:
            state, self._state = self._state, 0
            lib.edge_tls_state_discard(self.tls.tls, state)
            self.partial = b""

    def surrender(self) -> None:
        """The state and the bytes of a record that is not whole are the loop's now."""
        self._state, self.partial = 0, b""

    def __del__(self) -> None:
        self.discard()


def version() -> str:
    """OpenSSL's own name and version."""
    return _text(lib.OpenSSL_version(0))


def suite_name(number: int) -> str:
    """The cipher suite, by the low byte of its number, as RFC 8446 section B.4 names it; "" for 0."""
    return _SUITES[number]


def _text(characters: Any) -> str:
    return str(ffi.string(characters).decode("utf-8", "replace"))
