"""Whatever configurations of nginx and Apache say, in their grammar: what comes of it a node takes."""

from __future__ import annotations

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.config import load
from edge.convert import Unreadable, convert
from tests.convert.configurations import ConvertTestCase

EXAMPLES = int(os.environ.get("EDGE_CONFIGURATIONS", "150"))
#: Words that directives may have, and that few should: the node's settings have bounds that others lack.
_WORD = st.sampled_from(
    [
        *[
            "/a",
            "/a/",
            "/a/b",
            "/c:d",
            "/g%20h",
            "\\.php$",
            "^/x([0-9]+)$",
            "^(.*)$",
            "~",
            "~*",
            "=",
            "^~",
            "$uri",
            "=404",
            "/index.html",
            "$1",
            "/y/$1",
            "-",
        ],
        *[
            "https://b.example/$1",
            "https://b.example$request_uri",
            "http://up:80",
            "https://x",
            "unix:/run/x",
            "301",
            "404",
        ],
        *[
            "444",
            "permanent",
            "last",
            "redirect",
            "off",
            "on",
            "any",
            "all",
            "10.0.0.0/8",
            "10.1.2.3/8",
            "::1",
            "X-A",
            "no-cache",
            "max",
            "30d",
        ],
        *[
            "$host",
            "Date",
            "Vary",
            "Content-Length",
            "5m",
            "zone=z",
            "burst=5",
            "/etc/htpasswd",
            "text/html",
            ".html",
            "a.php",
            "*.js",
        ],
        *[
            "[F]",
            "[G]",
            "[R=301,L]",
            "[NC,R]",
            "[P]",
            "%{REQUEST_FILENAME}",
            "!-f",
            "!-d",
            "%{HTTPS}",
            "granted",
            "denied",
            "ip",
            "not",
            "from",
        ],
        *[
            "valid-user",
            "local",
            "allow,deny",
            "set",
            "append",
            "unset",
            "+Indexes",
            "+MultiViews",
            "basic",
            "gone",
        ],
        '"a b"',
        '"access plus 1 month"',
        '""',
        "a" * 300,
    ]
)
_NGINX = st.sampled_from(
    [
        "root",
        "alias",
        "index",
        "try_files",
        "error_page",
        "add_header",
        "expires",
        "return",
        "rewrite",
        "internal",
        "autoindex",
        "types",
        "default_type",
        "proxy_pass",
        "proxy_set_header",
        "fastcgi_pass",
        "auth_basic",
        "auth_basic_user_file",
        "auth_request",
        "ssl_verify_client",
        "limit_req",
        "ssl_certificate",
        "ssl_certificate_key",
        "client_max_body_size",
        "real_ip_header",
        "set_real_ip_from",
        "access_log",
        "include",
        "allow",
        "deny",
        "satisfy",
        "gzip",
        "set",
        "server_name",
    ]
)
_APACHE = st.sampled_from(
    [
        "Require",
        "Order",
        "Allow",
        "Deny",
        "RewriteCond",
        "RewriteRule",
        "RewriteBase",
        "Redirect",
        "RedirectMatch",
        "Header",
        "ExpiresDefault",
        "ExpiresByType",
        "AddType",
        "ForceType",
        "DirectoryIndex",
        "Options",
        "ErrorDocument",
        "AuthType",
        "AuthName",
        "AuthUserFile",
        "Satisfy",
        "php_value",
        "AddHandler",
        "SetHandler",
        "SetEnvIf",
        "Other",
    ]
)
_SECTION = st.sampled_from(
    ["Files", "FilesMatch", "RequireAll", "RequireAny", "RequireNone", "IfModule", "Limit", "If"]
)
_LISTEN = st.sampled_from(
    ["80", "443", "8080", "[::]:80", "127.0.0.1:80", "unix:/run/a", "*:82", "443 ssl", "80 default_server"]
)
_HOST = st.sampled_from(
    [
        "a.example",
        "*.b.example",
        ".c.example",
        "_",
        "~^x$",
        "é.example",
        "10.0.0.1",
        "A.Example",
        "a.*",
        "$host",
    ]
)


def _block(head: str, lines: list[str]) -> str:
    return "\n".join((f"{head} {{", *lines, "}"))


_line = st.builds(lambda name, words: f"{name} {' '.join(words)};", _NGINX, st.lists(_WORD, max_size=3))
_location = st.builds(
    lambda words, lines: _block(f"location {' '.join(words)}", lines),
    st.lists(_WORD, min_size=1, max_size=2),
    st.lists(_line, max_size=3),
)
_server = st.builds(
    lambda listen, hosts, lines: _block(
        "server", [*(f"listen {one};" for one in listen), *(f"server_name {one};" for one in hosts), *lines]
    ),
    st.lists(_LISTEN, max_size=2),
    st.lists(_HOST, max_size=2),
    st.lists(st.one_of(_line, _location), max_size=5),
)
_directive = st.builds(lambda name, words: " ".join((name, *words)), _APACHE, st.lists(_WORD, max_size=4))
_section = st.builds(
    lambda name, word, lines: "\n".join((f"<{name} {word}>", *lines, f"</{name}>")),
    _SECTION,
    _WORD,
    st.lists(_directive, max_size=3),
)


class SettlingTests(ConvertTestCase):
    def _is_taken(self, text: str, language: str) -> None:
        path = self.folder / "any"
        path.write_text(text + "\n")
        try:
            draft = convert(str(path), language)
        except Unreadable:
            return
        for site in draft.sites:
            site.keys.pop("webroot", None)  # it need not be there
        file = self.folder / "edge.toml"
        file.write_text(draft.toml())
        load({}, file)

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(_server, min_size=1, max_size=3))
    @example(["server { set_real_ip_from $host; }"])
    def test_of_nginx(self, servers: list[str]) -> None:
        zone = "limit_req_zone $binary_remote_addr zone=z:1m rate=5r/s;"
        self._is_taken("\n".join((zone, *servers)), "nginx")

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.lists(st.one_of(_directive, _section), max_size=7))
    @example(["RewriteCond", "RewriteRule"])
    def test_of_apache(self, lines: list[str]) -> None:
        self._is_taken("\n".join(lines), "htaccess")

    def test_what_a_node_would_not_take_is_named_with_its_line_and_closed(self) -> None:
        remarks = self.remarks(
            "server {\n listen 443 ssl;\n server_name a.example unix:;\n set_real_ip_from here;\n"
            " auth_basic x;\n auth_basic_user_file /u;\n default_type nonsense;\n}\n"
        )
        for line, word in ((2, "no certificate"), (3, "colon"), (4, "trusted-proxies"), (7, "no media type")):
            self.assertTrue([one for one in remarks if f":{line}: " in one and word in one], remarks)
        draft = self.draft(
            'server { location /a/ { auth_basic "%s"; auth_basic_user_file /u; } }' % ("x" * 200)
        )
        self.assertNotIn("auth", draft.sites[0].tables)
        self.assertEqual(
            [one.values for one in draft.sites[0].tables["access"]],
            [{"path": "/a/**", "deny": ["0.0.0.0/0", "::/0"]}],
        )
        self.assertIn("realm", str(draft.remarks[0]))
