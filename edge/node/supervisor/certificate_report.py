"""What a node tells of the certificates of its listeners: for ``edgectl certificates`` and the metrics.

``GET /certificates`` answers (times in Unix seconds, null where there is none)::

    {"certificates": [{"names": [...], "issuer", "begins_at", "expires_at", "self_signed", "automatic",
    "file",
                       "listeners": ["https://...", ...], "renewal_at", "ordering": null | "n1", "last_error":
                       null | "a sentence", "failed_at", "retry_at", "problem": null | "a sentence"}]}

*renewal_at* to *retry_at* are known of automatic certificates alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from edge.trust.credentials import alternative_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.node.supervisor.listeners import Listener
    from edge.trust.automatic import Record

_UNKNOWN: dict[str, Any] = {
    "names": [],
    "issuer": None,
    "begins_at": None,
    "expires_at": None,
    "self_signed": False,
    "problem": None,
}
_NOT_AUTOMATIC: dict[str, Any] = {
    "renewal_at": None,
    "ordering": None,
    "last_error": None,
    "failed_at": None,
    "retry_at": None,
}


class CertificateReport:
    """The certificates of *listeners*; *record*: what is known of the one in the file *automatic*."""

    def __init__(
        self, listeners: Sequence[Listener], automatic: Path | None, record: Callable[[], Record | None]
    ) -> None:
        self._listeners = [one for one in listeners if one.spec.kind == "tls"]
        self._automatic = automatic
        self._record = record

    def certificates(self, now: float) -> list[dict[str, Any]]:
        """One for each file, in the order of the listeners, as it looks at *now*, Unix seconds."""
        files = dict.fromkeys(each.certificate for one in self._listeners for each in one.spec.certificates)
        return [self._of(file, now) for file in files]

    def check(self, now: float) -> tuple[bool, str]:
        """Whether all of them can be used at *now*, and what is to be said of them."""
        wrong, found = [], self.certificates(now)
        for one in found:
            if one["problem"]:
                wrong.append(one["problem"])
            elif one["last_error"]:
                wrong.append(one["last_error"])
            elif not one["begins_at"] <= now < one["expires_at"]:
                wrong.append(f"{one['file']} is not valid now")
        return not wrong, "; ".join(wrong) or f"{len(found)} valid"

    def _of(self, file: str, now: float) -> dict[str, Any]:
        is_automatic = self._automatic is not None and Path(file) == self._automatic
        return {
            **_UNKNOWN,
            **_told_by(file),
            "automatic": is_automatic,
            "file": file,
            "listeners": [
                one.url
                for one in self._listeners
                if file in (each.certificate for each in one.spec.certificates)
            ],
            **_NOT_AUTOMATIC,
            **(self._care(now) if is_automatic else {}),
        }

    def _care(self, now: float) -> dict[str, Any]:
        """What is being done for the automatic one."""
        record = self._record()
        if record is None:
            return {}
        attempt = record.attempt
        return {
            "renewal_at": record.due(now) or None,
            "ordering": attempt.orderer or None,
            "last_error": attempt.error or None,
            "failed_at": attempt.failed_at or None,
            "retry_at": attempt.retry_at or None,
        }


def _told_by(file: str) -> dict[str, Any]:
    """What the certificate in *file* says of itself."""
    try:
        found = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except OSError as error:
        return {"problem": f"{file} cannot be read: {error.strerror}"}
    except ValueError:
        return {"problem": f"{file} holds no certificate in PEM form"}
    return {
        "names": list(alternative_names(found)),
        "issuer": _called(found.issuer),
        "begins_at": found.not_valid_before_utc.timestamp(),
        "expires_at": found.not_valid_after_utc.timestamp(),
        "self_signed": found.issuer == found.subject,
    }


def _called(name: x509.Name) -> str:
    """*name* for people: organization and common name, or all of it."""
    parts = [
        str(attribute.value)
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for attribute in name.get_attributes_for_oid(oid)
    ]
    return ", ".join(parts) or name.rfc4514_string()
