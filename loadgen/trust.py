"""Whose certificates are trusted, and what is said of a server whose TLS cannot be: TLS 1.3, as a client.

The same rules hold for crawling, for both wires and for sockets: at least TLS 1.3, a chain to the system's
authorities or to those of ``--cafile``, the server's name in the certificate; ``--insecure`` checks none.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from loadgen.errors import LoadgenError, UsageError
from loadgen.patience import within

#: Of one connection that only looks whether TLS can be spoken, seconds.
_PATIENCE_S = 10.0
#: openssl/x509_vfy.h; ssl has no names for them.
_NOT_YET_VALID, VERIFY_EXPIRED, _SELF_SIGNED, _SELF_SIGNED_IN_CHAIN = 9, 10, 18, 19
_NO_ISSUER, _NO_FIRST, _OTHER_NAME, _OTHER_ADDRESS = 20, 21, 62, 64

#: What can be wrong, beside the sentence that says so.
NO_TLS, OLD_TLS, UNTRUSTED, EXPIRED, OTHER_NAME = range(5)
_OLD = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION")
_WAYS_OUT = {
    EXPIRED: "renew it",
    OTHER_NAME: "use the name that it is for",
    UNTRUSTED: "name the authority with --cafile FILE",
}
_ANYWAY = ", or load it unchecked with --insecure"


class Trust(msgspec.Struct, frozen=True):
    """Whose certificates are trusted; goes to other machines, too."""

    #: Certificates of authorities as PEM; "": the system's.
    authorities: str = ""
    insecure: bool = False


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of whatever loads servers."""
    parser.add_argument(
        "--cafile", type=Path, metavar="FILE",
        help="PEM of the authorities of https:// (default: the system's)",
    )  # fmt: skip
    parser.add_argument("--insecure", action="store_true", help="take any certificate")


def read(cafile: Path | None, insecure: bool) -> Trust:
    """What the options say; :exc:`UsageError`."""
    if cafile is None:
        return Trust(insecure=insecure)
    try:
        trust = Trust(cafile.read_text("ascii"), insecure)
        context(trust)
    except (OSError, UnicodeDecodeError, ssl.SSLError) as error:
        why = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else ""
        raise UsageError(
            f"--cafile {cafile}: {why or 'there is no certificate in it'}; give a PEM file of authorities"
        ) from None
    return trust


def context(trust: Trust) -> ssl.SSLContext:
    """The settings of a client that has this *trust*; :exc:`ssl.SSLError`: no certificates."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.set_alpn_protocols(["http/1.1"])
    if trust.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif trust.authorities:
        made.load_verify_locations(cadata=trust.authorities)
    else:
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return made


def kind_of(error: OSError) -> int:
    """What is wrong with a server in whose handshake *error* was raised."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (VERIFY_EXPIRED, _NOT_YET_VALID):
            return EXPIRED
        return OTHER_NAME if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS) else UNTRUSTED
    return OLD_TLS if isinstance(error, ssl.SSLError) and error.reason in _OLD else NO_TLS


def check(url: str, address: tuple[str, int], trust: Trust) -> None:
    """Shake hands with the server of *url* at *address* once; :exc:`LoadgenError` says what is wrong."""
    name = urlsplit(url).hostname or ""
    settings = context(trust)
    try:
        _shake(address, name, settings)
        return
    except OSError as error:
        failed = error
    why = sentence(failed, lambda: _speaks_older(address, name))
    raise LoadgenError(f"{url}: {why}")


def sentence(error: OSError, speaks_older: Callable[[], bool] = lambda: False) -> str:
    """What *error*, raised in a handshake, says of the server, and the way out.

    *speaks_older*: whether an older TLS than 1.3 succeeds; asked where only that can tell.
    """
    kind = kind_of(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (_SELF_SIGNED, _SELF_SIGNED_IN_CHAIN, _NO_ISSUER, _NO_FIRST):
            what = "its certificate is of an authority that is not trusted here"
        elif error.verify_code == _NOT_YET_VALID:
            what = "its certificate is not valid yet"
        elif kind == EXPIRED:
            what = "its certificate has expired"
        elif kind == OTHER_NAME:
            what = "its certificate is for another name"
        else:
            what = f"its certificate is not trusted: {error.verify_message}"
        return f"{what}; {_WAYS_OUT[kind]}{_ANYWAY}"
    if isinstance(error, (ConnectionRefusedError, TimeoutError)) and not isinstance(error, ssl.SSLError):
        return f"no answer: {error.strerror or 'timed out'}; is the server running?"
    if kind == OLD_TLS or speaks_older():
        return "it speaks no TLS 1.3, only older versions; have it speak TLS 1.3"
    reason = getattr(error, "reason", None)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "it answers, but not by TLS; try http://"
    told = str(reason or error.strerror or error).lower().replace("_", " ")
    return f"it refuses the TLS handshake: {told}; its log may say why"


def _shake(address: tuple[str, int], name: str, settings: ssl.SSLContext) -> None:
    with socket.create_connection(address, _PATIENCE_S) as connection:
        made = settings.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False)
        with made, within(_PATIENCE_S, lambda: made) as late:
            try:
                made.do_handshake()
            except OSError:
                if late.is_set():
                    raise TimeoutError(errno.ETIMEDOUT, "its handshake does not end") from None
                raise


def _speaks_older(address: tuple[str, int], name: str) -> bool:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.suppress(OSError):
        _shake(address, name, settings)
        return True
    return False
