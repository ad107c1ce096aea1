"""What of addresses is kept: words, names of files, numbers; no key, no mail address."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.logs.private import is_private, without_secrets

JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


class PrivateTests(SynchronousTestCase):
    """Paths and queries."""

    def test_keys_identities_and_mail_addresses_are_private(self) -> None:
        for path in (
            b"/reset/" + b"3f9a8c1b2d4e5f60718293a4",
            b"/invite/kJ8sLq2PzX91mNb4VcT7",
            b"/u/123e4567-e89b-12d3-a456-426614174000",
            b"/unsubscribe/alice@example.org",
            b"/unsubscribe/alice%40example.org/x.html",
            b"/login/" + JWT,
            b"/s/%33%66%39%61%38c1b2d4e5f60718293a4",
        ):
            self.assertTrue(is_private(path), path)

    def test_pages_and_files_are_not(self) -> None:
        for path in (
            b"/", b"/articles/how-to-measure-without-coordinated-omission", b"/2023/11/14/", b"/item/1234567",
            b"/assets/app.3f9a8c1b2d4e5f60718293a4.js", b"/i/DSC_20231114_221320.jpg",
            b"/wiki/Internationalization",
            b"/block/character-ranking-of-the-month", b"/docs/v1.24/getting-started/installation.html",
        ):  # fmt: skip
            self.assertFalse(is_private(path), path)

    def test_what_is_sent_again_has_x_in_their_place(self) -> None:
        for before, after in (
            (b"/a?q=tea&page=2", b"/a?q=tea&page=2"),
            (b"/a?token=abc&q=tea", b"/a?token=x&q=tea"),
            (b"/a?accessToken=abc", b"/a?accessToken=x"),
            (b"/a?X-Amz-Signature=abc", b"/a?X-Amz-Signature=x"),
            (b"/a?PHPSESSID=&sid=1", b"/a?PHPSESSID=&sid=x"),
            (b"/a?q=" + JWT, b"/a?q=x"),
            (b"/a?to=alice%40example.org", b"/a?to=x"),
            (b"/a?" + JWT, b"/a?x"),
            (b"/a?monkey=1&keyboard=2", b"/a?monkey=1&keyboard=2"),
            (b"/reset/3f9a8c1b2d4e5f60718293a4/now", b"/reset/x/now"),
            (b"/assets/app.3f9a8c1b2d4e5f60718293a4.js?v=3", b"/assets/app.3f9a8c1b2d4e5f60718293a4.js?v=3"),
        ):
            self.assertEqual(without_secrets(before), after)
