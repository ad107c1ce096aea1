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

    def test_who_may_by_address(self) -> None:
        all_ = ["0.0.0.0/0", "::/0"]
        for text, rule in (
            ("Order allow,deny\nAllow from all\nDeny from 192.0.2.1 198.51.100",
             {"deny": ["192.0.2.1", "198.51.100.0/24"]}),
            ("Order deny,allow\nDeny from all\nAllow from 10.1", {"allow": ["10.1.0.0/16"], "deny": all_}),
            ("Order deny,allow\nDeny from all\nAllow from all", None),
            ("Order allow,deny\nAllow from all", None),
            ("Deny from 192.0.2.1", {"deny": ["192.0.2.1"]}),
            ("Order allow,deny\nAllow from 10.0.0.5\nDeny from 10.0.0.0/8", {"deny": ["10.0.0.0/8", *all_]}),
            ("Order allow,deny\nAllow from 10.0.0.0/8\nDeny from 10.0.0.5",
             {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.5", *all_]}),
            ("<RequireAll>\nRequire ip 10.0.0.5 192.0.2.1\nRequire not ip 10.0.0.0/8\n</RequireAll>",
             {"allow": ["192.0.2.1"], "deny": ["10.0.0.0/8", *all_]}),
            # All of several are those who are in each.
            ("<RequireAll>\nRequire ip 10.0.0.0/8\nRequire ip 10.1.0.0/16 192.0.2.1\n</RequireAll>",
             {"allow": ["10.1.0.0/16"], "deny": all_}),
            ("<RequireAll>\nRequire ip 10.0.0.0/8\nRequire ip 192.0.2.0/24\n</RequireAll>", {"deny": all_}),
            ("<RequireAll>\nRequire ip 10.0.0.0/8\n<RequireAny>\nRequire ip 10.1.0.0/16\n"
             "Require ip 10.2\n</RequireAny>\n</RequireAll>",
             {"allow": ["10.1.0.0/16", "10.2.0.0/16"], "deny": all_}),
            ("<RequireAny>\nRequire ip 192.0.2.1\n<RequireAll>\nRequire ip 10.0.0.0/8\n"
             "Require not ip 10.1.0.0/16\n</RequireAll>\n</RequireAny>",
             {"allow": ["192.0.2.1", "10.0.0.0/8"], "deny": ["10.1.0.0/16", *all_]}),
            ("<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip 192.0.2.1 10.0.0.0/8\n"
             "</RequireNone>\n</RequireAll>", {"deny": ["192.0.2.1", "10.0.0.0/8"]}),
            ("<RequireNone>\nRequire all granted\n</RequireNone>", {"deny": all_}),
            ("Require all granted", None),
            ("Require all denied", {"deny": all_}),
            ("Require ip 10.0.0.0/8 2001:db8::/32", {"allow": ["10.0.0.0/8", "2001:db8::/32"], "deny": all_}),
            ("Require local", {"allow": ["127.0.0.0/8", "::1"], "deny": all_}),
            ("<RequireAll>\nRequire all granted\nRequire not ip 192.0.2.1\n</RequireAll>",
             {"deny": ["192.0.2.1"]}),
            ("<IfModule !mod_authz_core.c>\nDeny from all\n</IfModule>", None),
        ):  # fmt: skip
            tables = self.toml(text + "\n").get("access", [])
            self.assertEqual(tables, [] if rule is None else [{"path": "/**", **rule}], text)

    def test_what_is_open_or_closed_in_the_middle(self) -> None:
        document = self.toml("Require all denied\n<Files a.html>\nRequire all granted\n</Files>\n")
        self.assertEqual([one["path"] for one in document["access"]], ["a.html", "/**"])
        self.assertNotIn("access", self.toml("<Files a.html>\nRequire all granted\n</Files>\n"))
        document = self.toml("RewriteRule ^secret/ - [F]\nRewriteRule ^x[0-9] - [F]\n")
        self.assertEqual([one["path"] for one in document["access"]], ["/secret/**"])
        self.assertEqual(document["redirect"], [{"from-regex": "^/x[0-9]", "status": 404}])

    def test_what_is_about_more_than_dotfiles_is_not_taken_for_them(self) -> None:
        drupal = (
            "\\.(engine|inc|install|module|sh|.*sql|theme|twig)(~|\\.sw[op]|\\.bak)?$"
            "|^(\\.(?!well-known).*|Entries.*|Root)$"
        )
        for pattern, closed in (
            ("\\.(?i:inc|bak)$", "/a/b.INC /b.bak"),
            ("^\\.|~$", "/a~ /.env /b/.c"),
            ("^\\.?secret", "/secret /.secret"),
            (drupal.replace("(?!well-known)", ""), "/a.inc /b.sql~ /Root /c/Entries.x"),
        ):
            text = f'<FilesMatch "{pattern}">\nRequire all denied\n</FilesMatch>\n'
            (rule,) = self.toml(text)["redirect"]
            self.assertEqual(rule["status"], 404)
            for path in closed.split():
                self.assertRegex(path, rule["from-regex"])
            self.assertNotRegex("/index.html", rule["from-regex"])
        for pattern, inside in (
            (drupal, "Require all denied"),
            ("^a", "Require ip 10.0.0.0/8"),
            ("^a", "Require valid-user"),
            ("^a", "Require all denied\nHeader set X-A 1"),
            ("^a", "Header set X-A 1"),
        ):
            (remark,) = self.remarks(f'<FilesMatch "{pattern}">\n{inside}\n</FilesMatch>\n')
            self.assertIn("rules are about globs", remark)
            is_closed = (
                "redirect"
                in self.draft(f'<FilesMatch "{pattern}">\n{inside}\n</FilesMatch>\n').sites[0].tables
            )
            self.assertEqual(is_closed, pattern == "^a" and "Require" in inside)
        for pattern in ("\\.(?:sql|bak)", "(?i:\\.(sql|bak)$)"):
            document = self.toml(f'<FilesMatch "{pattern}">\nRequire all denied\n</FilesMatch>\n')
            self.assertEqual([one["from-regex"] for one in document["redirect"]], [pattern])
        text = '<FilesMatch "^\\.(ht|env)">\nRequire all denied\n</FilesMatch>\n'
        self.assertNotIn("redirect", self.toml(text))

    def test_what_is_not_understood_lets_nobody_in(self) -> None:
        for text in (
            "Require host example.org",
            "Require expr x",
            "Require valid-user",
            "Order deny,allow\nDeny from all\nAllow from a.b",
        ):
            draft = self.draft(text + "\n")
            self.assertEqual(len(draft.remarks), 1, text)
            self.assertEqual(draft.sites[0].tables["access"][0].values["deny"], ["0.0.0.0/0", "::/0"], text)
        password = 'AuthType Basic\nAuthName "A"\nAuthUserFile /u\nRequire valid-user\n'
        (table,) = self.draft(password).sites[0].tables["auth"]
        self.assertEqual(table.values, {"path": "/**", "realm": "A", "users": "/u"})
        for text, word in (
            (password.replace("Basic", "Digest"), "Basic"),
            (password + "Satisfy any\n", "a network and a password"),
            (password.replace("valid-user", "user ada"), "a file of its own"),
            ("Require valid-user\n", "AuthUserFile"),
        ):
            (remark,) = self.remarks(text)
            self.assertIn(word, remark)

    def test_programs_are_not_shown_as_text(self) -> None:
        for text in (
            "RewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule . /index.php [L]",
            "AddType application/x-httpd-php .php",
            "AddHandler php8-script .php",
            "php_value upload_max_filesize 8M",
        ):
            draft = self.draft(text + "\n")
            self.assertEqual(len(draft.remarks), 1, text)
            self.assertEqual(draft.sites[0].tables["access"][0].values["path"], "*.php", text)

    def test_the_lifetime_of_all_files_gives_way_to_what_is_said_of_some(self) -> None:
        document = self.toml(
            'Header set Cache-Control "no-store"\nExpiresByType text/css "access plus 1 hour"\n'
            'ExpiresDefault "access plus 1 day"\n'
        )
        self.assertEqual(
            [(one["path"], one["set"]["Cache-Control"]) for one in document["header"]],
            [("/**", "max-age=86400"), ("*.css", "max-age=3600"), ("/**", "no-store")],
        )

    def test_more_of_mod_rewrite(self) -> None:
        clean = "RewriteCond %{REQUEST_FILENAME} !-d\nRewriteCond %{REQUEST_FILENAME}\\.html -f\n"
        self.assertTrue(self.toml(clean + "RewriteRule ^(.*)$ $1.html [NC,L]\n")["clean-urls"])
        for condition in (
            "%{HTTPS} !=on",
            "%{HTTPS} !on",
            "%{SERVER_PORT} !^443$",
            "%{HTTP:X-Forwarded-Proto} !https",
        ):
            rule = (
                f"RewriteCond {condition}\nRewriteRule ^ https://%{{HTTP_HOST}}%{{REQUEST_URI}} [L,R=301]\n"
            )
            self.assertTrue(self.toml(rule)["redirect-https"], condition)
        for text, words in (
            ("RewriteRule ^api/(.*)$ http://127.0.0.1:3000/$1 [P]", ["[[app]]"]),
            ("RewriteRule ^a$ - [S=2]", ["one by one"]),
            ("RewriteRule !^a$ /b [R]", ["what it names"]),
            ("RewriteBase /blog/", ["the root of the site"]),
            ("RewriteCond %{HTTPS} off [OR]\nRewriteCond %{HTTP_HOST} ^www\nRewriteRule ^ https://a.b/ [R]",
             ["nothing depends on conditions"]),
            ("RewriteCond %{REQUEST_FILENAME} -f\nRewriteRule ^a$ /b.html [L]",
             ["conditions", "see the conditions"]),
            ("RewriteCond %{HTTPS} off", ["no RewriteRule follows"]),
        ):  # fmt: skip
            found = self.remarks(text + "\n")
            self.assertEqual(len(found), len(words), found)
            for remark, word in zip(found, words, strict=True):
                self.assertIn(word, remark)

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

    def test_what_stands_in_a_whole_configuration_is_named_with_its_place_here(self) -> None:
        found = self.remarks(
            "<VirtualHost *:80>\nServerName a\n</VirtualHost>\nDocumentRoot /srv\nProxyPass /a http://b:1/a"
        )
        self.assertEqual([one.split(":")[1] for one in found], ["1", "4", "5"])
        for one, word in zip(
            found, ("<Directory> into a file .htaccess", "webroot =", "[[app]]"), strict=True
        ):
            self.assertIn(word, one)

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
