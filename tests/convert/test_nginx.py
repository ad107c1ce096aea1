"""What nginx's directives come to."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.convert import Unreadable, convert, nginx_files
from edge.convert import files as limits
from edge.convert.nginx_words import expires, seconds_of
from edge.endpoint import parse_endpoint
from tests.convert.configurations import ConvertTestCase


def server(inside: str) -> str:
    """A server with these directives."""
    return f"server {{\n{inside}\n}}\n"


class MeaningTests(ConvertTestCase):
    def test_a_site_behind_https(self) -> None:
        document = self.toml(
            """
            http {
              include mime.types;
              access_log /var/log/nginx/access.log combined;
              client_max_body_size 8m;
              server { listen 80; server_name a.example; return 301 https://$host$request_uri; }
              server {
                listen 443 ssl; server_name a.example; root /srv/a;
                ssl_certificate /c.pem; ssl_certificate_key /k.pem;
                add_header Strict-Transport-Security "max-age=300" always;
              }
            }
            """
        )
        self.assertEqual(document["listen"], ["tcp:80", "tls:443:privateKey=/k.pem:certKey=/c.pem"])
        self.assertEqual((document["redirect-https"], document["hsts"]), (True, "max-age=300"))
        self.assertEqual((document["webroot"], document["body-max-mib"]), ("/srv/a", 8))
        self.assertEqual(document["access-log"], "/var/log/nginx/access.log")
        document = self.toml(server("client_max_body_size 64k; set_real_ip_from 10.0.0.0/8;"))
        self.assertEqual((document["body-max-mib"], document["trusted-proxies"]), (1, ["10.0.0.0/8"]))

    def test_listeners(self) -> None:
        for text, endpoints in (
            ("80", ["tcp:80"]),
            ("*:8080 default_server", ["tcp:8080"]),
            ("[::]:80", ["tcp6:80"]),
            ("[::]:80 ipv6only=off", ["tcp:80", "tcp6:80"]),
            ("127.0.0.1:81", ["tcp:81:interface=127.0.0.1"]),
            ("127.0.0.1", ["tcp:80:interface=127.0.0.1"]),
            ("[::1]:82", ["tcp:82:interface=\\:\\:1"]),
            ("unix:/run/a.sock", ["unix:/run/a.sock"]),
        ):
            document = self.toml(server(f"listen {text};"))
            self.assertEqual(document["listen"], endpoints, text)
            for endpoint in endpoints:
                parse_endpoint(endpoint)
        secure = "ssl_certificate /c; ssl_certificate_key /k;"
        document = self.toml(server(f"listen 443 ssl; listen [::]:443 ssl; {secure}"))
        pair = ":privateKey=/k:certKey=/c"
        self.assertEqual(document["listen"], ["tls:443" + pair, "tls:443:interface=\\:\\:" + pair])

    def test_what_stands_around_servers_holds_in_each_that_says_nothing_else(self) -> None:
        document = self.toml(
            "add_header X-A 1; root /srv;" + server("server_name a.example;")
            + server("server_name b.example; root /b; add_header X-B 2;")
        )  # fmt: skip
        first, second = document["site"]
        self.assertEqual((first["webroot"], second["webroot"]), ("/srv", "/b"))
        self.assertEqual(first["header"][0]["set"], {"X-A": "1"})
        self.assertEqual(second["header"][0]["set"], {"X-B": "2"})
        self.assertTrue(first["default"])

    def test_the_fields_of_the_place_that_matches_best_replace_those_around_it(self) -> None:
        document = self.toml(
            server(
                "add_header X-A 1; location /a/ { add_header X-B 2; expires 1h; }"
                "location ~ \\.js$ { add_header X-C 3; } location = /b { }"
            )
        )
        rules = [(one["path"], one.get("remove", []), one.get("set", {})) for one in document["header"]]
        self.assertEqual(
            rules,
            [
                ("/**", [], {"X-A": "1"}),
                ("/a/**", ["X-A"], {"X-B": "2", "Cache-Control": "max-age=3600"}),
                ("*.js", ["X-A", "X-B"], {"X-C": "3", "Cache-Control": "no-cache"}),
            ],
        )

    def test_redirects_and_rewrites(self) -> None:
        document = self.toml(
            server(
                "location = /a { return 301 /b; } location /c/ { return 302 https://x.example/; }"
                "location /d { return 308 /e; } location /f/ { return 410; }"
                "rewrite ^/g/(.*)$ /h/$1 permanent; rewrite ^/i/(.*)$ /j/$1 last;"
                "location ~* ^/k/(\\d+)$ { return 301 /l/$1; }"
            )
        )
        redirects = {one.get("from") or one["from-regex"]: one for one in document["redirect"]}
        self.assertEqual(redirects["/a"], {"from": "/a", "to": "/b", "status": 301})
        self.assertEqual(redirects["/c/*"]["to"], "https://x.example/")
        self.assertEqual(redirects["^/d"]["status"], 308)
        self.assertEqual(redirects["/f/*"]["status"], 410)
        self.assertEqual(redirects["^/g/(.*)$"]["to"], "/h/:1")
        self.assertEqual(redirects["(?i)^/k/(\\d+)$"]["to"], "/l/:1")
        rule = {"from-regex": "^/i/(.*)$", "to": "/j/:1", "force": True}
        self.assertEqual(document["rewrite"], [rule])

    def test_files_that_are_tried(self) -> None:
        for tried, keys in (
            ("$uri $uri/ =404", {}),
            ("$uri $uri.html $uri/ =404", {"clean-urls": True}),
            ("$uri $uri/ /index.html", {"fallback": "/index.html"}),
            ("$uri /app.html?$args", {"fallback": "/app.html"}),
        ):
            document = self.toml(server(f"location / {{ try_files {tried}; }}"))
            self.assertEqual({key: document[key] for key in document if key != "listen"}, keys)

    def test_applications(self) -> None:
        document = self.toml(
            "upstream b { server 10.0.0.1:80; server 10.0.0.2; }"
            + server(
                "location /api/ { proxy_pass http://127.0.0.1:3000; proxy_set_header Host $host; }"
                "location /b { proxy_pass http://b; } location /s/ { proxy_pass http://unix:/run/s.sock; }"
            )
        )
        self.assertEqual(
            document["app"],
            [
                {"at": "/api", "to": "http://127.0.0.1:3000"},
                {"at": "/b", "to": ["http://10.0.0.1:80", "http://10.0.0.2:80"]},
                {"at": "/s", "to": "http+unix:/run/s.sock"},
            ],
        )

    def test_who_may(self) -> None:
        document = self.draft(
            "limit_req_zone $binary_remote_addr zone=one:10m rate=5r/s;"
            + server(
                'location /a/ { auth_basic "Staff"; auth_basic_user_file /p; allow 10.0.0.0/8; deny all; }'
                "location /b/ { limit_req zone=one burst=9 nodelay; } location ~ /\\. { deny all; }"
            )
        )
        tables = {name: [one.values for one in tables] for name, tables in document.sites[0].tables.items()}
        self.assertEqual(tables["auth"], [{"path": "/a/**", "realm": "Staff", "users": "/p"}])
        deny = ["0.0.0.0/0", "::/0"]
        self.assertEqual(tables["access"], [{"path": "/a/**", "allow": ["10.0.0.0/8"], "deny": deny}])
        rate = {"path": "/b/**", "requests": 5, "per": "second", "burst": 9}
        self.assertEqual(tables["rate"], [rate])
        self.assertEqual(document.remarks, [])

    def test_each_line_that_is_not_understood_is_named_with_the_way_out(self) -> None:
        for line, word in (
            ("fastcgi_pass unix:/run/php.sock;", "PHP is not run here"),
            ("if ($http_user_agent ~ bot) { return 403; }", "nothing depends on conditions"),
            ("location ~ ^/a(?!b) { return 301 /c; }", "no look-around"),
            ("add_header X-A $request_id;", "a value is the same for all"),
            ("add_header Connection close;", "says where a message ends"),
            ("proxy_pass https://b.example;", "plain HTTP"),
            ("location /a/ { alias /srv/b/; }", "one folder"),
            ('return 200 "hello";', "an answer of its own"),
            ("error_page 404 /missing.html;", "name that file 404.html"),
            ("lua_code_cache on;", "there is nothing here"),
            ("location ~ ^/(a|b)/x { add_header X-A 1; }", "fields are set by glob"),
        ):
            (remark,) = self.remarks(server(line))
            self.assertRegex(remark, r"^nginx\.conf:2: ")
            self.assertIn(word, remark)

    def test_times(self) -> None:
        for text, seconds in (("30", 30), ("1h30m", 5400), ("2M", 5_184_000), ("x", None), ("1q", None)):
            self.assertEqual(seconds_of(text), seconds)
        for text, value in (("max", "max-age=315360000"), ("-1", "no-cache"), ("off", ""), ("@15h", None)):
            self.assertEqual(expires(text), value)


class ReadingTests(ConvertTestCase):
    """What is no configuration, and what tries to last."""

    def test_includes_are_put_in_where_they_stand(self) -> None:
        self.write("sites/b.conf", server("server_name b.example;"))
        self.write("sites/a.conf", server("server_name a.example;"))
        document = self.toml("http { include sites/*.conf; include none/*.conf; }")
        self.assertEqual([site["hosts"] for site in document["site"]], [["a.example"], ["b.example"]])

    def test_a_remark_names_the_included_file(self) -> None:
        self.write("inner.conf", "\n\nlua_code_cache on;\n")
        self.assertEqual(
            self.remarks(server("include inner.conf;")),
            ["inner.conf:3: lua_code_cache on: there is nothing here that does this"],
        )

    def test_what_includes_itself_is_refused(self) -> None:
        self.write("a.conf", "include b.conf;")
        self.write("b.conf", "include a.conf;")
        self.refused("include a.conf;", "b.conf:1", "includes itself")
        os.symlink("loop", self.folder / "loop")
        self.refused("include loop;", "nginx.conf:1", "cannot be read")

    def test_more_files_than_a_configuration_has_are_refused(self) -> None:
        self.patch(limits, "FILES", 20)
        self.write("leaf.conf", "gzip on;")
        self.write("twig.conf", "include leaf.conf;" * 10)
        self.refused("include twig.conf;" * 10, "more than 20 files")

    def test_what_is_no_text_file_is_refused(self) -> None:
        os.mkfifo(self.folder / "pipe")
        for name in ("pipe", ".", "none"):
            self.assertRaises(Unreadable, convert, str(self.folder / name), "nginx")
        self.patch(limits, "FILE_BYTES", 100)
        self.refused("#" * 101, "at most")

    def test_what_is_not_whole_is_refused_with_the_line(self) -> None:
        for text, line in (
            ("server {\n listen 80;\n", ""),
            ("server { }\n}\n", ":2"),
            ("listen 80", ""),
            ("a 'b;\n", ""),
            ("a {" * 3000, ""),
            ("a {" * 60 + "}" * 60, "blocks one inside the other"),
        ):
            self.refused(text, "nginx.conf", line)

    def test_numbers_and_arguments_without_an_end_cost_little(self) -> None:
        """And are named like whatever else is not understood."""
        for line in (
            f"return {'9' * 5000} /a;",
            "return \u00b2 /a;",
            f"expires {'1' * 4000};",
            f"listen {'8' * 4000};",
            f"client_max_body_size {'8' * 4000};",
            f"set_real_ip_from {'1' * 5000};",
            f"add_header A '{' ' * 500_000}x';",
            f"location ~ \\.({'|'.join(['a?b?c?d?e?f?'] * 9)})$ {{ expires 1h; }}",
            f"rewrite {'(' * 4000} /a permanent;",
            f"limit_req zone={'z' * 3000} burst={'9' * 1000};",
            f"add_header A '${'{a' * 2000}';",
        ):
            self.assertTrue(self.remarks(server(line)), line[:60])

    def test_more_directives_than_a_configuration_has_are_refused(self) -> None:
        self.patch(nginx_files, "_STATEMENTS", 100)
        self.refused("a b;" * 101, "more than 100 directives")

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "server",
                    "{",
                    "}",
                    "{",
                    ";",
                    "location",
                    "/",
                    "/a",
                    "=",
                    "~",
                    "^~",
                    "~*",
                    "return",
                    "301",
                    "$uri",
                    "root",
                    "index",
                    "try_files",
                    "rewrite",
                    "^/(.*)$",
                    "if",
                    "($host",
                    "listen",
                    "80",
                    "ssl",
                    "server_name",
                    "*.a",
                    "add_header",
                    "X",
                    "expires",
                    "allow",
                    "deny",
                    "all",
                    "proxy_pass",
                    "http://x",
                    "include",
                    "types",
                    "autoindex",
                    "on",
                    "'a",
                    '"',
                    "\\",
                    "#",
                    "\n",
                    "error_page",
                    "404",
                    "(?P<a>b)",
                    "$1",
                    "limit_req",
                ]
            ),
            max_size=30,
        ).map(" ".join)
    )
    def test_whatever_it_is_it_is_converted_or_refused(self, text: str) -> None:
        """And what comes out is TOML that a node can be asked about."""
        path = self.folder / "any.conf"
        path.write_text(text)
        try:
            draft = convert(str(path), "nginx")
        except Unreadable:
            return
        self.assertIsInstance(draft.toml(), str)
        for remark in draft.remarks:
            self.assertTrue(str(remark).isprintable())
