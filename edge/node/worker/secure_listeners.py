"""TLS of a worker's listeners: on the fast path where that can be, by Twisted for the rest.

With ``edge._tls`` the fast path shakes hands with everybody whose hello it recognises.  It lets go of the
others, which Twisted's TLS serves, as it serves all where there is no native TLS.  Both show the same
certificates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.trust.listener_certificate import ListenerCertificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from OpenSSL import SSL

    from edge.fastpath.interface import FastPath
    from edge.node.process.ticket_keys import TicketKey
    from edge.tls.interface import Credential
    from edge.tls.native import NativeContext, NativeTls


class SecureListeners:
    """The TLS listeners of a worker, by their numbers."""

    def __init__(
        self, numbers: Iterable[int], policy: str, prepare: Callable[[SSL.Context], None], wanted: bool
    ) -> None:
        """*policy* and *prepare*: see :class:`ListenerCertificates`.  *wanted*: the fast path is native."""
        self._twisted = {number: ListenerCertificates(policy, prepare) for number in numbers}
        #: None: Twisted's TLS serves alone.
        self.native: NativeTls | None = None
        self._what = ""
        if self._twisted:
            self._what = self._load() if wanted else "the fast path is not native"
        self._contexts: dict[int, NativeContext] = {}
        self._fast_path: FastPath | None = None

    def _load(self) -> str:
        """The version of the native TLS; or why there is none."""
        try:
            from edge.tls.native import NativeTls, version

            self.native = NativeTls()
        except (ImportError, ConfigError) as error:
            return str(error)
        return version()

    def describe(self) -> str:
        """Who speaks TLS, in words for the log; "" if nobody does."""
        if not self._twisted:
            return ""
        if self.native is None:
            return f"TLS: by Twisted alone, at many times the cost ({self._what})"
        return f"TLS: {self._what} on the fast path, groups {', '.join(self.native.groups)}"

    def twisted(self, number: int) -> ListenerCertificates | None:
        """What makes Twisted's TLS connections of that listener; None: it speaks no TLS."""
        return self._twisted.get(number)

    def has_certificates(self, number: int) -> bool:
        """Whether that listener has what it needs to speak TLS."""
        return self._twisted[number].ready

    def certify(self, number: int, credentials: Sequence[Credential]) -> None:
        """Show *credentials* to new connections of that listener.

        :class:`ConfigError`: OpenSSL refuses one; then what was shown before stays.
        """
        context = self.native.context(credentials) if self.native is not None else None
        self._twisted[number].take(credentials)
        if context is not None:
            self._contexts[number] = context
            if self._fast_path is not None:
                self._fast_path.secure(number, context, self._twisted[number].certificates)

    def take_ticket_keys(self, keys: Sequence[TicketKey]) -> None:
        """Seal session tickets under the first of *keys*, open those of all; Twisted gives no tickets."""
        if self.native is not None and keys:
            from edge.tls import native

            self.native.set_ticket_keys([native.TicketKey(*key) for key in keys])

    def begin(self, fast_path: FastPath) -> None:
        """*fast_path* listens on all of them."""
        self._fast_path = fast_path
        for number, context in self._contexts.items():
            fast_path.secure(number, context, self._twisted[number].certificates)
