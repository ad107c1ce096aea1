from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.keys import LONGEST_TARGET, Key, KeyMaker, without_tag

LANGUAGES = [(b"accept-language", [b"en", b"de", b"pt-br"])]
TARGETS = st.binary(max_size=30).map(lambda raw: b"/" + raw.translate(None, b"\n"))


class TargetTests(SynchronousTestCase):
    def test_every_byte_counts(self) -> None:
        maker = KeyMaker()
        targets = [
            maker.target(path, query)
            for path in (b"/a", b"//a", b"/%61", b"/A", b"/a/", b"/a;x=1")
            for query in (None, b"", b"x=1&y=2", b"y=2&x=1", b"x=1&y=2&", b"x=%31&y=2", b"x=1;y=2")
        ]
        self.assertEqual(len(set(targets)), len(targets))

    def test_names_that_do_not_matter_are_left_out(self) -> None:
        maker = KeyMaker(["utm_*", "fbclid"])
        for query, target in (
            (b"utm_source=x&a=1&fbclid=2", b"/p?a=1"), (b"utm_source=x", b"/p"), (b"a=1&b=2", b"/p?a=1&b=2"),
            (b"xutm_a=1", b"/p?xutm_a=1"), (b"UTM_A=1", b"/p?UTM_A=1"), (b"a=utm_x", b"/p?a=utm_x"),
            (b"utm_", b"/p"), (b"a=1;utm_b=2", b"/p?a=1;utm_b=2"),
            (b"%75tm_a=1", b"/p?%75tm_a=1"), (b"&", b"/p?&"),
        ):  # fmt: skip
            self.assertEqual(maker.target(b"/p", query), target, query)

    def test_our_own_validator_is_not_part_of_it(self) -> None:
        self.assertIsNone(without_tag(b"~etag=AAECAwQFBgcICQoL"))
        self.assertEqual(without_tag(b"a=1&~etag=AAEC"), b"a=1")
        for query in (b"~etag=AAEC&a=1", b"~etag=", b"x~etag=AA", b"a=1&~etag=%41"):
            self.assertEqual(without_tag(query), query)
        self.assertEqual(KeyMaker().target(b"/p", b"~etag=AAEC"), b"/p")

    def test_one_that_is_too_long_has_no_key(self) -> None:
        self.assertIsNotNone(KeyMaker().key(b"/" * LONGEST_TARGET, None, {}))
        self.assertIsNone(KeyMaker().key(b"/" * LONGEST_TARGET, b"", {}))
        self.assertEqual(KeyMaker().names(b"/" * LONGEST_TARGET, None), [b"/" * LONGEST_TARGET])
        self.assertEqual(KeyMaker().names(b"/" * LONGEST_TARGET, b""), [])
        self.assertIsNone(KeyMaker().address(b"/" * LONGEST_TARGET, b""))


class BucketTests(SynchronousTestCase):
    def bucket(self, value: bytes | None) -> bytes:
        fields = {} if value is None else {b"accept-language": value}
        key = KeyMaker((), LANGUAGES).key(b"/", None, fields)
        assert key is not None
        return key.buckets[0][1]

    def test_the_best_that_is_told_apart(self) -> None:
        for value, bucket in (
            (b"de", b"de"), (b"DE-at;q=0.9, en;q=0.8", b"de"), (b"fr, en;q=0.3, de;q=0.4", b"de"),
            (b"pt-BR", b"pt-br"), (b"fr", b""), (b"*", b""), (b"de;q=0", b""), (b"de;q=7", b""),
            (b"", b""), (None, b""),
            (b"de;x=1, en", b"en"),
            (b"de, en", b"en"),
        ):  # fmt: skip
            self.assertEqual(self.bucket(value), bucket, value)

    def test_other_fields_count_whole(self) -> None:
        maker = KeyMaker((), [(b"Save-Data", [b"on"])])
        for value, bucket in ((b"on", b"on"), (b" ON ", b"on"), (b"on, on", b""), (b"off", b"")):
            key = maker.key(b"/", None, {b"save-data": value})
            assert key is not None
            self.assertEqual(key.buckets, ((b"save-data", bucket),))

    @given(TARGETS, TARGETS, st.sampled_from([b"", b"en", b"de"]), st.sampled_from([b"", b"en", b"de"]))
    def test_no_two_keys_have_one_name(self, one: bytes, two: bytes, first: bytes, second: bytes) -> None:
        keys = Key(one, ((b"accept-language", first),)), Key(two, ((b"accept-language", second),))
        self.assertEqual(keys[0].name == keys[1].name, keys[0] == keys[1])
        self.assertNotEqual(keys[0].name, Key(one).name)
        for key in keys:
            self.assertEqual(Key.of_name(key.name), key)

    @given(st.binary(max_size=60))
    def test_whatever_a_visitor_sends_only_configured_values_come_out(self, value: bytes) -> None:
        self.assertIn(self.bucket(value), (b"", b"en", b"de", b"pt-br"))
