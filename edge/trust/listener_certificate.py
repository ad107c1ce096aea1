"""The certificates of a TLS listener as Twisted's TLS shows them: by name, and by what the client can verify.

Twisted's TLS serves what the fast path lets go of: TLS 1.2, unusual hellos, and everything where there is no
native TLS.  New connections get the newest certificates, open ones keep theirs: each change makes new
contexts.

For each DNS name there is a context with the first certificate of each kind of key (ECDSA, RSA) that is for
it; among those libssl takes one that the client can verify.  Who asks for a name that no certificate has gets
those of the first.
"""

# Much of pyOpenSSL has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from edge.certificates import Certificates, Shown
from edge.errors import ConfigError
from edge.trust.credentials import is_for, key_kind, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twisted.protocols.tls import TLSMemoryBIOProtocol

    from edge.sites import Hosts
    from edge.tls.interface import Credential

#: ``--tls-policy``, named as Mozilla's guidelines do: the oldest version that is spoken.
POLICIES = {"modern": SSL.TLS1_3_VERSION, "intermediate": SSL.TLS1_2_VERSION}
#: Of TLS 1.2: forward secrecy and AEADs, so no CBC (RFC 9325 section 4.2).
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

_OPTIONS = (
    SSL.OP_NO_RENEGOTIATION
    | SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_TICKET  # its keys would be those of one process, and never change
    | SSL.OP_CIPHER_SERVER_PREFERENCE
)
#: What is spoken, the best first; ``curl --http1.0`` offers the second alone.
_SPOKEN = (b"http/1.1", b"http/1.0")


class NoProtocol(SSL.Error):
    """The client speaks nothing that is spoken here; its args are those of libssl's errors."""

    def __init__(self) -> None:
        super().__init__([("SSL routines", "", "no application protocol")])


#: By the context of a connection: what was shown on it.
_SHOWN: WeakKeyDictionary[SSL.Context, tuple[Certificates, int]] = WeakKeyDictionary()


def shown_on(connection: SSL.Connection, hosts: Hosts) -> Shown | None:
    """What was shown on *connection* to who asked for a name; None: he asked for none."""
    name, found = connection.get_servername(), _SHOWN.get(connection.get_context())
    return None if not name or found is None else Shown(*found, hosts.find(name))


@implementer(IOpenSSLServerConnectionCreator)
class ListenerCertificates:
    """Makes the TLS connections of one listener."""

    def __init__(self, policy: str, prepare: Callable[[SSL.Context], None] | None = None) -> None:
        """*policy*: of :data:`POLICIES`.  *prepare* is called with each context that is made."""
        self._policy = policy
        self._prepare = prepare
        self._by_name: dict[str, SSL.Context] = {}
        self._default: SSL.Context | None = None
        #: What they are for.
        self.certificates = Certificates({}, ((),))

    @property
    def ready(self) -> bool:
        """Whether there are certificates to show."""
        return self._default is not None

    def take(self, credentials: Sequence[Credential]) -> None:
        """Show *credentials* from now on, the first to who names none of theirs.

        :class:`ConfigError`: OpenSSL does not take one of them; then the former ones stay.
        """
        names = [names_of(one) for one in credentials]
        groups = {name: _group(name, credentials, names) for each in names for name in each}
        first = groups[names[0][0]] if names[0] else (credentials[0],)
        certificates = _certificates(first, groups)
        made = {group: self._context(group) for group in dict.fromkeys((first, *groups.values()))}
        self._by_name = {name: made[group] for name, group in groups.items()}
        self._default = made[first]
        self.certificates = certificates
        for number, group in enumerate(made):
            _SHOWN[made[group]] = certificates, number

    def _context(self, credentials: Sequence[Credential]) -> SSL.Context:
        """A context with *credentials*, one for each kind of key."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(POLICIES[self._policy])
        context.set_cipher_list(CIPHERS)
        context.set_options(_OPTIONS)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_alpn_select_callback(select_protocol)
        context.set_tlsext_servername_callback(self._choose)
        for one in credentials:
            _use(context, one)
        if self._prepare is not None:
            self._prepare(context)
        return context

    def _choose(self, connection: SSL.Connection) -> None:
        """The client has said which name it wants, or that it wants none."""
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
        context = self._by_name.get(name) or self._by_name.get(f"*.{name.partition('.')[2]}")
        if context is not None:
            connection.set_context(context)

    # Twisted's overrides

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        assert self._default is not None, "a listener takes its certificates before it accepts"
        return SSL.Connection(self._default, None)


def _group(
    name: str, credentials: Sequence[Credential], names: Sequence[tuple[str, ...]]
) -> tuple[Credential, ...]:
    """The first credential of each kind of key that is for *name*."""
    fitting = [one for one, its in zip(credentials, names, strict=True) if is_for(its, name)]
    return tuple({key_kind(one): one for one in reversed(fitting)}.values())


def _certificates(
    first: tuple[Credential, ...], groups: Mapping[str, tuple[Credential, ...]]
) -> Certificates:
    """What is shown by *groups*, by name, and to others *first*: of several kinds of keys any may be."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys((first, *groups.values())))}
    shown = {name.encode("ascii", "replace"): numbers[group] for name, group in groups.items()}
    return Certificates(shown, map(_all_are_for, numbers))


def _all_are_for(group: tuple[Credential, ...]) -> list[bytes]:
    names = [names_of(one) for one in group]
    all_are = [name for name in names[0] if all(is_for(its, name) for its in names[1:])]
    all_are += [name for its in names[1:] for name in its if all(is_for(one, name) for one in names)]
    return [name.encode("ascii", "replace") for name in all_are]


def select_protocol(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """What is spoken of what a client has *offered*.

    :raises NoProtocol: nothing; then libssl says no_application_protocol, and that is the end of it (RFC 7301
        section 3.2).  Else what is said in another protocol could be taken for HTTP (ALPACA, USENIX Security
        2021).
    """
    for one in _SPOKEN:
        if one in offered:
            return one
    raise NoProtocol


def _use(context: SSL.Context, credential: Credential) -> None:
    """Add *credential* to *context*, with a chain of its own.

    OpenSSL has a chain for each certificate, but pyOpenSSL sets it from a file alone: this one is in memory.
    """
    fd = os.memfd_create("edge-chain", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(credential.chain)
        context.use_certificate_chain_file(f"/proc/self/fd/{fd}")
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, credential.key))
    except (SSL.Error, crypto.Error) as error:
        reasons = ", ".join(dict.fromkeys(str(each[-1]) for each in error.args[0])) if error.args else ""
        raise ConfigError(f"OpenSSL does not take the certificate in {credential.where}: {reasons}") from None
    finally:
        os.close(fd)
