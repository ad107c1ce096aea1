"""Only this machine is loaded, unless the target is named as one's own."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.targets import TargetError, resolve


class ResolveTests(SynchronousTestCase):
    """Which URLs are accepted."""

    def test_loopback_is_accepted(self) -> None:
        """Port, host and path come from the URL; the path defaults to the root."""
        target = resolve("http://127.0.0.1:8001?a=b")
        self.assertEqual(
            (target.address, target.host, target.path), (("127.0.0.1", 8001), "127.0.0.1:8001", "/?a=b")
        )

    def test_other_hosts_must_be_owned(self) -> None:
        """The refusal says how to go on."""
        with self.assertRaisesRegex(TargetError, "--i-own-this-target 192.0.2.1"):
            resolve("http://192.0.2.1/")
        self.assertEqual(resolve("http://192.0.2.1/", ("192.0.2.1",)).address, ("192.0.2.1", 80))

    def test_malformed_urls_are_refused(self) -> None:
        """Each with a sentence that names the URL."""
        for url in (
            "ftp://localhost/",
            "localhost:8001",
            "http://",
            "http://localhost:99999/",
            "http://[::1",
        ):
            with self.assertRaisesRegex(TargetError, "http"):
                resolve(url)
