"""What a Caddyfile comes to."""

from __future__ import annotations

import contextlib
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import load
from edge.convert import Draft, Unreadable, convert
from tests.convert.configurations import ConvertTestCase

#: Words of arguments, of directives and of addresses; several that nobody should write.
_WORD = st.sampled_from(
    (
        *[
            "/a",
            "/a/*",
            "/b*",
            "*.php",
            "*/x/*",
            "/c:d",
            "/g%20h",
            "/[ij]",
            "{uri}",
            "{$V}",
            "{$V:/w}",
            "*",
            "@m",
            "301",
            "200",
            "unix//run/x",
        ],
        *[
            "https://b.example{uri}",
            "https://b.example:99999",
            "localhost:1",
            "[::1]:2",
            "h2c://up",
            "10.0.0.0/8",
            "::1",
        ],
        *["fe80::1%eth0", "X-A", "-X-*", "+Vary", "?ETag", "`é`", "-"],
        '"/e f"',
        '"a\tb"',
        "a" * 200,
    )
)
_NAME = st.sampled_from(
    [
        "root",
        "file_server",
        "try_files",
        "header",
        "redir",
        "rewrite",
        "uri",
        "reverse_proxy",
        "basic_auth",
        "forward_auth",
        "tls",
        "bind",
        "log",
        "php_fastcgi",
        "respond",
        "error",
        "abort",
        "handle",
        "handle_path",
        "route",
        "invoke",
        "encode",
        "templates",
        "fs",
        "plugin",
        "@m",
        "hide",
        "index",
        "client_auth",
        "output",
        "health_uri",
        "header_up",
        "to",
        "path",
        "not",
        "remote_ip",
        "path_regexp",
        "trusted_proxies",
        "import",
    ]
)
_ADDRESS = st.sampled_from(
    (
        *[
            ":80",
            "a.example",
            "http://a.example",
            "https://a.example",
            "a.example:8443",
            "*.b.example",
            "localhost",
            "10.0.0.1",
        ],
        *[
            "[::1]:81",
            "c.local",
            "{$D}",
            "{$D:d.example}",
            "a.example/x",
            "http://",
            "https://",
            ":443",
            "é.example",
            "_x",
            "a.example,",
        ],
        "",
    )
)


def _statement(inside: st.SearchStrategy[str] | None) -> st.SearchStrategy[str]:
    line = st.builds(lambda name, words: " ".join((name, *words)), _NAME, st.lists(_WORD, max_size=3))
    if inside is None:
        return line
    return st.one_of(line, st.builds(lambda head, block: f"{head} {{\n{block}\n}}", line, inside))


_lines = st.lists(_statement(st.lists(_statement(None), max_size=2).map("\n".join)), max_size=6).map(
    "\n".join
)
_file = st.lists(
    st.builds(
        lambda names, block: f"{' '.join(names)} {{\n{block}\n}}", st.lists(_ADDRESS, max_size=2), _lines
    ),
    min_size=1,
    max_size=3,
).map("\n".join)


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
        draft = self.draft(
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
                        header_up Host {host}
                        header_up X-Real-IP {remote_host}
                    }
                }
                file_server
                log {
                    output file /var/log/access.log
                }
            }
            """
        )
        told, remark = draft.remarks
        self.assertIn("header_up X-Real-IP {remote_host}: an application is told what", str(told))
        self.assertIn("files of webroot below /api win over the application", str(remark))
        self.assertEqual(draft.sites[0].keys["webroot"], "/srv")
        document = self.read(draft)
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

    def test_regular_expressions(self) -> None:
        document = self.toml(
            ":80 {\n@p path_regexp id ^/p/([0-9]+)$\nredir @p https://a.example/posts/{re.id.1} 301\n"
            "@old path_regexp \\.(bak|orig)$\nrespond @old 404\n}\n"
        )
        self.assertEqual(
            document["redirect"],
            [
                {"from-regex": "^/p/([0-9]+)$", "to": "https://a.example/posts/:1", "status": 301},
                {"from-regex": r"\.(bak|orig)$", "status": 404},
            ],
        )
        for inside in ("not remote_ip 10.0.0.0/8", "remote_ip 10.0.0.0/8"):
            text = f":80 {{\n@x {{\npath_regexp ^/a[0-9]\n{inside}\n}}\nrespond @x 403\n}}\n"
            self.assertEqual(len(self.remarks(text)), 1)

    def test_files_are_shown_where_a_file_server_gets_to_and_nowhere_else(self) -> None:
        for text in (
            "root * /srv\nfile_server /static/*\nreverse_proxy localhost:1",
            "root * /srv\nhandle {\nreverse_proxy localhost:1\n}",
            "root * /srv\nhandle /static/* {\nfile_server\n}",
            "root * /srv\nroute {\nfile_server /pub/*\nrespond 403\n}",
            "root * /srv\nreverse_proxy localhost:1\nfile_server",
            "root * /srv\nredir https://b.example{uri}\nfile_server",
            "root * /srv\nrespond <<END\n}\nfile_server\nEND 200\nfile_server",
            "root * /srv\nrewrite * /app{uri}\nfile_server",
            "root * /srv\n@in remote_ip 10.0.0.0/8\n@x header A b\nhandle @x {\nfile_server\n}",
        ):
            draft = self.draft(f":80 {{\n{text}\n}}\n")
            self.assertNotIn("webroot", draft.sites[0].keys, text)
            self.assertIn('webroot = "none"', draft.toml())  # nor is it the demonstration of a node
        draft = self.draft(
            ":80 {\nroot * /a\nhandle_path /x/* {\nroot * /b\nfile_server\n}\nfile_server\n}\n"
        )
        self.assertEqual(draft.sites[0].keys["webroot"], "/a")
        self.assertEqual(self._closed(draft), ["/x/**"])

    def _closed(self, draft: Draft) -> list[str]:
        """Globs of what nobody may have."""
        return [one.values["path"] for one in draft.sites[0].tables.get("access", ())
                if "allow" not in one.values and "0.0.0.0/0" in one.values["deny"]]  # fmt: skip

    def test_what_nobody_may_and_what_is_not_there(self) -> None:
        document = self.toml(
            ":80 {\n@no path /storage/* *.env\nrespond @no 404\nrespond /a 403\nerror /b 410\nabort /c\n"
            "respond 404\n}\n"
        )
        self.assertEqual([one["path"] for one in document["access"]], ["/a", "*.env"])
        plain = [(one["from"], one["status"]) for one in document["redirect"] if "from" in one]
        self.assertEqual(plain, [("/c", 404), ("/b", 410), ("/storage/*", 404)])
        # Caddy takes them in any case.
        others = [one for one in document["redirect"] if "from" not in one]
        self.assertEqual(({one["status"] for one in others}, len(others)), ({404}, 5))

    def test_who_may_by_network(self) -> None:
        all_ = ["0.0.0.0/0", "::/0"]
        for text, rules in (
            ("@x {\npath /admin/*\nnot remote_ip 10.0.0.0/8\n}\nrespond @x 403",
             [{"path": "/admin/**", "allow": ["10.0.0.0/8"], "deny": all_}]),
            ("@x remote_ip 192.0.2.0/24\nabort @x", [{"path": "/**", "deny": ["192.0.2.0/24"]}]),
            ("@x not client_ip 10.0.0.0/8 192.0.2.1\nabort @x\n@y remote_ip 10.1.0.0/16\nabort @y",
             [{"path": "/**", "allow": ["10.0.0.0/8", "192.0.2.1"], "deny": ["10.1.0.0/16", *all_]}]),
            # A narrow rule says what the wide one says, too: here the first counts.
            ("@x remote_ip 10.1.0.0/16\nabort @x\n@y {\npath /a/*\nnot remote_ip 10.0.0.0/8\n}\nabort @y",
             [{"path": "/a/**", "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16", *all_]},
              {"path": "/**", "deny": ["10.1.0.0/16"]}]),
            ("@x not path /pub/*\nabort @x",
             [{"path": "/pub/**", "allow": all_}, {"path": "/**", "deny": all_}]),
        ):  # fmt: skip
            self.assertEqual(
                self.toml(f":80 {{\nroot * /srv\n{text}\nfile_server\n}}\n")["access"], rules, text
            )
        inside = ":80 {\n@in remote_ip private_ranges\nhandle @in {\nreverse_proxy up:1\n}\nrespond 403\n}\n"
        (rule,) = self.toml(inside)["access"]
        self.assertEqual((rule["path"], rule["deny"], "10.0.0.0/8" in rule["allow"]), ("/**", all_, True))

    def test_where_a_guard_cannot_be_said_nobody_is_let_in(self) -> None:
        for text, closed in (
            ("@x `path('/a/*')`\nrespond @x 403", ["/**"]),
            ("@x {\npath /a/*\nnot header X-Key k\n}\nrespond @x 403", ["/a/**"]),
            ("@x not query key=k\nredir @x /login", ["/**"]),
            ("@x maxmind_geolocation {\nallow_countries DE\n}\nhandle @x {\nrespond 403\n}", ["/**"]),
            ("forward_auth /a/* auth:9091 {\nuri /verify\n}", ["/a/**"]),
            ("authorize /a/* with policy", ["/a/**"]),
            ("tls {\nclient_auth {\nmode require_and_verify\n}\n}", ["/**"]),
            ("respond /a/* {$STATUS}", ["/a/**"]),
            ("reverse_proxy /a/* https://inner", ["/a/**"]),
            ("redir /a/* /{vars.x}", ["/a/**"]),
            ("handle_path /a/* {\nrespond ok\n}", ["/a/**"]),
            ("uri strip_prefix /a", ["/a/**"]),
            ("respond /a/* ok", ["/a/**"]),
            ("root /a/* /other", ["/a/**"]),
        ):
            draft = self.draft(f":80 {{\nroot * /srv\n{text}\nfile_server\n}}\n")
            self.assertLessEqual(set(closed), set(self._closed(draft)), text)
            self.assertTrue(draft.remarks, text)
            self.read(draft)
        (remark,) = self.remarks(
            ":80 {\nroot * /a\n@b header User-Agent *bot*\nrespond @b 403\nfile_server\n}\n"
        )
        self.assertIn("those are let in", remark)

    def test_what_a_file_server_hides_is_hidden(self) -> None:
        hidden = self.draft(":80 {\nroot * /srv\nfile_server {\nhide .git *.sql private /srv/a/b\n}\n}\n")
        self.assertEqual(hidden.remarks, [])
        self.assertEqual(sorted(self._closed(hidden)),
                         ["*.sql", "/**/*.sql/**", "/**/private/**", "/a/b", "/a/b/**", "private"],
                         )  # fmt: skip
        own = self.draft(f":80 {{\nroot * {self.folder}\nfile_server\n}}\n")
        self.assertEqual(self._closed(own), ["Caddyfile"])

    def test_passwords_of_others_open_nothing(self) -> None:
        draft = self.draft(
            ":80 {\nroot * /srv\nbasic_auth /a/* {\nann $2a$14$x\n}\nbasic_auth /b/* {\nbob $2a$14$y\n}\n"
            "file_server\n}\n"
        )
        files = {one.values["path"]: one.values["users"] for one in draft.sites[0].tables["auth"]}
        self.assertEqual(len(set(files.values())), 2)
        self.assertEqual(set(files), {"/a/**", "/b/**"})
        self.assertIn("(ann)", str(draft.remarks[0]))

    def test_a_rewrite_shows_nothing_that_is_not_for_everybody(self) -> None:
        draft = self.draft(
            ":80 {\nroot * /srv\nrewrite /pub /secret/x.html\nrespond /secret/* 403\n"
            "try_files {path} /b/x.html\nbasic_auth /b/* {\nbob x\n}\nfile_server\n}\n"
        )
        self.assertNotIn("rewrite", draft.sites[0].tables)
        self.assertNotIn("fallback", draft.sites[0].keys)

    def test_a_site_is_known_by_its_host_and_reached_by_nobody_else(self) -> None:
        text = "a.example {\nbind 127.0.0.1\nroot * /int\nfile_server\n}\n"
        text += "b.example {\nroot * /b\nfile_server\n}\n"
        draft = self.draft(text)
        self.assertEqual(self._closed(draft), ["/**"])
        self.assertIn("not everybody gets to where it listens", str(draft.remarks[0]))
        draft = self.draft("{$A} {\nroot * /a\nfile_server\n}\nb.example {\nroot * /b\nfile_server\n}\n")
        self.assertEqual([site.hosts for site in draft.sites], [["b.example"]])
        draft = self.draft(
            "b.example:8443 {\nroot * /a\nfile_server\n}\nb.example {\nroot * /b\nfile_server\n}\n"
        )
        self.assertEqual(len(draft.sites), 1)
        self.assertIn("another site has this host", " ".join(map(str, draft.remarks)))
        draft = self.draft(
            "http://localhost {\nrespond 404\n}\nhttp://b.example {\nroot * /b\nfile_server\n}\n"
        )
        self.assertEqual([site.hosts for site in draft.sites], [["localhost"], ["b.example"]])
        document = self.toml("a.example,\nb.example {\nroot * /a\nfile_server\n}\n")
        self.assertEqual(document["tls-auto"], ["a.example", "b.example"])
        document = self.toml(
            "http://a.example {\nredir https://{host}{uri}\n}\na.example {\nroot * /a\nfile_server\n}\n"
        )
        self.assertEqual((document["webroot"], document["redirect-https"]), ("/a", True))
        proxies = "{\nservers {\ntrusted_proxies static 10.0.0.0/8\n}\n}\n:80 {\nroot * /a\nfile_server\n}\n"
        self.assertEqual(self.draft(proxies).keys["trusted-proxies"], ["10.0.0.0/8"])

    def test_snippets_blocks_and_named_routes_are_put_in(self) -> None:
        draft = self.draft(
            "(wrap) {\nhandle {args[0]} {\n{block}\n}\n}\n&(no) {\nrespond /n/* 403\n}\n"
            ":80 {\nroot * /srv\nimport wrap /y/* {\nrespond 403\n}\ninvoke no\nfile_server\n}\n"
        )
        self.assertEqual(sorted(self._closed(draft)), ["/n/**", "/y/**"])

    def test_programs_are_not_shown_as_text(self) -> None:
        draft = self.draft(":80 {\nroot * /srv\nphp_fastcgi unix//a\nfile_server\n}\n")
        self.assertEqual(self._closed(draft), ["*.php"])

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
            ("reverse_proxy localhost:1 {\n header_up X-Secret a\n}", "what the visitor sent"),
            ("request_header -X-User", "must not trust"),
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
                    "respond",
                    "403",
                    "not",
                    "remote_ip",
                    "10.0.0.0/8",
                    "basic_auth",
                    "handle_path",
                    "bind",
                    "{$X}",
                    "https://b.example{uri}",
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
        self.read(draft)
        for remark in draft.remarks:
            self.assertTrue(str(remark).isprintable())

    @settings(max_examples=int(os.environ.get("EDGE_CADDY_SITES", "150")), deadline=None)
    @given(_file)
    def test_what_comes_of_any_directive_is_taken_by_a_node(self, text: str) -> None:
        path = self.folder / "Caddyfile"
        path.write_text(text + "\n")
        with contextlib.suppress(Unreadable):
            draft = convert(str(path))
            for site in draft.sites:
                site.keys.pop("webroot", None)  # it need not be there
            file = self.folder / "edge.toml"
            file.write_text(draft.toml())
            load({}, file)
            for remark in draft.remarks:
                self.assertTrue(str(remark).isprintable())
