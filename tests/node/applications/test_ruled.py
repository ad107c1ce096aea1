"""Response fields by rule in the answers of applications."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.addresses.fields import Changes, FieldRule, Fields
from edge.node.applications.ruled import RuledOrigin
from tests.node.applications.parts import Heard, Scripted, question

HTML = (b"Content-Type", b"text/html")


class RuledTests(SynchronousTestCase):
    """:class:`edge.node.applications.ruled.RuledOrigin`."""

    def answered(
        self, rules: Fields, *fields: tuple[bytes, bytes], status: int = 200, target: bytes = b"/shop/a?x"
    ) -> list[tuple[bytes, bytes]]:
        """The fields that a visitor gets."""
        inner, heard = Scripted(), Heard()
        RuledOrigin(inner, lambda: rules).ask(question(target=target), heard)
        inner.asked[-1].answer(status, b"body", list(fields))
        self.assertEqual(heard.body, b"body")
        return next(event[2] for event in heard.events if event[0] == "started")

    def test_rules_set_add_and_remove(self) -> None:
        rules = Fields(
            [
                FieldRule(
                    "/shop/**", (("set", "X-A", "1"), ("add", "Link", "</b>"), ("remove", "X-Powered-By", ""))
                ),
                FieldRule("/other/**", (("set", "X-B", "1"),)),
            ]
        )
        fields = self.answered(rules, HTML, (b"x-powered-by", b"x"), (b"Link", b"</a>"))
        self.assertEqual(fields, [HTML, (b"Link", b"</a>"), (b"X-A", b"1"), (b"Link", b"</b>")])

    def test_who_may_keep_an_answer_the_application_says_alone(self) -> None:
        """A rule for all paths would make pages of one visitor everybody's."""
        changes: Changes = (
            ("set", "Cache-Control", "public, max-age=60"),
            ("add", "Vary", "X"),
            ("set", "CDN-Cache-Control", "max-age=60"),
            ("remove", "Set-Cookie", ""),
        )
        rules = Fields([FieldRule("/**", changes)])
        private = (HTML, (b"Cache-Control", b"private"), (b"Set-Cookie", b"a=b"))
        self.assertEqual(self.answered(rules, *private), list(private))
        self.assertEqual(self.answered(rules, HTML), [HTML])

    def test_a_preset_says_what_the_application_has_not_said(self) -> None:
        own = (b"x-frame-options", b"DENY")
        fields = dict(self.answered(Fields((), "basic"), HTML, own))
        self.assertEqual(fields[b"x-frame-options"], b"DENY")
        self.assertNotIn(b"X-Frame-Options", fields)
        self.assertIn(b"Referrer-Policy", fields)

    def test_a_304_and_a_site_without_rules_are_left_alone(self) -> None:
        rules = Fields([FieldRule("/**", (("set", "X-A", "1"),))])
        self.assertEqual(self.answered(rules, (b"ETag", b"x"), status=304), [(b"ETag", b"x")])
        self.assertEqual(self.answered(Fields(), HTML), [HTML])
