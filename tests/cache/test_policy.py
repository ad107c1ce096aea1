from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.cache.policy import Refusal, Rules, Terms, age_of, judge
from edge.http.dates import format_date

NOW = 1_700_000_000
TRUSTING = Rules(trusting=True)


def judged(*fields: tuple[str, str], status: int = 200, rules: Rules | None = None, took: float = 0.0) -> Any:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    return judge(status, encoded, rules or Rules(), 100.0, 100.0 + took, NOW)


def control(value: str, *more: tuple[str, str], **given: Any) -> Any:
    return judged(("Cache-Control", value), *more, **given)


class WhatMayBeSharedTests(SynchronousTestCase):
    def test_what_says_so_for_shared_caches(self) -> None:
        for value in (
            "s-maxage=60",
            "public, max-age=60",
            "max-age=5, s-maxage=60",
            "public, s-maxage=60, max-age=0",
        ):
            self.assertEqual(control(value), Terms(60, 0.0, 0, 0), value)

    def test_nothing_else(self) -> None:
        for value in (
            "",
            "public",
            "max-age=60",
            "s-maxage=0",
            "s-maxage=-1",
            "public, max-age=0",
            "immutable",
        ):
            self.assertIs(control(value), Refusal.NO_LIFETIME, value)
        self.assertIs(judged(), Refusal.NO_LIFETIME)
        self.assertIs(judged(("Expires", "Wed, 21 Oct 2099 07:28:00 GMT")), Refusal.NO_LIFETIME)
        self.assertIs(judged(("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")), Refusal.NO_LIFETIME)

    def test_what_is_forbidden_wins_over_every_lifetime(self) -> None:
        for word, refusal in (
            ("private", Refusal.PRIVATE),
            ("no-store", Refusal.NO_STORE),
            ("no-cache", Refusal.NO_CACHE),
        ):
            for value in (
                f"{word}, s-maxage=60",
                f"s-maxage=60, {word.upper()}",
                f'public, max-age=9, {word}="x"',
            ):
                self.assertIs(control(value), refusal, value)
                self.assertIs(control(value, rules=TRUSTING), refusal, value)
        self.assertIsInstance(control("no-store, must-understand, s-maxage=60"), Terms)
        self.assertIs(control("private, must-understand, s-maxage=60"), Refusal.PRIVATE)
        self.assertIs(control("s-maxage=60", ("Set-Cookie", "a=b")), Refusal.SET_COOKIE)
        self.assertIs(judged(("CDN-Cache-Control", "max-age=60"), ("sEt-cOOkie", "a=b")), Refusal.SET_COOKIE)

    def test_statuses(self) -> None:
        for status in (200, 203, 204, 299, 301, 302, 308, 404, 410):
            self.assertIsInstance(control("s-maxage=60", status=status), Terms)
            self.assertIs(control("", status=status), Refusal.NO_LIFETIME)
        for status in (206, 304, 400, 401, 403, 429, 500, 502, 503, 504, 599):
            self.assertIs(control("s-maxage=60", status=status), Refusal.STATUS)

    def test_it_varies_with_the_key_alone(self) -> None:
        rules = Rules(vary={b"accept-language"})
        for value in ("Accept-Encoding", "accept-encoding, ACCEPT-LANGUAGE", "", ", ,"):
            self.assertIsInstance(control("s-maxage=60", ("Vary", value), rules=rules), Terms, value)
        for value in ("*", "Cookie", "Accept-Encoding, *", "Accept-Language, User-Agent", ", *"):
            self.assertIs(control("s-maxage=60", ("Vary", value), rules=rules), Refusal.VARY, value)
        self.assertIs(control("s-maxage=60", ("Vary", "Accept-Encoding"), ("Vary", "Foo")), Refusal.VARY)

    def test_a_coding_that_nobody_asked_for_is_not_stored(self) -> None:
        self.assertIs(control("s-maxage=60", ("Content-Encoding", "gzip")), Refusal.CODED)
        self.assertIsInstance(control("s-maxage=60", ("Content-Encoding", "identity")), Terms)

    def test_a_contradiction_counts_as_over(self) -> None:
        self.assertIs(control("s-maxage=60, s-maxage=0"), Refusal.CONTRADICTION)


class TargetedTests(SynchronousTestCase):
    def test_it_counts_alone(self) -> None:
        own = ("CDN-Cache-Control", "max-age=60")
        for value in ("no-store", "private", "max-age=1", "s-maxage=1", "max-age=1, max-age=2"):
            self.assertEqual(control(value, own), Terms(60, 0.0, 0, 0), value)
        self.assertIs(control("s-maxage=60", ("CDN-Cache-Control", "no-store")), Refusal.NO_STORE)
        self.assertIs(control("s-maxage=60", ("CDN-Cache-Control", "private, max-age=60")), Refusal.PRIVATE)
        self.assertIs(control("s-maxage=60", ("CDN-Cache-Control", "max-age=0")), Refusal.NO_LIFETIME)

    def test_malformed_it_is_not_there(self) -> None:
        self.assertEqual(control("s-maxage=60", ("CDN-Cache-Control", "max-age=&1")), Terms(60, 0.0, 0, 0))
        self.assertIs(judged(("CDN-Cache-Control", "max-age=&1")), Refusal.NO_LIFETIME)


class TrustingTests(SynchronousTestCase):
    def test_where_nothing_personal_is_asked_any_explicit_lifetime_will_do(self) -> None:
        self.assertEqual(control("max-age=60", rules=TRUSTING).fresh, 60)
        dated = (("Date", format_date(NOW - 7200).decode()), ("Expires", format_date(NOW - 7100).decode()))
        self.assertEqual(judged(*dated, rules=TRUSTING).fresh, 100)
        self.assertEqual(judged(dated[1], rules=TRUSTING), Refusal.NO_LIFETIME)
        self.assertEqual(judged(dated[0], ("Expires", dated[1][1].upper()), rules=TRUSTING).fresh, 100)

    def test_expires_is_malformed_or_overridden(self) -> None:
        far = ("Expires", "Wed, 21 Oct 2099 07:28:00 GMT")
        self.assertIs(control("max-age=0", far, rules=TRUSTING), Refusal.NO_LIFETIME)
        for value in ("0", "", "Wed, 21 Oct 2099 07:28:00 UTC", "Wed, 21-Oct-2099 07:28:00 GMT"):
            self.assertIs(judged(("Expires", value), rules=TRUSTING), Refusal.NO_LIFETIME, value)
        self.assertIs(judged(far, far, rules=TRUSTING), Refusal.NO_LIFETIME)


class AgeTests(SynchronousTestCase):
    def test_it_is_what_the_answer_says_and_how_long_it_took(self) -> None:
        terms = control("s-maxage=60", ("Age", "20"), took=1.5)
        self.assertEqual((terms.age, terms.remaining), (21.5, 38.5))

    def test_an_answer_that_is_older_than_its_lifetime_is_over_and_may_be_shared(self) -> None:
        for terms in (control("s-maxage=60", ("Age", "60")), control("s-maxage=1", took=1.2)):
            assert isinstance(terms, Terms)
            self.assertLessEqual(terms.remaining, 0)
        self.assertIs(control("s-maxage=2147483648", ("Age", "31536001")), Refusal.OLD)

    def test_a_clock_that_steps_back_makes_nothing_younger(self) -> None:
        self.assertEqual(control("s-maxage=60", ("Age", "20"), took=-50.0).age, 20)

    def test_the_date_of_an_application_adds_nothing(self) -> None:
        for hours in (-30, -1, 1, 30):
            date = ("Date", format_date(NOW + hours * 3600).decode())
            self.assertEqual(control("s-maxage=60", date), Terms(60, 0.0, 0, 0))

    def test_of_several_the_first_counts_and_what_is_none_is_zero(self) -> None:
        for lines, age in (
            ([b"7"], 7), ([b"7, 9"], 7), ([b"7", b"9"], 7), ([b"0, 9"], 0), ([b"007"], 7), ([], 0),
            ([b"-7"], 0), ([b"7.0"], 0), ([b"abc"], 0), ([b""], 0),
            ([b"9" * 400], 2**31), ([b"2147483649"], 2**31), ([b"0" * 5000 + b"7"], 7),
        ):  # fmt: skip
            self.assertEqual(age_of(lines), age, lines)


class StaleTests(SynchronousTestCase):
    def stale(self, value: str, **given: Any) -> tuple[int, int]:
        terms = control(value, **given)
        return terms.stale_while_revalidate, terms.stale_if_error

    def test_the_answer_says_it(self) -> None:
        self.assertEqual(self.stale("s-maxage=9, stale-while-revalidate=20, stale-if-error=30"), (20, 30))
        self.assertEqual(self.stale("public, max-age=9, stale-while-revalidate=x"), (0, 0))

    def test_else_the_operator(self) -> None:
        rules = Rules(stale_if_error=3600)
        self.assertEqual(self.stale("s-maxage=9", rules=rules), (0, 3600))
        self.assertEqual(self.stale("s-maxage=9, stale-if-error=0", rules=rules), (0, 0))

    def test_who_must_revalidate_is_never_served_stale(self) -> None:
        for word in ("must-revalidate", "proxy-revalidate"):
            value = f"s-maxage=9, stale-while-revalidate=20, stale-if-error=30, {word}"
            self.assertEqual(self.stale(value, rules=Rules(stale_if_error=3600)), (0, 0))


class SameHeadTests(SynchronousTestCase):
    """What a head says is read once; how old its answer is, and what the operator has said, is not in it."""

    def test_each_is_as_old_as_it_was_on_its_way(self) -> None:
        for took in (0.0, 2.5, 1.0, 0.0):
            self.assertEqual(control("s-maxage=60", ("Age", "3"), took=took), Terms(60, 3 + took, 0, 0))
        self.assertIs(control("s-maxage=60", took=40_000_000.0), Refusal.OLD)
        self.assertEqual(control("s-maxage=60"), Terms(60, 0.0, 0, 0))

    def test_each_is_judged_by_the_rules_of_its_path(self) -> None:
        for _ in range(2):
            self.assertIs(control("max-age=60"), Refusal.NO_LIFETIME)
            self.assertEqual(control("max-age=60", rules=TRUSTING), Terms(60, 0.0, 0, 0))
            self.assertEqual(control("max-age=60", rules=Rules(True, (), 9)), Terms(60, 0.0, 0, 9))
            varying = Rules(True, (b"accept-language",))
            self.assertIs(control("max-age=60", ("Vary", "Accept-Language"), rules=TRUSTING), Refusal.VARY)
            self.assertIsInstance(control("max-age=60", ("Vary", "Accept-Language"), rules=varying), Terms)
