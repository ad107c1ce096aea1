"""What nginx's directives come to."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.convert import Unreadable, convert
from edge.convert import files as limits
from edge.convert.nginx import reading
from edge.convert.nginx.words import expires, seconds_of
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
            self.assertEqual(
                {key: document[key] for key in document if key not in ("listen", "webroot")}, keys
            )

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
        rate = {"path": "/b/**", "requests": 5, "per": "second", "burst": 10}
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


class ServerTests(ConvertTestCase):
    """Which servers become which sites."""

    def test_what_certbot_writes_leads_to_https_and_is_no_site(self) -> None:
        led = "if ($host = {0}) {{ return 301 https://$host$request_uri; }}"
        document = self.toml(
            server(
                led.format("www.a.example") + led.format("a.example")
                + "listen 80; server_name a.example www.a.example; return 404;"
            )
            + server(
                "listen 443 ssl; server_name a.example www.a.example; root /srv/a; ssl_certificate /c; "
                "ssl_certificate_key /k;"
            )
        )  # fmt: skip
        self.assertEqual((document["redirect-https"], document["webroot"]), (True, "/srv/a"))
        self.assertNotIn("redirect", document)

    def test_a_server_that_leads_to_a_name_with_https_is_no_site_of_that_name(self) -> None:
        """Of its other names it is one, which leads there."""
        secure = "listen 443 ssl; ssl_certificate /c; ssl_certificate_key /k; "
        document = self.toml(
            server(
                "listen 80; server_name a.example www.a.example; return 301 https://a.example$request_uri;"
            )
            + server(secure + "server_name a.example; root /srv/a;")
        )
        self.assertTrue(document["redirect-https"])
        www, main = document["site"]
        self.assertEqual((main["hosts"], www["hosts"]), (["a.example"], ["www.a.example"]))
        self.assertEqual(www["redirect"][0]["to"], "https://a.example/:splat")
        self.assertTrue(main["default"])

    def test_a_host_is_one_site_whatever_the_port(self) -> None:
        both = server("listen 80; server_name a.example; root /srv/a;") + server(
            "listen 8080; server_name a.example; root /srv/b;"
        )
        (remark,) = self.remarks(both)
        self.assertRegex(remark, r"^nginx\.conf:4: server .*a site is known by its host alone")
        overlapping = server("server_name a.example b.example; root /a;") + server(
            "listen 81; server_name b.example c.example; root /b;"
        )
        (remark,) = self.remarks(overlapping)
        self.assertIn("b.example: another server has this host", remark)
        self.read(self.draft(overlapping))

    def test_one_site_takes_the_hosts_of_nobody(self) -> None:
        text = (
            server("listen 80 default_server; server_name a.example; root /a;")
            + server("listen 81 default_server; server_name b.example; root /b;")
            + server("listen 82; server_name _; root /c;")
        )
        draft = self.draft(text)
        self.assertEqual([site.is_default for site in draft.sites], [True, False])
        self.assertEqual(
            [str(one).split(": ")[-1] for one in draft.remarks],
            ["a node has one default site, whatever the port; it is another server here",
             "no host leads here; name some by server_name"],
        )  # fmt: skip
        self.read(draft)

    def test_a_host_that_is_told_from_the_others_is_a_site_that_leads(self) -> None:
        for condition in ("$host = www.a.example", "$host != a.example"):
            document = self.toml(
                server(f"server_name a.example www.a.example; root /srv; if ({condition}) "
                       "{ return 301 $scheme://a.example$request_uri; }")
            )  # fmt: skip
            by_host = {site["hosts"][0]: site for site in document["site"]}
            rule = by_host["www.a.example"]["redirect"][0]
            self.assertEqual((rule["from"], rule["to"]), ("/*", "http://a.example/:splat"))

    def test_applications_of_several_sites_have_names_of_their_own(self) -> None:
        proxied = "location / { proxy_pass http://127.0.0.1:1; }"
        document = self.toml(
            server(f"server_name a.example; {proxied}") + server(f"server_name b.example; {proxied}")
        )
        names = [site["app"][0].get("name", "root") for site in document["site"]]
        self.assertEqual(len(set(names)), 2)

    def test_listeners_of_other_kinds(self) -> None:
        files = "ssl_certificate /c; ssl_certificate_key /k;"
        secure = ["tls:443:privateKey=/k:certKey=/c"]
        self.assertEqual(self.toml(server(f"listen 443; ssl on; {files}"))["listen"], secure)
        draft = self.draft(server(f"listen 443 quic reuseport; listen 443 ssl; {files}"))
        self.assertEqual(draft.keys["listen"], secure)
        self.assertIn("no certificate", self.remarks(server("listen 443 ssl;"))[0])
        self.assertIn("HTTP/3", str(draft.remarks[0]))

    def test_access_logs(self) -> None:
        self.assertEqual(self.toml(server("access_log /v/a.log;"))["access-log"], "/v/a.log")
        as_json = "log_format j escape=json '{}';" + server("access_log /v/a.log j;")
        self.assertEqual(self.toml(as_json)["access-log-format"], "json")
        for text, word in (
            (server("access_log /v/a.log;") + server("access_log /v/b.log;"), "one access log"),
            (server("access_log syslog:server=h;"), "is a file"),
            ("log_format main '$remote_addr';" + server("access_log /v/a.log main;"), "main: a line is"),
        ):
            (remark,) = self.remarks(text)
            self.assertIn(word, remark)


class ClosedTests(ConvertTestCase):
    """What nginx keeps to itself stays so."""

    def paths(self, name: str, text: str) -> list[str]:
        """The paths of the rules *name*, in order."""
        return [table.values["path"] for table in self.draft(text).sites[0].tables.get(name, ())]

    def test_the_strongest_place_comes_first(self) -> None:
        text = server(
            "location / { deny 192.0.2.1; allow all; } location /a/ { allow 10.0.0.0/8; deny all; }"
            "location /a/b/ { deny all; } location = /a/c { allow all; } location = /d { allow all; }"
        )
        self.assertEqual(self.paths("access", text), ["/a/c", "/d", "/a/b/**", "/a/**", "/**"])
        text = server(
            'auth_basic "all"; auth_basic_user_file /all; location /a/ { auth_basic "a"; '
            "auth_basic_user_file /a; }"
        )
        self.assertEqual(self.paths("auth", text), ["/a/**", "/**"])

    def test_a_file_of_users_alone_asks_nobody(self) -> None:
        text = server('auth_basic_user_file /users; location /a/ { auth_basic "Staff"; }')
        (table,) = self.draft(text).sites[0].tables["auth"]
        self.assertEqual(table.values, {"path": "/a/**", "realm": "Staff", "users": "/users"})
        (remark,) = self.remarks(server('location /a/ { auth_basic "Staff"; }'))
        self.assertIn("needs a file of users", remark)

    def test_who_is_asked_for_more_than_nginx_asks_is_told(self) -> None:
        closed = 'location /a/ { auth_basic "A"; auth_basic_user_file /u; }'
        for text, word in (
            (
                closed + "location /a/open/ { }",
                "nginx.conf:2: location /a/open/ { ... }: the password of /a/",
            ),
            (closed + "location /a/off/ { auth_basic off; }", "a part is open where no [[auth]] names it"),
        ):
            (remark,) = self.remarks(server(text))
            self.assertIn(word, remark)
        self.assertEqual(
            self.remarks(server(closed + "location /b/ { auth_basic off; }"))[0].count("part"), 1
        )

    def test_programs_are_not_shown_as_text(self) -> None:
        for text in (
            "location ~ \\.php$ { include fastcgi_params; try_files $uri =404; fastcgi_pass unix:/a; }",
            "location ~ [^/]\\.php(/|$) { fastcgi_pass unix:/a; }",
            "try_files $uri $uri/ /index.php?$args;",
            "location @php { fastcgi_pass b; } location / { try_files $uri @php; }",
            "location / { fastcgi_pass 127.0.0.1:9000; }",
        ):
            self.assertEqual(self.paths("access", server("root /srv;" + text)), ["*.php"], text)
            (remark,) = self.remarks(server("root /srv;" + text))
            self.assertIn("PHP is not run here", remark)

    def test_files_that_only_an_application_sees_stay_its_own(self) -> None:
        whole = "root /srv/project; location / { proxy_pass http://127.0.0.1:1; }"
        # Without a word there would be the demonstration, whose files win over the application.
        self.assertEqual(self.toml(server(whole))["webroot"], "none")
        draft = self.draft(server(whole + "location /static/ { expires 1h; }"))
        self.assertNotIn("webroot", draft.sites[0].keys)
        self.assertIn("make a folder of links", str(draft.remarks[0]))
        tried = "root /srv/public; location / { try_files $uri @a; } location @a { proxy_pass http://b; }"
        self.assertEqual(self.toml(server(tried))["webroot"], "/srv/public")

    def test_the_folder_of_an_application_that_is_not_understood_is_shown_to_nobody(self) -> None:
        for target in ("http://$backend", "https://127.0.0.1:8443", "http://127.0.0.1:1/$uri"):
            for place in ("/", "~ .*", "~ ^/"):
                text = f"root /srv/app; location {place} {{ proxy_pass {target}; }}"
                draft = self.draft(server(text))
                self.assertNotIn("webroot", draft.sites[0].keys, text)
                self.assertEqual(len(draft.remarks), 1, text)
        named = "root /srv/app; try_files $uri @a; location @a { proxy_pass http://$backend; }"
        self.assertEqual(self.draft(server(named)).sites[0].keys["webroot"], "/srv/app")

    def test_what_is_about_more_than_dotfiles_is_not_taken_for_them(self) -> None:
        for path in (
            "/\\.ht|\\.sql$",
            "/\\.ht|^/secret/",
            "/\\.well-known/private",
            "/\\.?secret/",
            "/\\.(ht|git)|(a|b)$",
            "/\\.[(]|[)]secret",
        ):
            draft = self.draft(server(f"location ~ {path} {{ return 404; }}"))
            (table,) = draft.sites[0].tables["redirect"]
            self.assertEqual(table.values, {"from-regex": path, "status": 404})
        for path in ("/\\.", "/\\.(ht|git)", "^/\\.", "(^|/)\\.", "(?:^|/)\\.(?!well-known)", "/\\.[|]"):
            self.assertNotIn("redirect", self.toml(server(f"location ~ {path} {{ return 404; }}")))

    def test_an_application_is_not_asked_for_dotfiles_that_nginx_keeps_from_it(self) -> None:
        app = "location / { proxy_pass http://127.0.0.1:1; }"
        for path, closed, asked in (
            ("/\\.", "/.env /a/.git/config /.well-known/a", "/a.b /a"),
            ("/\\.ht", "/.htaccess", "/.env"),
            ("/\\.(?!well-known)", "/.env /.w /.well /a/.git", "/.well-known/a /a"),
            ("/\\.(?!well-known\\/).*", "/.env /a/.well-know", "/.well-known/a"),
        ):
            (rule,) = self.toml(server(app + f"location ~ {path} {{ deny all; }}"))["redirect"]
            self.assertEqual(rule["status"], 404)
            for each in closed.split():
                self.assertRegex(each, rule["from-regex"])
            for each in asked.split():
                self.assertNotRegex(each, rule["from-regex"])
        stronger = app + "location ^~ /.well-known/ { } location ~ /\\. { deny all; }"
        self.assertNotRegex("/.well-known/a", self.toml(server(stronger))["redirect"][0]["from-regex"])
        (remark,) = self.remarks(server(app + "location ~ /\\.(?!a|b)c { deny all; }"))
        self.assertIn("an application is asked for it", remark)
        own = self.draft(server("location ~ ^/\\.a/ { proxy_pass http://127.0.0.1:1; }"))
        self.assertNotIn("redirect", own.sites[0].tables)

    def test_files_below_the_path_of_an_application_are_named(self) -> None:
        text = "root /srv/www; location /admin/ { proxy_pass http://127.0.0.1:9000; }"
        (remark,) = self.remarks(server(text))
        self.assertIn("files of webroot below /admin win over the application", remark)

    def test_a_site_that_not_everybody_gets_to_lets_nobody_in(self) -> None:
        public = server("listen 80; server_name www.example;  root /srv/www;")
        for listen in ("127.0.0.1:8080", "10.0.0.1:80", "[::1]:80", "unix:/run/a.sock", "localhost:81"):
            for inside in ("server_name in.example;", "server_name in.example; allow 10.0.0.0/8; deny all;"):
                own = server(f"listen {listen}; {inside} root /srv/internal;")
                for text in (own + public, public + own):
                    draft = self.draft(text)
                    (remark,) = draft.remarks
                    self.assertIn("not everybody gets to where it listens", str(remark))
                    sites = {site.hosts[0]: site for site in draft.sites}
                    self.assertNotIn("access", sites["www.example"].tables)
                    self.assertTrue(sites["www.example"].is_default)
                    self.assertEqual(
                        sites["in.example"].tables["access"][0].values,
                        {"path": "/**", "deny": ["0.0.0.0/0", "::/0"]},
                    )
        same = server("listen 127.0.0.1:81; server_name www.example; location /a/ { proxy_pass http://a; }")
        for text in (same + public, public + same):
            (site,) = self.draft(text).sites
            self.assertEqual((site.keys, site.tables), ({"webroot": "/srv/www"}, {}))
        two = "server_name {0}; listen 127.0.0.1:{1}; root /{0};"
        both = self.toml(server(two.format("a.example", 81)) + server(two.format("b.example", 82)))
        self.assertNotIn("access", both["site"][0])

    def test_the_first_network_that_matches_counts(self) -> None:
        all_ = ["0.0.0.0/0", "::/0"]
        for text, rule in (
            ("deny 10.0.0.5; allow 10.0.0.0/8; deny all;",
             {"allow": ["10.0.0.0/8"], "deny": ["10.0.0.5", *all_]}),
            ("deny 10.0.0.0/8; allow 10.0.0.5; deny all;", {"deny": all_}),
            ("allow 10.0.0.5; deny 10.0.0.0/8;", {"allow": ["10.0.0.5", *all_], "deny": ["10.0.0.0/8"]}),
            ("deny all; allow 10.0.0.0/8;", {"deny": all_}),
            ("allow 10.1.2.3/8; deny all;", {"allow": ["10.0.0.0/8"], "deny": all_}),
        ):  # fmt: skip
            self.assertEqual(self.toml(server(text))["access"], [{"path": "/**", **rule}], text)
        for text in ("allow unix:; deny all;", "allow somewhere; deny all;"):
            draft = self.draft(server(text))
            self.assertEqual(len(draft.remarks), 1)
            self.assertEqual(draft.sites[0].tables["access"][0].values, {"path": "/**", "deny": all_})

    def test_where_a_guard_cannot_be_said_nobody_is_let_in(self) -> None:
        pattern = "^/(logs|conf)/.*\\.txt$"
        (rule,) = self.toml(server(f"location ~* {pattern} {{ deny all; }}"))["redirect"]
        self.assertEqual(rule, {"from-regex": "(?i)" + pattern, "status": 404})
        for inside in ('auth_basic "A"; auth_basic_user_file /u;', "allow 10.0.0.0/8; deny all;"):
            draft = self.draft(server(f"location ~* ^/adm/ {{ {inside} }}"))
            self.assertIn("nobody is let in", str(draft.remarks[0]))
            (table,) = draft.sites[0].tables["redirect"]
            self.assertEqual(table.values, {"from-regex": "(?i)^/adm/", "status": 404})
        for inside in (
            "ssl_verify_client on;",
            "auth_request /login;",
            'auth_basic "A";',
            "if ($ssl_client_verify != SUCCESS) { return 403; }",
        ):
            self.assertEqual(self.paths("access", server(inside)), ["/**"], inside)
            self.assertEqual(len(self.remarks(server(inside))), 1)
            inner = server(inside + "allow 10.0.0.0/8; deny all; location /a/ { allow all; }")
            tables = self.draft(inner).sites[0].tables["access"]
            self.assertEqual([one.values for one in tables], [{"path": "/**", "deny": ["0.0.0.0/0", "::/0"]}])

    def test_what_is_closed_in_any_case_is(self) -> None:
        document = self.toml(server("location ~* \\.sql$ { deny all; }"))
        self.assertEqual(document["access"][0]["path"], "*.sql")
        self.assertEqual(document["redirect"], [{"from-regex": "(?i)\\.sql$", "status": 404}])
        (remark,) = self.remarks(server("location ~* \\.sql$ { allow 10.0.0.0/8; deny all; }"))
        self.assertIn("name the others", remark)

    def test_what_a_node_would_refuse_is_named(self) -> None:
        for inside in ("return 404;", "internal;"):
            (remark,) = self.remarks(server(f"location ~ ^/(?!pub/) {{ {inside} }}"))
            self.assertIn("no look-around", remark)
        files = "ssl_certificate /c; ssl_certificate_key /k;"
        secure = server(f"listen 443 ssl; listen [::]:443 ssl; server_name a.example; root /a; {files}")
        plain = server("listen 443; listen [::]:443; server_name b.example; root /b;")
        pair = ":privateKey=/k:certKey=/c"
        self.assertEqual(
            self.toml(secure + plain)["listen"], [f"tls:443{pair}", f"tls:443:interface=\\:\\:{pair}"]
        )

    def test_a_403_stays_one(self) -> None:
        text = "location /a/ { return 403; } location ~ \\.sql$ { return 403; }"
        self.assertEqual(self.paths("access", server(text)), ["*.sql", "/a/**"])


class MoreMeaningTests(ConvertTestCase):
    def test_places_of_applications(self) -> None:
        text = (
            "upstream a { server unix:/run/a.sock fail_timeout=0; } upstream b { server h; server [::1]:2; }"
        )
        document = self.toml(
            text + server("location / { proxy_pass http://a; } location /b/ { proxy_pass http://b; }")
        )
        self.assertEqual([one["to"] for one in document["app"]],
                         ["http+unix:/run/a.sock", ["http://h:80", "http://[::1]:2"]])  # fmt: skip
        for line in ("ip_hash;", "server b backup;", "server b weight=3;"):
            found = self.remarks(f"upstream a {{ server a:1; {line} }}" + server(""))
            self.assertEqual(len(found), 1, line)
        alternatives = server("location ~ ^/(api|auth)/ { proxy_pass http://127.0.0.1:1; }")
        self.assertEqual([one["at"] for one in self.toml(alternatives)["app"]], ["/api", "/auth"])

    def test_what_an_application_is_told(self) -> None:
        usual = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;"
        self.toml(server(f"location / {{ proxy_pass http://a; {usual} }}"))
        for line, word in (
            ("Host $server_addr", 'host = "NAME"'),
            ("X-Api-Key secret", "what the visitor sent"),
            ("X-Real-IP $remote_addr", "X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto alone"),
            ("X-Forwarded-Ssl on", "have it read those"),
        ):
            (remark,) = self.remarks(
                server(f"location / {{ proxy_pass http://a; proxy_set_header {line}; }}")
            )
            self.assertIn(word, remark)

    def test_the_host_that_an_application_is_told(self) -> None:
        """nginx tells where it asks, unless somebody says otherwise."""
        for text, host in (
            ("proxy_pass http://shop.internal.example;", "shop.internal.example"),
            ("proxy_pass http://shop.internal.example:81; proxy_set_header Host $host;", None),
            ("proxy_pass http://127.0.0.1:1;", None),
            ("proxy_pass http://localhost:1; proxy_set_header Host a.example;", "a.example"),
        ):
            (table,) = self.toml(server(f"location / {{ {text} }}"))["app"]
            self.assertEqual(table.get("host"), host, text)
        inherited = "proxy_set_header Host $host;" + server("location / { proxy_pass http://a.example; }")
        self.assertNotIn("host", self.toml(inherited)["app"][0])

    def test_a_prefix_is_not_taken_away_for_an_application(self) -> None:
        for line in ("rewrite ^/api/(.*)$ /$1 break; proxy_pass http://a;", "proxy_pass http://a/;"):
            (remark,) = self.remarks(server(f"location /api/ {{ {line} }}"))
            self.assertIn("asked with the whole path", remark)

    def test_a_rewrite_holds_where_it_stands(self) -> None:
        (remark,) = self.remarks(server("location /a/ { rewrite /b/(.*) /c/$1 last; }"))
        self.assertIn("holds below /a/ alone", remark)
        document = self.toml(server("location /a/ { rewrite ^/a/(.*)$ /c/$1 last; }"))
        self.assertEqual(document["rewrite"][0]["from-regex"], "^/a/(.*)$")
        document = self.toml(server("rewrite ^/a/(.*)$ /a/$1.html break;"))
        self.assertFalse(document["rewrite"][0]["force"])
        for other in ("proxy_pass http://a;", "return 301 /d;"):
            text = server(f"rewrite ^/old/(.*)$ /api/$1 last; location /api/ {{ {other} }}")
            (remark,) = self.remarks(text)
            self.assertIn("a rewrite leads to a file", remark)

    def test_redirects_strongest_first(self) -> None:
        document = self.toml(
            server(
                "location /a/ { return 301 /1; } location /a/b/ { return 301 /2; }"
                "location ~ ^/c { return 301 /3; } rewrite ^/r$ /4 permanent;"
                "location = /a/c { return 301 /5; }"
                "location /docs { return 301 https://n.example$request_uri; }"
            )
        )
        self.assertEqual([one["to"] for one in document["redirect"]],
                         ["/4", "/5", "/3", "https://n.example/:1", "/2", "/1"])  # fmt: skip

    def test_addresses_that_say_their_own_host(self) -> None:
        for text, to in (
            ("return 301 $scheme://$host/b;", "/b"),
            ("return 301 http://$host/b;", "/b"),
            ("return 301 $scheme://b.example/c;", "http://b.example/c"),
            ("return 301 https://$server_name/b;", "https://a.example/b"),
            ("rewrite ^/(.*)$ https://b.example/$1 permanent;", "https://b.example/a"),
        ):
            (rule,) = self.toml(server(f"server_name a.example; location = /a {{ {text} }}"))["redirect"]
            self.assertEqual(rule["to"], to, text)
        secure = server("rewrite ^/(.*) https://$host/$1 permanent;")
        self.assertIn("redirect-https: no listener", self.remarks(secure)[0])  # where it is alone
        (remark,) = self.remarks(server("location / { return 301 $scheme://$host$request_uri; }"))
        self.assertIn("round and round", remark)

    def test_maps_of_addresses_and_of_lifetimes(self) -> None:
        document = self.toml(
            'map $uri $new { default ""; /a /b; ~^/c/(\\d+)$ /d/$1; }'
            "map $sent_http_content_type $life { default off; text/css max; ~image/ 1h; }"
            "map $http_upgrade $connection_upgrade { default upgrade; }"
            + server("add_header X-A 1; expires $life; if ($new) { return 301 $new; }")
        )
        self.assertEqual(
            document["redirect"],
            [{"from": "/a", "to": "/b", "status": 301},
             {"from-regex": "^/c/(\\d+)$", "to": "/d/:1", "status": 301}],
        )  # fmt: skip
        rules = {one["path"]: one["set"] for one in document["header"]}
        self.assertEqual(rules["*.css"], {"Cache-Control": "max-age=315360000"})
        self.assertEqual(rules["*.png"], {"Cache-Control": "max-age=3600"})
        self.assertEqual(rules["/**"], {"X-A": "1"})
        for text, word in (
            ("map $uri $new { /a /b; }" + server(""), "a [[redirect]] for each address"),
            ("map $cookie_a $b { default 1; }" + server(""), "what it comes to"),
            ("map $arg_a $n { x /y; }" + server("if ($n) { return 301 $n; }"), "from a path to a path"),
        ):
            (remark,) = self.remarks(text)
            self.assertIn(word, remark)

    def test_lines_that_seem_to_say_nothing_are_named_where_they_do(self) -> None:
        for text, word in (
            (server("error_page 500 502 /50x.html; location /a/ { proxy_pass http://a; }"), "says itself"),
            (server("satisfy any;"), "a network and a password"),
            (server("set_real_ip_from 10.0.0.1; real_ip_header CF-Connecting-IP;"), "are believed"),
            (server("root html;"), "below its own folder"),
            (server("include snippets/none.conf;"), "that file is not here"),
            (server("limit_except GET { deny all; }"), "all methods"),
        ):
            (remark,) = self.remarks(text)
            self.assertIn(word, remark)
        self.assertEqual(
            self.remarks(server("error_page 500 502 503 504 /50x.html; include proxy_params;")), []
        )

    def test_regular_expressions_that_are_trees(self) -> None:
        rules = self.toml(server("location ~ ^/(a|b\\.c)/ { deny all; } location ~ ^/d { expires 1h; }"))
        self.assertEqual([one["path"] for one in rules["access"]], ["/a/**", "/b.c/**"])
        self.assertEqual(rules["header"][0]["path"], "/d**")


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

    def test_what_no_directive_ends_like_is_named_and_apaches_language_as_that(self) -> None:
        self.refused("hi\n", ":1: this is not nginx's language: a directive ends with ; or has a block")
        apache = "# a\n<VirtualHost *:80>\n</VirtualHost>"
        self.refused(apache, ":2: <VirtualHost> is Apache's language", "into a file .htaccess")

    def test_more_directives_than_a_configuration_has_are_refused(self) -> None:
        self.patch(reading, "_STATEMENTS", 100)
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
