"""What a private cache may do with a response: freshness, validators, Vary (RFC 9111)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.http_caching import MOST_S, Caching, read

DATE = "Thu, 26 Nov 2026 12:00:00 GMT"
HOUR_LATER = "Thu, 26 Nov 2026 13:00:00 GMT"
TEN_DAYS_BEFORE = "Mon, 16 Nov 2026 12:00:00 GMT"


def of(**fields: str) -> Caching:
    """Keywords are field names with _ for -."""
    return read({name.replace("_", "-"): value for name, value in fields.items()})


class FreshnessTests(SynchronousTestCase):
    """For how long a response needs no request."""

    def test_max_age_comes_before_expires_and_that_before_a_guess(self) -> None:
        everything = {"date": DATE, "expires": HOUR_LATER, "last_modified": TEN_DAYS_BEFORE}
        self.assertEqual(of(cache_control="public, max-age=60", **everything).lifetime_s, 60)
        self.assertEqual(of(**everything).lifetime_s, 3600)
        self.assertEqual(of(date=DATE, last_modified=TEN_DAYS_BEFORE).lifetime_s, 86_400)
        self.assertEqual(of(date=DATE).lifetime_s, 0)

    def test_a_shared_caches_lifetime_is_not_a_browsers(self) -> None:
        self.assertEqual(of(cache_control="s-maxage=600, max-age=5").lifetime_s, 5)

    def test_what_is_not_to_be_used_without_asking_is_not_fresh(self) -> None:
        for value in (
            "no-cache",
            "max-age=60, no-cache",
            "No-Store",
            "max-age=0",
            "max-age=x",
            'no-cache="a"',
        ):
            self.assertEqual(of(cache_control=value, date=DATE, expires=HOUR_LATER).lifetime_s, 0, value)

    def test_an_invalid_expires_is_past(self) -> None:
        for value in ("0", "-1", "never", TEN_DAYS_BEFORE):
            self.assertEqual(of(date=DATE, expires=value, last_modified=TEN_DAYS_BEFORE).lifetime_s, 0, value)

    def test_no_store_is_not_stored_and_no_cache_is(self) -> None:
        self.assertFalse(of(cache_control="no-store").is_stored)
        self.assertTrue(of(cache_control="private, no-cache").is_stored)

    def test_age_is_what_it_has_been_elsewhere(self) -> None:
        self.assertEqual(of(age="50").age_s, 50)
        self.assertEqual(of(age="x").age_s, 0)

    def test_vary_matches_what_browsers_always_send_and_nothing_that_differs(self) -> None:
        self.assertEqual(of(cache_control="max-age=9", vary="Accept-Encoding, Origin").lifetime_s, 9)
        for value in ("*", "Accept-Encoding, Referer"):
            caching = of(cache_control="max-age=9", vary=value)
            self.assertEqual((caching.lifetime_s, caching.is_varying), (0, True))

    def test_a_huge_lifetime_is_the_most(self) -> None:
        self.assertEqual(of(cache_control="max-age=" + "9" * 40).lifetime_s, MOST_S)


class ValidatorTests(SynchronousTestCase):
    """What a copy is confirmed by."""

    def test_tags_are_strong_or_weak(self) -> None:
        self.assertEqual((of(etag='"a"').etag, of(etag='"a"').is_weak), ("a", False))
        self.assertEqual((of(etag='W/"a"').etag, of(etag='W/"a"').is_weak), ("a", True))

    def test_what_is_none_is_none(self) -> None:
        for value in ("a", '"a', '"a"b"', "", '"' + "a" * 63 + '"'):
            self.assertEqual((of(etag=value).etag, of(etag=value).is_weak), ("", False), value)
        self.assertEqual(of(last_modified="yesterday").modified, "")
        self.assertEqual(of(last_modified=DATE).modified, DATE)


class AnyFieldsTests(SynchronousTestCase):
    """Whatever servers say."""

    @given(
        st.dictionaries(
            st.sampled_from(["cache-control", "expires", "date", "last-modified", "etag", "age", "vary"]),
            st.one_of(st.text(max_size=40), st.sampled_from([DATE, HOUR_LATER, "max-age=1e9", "max-age=-1"])),
        )
    )
    def test_nothing_is_too_odd(self, fields: dict[str, str]) -> None:
        caching = read(fields)
        self.assertTrue(0 <= caching.lifetime_s <= MOST_S and 0 <= caching.age_s <= MOST_S)
