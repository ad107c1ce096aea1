"""What is told of the certificates of listeners."""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.endpoint import CertificateFiles, ListenSpec
from edge.node.supervisor.certificate_report import CertificateReport
from edge.node.supervisor.listeners import Listener
from edge.trust.automatic import INVALID, Record, Trouble
from edge.trust.web_certificate import authority, server_certificate


class CertificateReportTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.certificate_report`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.record: Record | None = None

    def file(self, name: str, content: bytes | None = None) -> Path:
        path = self.folder / name
        issued = server_certificate(
            ["a.example", "10.0.0.1"], 3, authority("The authority", ["a.example"], 3)
        )
        path.write_bytes(issued.pem() if content is None else content)
        return path

    def report(self, *files: Path, automatic: Path | None = None) -> CertificateReport:
        listeners = []
        for file in files:
            sock = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(sock.close)
            listeners.append(
                Listener(ListenSpec("tls", certificates=(CertificateFiles(str(file), str(file)),)), (sock,))
            )
        return CertificateReport(listeners, automatic, lambda: self.record)

    def test_each_file_is_told_once_with_its_listeners(self) -> None:
        own, other = self.file("own"), self.file("other")
        found = self.report(own, other, own).certificates(0.0)
        self.assertEqual([one["file"] for one in found], [str(own), str(other)])
        self.assertEqual([len(one["listeners"]) for one in found], [2, 1])
        for one in found:
            self.assertEqual((one["names"], one["issuer"]), (["a.example", "10.0.0.1"], "The authority"))
            self.assertFalse(one["automatic"] or one["self_signed"])
            self.assertIsNone(one["renewal_at"])

    def test_an_automatic_one_says_how_its_renewal_goes(self) -> None:
        file = self.file("automatic")
        record = Record("https://ca.example", ("a.example",)).claimed("n1", 5.0)
        self.record = record.failed("n1", Trouble(INVALID, "why"), 10.0, 1.0).claimed("n2", 400.0)
        [one] = self.report(file, automatic=file).certificates(0.0)
        told = {name: one[name] for name in ("ordering", "last_error", "failed_at", "retry_at", "renewal_at")}
        expected = {"ordering": "n2", "last_error": "why", "failed_at": 10.0, "retry_at": 310.0}
        self.assertEqual(told, {**expected, "renewal_at": 310.0})
        self.assertEqual(self.report(file, automatic=file).check(0.0), (False, "why"))

    def test_what_cannot_be_used_is_said_to_be_so(self) -> None:
        gone, damaged, ended = self.folder / "gone", self.file("damaged", b"x"), self.file("ended")
        ok, detail = self.report(gone, damaged).check(0.0)
        self.assertFalse(ok)
        self.assertIn(f"{gone} cannot be read", detail)
        self.assertIn(f"{damaged} holds no certificate", detail)
        [one] = self.report(ended).certificates(0.0)
        self.assertEqual(self.report(ended).check(one["begins_at"]), (True, "1 valid"))
        for when in (one["begins_at"] - 1, one["expires_at"]):
            self.assertEqual(self.report(ended).check(when), (False, f"{ended} is not valid now"))
