"""What a Caddyfile comes to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.convert import Unreadable, convert
from tests.convert.configurations import ConvertTestCase


class CaddyTests(ConvertTestCase):
    name = "Caddyfile"

    def test_a_site_gets_its_certificate_by_itself(self) -> None:
        document = self.toml(
            "example.org, www.example.org {\n root * /srv/www\n file_server\n encode gzip\n}\n"
        )
        self.assertEqual(document["listen"], ["tcp:80", "tls:443"])
        self.assertEqual(document["tls-auto"], ["example.org", "www.example.org"])
        self.assertEqual((document["webroot"], document["redirect-https"]), ("/srv/www", True))

    def test_a_file_without_braces_is_one_site(self) -> None:
        document = self.toml("http://localhost:8080\nroot * /srv\nfile_server browse\n")
        self.assertEqual(document["listen"], ["tcp:8080"])
        self.assertEqual((document["webroot"], document["listing"]), ("/srv", ["/**"]))

    def test_directives(self) -> None:
        document = self.toml(
            """
            {
                email admin@example.org
            }
            (fields) {
                header {args[0]} X-A "a b"
            }
            :80 {
                root * /srv
                import fields /x/*
                try_files {path} {path}.html /index.html
                redir /old/* /new/ permanent
                redir /a /b 308
                rewrite /c/* /d.html
                @static path *.css *.js
                header @static Cache-Control max-age=60
                header -Server
                header /p {
                    +Link "</a>; rel=preload"
                    -X-B
                }
                handle /api/* {
                    reverse_proxy localhost:3000 127.0.0.1:3001 {
                        health_uri /health
                    }
                }
                log {
                    output file /var/log/access.log
                }
            }
            """
        )
        self.assertEqual((document["fallback"], document["clean-urls"]), ("/index.html", True))
        self.assertEqual(
            (document["acme-email"], document["access-log"]), ("admin@example.org", "/var/log/access.log")
        )
        self.assertEqual(
            document["redirect"],
            [{"from": "/old/*", "to": "/new/", "status": 301}, {"from": "/a", "to": "/b", "status": 308}],
        )
        self.assertEqual(document["rewrite"], [{"from": "/c/*", "to": "/d.html", "force": True}])
        to = ["http://localhost:3000", "http://127.0.0.1:3001"]
        self.assertEqual(document["app"], [{"at": "/api", "to": to, "probe": "/health"}])
        rules = {one["path"]: one for one in document["header"]}
        self.assertEqual(rules["/x/**"]["set"], {"X-A": "a b"})
        self.assertEqual(rules["*.js"]["set"], {"Cache-Control": "max-age=60"})
        self.assertEqual(rules["/p"], {"path": "/p", "add": {"Link": "</a>; rel=preload"}, "remove": ["X-B"]})

    def test_ports_and_certificates(self) -> None:
        for address, listen in (
            ("example.org:8443", ["tcp:80", "tls:8443"]),
            ("http://example.org:8080", ["tcp:8080"]),
            (":8080", ["tcp:8080"]),
        ):
            self.assertEqual(self.toml(f"{address} {{\nroot * /a\n}}\n")["listen"], listen)
        self.assertEqual(self.remarks("https://localhost {\n}\n")[0].count("certificate of its own"), 1)
        own = self.draft("a.example {\ntls /c.pem /k.pem\n}\n")
        self.assertEqual(own.keys["listen"], ["tcp:80", "tls:443:privateKey=/k.pem:certKey=/c.pem"])
        self.assertNotIn("tls-auto", own.keys)
        self.assertTrue(own.keys["redirect-https"])

    def test_a_redirect_of_a_tree_keeps_what_follows(self) -> None:
        document = self.toml(
            ":80 {\nredir /blog/* https://blog.example{uri} 301\nredir https://b.example{uri}\n}\n"
        )
        self.assertEqual(
            document["redirect"],
            [{"from": "/blog/*", "to": "https://blog.example/blog/:splat", "status": 301},
             {"from": "/*", "to": "https://b.example/:splat", "status": 302}],
        )  # fmt: skip

    def test_what_is_asked_before_any_file_is_told(self) -> None:
        (remark,) = self.remarks(":80 {\nroot * /srv\nreverse_proxy localhost:1\nfile_server\n}\n")
        self.assertIn("files of the webroot win", remark)
        self.toml(":80 {\nroot * /srv\nhandle {\nreverse_proxy localhost:1\n}\n}\n")

    def test_what_nobody_may_and_what_is_not_there(self) -> None:
        document = self.toml(
            ":80 {\n@no path /storage/* *.env\nrespond @no 404\nrespond /a 403\nerror /b 410\nabort /c\n}\n"
        )
        self.assertEqual([one["path"] for one in document["access"]], ["*.env", "/a"])
        self.assertEqual([(one["from"], one["status"]) for one in document["redirect"]],
                         [("/storage/*", 404), ("/b", 410), ("/c", 404)])  # fmt: skip
        self.assertEqual(len(self.remarks(":80 {\nrespond 404\nrespond /a 404 {\nclose\n}\n}\n")), 2)

    def test_programs_are_not_shown_as_text(self) -> None:
        draft = self.draft(":80 {\nroot * /srv\nphp_fastcgi unix//a\n}\n")
        self.assertEqual(draft.sites[0].tables["access"][0].values["path"], "*.php")

    def test_logs(self) -> None:
        one, other = (
            "a.example {\nlog {\noutput file /v/a.log\n}\n}\n",
            "b.example {\nlog {\noutput file /v/b.log\n}\n}\n",
        )
        (remark,) = self.remarks(one + other)
        self.assertIn("a node has one access log", remark)
        (remark,) = self.remarks(":80 {\nlog {\nformat console\n}\n}\n")
        self.assertIn("access-log-format", remark)

    def test_each_line_that_is_not_understood_is_named_with_the_way_out(self) -> None:
        for line, word in (
            ("php_fastcgi unix//run/php.sock", "PHP is not run here"),
            ("respond /a hello", "an answer of its own"),
            ("@a header X-B c\nheader @a X-D e", "only paths are told apart"),
            ("redir /a {http.request.uri.query}", "captures alone"),
            ("basic_auth /s/* {\n bob $2a$14$x\n}", "htpasswd"),
            ("header Date now", "the node computes it"),
            ("unknown x", "there is nothing here"),
        ):
            found = self.remarks(f":80 {{\n{line}\n}}\n")
            self.assertEqual(len(found), 1, found)
            self.assertRegex(found[0], r"^Caddyfile:[23]: ")
            self.assertIn(word, found[0])

    def test_what_is_not_whole_or_never_ends_is_refused_with_the_line(self) -> None:
        self.refused(":80 {\n root * /a\n", "Caddyfile:1", "never closed")
        self.refused(":80 {\n}\n}\n", "Caddyfile:3", "closes nothing")
        self.refused(':80 {\n header A "b\n}\n', "Caddyfile:2", "quote")
        self.refused(":80 {\n import Caddyfile\n}\n", "Caddyfile:2", "includes itself")
        self.refused("a {\n" * 60 + "}\n" * 60, "too much of it")
        doubling = "".join(f"(s{n + 1}) {{\n import s{n}\n import s{n}\n}}\n" for n in range(40))
        self.refused("(s0) {\n a\n}\n" + doubling, "too much of it")

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "{",
                    "}",
                    ":80",
                    "a.example",
                    "@m",
                    "path",
                    "/a",
                    "/a/*",
                    "root",
                    "*",
                    "redir",
                    "rewrite",
                    "header",
                    "-X",
                    "+Y",
                    "try_files",
                    "{path}",
                    '"',
                    "`",
                    "#",
                    "\n",
                    "reverse_proxy",
                    "localhost:1",
                    "import",
                    "(s)",
                    "s",
                    "handle",
                    "browse",
                    "file_server",
                    "\\",
                    "tls",
                    "log",
                    "output",
                ]
            ),
            max_size=30,
        ).map(" ".join)
    )
    def test_whatever_it_is_it_is_converted_or_refused(self, text: str) -> None:
        path = self.folder / "Caddyfile"
        path.write_text(text)
        try:
            draft = convert(str(path))
        except Unreadable:
            return
        self.assertIsInstance(draft.toml(), str)
        for remark in draft.remarks:
            self.assertTrue(str(remark).isprintable())
