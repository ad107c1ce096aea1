"""What an .htaccess comes to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.convert import Unreadable, convert
from tests.convert.configurations import ConvertTestCase


class HtaccessTests(ConvertTestCase):
    name = ".htaccess"

    def test_directives(self) -> None:
        document = self.toml(
            r"""
            # a comment
            Options -Indexes +FollowSymLinks
            DirectoryIndex index.html index.php
            ErrorDocument 404 /404.html
            AddType application/wasm .wasm
            <IfModule mod_expires.c>
              ExpiresActive On
              ExpiresByType text/css "access plus 1 month"
            </IfModule>
            <FilesMatch "\.(js|jpe?g)$">
              Header set Cache-Control "max-age=60, public"
            </FilesMatch>
            Header always set X-Frame-Options DENY
            Header unset X-Powered-By
            Redirect 301 /old /new
            RedirectMatch 302 ^/blog/(\d+)$ /posts/$1
            RewriteEngine On
            RewriteRule ^news/(.*)$ /latest/$1 [R=301,L,NC]
            RewriteRule ^app/(.*)$ spa/$1 [L]
            <Files ".env">
              Require all denied
            </Files>
            """
        )
        self.assertEqual(
            (document["follow-symlinks"], document["types"]), (True, {".wasm": "application/wasm"})
        )
        rules = {one["path"]: one for one in document["header"]}
        self.assertEqual(rules["*.css"]["set"], {"Cache-Control": "max-age=2592000"})
        self.assertEqual(rules["*.jpg"]["set"], {"Cache-Control": "max-age=60, public"})
        redirects = {one.get("from") or one["from-regex"]: one for one in document["redirect"]}
        self.assertEqual(redirects["/old/*"], {"from": "/old/*", "to": "/new/:splat", "status": 301})
        self.assertEqual(redirects["^/blog/(\\d+)$"]["to"], "/posts/:1")
        self.assertEqual(redirects["(?i)^/news/(.*)$"]["to"], "/latest/:1")
        self.assertEqual(
            document["rewrite"][0], {"from-regex": "^/app/(.*)$", "to": "/spa/:1", "force": True}
        )

    def test_what_everybody_has_of_mod_rewrite(self) -> None:
        both = "RewriteCond %{REQUEST_FILENAME} !-f\nRewriteCond %{REQUEST_FILENAME} !-d\n"
        self.assertEqual(self.toml(both + "RewriteRule ^ index.html [L]")["fallback"], "/index.html")
        self.assertTrue(self.toml(both + r"RewriteRule ^([^\.]+)$ $1.html [NC,L]")["clean-urls"])
        secure = "RewriteCond %{HTTPS} off\nRewriteRule ^(.*)$ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]"
        self.assertTrue(self.toml(secure)["redirect-https"])

    def test_each_line_that_is_not_understood_is_named_with_the_way_out(self) -> None:
        for line, word in (
            ("RewriteRule ^(.*)$ index.php?q=$1 [L]", "PHP is not run here"),
            ("php_value memory_limit 1G", "PHP is not run here"),
            ("ErrorDocument 403 /no.html", "only 404.html"),
            ('Header set X-A "%{REQUEST_TIME}e"', "a value is the same for all"),
            ("SetEnvIf User-Agent x y", "conditions"),
            ("Header set Content-Length 1", "says where a message ends"),
            ("Nonsense 1", "there is nothing here"),
        ):
            (remark,) = self.remarks(line + "\n")
            self.assertRegex(remark, r"^\.htaccess:1: ")
            self.assertIn(word, remark)
        condition = "RewriteCond %{HTTP_COOKIE} x\nRewriteRule ^a$ /b [R]\n"
        self.assertEqual([one.split(":")[1] for one in self.remarks(condition)], ["1", "2"])

    def test_what_is_not_whole_is_refused_with_the_line(self) -> None:
        self.refused("<Files a>\n", ".htaccess:1", "never closed")
        self.refused("\n</Files>\n", ".htaccess:2", "closes nothing")
        self.refused('Header set A "b\n', ".htaccess:1", "quote")
        self.refused("<Files a>\n" * 60, "too much of it")

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "<Files",
                    "</Files>",
                    "a>",
                    "<FilesMatch",
                    "\\.(js)$>",
                    "RewriteRule",
                    "^(.*)$",
                    "$1",
                    "[R=301]",
                    "[L]",
                    "RewriteCond",
                    "%{A}",
                    "!-f",
                    "Redirect",
                    "301",
                    "/a",
                    "/b",
                    "Header",
                    "set",
                    "X",
                    '"y',
                    "'",
                    "Options",
                    "Indexes",
                    "ExpiresDefault",
                    "\\",
                    "#",
                    "\n",
                    "Require",
                    "ip",
                    "all",
                    "AuthName",
                    "Allow",
                    "from",
                    "ErrorDocument",
                    "404",
                ]
            ),
            max_size=30,
        ).map(" ".join)
    )
    def test_whatever_it_is_it_is_converted_or_refused(self, text: str) -> None:
        path = self.folder / ".htaccess"
        path.write_text(text)
        try:
            draft = convert(str(path))
        except Unreadable:
            return
        self.assertIsInstance(draft.toml(), str)
        for remark in draft.remarks:
            self.assertTrue(str(remark).isprintable())
