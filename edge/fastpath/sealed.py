"""The server's end of a TLS 1.3 connection on the Twisted side: a stream transport over a record layer.

It is the transport that plain connections have, with a record layer between it and the socket.  What the
protocol writes waits as plaintext, as it does there, and is sealed when the socket takes it: records are as
long as what was written in one turn of the reactor.  What the socket did not take of a record is kept as
*ciphertext*, never sealed again::

    write --> plaintext, waiting --seal--> ciphertext, waiting --send--> socket
    close_notify is sealed behind the last of it; a reply to a key update goes to the end of the ciphertext,
    or, if there is some, before what is sealed next: who asks often and reads nothing makes nothing grow

``unsent``, and what producers are told, counts both.  Half closing, lingering, deadlines, least rates and the
return to the fast path are those of plain connections; the state returns with the descriptor.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from twisted.internet import main
from twisted.internet.interfaces import INegotiated, ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from edge.fastpath.transports import HandedOffTransport
from edge.tls.interface import VERSION, Alert

if TYPE_CHECKING:
    import socket

    from twisted.internet.interfaces import IProtocol

    from edge.certificates import Shown
    from edge.fastpath.interface import FastPath, SocketState
    from edge.tls.interface import RecordLayer


@implementer(ISSLTransport, INegotiated)
class SealedTransport(HandedOffTransport):  # type: ignore[override]
    """The server's end of one TLS connection that the fast path let go of."""

    #: For which hosts it may be asked; None: for all.
    shown: Shown | None = None

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        peer: tuple[Any, ...],
        reactor: Any,
        fast_path: FastPath,
        layer: RecordLayer,
    ) -> None:
        """Owns *layer* as it does *sock*."""
        self._layer = layer
        super().__init__(sock, protocol, peer, reactor, fast_path, returns=True)

    @property
    def tls(self) -> str:
        """Protocol and cipher suite, as the access log has them."""
        return f"{VERSION} {self._layer.suite}"

    def write_now(self, data: bytes) -> None:
        """As ``write``, but what the kernel takes at once waits for no turn of the reactor."""
        if not self.connected or self.disconnecting or self._writeDisconnecting or self.unsent:
            self.write(data)
            return
        sealed = self._layer.seal(data)
        sent = self.writeSomeData(sealed)
        self._append(sealed[sent:] if isinstance(sent, int) else sealed)  # an error is met again
        self._maybePauseProducer()

    def _send_file(self, file: BinaryIO, count: int) -> int:
        return self._send_pieces(file, count)

    def deliver(self, data: bytes) -> None:
        """Give the protocol *data*, plaintext that the fast path opened, and then what the layer holds."""
        super().deliver(data)
        if not self._reads:
            return
        end = self._open(b"")
        if end is main.CONNECTION_DONE:
            self.stopReading()
            self.readConnectionLost(Failure(end))
        elif end is not None:
            self.connectionLost(Failure(end))

    def _open(self, received: bytes) -> Exception | None:
        """Open what came; the reason if nothing more is to be read, or if the connection is over."""
        try:
            opened = self._layer.open(received, replies=self.offset == len(self.dataBuffer))
        except Alert as alert:
            self._end_with(alert)
            return alert
        self._append(opened.answer)
        if opened.plaintext:
            self.protocol.dataReceived(opened.plaintext)
        return main.CONNECTION_DONE if opened.closed and self._reads else None

    @property
    def _reads(self) -> bool:
        """Whether the protocol has not ended the connection."""
        return bool(self.connected) and not (self.disconnecting or self._aborting)

    def _end_with(self, alert: Alert) -> None:
        """Send *alert* behind what was sealed, if the peer takes it at once; nothing else is sent."""
        self._tempDataBuffer, self._tempDataLen = [], 0
        if alert.answer:
            self._append(alert.answer)
            self.writeSomeData(self.dataBuffer)

    def _append(self, sealed: bytes) -> None:
        """Send *sealed* behind what is sealed already, and before what is not."""
        if sealed:
            self.dataBuffer = self.dataBuffer[self.offset :] + sealed
            self.offset = 0
            self.startWriting()

    def _seal_waiting(self) -> None:
        """Seal what waits, if there is room for it among the ciphertext; at the end also close_notify."""
        if len(self.dataBuffer) - self.offset >= self.SEND_LIMIT:
            return
        sealed = self._layer.seal(b"".join(self._tempDataBuffer)) if self._tempDataBuffer else b""
        if (self.disconnecting or self._writeDisconnecting) and self._nobody_is_asked:
            sealed += self._layer.close()
        self._tempDataBuffer, self._tempDataLen = [sealed], len(sealed)

    @property
    def _nobody_is_asked(self) -> bool:
        """Whether ``doWrite`` asks no producer for more when all is sent: then it closes."""
        return self.producer is None or not (self.producerPaused or not self.streamingProducer)

    def _give_back(self, descriptor: int, socket: SocketState | None) -> None:
        try:
            self._fast_path.adopt(descriptor, self._layer, socket)
        except OSError:
            self._layer.discard()
            raise

    # Twisted's overrides

    def getPeerCertificate(self) -> None:
        """None: clients are not asked for certificates."""

    @property
    def negotiatedProtocol(self) -> bytes | None:
        return self._layer.alpn

    def _dataReceived(self, data: bytes | None) -> Exception | None:  # type: ignore[override]
        return self._open(data) if data else main.CONNECTION_DONE

    def doWrite(self) -> Any:
        self._seal_waiting()
        return super().doWrite()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._layer.discard()
