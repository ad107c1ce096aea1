"""Forms without scripts: who may send one, what is asked once more, where it leads."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from demonstration import forms
from edge.app import changes
from tests.asgi_client import Got
from tests.demonstration.test_site import HERE, SiteTestCase


class BackTests(SynchronousTestCase):
    """Where a form leads back to."""

    def test_only_paths_of_this_site(self) -> None:
        for target in ("/", "/ranking", "/search?q=a%20b", "/character/41#x"):
            self.assertEqual(forms.back(target), target)
        for target in (
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "\\\\evil.example",
            "javascript:alert(1)",
            "",
            "ranking",
            "/a\r\nSet-Cookie: a=b",
            "/\t/evil.example",
            "///evil.example",
            "/é",
            "/" + "a" * 1000,
            "http:///evil.example",
            " //evil.example",
        ):
            self.assertEqual(forms.back(target), "/", target)

    @given(some.text(max_size=40) | some.text("/\\:.@abc#?\t\n ", max_size=12))
    def test_whatever_is_given_stays_here(self, target: str) -> None:
        found = forms.back(target)
        self.assertRegex(found, r"\A/(?![/\\])[\x20-\x7e]*\Z")


class ReadingTests(SynchronousTestCase):
    """read_form."""

    def test_a_form_is_its_fields(self) -> None:
        self.assertEqual(forms.read_form(b"a=b+c&d=%C3%A9&e="), {"a": "b c", "d": "é", "e": ""})

    def test_what_cannot_be_read_or_stands_twice_is_refused(self) -> None:
        for body in (b"a=%ff", b"\xff=1", b"a=1&a=2", b"&".join(b"%d=1" % n for n in range(40))):
            self.assertRaises(forms.WrongForm, forms.read_form, body)


class FormTests(SiteTestCase):
    """POST /vote and /comment."""

    def send(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Got:
        body = urlencode(fields).encode()
        kind = {"content_type": "application/x-www-form-urlencoded"}
        return self.client.post(path, body, **kind, **(headers or {}))

    def votes(self) -> int:
        return sum(one["votes"] for one in self.data(self.query("Ranking"))["ranking"])

    def test_a_vote_and_taking_it_back(self) -> None:
        self.assertEqual(self.send("/vote", HERE, code="41").status, 303)
        self.assertEqual(self.votes(), 1)
        self.assertEqual(self.send("/vote", HERE, code="41").status, 303)
        self.assertEqual(self.votes(), 1)
        self.assertEqual(self.send("/vote", HERE, code="41", wanted="0").status, 303)
        self.assertEqual(self.votes(), 0)

    def test_a_visitor_without_his_cookie_is_another_one(self) -> None:
        self.send("/vote", HERE, code="41")
        self.client.cookies.clear()
        self.send("/vote", HERE, code="41")
        self.client.cookies["session"] = "forged.aaaaaa.bbbbbb"
        self.send("/vote", HERE, code="41")
        self.assertEqual(self.votes(), 3)

    def test_an_answer_to_a_form_is_kept_by_nobody(self) -> None:
        for got in (
            self.send("/vote", HERE, code="41"),
            self.send("/vote", HERE, code="zz"),
            self.send("/vote"),
        ):
            self.assertEqual(got.fields["cache-control"], "no-store")
            self.assertNotIn("cdn-cache-control", got.fields)

    def test_a_comment_that_is_no_text_is_refused_with_the_reason(self) -> None:
        for text, said in (
            ("", "needs some text"),
            ("\x00\u200b \n", "needs"),
            ("x" * 501, "500 characters at most"),
        ):
            got = self.send("/comment", HERE, code="41", text=text)
            self.assertEqual(got.status, 422)
            self.assertIn(said, got.body.decode())
        self.assertEqual(self.send("/comment", HERE, code="41", text="x" * 500).status, 303)

    def test_what_somebody_writes_is_text_and_no_markup(self) -> None:
        self.send("/comment", HERE, code="41", text="<script>alert('&')</script>")
        for path in ("/", "/character/41"):
            page = self.client.get(path).body
            self.assertNotIn(b"<script>alert", page)
            self.assertIn(b"&lt;script&gt;alert", page)

    def test_a_form_that_is_sent_twice_with_one_key_is_one_comment(self) -> None:
        self.client.cookies["session"] = (
            self.send("/vote", HERE, code="41").fields["set-cookie"].split("=", 1)[1].partition(";")[0]
        )
        for _ in range(2):
            self.send("/comment", {**HERE, "idempotency_key": "k"}, code="41", text="hi")
        self.assertEqual(len(self.data(self.query("Comments", code="41"))["comments"]), 1)

    def test_a_form_that_is_sent_twice_by_a_double_click_is_one_comment(self) -> None:
        """Browsers send no key; the same text of the same visitor, of another character, is another one."""
        self.client.cookies["session"] = (
            self.send("/vote", HERE, code="41").fields["set-cookie"].split("=", 1)[1].partition(";")[0]
        )
        for code in ("41", "41", "42", "41"):
            self.assertEqual(self.send("/comment", HERE, code=code, text="hi").status, 303)
        self.send("/comment", HERE, code="41", text="hi again")
        said = self.data(self.query("Comments", code="41"))["comments"]
        self.assertEqual([one["text"] for one in said], ["hi again", "hi"])
        self.assertEqual(len(self.data(self.query("Comments", code="42"))["comments"]), 1)

    def test_forms_that_are_too_large_or_none_are_refused(self) -> None:
        for body, status in ((b"a=" + b"x" * 20_000, 413), (b"a=1&a=2", 400), (b"%ff=1", 400), (b"", 422)):
            self.assertEqual(self.client.post("/vote", body, **HERE).status, status)

    def test_pages_of_other_sites_send_none_and_those_of_this_one_do(self) -> None:
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://localhost.evil.example"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"origin": "http://localhost:8002", "sec_fetch_site": "same-site"},
        ):
            self.assertEqual(self.send("/vote", headers, code="41").status, 403, headers)
        self.assertEqual(self.votes(), 0)
        for headers in ({"origin": "http://localhost"}, HERE, {"sec_fetch_site": "none"}):
            self.assertEqual(self.send("/vote", headers, code="41").status, 303, headers)

    def test_in_a_node_pages_of_other_nodes_may(self) -> None:
        """The node has refused who may not."""

        class Node:
            def changed(self, groups: object, settled: object) -> None:
                settled(0)

        self.patch(changes, "node", Node())
        headers = {"origin": "http://localhost:8002", "sec_fetch_site": "same-site"}
        self.assertEqual(self.send("/vote", headers, code="41").status, 303)


class ConfirmingTests(SiteTestCase):
    """A browser that does not say where a form comes from: one page more."""

    def fields_of(self, page: str) -> dict[str, str]:
        found = re.findall(
            r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.partition("<main")[2]
        )
        return {name: html.unescape(value) for name, value in found}

    def send(self, path: str, **fields: str) -> Got:
        return self.client.post(path, urlencode(fields).encode())

    def comments(self) -> list[str]:
        return [one["text"] for one in self.data(self.query("Comments", code="41"))["comments"]]

    def test_it_is_asked_once_more_and_then_it_is_done(self) -> None:
        text = '"It\'s" <b>&amp;'
        asked = self.send("/comment", code="41", text=text, back="/character/41")
        self.assertEqual((asked.status, asked.fields["cache-control"]), (200, "no-store"))
        self.assertEqual(self.comments(), [])
        fields = self.fields_of(asked.body.decode())
        self.assertEqual(fields["text"], text)
        done = self.send("/comment", **fields)
        self.assertEqual((done.status, done.fields["location"]), (303, "/character/41"))
        self.assertEqual(self.comments(), [text])

    def test_what_another_site_could_know_is_not_enough(self) -> None:
        fields = self.fields_of(self.send("/vote", code="41").body.decode())
        mine = dict(self.client.cookies)
        stranger = {**fields, "token": "v" * 22 + ".aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"}
        self.assertEqual(self.send("/vote", **stranger).status, 200)  # asked again
        self.client.cookies.clear()
        self.assertEqual(self.send("/vote", **fields).status, 200)  # a token without its session
        fields_of_another = self.fields_of(self.send("/vote", code="41").body.decode())
        self.client.cookies.clear()
        self.client.cookies.update(mine)
        self.assertEqual(self.send("/vote", **fields_of_another).status, 200)  # another one's token
        self.assertEqual(self.data(self.query("Ranking"))["ranking"], [])
        self.assertEqual(self.send("/vote", **fields).status, 303)

    def test_a_form_that_was_left_lying_is_asked_once_more(self) -> None:
        fields = self.fields_of(self.send("/vote", code="41").body.decode())
        import itsdangerous.timed

        now = itsdangerous.timed.time.time()
        self.patch(itsdangerous.timed.time, "time", lambda: now + 3601)
        self.assertEqual(self.send("/vote", **fields).status, 200)
