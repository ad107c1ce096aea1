"""A certificate whose files change while it is used."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.trust.credentials import names_of
from edge.trust.kept_certificate import KeptCertificate
from tests.trust.made import NOW, Made, make

DAY = 86_400


class KeptCertificateTests(SynchronousTestCase):
    """:class:`edge.trust.kept_certificate.KeptCertificate`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.now = NOW.timestamp()
        self.files = make("first.example").write(self.folder)
        self.kept = KeptCertificate(self.files, lambda: self.now)

    @property
    def shown(self) -> str:
        return names_of(self.kept.credential)[0]

    def replace(self, made: Made) -> None:
        """Other files in the same places, each whole at once."""
        new = made.write(self.folder, name="new")
        os.replace(new.key, self.files.key)
        os.replace(new.certificate, self.files.certificate)

    def test_a_new_certificate_is_noticed_by_a_look(self) -> None:
        self.assertFalse(self.kept.look())
        self.replace(make("second.example", number=1))
        self.assertEqual(self.shown, "first.example")
        self.assertTrue(self.kept.look())
        self.assertEqual(self.shown, "second.example")
        self.assertFalse(self.kept.look())

    def test_files_that_are_only_touched_are_the_same_certificate(self) -> None:
        os.utime(self.files.certificate)
        self.assertFalse(self.kept.look())

    def test_what_cannot_be_used_is_said_once_and_the_former_stays(self) -> None:
        for spoil in (
            lambda: Path(self.files.certificate).write_bytes(b"half"),
            lambda: Path(self.files.key).unlink(),
            lambda: Path(self.files.key).write_bytes(make("x", number=7).key_pem()),
            lambda: self.replace(make("weak.example", kind="rsa1024")),
        ):
            self.replace(make("first.example"))
            self.kept.look()
            spoil()
            self.assertFalse(self.kept.look())
            self.assertFalse(self.kept.look())  # it has not changed since
            self.assertIn(
                "the certificate stays as it was", self.kept.reload() or ""
            )  # who asks gets an answer
            self.assertEqual(self.shown, "first.example")
        self.replace(make("third.example", number=1))
        self.assertTrue(self.kept.look())
        self.assertEqual(self.shown, "third.example")

    def test_one_that_is_not_valid_now_does_not_replace_one_that_is(self) -> None:
        for days, words in (((-9, -1), "expired on"), ((1, 9), "is not valid before")):
            self.replace(make("second.example", number=1, days=days))
            self.assertIn(words, self.kept.reload() or "")
            self.assertEqual(self.shown, "first.example")
        self.now += 40 * DAY  # now the first has expired, too
        self.replace(make("second.example", number=1, days=(-9, 35)))
        self.assertIsNone(self.kept.reload())
        self.assertEqual(self.shown, "second.example")

    def test_to_begin_with_one_that_is_not_valid_now_is_better_than_none(self) -> None:
        self.now += 40 * DAY
        self.assertEqual(
            names_of(KeptCertificate(self.files, lambda: self.now).credential), ("first.example",)
        )

    def test_without_a_good_certificate_nothing_begins(self) -> None:
        Path(self.files.key).write_bytes(b"")
        self.assertRaises(ConfigError, KeptCertificate, self.files)
