"""What the environment says."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from demonstration.settings import Settings, read_settings


class SettingsTests(SynchronousTestCase):
    """read_settings."""

    def test_nothing_is_a_file_here_and_a_key_beside_it(self) -> None:
        self.assertEqual(read_settings({}), Settings())
        self.assertEqual(read_settings({"DEMONSTRATION_DATA": "", "DEMONSTRATION_DEV": "0"}), Settings())

    def test_the_key_is_beside_the_data_or_where_it_is_said(self) -> None:
        self.assertEqual(
            read_settings({"DEMONSTRATION_DATA": "sqlite:/a/b.sqlite"}).key, Path("/a/session.key")
        )
        self.assertEqual(read_settings({"DEMONSTRATION_DATA": "/a/b.sqlite"}).key, Path("/a/session.key"))
        url = {"DEMONSTRATION_DATA": "postgresql://h/n"}
        self.assertEqual(read_settings(url).key, Path("session.key"))
        self.assertEqual(read_settings({**url, "DEMONSTRATION_KEY": "/k"}).key, Path("/k"))

    def test_origins_and_the_switch_for_development(self) -> None:
        found = read_settings({"DEMONSTRATION_ORIGINS": "https://a https://b", "DEMONSTRATION_DEV": "1"})
        self.assertEqual((found.origins, found.development), (("https://a", "https://b"), True))
