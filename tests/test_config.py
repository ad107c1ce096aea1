"""The configuration: defaults, TOML, precedence, refusals, checks."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import tempfile
from dataclasses import fields, replace
from datetime import datetime, timezone
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.access.rules import AuthRule
from edge.config import (
    SETTINGS,
    Config,
    default_state_dir,
    default_webroot,
    find_exposed,
    find_problems,
    load,
    needs_restart,
    reload,
    summarize,
)
from edge.config.applications import KEYS, Application, Target
from edge.config.publishing import publish_settings
from edge.config.settings import AT_START, SECTIONS
from edge.endpoint import CertificateFiles, ListenSpec
from edge.errors import ConfigError, plain
from tests.end_to_end.certificates import write_certificate
from tests.trust.made import NOW, make


class Base(SynchronousTestCase):
    """A folder of our own, with a site in it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.site = self.folder / "site"
        self.site.mkdir(parents=True)
        # Socket paths are short; those of trial are not.
        self.patch(os, "environ", {**os.environ, "STATE_DIRECTORY": "/run/edge-test"})

    def toml(self, text: str) -> Path:
        file = self.folder / "edge.toml"
        file.write_text(text)
        return file

    def refused(self, given: dict[str, bool | list[str]], *words: str, file: Path | None = None) -> str:
        message = str(self.assertRaises(ConfigError, load, given, file))
        message = re.sub(r"edge\.toml:\d+: ", "edge.toml: ", message)  # lines: test_config_random.py
        for word in words:
            self.assertIn(word, message)
        return message


class DefaultTests(Base):
    """What holds when nobody says anything."""

    def test_every_field_is_a_setting_and_every_setting_a_field(self) -> None:
        own = {one.name for one in fields(Config)} - {"file", "given", "top"}
        self.assertEqual({setting.attribute for setting in SETTINGS.values()}, own)
        self.assertEqual({setting.section for setting in SETTINGS.values()}, set(SECTIONS))
        self.assertLessEqual(AT_START, set(SETTINGS))

    def test_defaults_of_numbers_and_choices_are_values_that_would_be_accepted(self) -> None:
        for setting in SETTINGS.values():
            if setting.default and type(setting.default) in (int, str):
                self.assertEqual(setting.kind.read(str(setting.default), self.folder), setting.default)

    def test_cache_and_admin_socket_are_in_the_state_directory(self) -> None:
        config = load({"state-dir": ["/s/n1"]})
        self.assertEqual(config.cache_dir, Path("/s/n1/cache"))
        self.assertEqual(config.admin, "unix:/s/n1/admin.sock")
        self.assertEqual(config.admin_endpoint.path, "/s/n1/admin.sock")

    def test_what_is_the_node_s_own_is_told_to_publishing_wherever_it_lies(self) -> None:
        given = {
            "state-dir": ["/site/state"],
            "cluster-key": ["/site/n1.key"],
            "listen": ["tls:443:privateKey=/site/key.pem:certKey=/site/cert.pem"],
            "auth": ["/private=/site/htpasswd"],
            "access-log": ["/site/access.log"],
        }
        config = load(given)
        own = {"/site/state", "/site/n1.key", "/site/key.pem", "/site/htpasswd", "/site/access.log"}
        self.assertEqual(set(publish_settings(config, config.sites[0]).private), own)

    def test_the_state_directory_is_what_systemd_made(self) -> None:
        os.environ["STATE_DIRECTORY"] = "/var/lib/edge:/var/lib/other"
        self.assertEqual(load({}).state_dir, Path("/var/lib/edge"))

    def test_without_systemd_it_is_where_xdg_says_one_for_each_node(self) -> None:
        del os.environ["STATE_DIRECTORY"]
        os.environ["XDG_STATE_HOME"] = "/x"
        self.assertEqual(load({"node": ["n7"]}).state_dir, Path("/x/twistd-edge/n7"))
        os.environ["XDG_STATE_HOME"] = "relative/is/ignored"
        os.environ["HOME"] = "/of/user"
        self.assertEqual(default_state_dir("n7"), Path("/of/user/.local/state/twistd-edge/n7"))

    def test_there_is_one_worker_per_core_we_may_use(self) -> None:
        self.assertEqual(load({}).worker_count, min(64, len(os.sched_getaffinity(0))))
        self.assertEqual(load({"workers": ["0"]}).worker_count, 0)

    def test_the_default_webroot_is_the_demonstration_site(self) -> None:
        self.assertEqual(load({}).webroot, default_webroot())
        self.assertEqual(default_webroot().name, "webroot")


class CommandLineTests(Base):
    """Texts become values."""

    def test_relative_names_start_from_the_working_directory(self) -> None:
        config = load({"state-dir": ["s"], "access-log": ["a.log"]})
        self.assertEqual(config.state_dir, Path.cwd() / "s")
        self.assertEqual(config.access_log, str(Path.cwd() / "a.log"))

    def test_the_standard_output_stays_a_dash(self) -> None:
        self.assertEqual(load({"access-log": ["-"]}).access_log, "-")

    def test_the_last_one_counts_unless_it_may_be_repeated(self) -> None:
        config = load({"node": ["a", "b"], "listen": ["tcp:1", "tcp6:2"]})
        self.assertEqual((config.node, config.listen), ("b", ("tcp:1", "tcp6:2")))
        self.assertEqual([spec.interface for spec in config.endpoints], ["", "::"])

    def test_a_cache_rule_is_a_glob_and_a_value(self) -> None:
        self.assertEqual(load({"cache": ["/n/*=max-age=60"]}).cache, (("/n/*", "max-age=60"),))

    def test_urls_and_origins_are_kept_as_browsers_send_them(self) -> None:
        config = load(
            {
                "public-url": ["HTTPS://N1.Example.ORG:443/"],
                "allow-origin": ["http://a.example:80", "http://[::1]:8001", "*"],
            }
        )
        self.assertEqual(config.public_url, "https://n1.example.org")
        self.assertEqual(config.allow_origin, ("http://a.example", "http://[::1]:8001", "*"))

    def test_every_wrong_value_names_option_value_and_remedy(self) -> None:
        for name, value, remedy in (
            ("workers", "many", "give a whole number from 0 to 64"),
            ("workers", "65", "give a whole number from 0 to 64"),
            ("head-seconds", "1.5", "whole number"),
            ("brotli-quality", "-1", "whole number from 0 to 11"),
            ("fast-path", "fast", "choose one of auto, native, python, off"),
            ("node", "n_1", "letters, digits, dots and dashes"),
            ("node", "n" * 64, "1 to 63"),
            ("listen", "8080", "write tcp:8080"),
            ("admin", "tcp:9000", "only this machine may"),
            ("admin", "tcp:9000:interface=10.0.0.1", "only this machine may"),
            ("admin", "tls:9000:privateKey=k:certKey=c:interface=127.0.0.1", "only this machine may"),
            ("public-url", "n1.example.org", "like https://n1.example.org"),
            ("public-url", "http://n1.example.org:port", "like https://n1.example.org"),
            ("public-url", "http://n1.example.org/path", "like https://n1.example.org"),
            ("public-url", "http://u@n1.example.org", "like https://n1.example.org"),
            ("public-url", "http://\r\nX: y", "like https://n1.example.org"),
            ("public-url", "http://a\tb.example", "like https://n1.example.org"),
            ("public-url", "https://\u212a.example", "like https://n1.example.org"),
            ("allow-origin", "https://\u212a.example", "* for every one"),
            ("tls-auto", "\u212a.example.org", "xn--"),
            ("worker-user", "\u017fyslog", "name of a user"),
            ("traces-sample", "9e-0", "from 0 (none) to 1 (all)"),
            ("listen", "tcp:" + "1" * 5000, "no port from 0 to 65535"),
            ("auth", "/a=~no-such-user/x", "write the path out"),
            ("allow-origin", "null", "* for every one"),
            ("tls-auto", "*.example.org", "give each name"),
            ("tls-auto", "localhost", "like www.example.org"),
            ("tls-auto", "10.0.0.1", "like www.example.org"),
            ("tls-auto", "b\u00fccher.example", "xn--"),
            ("tls-auto", "a.example/../b", "like www.example.org"),
            ("acme-email", "admin", "like admin@example.org"),
            ("acme-directory", "http://ca.example/dir", "begins with https://"),
            ("hsts", "31536000", "give max-age=SECONDS"),
            ("hsts", "max-age=1; includesubdomains", "; includeSubDomains"),
            ("hsts", "max-age=1\r\nX: y", "give max-age=SECONDS"),
            ("mount", "/a/b=c:d", "write /path=module:name"),
            ("mount", "/.edge=c:d", "not .edge"),
            ("cache", "/n/*", "like '/news/*=max-age=60'"),
            ("cache", "*=" + "x" * 4000, "at most 3072"),
            ("zstd-level", "23", "whole number from 0 to 22"),
            ("types", ".a", "like .webmanifest=application/manifest+json"),
            ("types", ".a=text", "write one like application/manifest+json"),
            ("types", "a/b=text/plain", "write .webmanifest for all files that end so"),
            ("listing", "", "/**"),
            ("webroot", "/no/such/folder", "no such directory; make it"),
            ("webroot", __file__, "this is a file"),
            ("state-dir", "~no-such-user/x", "write the path out"),
            ("access-log", "", "give a path"),
        ):
            # What is long is told by how it begins.
            shown = plain(value.replace("\n", "\\n"))
            told = f"--{name} {shown}: " if len(value) < 80 else f"--{name} {shown[:70]}"
            self.refused({name: [value]}, told, remedy)

    def test_leading_to_https_needs_https(self) -> None:
        self.refused(
            {"redirect-https": True, "listen": ["tcp:80"]}, "--redirect-https", "add --listen tls:443"
        )
        listen = ["tcp:80", "tls:443:privateKey=k:certKey=c"]
        self.assertTrue(load({"redirect-https": True, "listen": listen}).redirect_https)

    def test_an_automatic_certificate_needs_a_listener_and_a_listener_a_certificate(self) -> None:
        self.refused({"listen": ["tls:443"]}, "--listen tls:443", "--tls-auto www.example.org")
        self.refused({"tls-auto": ["a.example"]}, "--tls-auto a.example", "add --listen tls:443")
        self.refused({"listen": ["tls:443:certKey=c"]}, "privateKey is missing")
        config = load({"listen": ["tls:443", "tls:444:privateKey=/k:certKey=/c"], "tls-auto": ["A.Example."]})
        self.assertEqual(config.tls_auto, ("a.example",))
        automatic, own = config.endpoints
        self.assertEqual(set(automatic.files), {str(config.state_dir / "acme/certificate.pem")})
        self.assertEqual((len(automatic.files), own.files), (2, ("/c", "/k")))
        pem = automatic.files[0]
        self.assertEqual(automatic.describe(), f"{automatic.text}:privateKey={pem}:certKey={pem}")

    def test_what_strict_transport_security_may_say(self) -> None:
        for value in (
            "max-age=0",
            "max-age=600; includeSubDomains",
            "max-age=63072000;includeSubDomains; preload",
        ):
            self.assertEqual(load({"hsts": [value]}).hsts, value)
        self.assertEqual(load({"hsts": ["none"]}).hsts, "")

    def test_all_problems_are_told_at_once(self) -> None:
        message = self.refused({"workers": ["x"], "listen": ["tcp:1", "2", "udp:3"]})
        self.assertEqual(len(message.splitlines()), 3)

    def test_a_state_directory_too_deep_for_a_socket_says_how_to_move_the_socket(self) -> None:
        self.refused({"state-dir": ["/" + "d" * 100]}, "at most 107", "like --admin unix:/run/edge/n1.sock")

    def test_a_user_without_home_is_asked_for_a_directory(self) -> None:
        del os.environ["STATE_DIRECTORY"]
        os.environ.pop("XDG_STATE_HOME", None)

        def homeless() -> Path:
            raise RuntimeError

        self.patch(Path, "home", homeless)
        self.refused({}, "--state-dir", "give one, like")


class FileTests(Base):
    """TOML."""

    def test_every_kind_of_value(self) -> None:
        file = self.toml(
            """
            listen = ["tcp:80", "unix:http.sock:mode=660"]
            webroot = "site"
            workers = 3
            watch = false
            access_log = "-"
            allow-origin = "*"
            [[cache]]
            glob = "*.pdf"
            value = "max-age=60"
            [[cache]]
            glob = "/a/**"
            value = "no-store"
            """
        )
        config = load({}, file)
        self.assertEqual(config.webroot, self.site)
        self.assertEqual(config.endpoints[1].path, str(self.folder / "http.sock"))
        self.assertEqual((config.workers, config.watch, config.access_log), (3, False, "-"))
        self.assertEqual(config.allow_origin, ("*",))
        self.assertEqual(config.cache, (("*.pdf", "max-age=60"), ("/a/**", "no-store")))
        self.assertEqual(config.file, file)

    def test_types_are_a_table_and_listings_have_several_forms(self) -> None:
        file = self.toml('[types]\n".webmanifest" = "application/manifest+json"\nLICENSE = "text/plain"\n')
        types = ((".webmanifest", "application/manifest+json"), ("LICENSE", "text/plain"))
        self.assertEqual(load({}, file).types, types)
        for text, globs in (
            ("listing = true", ("/**",)),
            ("listing = false", ()),
            ('listing = "/pub/**"', ("/pub/**",)),
            ('listing = ["/a/", "/b/*"]', ("/a/", "/b/*")),
            ('[[listing]]\npath = "/pub/**"\n[[listing]]\npath = "/x/"', ("/pub/**", "/x/")),
        ):
            self.assertEqual(load({}, self.toml(text)).listing, globs, text)
        for text, remedy in (
            ("types = 1", "write a table [types]"),
            ('[types]\n".a" = 1', "write a text in quotes"),
            ('[types]\n".a" = "text"', "this is no media type; write one like"),
            ("listing = 1", "write listing = true"),
            ("listing = [1]", "write a text in quotes"),
            ('[[listing]]\nglob = "/a"', "has the key path"),
            ("[[listing]]\npath = 1", "write a text in quotes"),
        ):
            self.refused({}, remedy, file=self.toml(text))

    def test_the_command_line_wins(self) -> None:
        file = self.toml('node = "file"\ncluster = "file"\nlisten = ["tcp:1", "tcp:2"]\nwatch = false\n')
        config = load({"node": ["line"], "listen": ["tcp:3"], "watch": True}, file)
        self.assertEqual((config.node, config.cluster), ("line", "file"))
        self.assertEqual((config.listen, config.watch), (("tcp:3",), True))

    def test_an_unknown_key_is_refused_with_the_nearest_known_one(self) -> None:
        file = self.toml('lisen = "tcp:80"\nqqq = 1\n')
        message = self.refused({}, f"{file}: unknown key 'lisen'; did you mean 'listen'?", file=file)
        self.assertIn("unknown key 'qqq'; there are access, access-log, ", message)

    def test_a_key_in_both_spellings_is_refused(self) -> None:
        self.refused(
            {}, "state-dir and state_dir are the same", file=self.toml('state_dir="/a"\nstate-dir="/b"')
        )

    def test_wrong_types_and_values_name_file_key_and_remedy(self) -> None:
        for line, remedy in (
            ('workers = "3"', 'edge.toml: workers = "3": write a whole number without quotes'),
            ("workers = true", "workers = true: write a whole number without quotes"),
            ("workers = 99", "workers = 99: give a whole number from 0 to 64"),
            ("workers = -1", "workers = -1: give a whole number from 0 to 64"),
            ("node = 1", "node = 1: write a text in quotes"),
            ("watch = 1", "watch = 1: write true or false without quotes"),
            ("listen = [80]", "listen = [80]: write a text in quotes"),
            ('listen = ["80"]', 'listen = ["80"]: only a port; write tcp:80'),
            ('cache = "*=no-store"', "write tables [[cache]]"),
            ('[[cache]]\nglob = "*"', "write tables [[cache]]"),
            ('[[cache]]\nglob = "*"\nvalue = 60', "write tables [[cache]]"),
            ('[[cache]]\nglob = "*"\nvalue = "é"', "visible ASCII"),
            ('[[cache]]\nglobe = "*"\nvalue = "x"', "[[cache]] number 1: unknown key 'globe'; write tables"),
            ('[types]\n".a" = "text/plain"\n".b" = 5', "[types] .b = 5: "),
            ('listen = "\\u001b[2J"', 'listen = "\\u001b[2J": \\x1b[2J is no kind of endpoint'),
            ("# 1\nworkers = " + "9" * 5000, "edge.toml: workers: this is not TOML: a whole number has"),
            ("# 1\nworkers = 0x" + "f" * 5000, "edge.toml: workers: this is not TOML: a whole number has"),
            ("[[rate]]\nrequests = 9223372036854775808", "edge.toml: rate: this is not TOML: a whole number"),
            ("[[auth]]\npath = '/a'\nusers = \"a\\u0000\"", "edge.toml: [[auth]] number 1 (/a): users = "),
            ("[[auth]]\npath = '/a'\nusers = '~no-such-user/x'", "number 1 (/a): users = '~no-such"),
        ):
            self.refused({}, remedy, file=self.toml(line))

    def test_a_file_that_is_missing_or_no_toml(self) -> None:
        self.refused({}, "--config /no/such.toml: cannot be read", file=Path("/no/such.toml"))
        self.refused({}, "this is not TOML", "line 1", file=self.toml("listen = tcp:80"))
        file = self.folder / "latin.toml"
        file.write_bytes(b'node = "\xe9"')
        self.refused({}, "this is not TOML", file=file)

    def test_it_can_be_read_again_under_the_same_command_line(self) -> None:
        file = self.toml("idle-seconds = 5\nworkers = 1\n")
        old = load({"node": ["n4"]}, file)
        self.toml("idle-seconds = 6\nworkers = 2\n")
        new = reload(old)
        self.assertEqual((new.node, new.idle_seconds), ("n4", 6))
        self.assertEqual(needs_restart(old, new), ("workers",))
        self.toml("idle-seconds = 0\n")
        self.assertIn("idle-seconds = 0", str(self.assertRaises(ConfigError, reload, new)))


class ApplicationTests(Base):
    """Applications behind the edge: ``--app`` and tables ``[[app]]``."""

    def one(self, text: str) -> Application:
        (application,) = load({}, self.toml("[[app]]\n" + text)).app
        return application

    def test_the_command_line_says_where_and_what(self) -> None:
        self.patch(os, "getcwd", lambda: "/srv")
        config = load({"app": ["/=my_shop.wsgi:app", "/api/=http://a:1,http://[::1]", "/b=unix:x.sock"]})
        shop, api, b = config.app
        self.assertEqual((shop.name, shop.at, shop.run), ("my_shop", "/", "my_shop.wsgi:app"))
        self.assertEqual((shop.folder, shop.is_hosted), (str(Path.cwd()), True))
        self.assertEqual((api.name, api.at, api.to), ("api", "/api", ("http://a:1", "http://[::1]:80")))
        self.assertEqual(api.targets[1], Target("http", host="::1", port=80))
        self.assertEqual(b.targets, (Target("unix", path=str(Path.cwd() / "x.sock")),))
        self.assertEqual(shop.describe(), "my_shop at /: my_shop.wsgi:app")

    def test_a_table_says_all_of_it(self) -> None:
        (self.folder / "venv").mkdir()
        table = """
            name = "shop"
            at = "/shop/"
            run = "shop.site:make.app"
            python = "venv"
            folder = "site"
            environment = { DB = "x", A = "" }
            processes = 2
            threads = 3
            timeout_seconds = 4
            queue = 5
            memory-mib = 6
            share = ["/shop/*", "/shop/a/**"]
            ignore-query = "utm_*"
            vary = { Accept-Language = ["en", "de"], x-theme = "dark" }
            stale-if-error = 7
            host = "shop.example:8443"
        """
        expected = Application(
            name="shop",
            at="/shop",
            run="shop.site:make.app",
            python=str(self.folder / "venv/bin/python"),
            folder=str(self.site),
            environment=(("A", ""), ("DB", "x")),
            processes=2,
            threads=3,
            timeout_seconds=4,
            queue=5,
            memory_mib=6,
            share=("/shop/*", "/shop/a/**"),
            ignore_query=("utm_*",),
            vary=(("accept-language", ("en", "de")), ("x-theme", ("dark",))),
            stale_if_error=7,
            host="shop.example:8443",
        )
        self.assertEqual(self.one(table), expected)
        self.assertEqual(set(KEYS), {one.name.replace("_", "-") for one in fields(Application)} - {"site"})

    def test_several_tables_and_texts_in_the_place_of_tables(self) -> None:
        file = self.toml('app = ["/=shop:app", "/b=http+unix:/run/b.sock"]')
        self.assertEqual(
            [(one.at, one.run, one.to) for one in load({}, file).app],
            [("/", "shop:app", ()), ("/b", "", ("http+unix:/run/b.sock",))],
        )
        file = self.toml('[[app]]\nat="/"\nrun="a:b"\n[[app]]\nat="/c"\nto=["http://h:1/", "http+unix:/u"]')
        self.assertEqual([one.name for one in load({}, file).app], ["a", "c"])

    def test_the_command_line_replaces_those_of_the_file(self) -> None:
        file = self.toml('[[app]]\nat="/"\nrun="a:b"')
        self.assertEqual([one.name for one in load({"app": ["/=c:d"]}, file).app], ["c"])

    def test_each_wrong_key_and_value_names_file_table_key_and_remedy(self) -> None:
        good = 'name = "shop"\nat = "/"\nrun = "shop:app"\n'
        for line, remedy in (
            ('nmae = "x"', "unknown key 'nmae'; did you mean 'name'?"),
            ("qqq = 1", "unknown key 'qqq'; there are name, at, "),
            (
                "stale-if-error = 1\nstale_if_error = 1",
                "stale_if_error is there in both spellings; remove one",
            ),
            ('to = "http://h:1"', "run and to exclude each other; keep run if"),
            ("processes = 0", "processes = 0: give a whole number from 1 to 256"),
            ('processes = "2"', 'processes = "2": write a whole number without quotes'),
            ("threads = true", "threads = true: write a whole number without quotes"),
            ("threads = 1.5", "threads = 1.5: write a whole number without quotes"),
            ("memory-mib = -1", "memory-mib = -1: give a whole number"),
            ("timeout-seconds = 0", "timeout-seconds = 0: give a whole number from 1"),
            ("queue = 0", "queue = 0: give a whole number from 1"),
            ("python = 3", 'python = 3: write a text in quotes, like "text"'),
            ('python = ""', "give 1 to 1024 printable characters"),
            ("folder = 1", 'folder = 1: write a text in quotes, like "text"'),
            ('environment = "A=b"', "write a table of at most 64 texts"),
            ('environment = { "A-B" = "c" }', "'A-B': give letters, digits and underscores"),
            ("environment = { A = 1 }", "A: write a text in quotes"),
            ('share = "shop/*"', 'write globs of whole paths, like "/shop/**"'),
            ("share = [1]", "write a text in quotes"),
            (f"share = {[f'/{n}' for n in range(65)]}", "at most 64 are possible"),
            ('ignore-query = "a=b"', 'write names of parameters alone, like "utm_*"'),
            ('vary = "Accept-Language"', "write a table of fields and the values told apart"),
            ('vary = { Cookie = ["a"] }', "Cookie: what differs with it is not for sharing"),
            ('vary = { Accept-Encoding = ["gzip"] }', "told apart anyway; leave it out"),
            ("vary = { X-Theme = [] }", "X-Theme: give the values told apart"),
            ('vary = { "X Y" = ["a"] }', "X Y: give the name of a request field"),
            (
                f"vary = {{ A = {list(map(str, range(9)))}, B = {list(map(str, range(9)))} }}",
                "makes 100 repr",
            ),
            ("stale-if-error = -1", "stale-if-error = -1: give a whole number"),
            ('host = "a b"', "give a name, with a port if it needs one"),
            ('host = "http://a"', "give a name, with a port if it needs one"),
            ('probe = "/health"', "probe is for HTTP upstreams (to), and the node runs this; remove probe"),
        ):
            self.refused(
                {}, "edge.toml: [[app]] number 1 (shop): ", remedy, file=self.toml(f"[[app]]\n{good}{line}")
            )

    def test_what_is_wrong_with_an_environment_is_told_without_its_secrets(self) -> None:
        for environment in (
            "{ PASSWORD = 's3cret', A-B = '' }",
            "'PASSWORD=s3cret'",
            "{ PASSWORD = 's3cret', A = 1 }",
        ):
            text = f'[[app]]\nat = "/"\nrun = "a:b"\nenvironment = {environment}\n'
            message = self.refused({}, "environment = ...: ", file=self.toml(text))
            self.assertNotIn("s3cret", message)

    def test_each_wrong_place_and_target_likewise(self) -> None:
        for table, remedy in (
            ('run = "a:b"', 'at is missing; give the path that it answers, like at = "/"'),
            ('at = "/"', "neither run nor to; give run"),
            ('at = "shop"\nrun = "a:b"', 'at = "shop": give the path whose tree it answers'),
            ('at = "/a/../b"\nrun = "a:b"', "give the path whose tree it answers"),
            ('at = "/a%20b"\nrun = "a:b"', "without % and ?"),
            ('at = "/.edge/x"\nrun = "a:b"', "/.edge is the node's own"),
            ('at = "/"\nrun = "a"', 'write "module:name", as in Python'),
            ('at = "/"\nrun = "a-b:c"', 'write "module:name", as in Python'),
            ('at = "/"\nname = "a b"\nrun = "a:b"', "give 1 to 32 letters"),
            ('at = "/"\nto = "ftp://h"', "ftp://h: give unix:PATH (edge-app/1), http+unix:PATH or"),
            ('at = "/"\nto = "https://h"', "applications are reached without TLS"),
            ('at = "/"\nto = "http://h:99999"', "give scheme, host and port, like http://127.0.0.1:8000"),
            ('at = "/"\nto = "http://h:1/path"', "give scheme, host and port"),
            ('at = "/"\nto = "http://u@h:1"', "give scheme, host and port"),
            ('at = "/"\nto = "unix:"', "unix:: give unix:PATH"),
            (f'at = "/"\nto = "unix:/{"x" * 200}"', "choose a shorter one"),
            ('at = "/"\nto = []', "or a list"),
            ('at = "/"\nto = ["unix:/a", "http://h:1"]', "make two tables"),
            ('at = "/"\nto = "unix:/a"\nprobe = "/health"', "probe is for HTTP upstreams, and this speaks"),
            ('at = "/"\nto = "http://h:1"\nprobe = "health"', "give a path that answers 200"),
            ('at = "/"\nto = "http://h:1"\nprobe = "/a b"', "give a path that answers 200"),
            (
                'at = "/"\nto = "http://h:1"\nthreads = 1',
                "threads is for what the node runs, and this runs else",
            ),
        ):
            self.refused({}, "edge.toml: [[app]] number 1", remedy, file=self.toml(f"[[app]]\n{table}"))
        for text in ("/", "shop:app", "/=", "/x"):
            self.refused({"app": [text]}, f"--app {text}: write /PATH=module:name, /PATH=http://HOST:PORT")
        self.refused({"app": ["a=b:c"]}, '--app a=b:c: at = "a": give the path')
        self.refused({}, "app = 3: write a text in quotes", file=self.toml("app = 3"))

    def test_all_problems_of_all_tables_are_told_at_once(self) -> None:
        file = self.toml('[[app]]\nat="x"\nrun="a"\n[[app]]\nat="/"\nname="b"\nqueue=0')
        self.assertEqual(len(self.refused({}, "number 1 (x)", "number 2 (b)", file=file).splitlines()), 4)

    def test_names_and_paths_are_taken_once(self) -> None:
        many = [f"/{n}=m{n}:a" for n in range(257)]
        self.refused({"app": many}, "app: 257 applications, at most 256 are possible on a node; have one")
        self.refused({"app": ["/=a:b", "/c=a:d"]}, "app a: 2 applications have this name; give each its own")
        self.refused({"app": ["/=a:b", "/=c:d"]}, "app /: 2 applications are at this path; choose another")
        self.refused({"app": ["/c=a:b"], "mount": ["/c=d:e"]}, "app /c: a mount is at this path, too")


class CheckTests(Base):
    """Whether it would work: without leaving a trace."""

    def setUp(self) -> None:
        super().setUp()
        self.state = self.folder / "state"
        self.config = Config(
            webroot=self.site,
            state_dir=self.state,
            admin="tcp:0:interface=127.0.0.1",
            listen=("tcp:0:interface=127.0.0.1",),
        )

    def problem(self, **changes: object) -> str:
        found = find_problems(replace(self.config, **changes))  # type: ignore[arg-type]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def taken(self) -> socket.socket:
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        return sock

    def test_a_good_one_has_no_problems_and_makes_nothing(self) -> None:
        self.assertEqual(find_problems(self.config), [])
        self.assertFalse(self.state.exists())
        self.assertIn("node n1 of cluster edge", summarize(self.config))

    def test_secrets_that_everybody_on_the_machine_may_read_are_told(self) -> None:
        """A node starts with them all the same."""
        folder = Path(tempfile.mkdtemp(dir="/tmp"))  # which everybody may enter
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        key, users = folder / "k.pem", folder / "us ers"
        for file in (key, users):
            file.write_bytes(b"")
            file.chmod(0o640)
        config = replace(
            self.config,
            listen=(f"tls:0:privateKey={key}:certKey={key}",),
            auth=(AuthRule("/a", str(users), "a"), AuthRule("/b", "/no/such", "b")),
        )
        self.assertEqual(find_exposed(config), [])
        for file in (key, users):
            file.chmod(0o644)
        of_key, of_users = find_exposed(config)
        self.assertEqual(
            of_key,
            f"{key}: everybody on this machine may read it, and it holds a private key; chmod o-r {key}",
        )
        self.assertTrue(of_users.endswith(f"holds hashes of passwords; chmod o-r '{users}'"), of_users)
        folder.chmod(0o750)
        self.assertEqual(find_exposed(config), [])

    def test_a_port_in_use(self) -> None:
        port = self.taken().getsockname()[1]
        text = f"tcp:{port}:interface=127.0.0.1"
        self.assertEqual(
            self.problem(listen=(text,)),
            f"--listen {text}: port {port} is in use by another program; stop it or choose another port",
        )

    def test_certificates_that_browsers_would_refuse(self) -> None:
        now = (datetime.now(timezone.utc) - NOW).days
        good, old = make("a.example", days=(now - 1, now + 9)), make("a.example", days=(now - 9, now - 1))

        def problem(files: CertificateFiles, **changes: object) -> str:
            spec = ListenSpec("tls", interface="127.0.0.1", certificates=(files,))
            return self.problem(listen=(spec.describe(),), **changes)

        self.assertIn("cert.pem expired on ", problem(old.write(self.folder)))
        files = good.write(self.folder)
        self.assertIn("no certificate is for b.example", problem(files, public_url="https://b.example"))
        other = make("a.example", number=4).write(self.folder, name="other")
        self.assertIn("does not belong to", problem(files._replace(key=other.key)))
        self.assertIn("cannot read", problem(files._replace(key="missing")))
        weak = make("a.example", kind="rsa1024", days=(now - 1, now + 9)).write(self.folder, name="weak")
        self.assertIn("RSA key of 1024 bits", problem(weak))

    def test_ports_count_as_free_while_our_own_node_runs(self) -> None:
        self.state.mkdir()
        with (self.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            port = self.taken().getsockname()[1]
            config = replace(self.config, listen=(f"tcp:{port}:interface=127.0.0.1",))
            self.assertEqual(find_problems(config), [])
            self.assertIn("a node runs with this state directory now", summarize(config))

    def test_an_address_that_this_machine_does_not_have(self) -> None:
        self.assertIn(
            "no interface with the address 192.0.2.1", self.problem(listen=("tcp:0:interface=192.0.2.1",))
        )

    def test_directories_that_cannot_be_made(self) -> None:
        (self.folder / "file").write_text("")
        self.assertIn("file is no directory", self.problem(state_dir=self.folder / "file" / "x"))
        self.assertIn("--cache-dir", self.problem(cache_dir=self.folder / "file"))
        self.assertIn("--access-log", self.problem(access_log=str(self.site)))

    def test_a_webroot_that_is_gone(self) -> None:
        self.site.rmdir()
        self.assertIn("--webroot", self.problem())

    def test_a_unix_socket_path_that_is_a_file_and_one_in_use(self) -> None:
        # A short path of our own: trial's folders are too deep for a socket.
        folder = Path(os.path.relpath(self.folder))
        (folder / "f").write_text("")
        self.assertIn("no socket", self.problem(listen=(f"unix:{folder / 'f'}",)))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(folder / "s"))
            sock.listen()
            self.assertIn("another program listens there", self.problem(listen=(f"unix:{folder / 's'}",)))
        self.assertEqual(find_problems(replace(self.config, listen=(f"unix:{folder / 's'}",))), [])

    def test_certificates_are_loaded(self) -> None:
        key, cert = self.folder / "key.pem", self.folder / "cert.pem"
        text = f"tls:0:privateKey={key}:certKey={cert}:interface=127.0.0.1"
        self.assertIn(f"cannot read {cert}", self.problem(listen=(text,)))
        write_certificate(self.folder, "localhost")
        self.assertEqual(find_problems(replace(self.config, listen=(text,))), [])
        key.write_text("nonsense")
        self.assertIn("no private key", self.problem(listen=(text,)))

    def test_sockets_from_systemd_are_only_there_when_it_starts_us(self) -> None:
        config = replace(self.config, listen=("systemd:domain=INET:index=3",))
        self.assertEqual(find_problems(config), [])
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        self.assertIn("systemd passed 1 sockets", find_problems(config)[0])

    def test_a_native_fast_path_that_was_not_built(self) -> None:
        self.patch(find_problems.__globals__["importlib"], "import_module", self._missing)
        self.assertIn("--fast-path native: it has not been built", self.problem(fast_path="native"))
        self.assertIn("there is no native build", summarize(self.config))

    def _missing(self, name: str) -> None:
        raise ImportError(name)


class SiteTests(Base):
    """Several sites: which there are, and what cannot be."""

    def test_without_any_there_is_one_made_of_the_top(self) -> None:
        [site] = load({"webroot": [str(self.site)], "cache": ["*=no-cache"]}).sites
        self.assertEqual((site.webroot, site.cache), (self.site, (("*", "no-cache"),)))
        self.assertEqual((site.hosts, site.default, site.name, site.prefix), ((), True, "", ""))

    def test_a_table_has_rules_of_its_own_and_inherits_none(self) -> None:
        file = self.toml(
            'webroot = "site"\nsmart-client = false\nallow-origin = "https://a.example"\n'
            '[[site]]\nhosts = ["Blog.Example.org.", "*.blog.example.org"]\nwebroot = "site"\n'
            '[[site.cache]]\nglob = "*"\nvalue = "no-store"\n'
            '[[site.app]]\nat = "/"\nto = "http://127.0.0.1:8000"\n'
        )
        top, blog = load({}, file).sites
        self.assertEqual((top.default, top.smart_client, top.cache), (True, False, ()))
        self.assertEqual((blog.name, blog.prefix), ("blog.example.org", "blog.example.org"))
        self.assertEqual(blog.hosts, ("blog.example.org", "*.blog.example.org"))
        self.assertEqual((blog.webroot, blog.cache), (self.site, (("*", "no-store"),)))
        self.assertEqual((blog.smart_client, blog.allow_origin, len(blog.app)), (True, (), 1))

    def test_the_top_is_a_site_only_if_it_serves_something(self) -> None:
        one = f"blog.example={self.site}"
        self.assertEqual([site.name for site in load({"site": [one]}).sites], ["blog.example"])
        given = {"site": [one], "webroot": [str(self.site)]}
        self.assertEqual([site.name for site in load(given).sites], ["", "blog.example"])

    def test_what_others_of_the_cluster_publish_may_be_on_top(self) -> None:
        given = {"site": [f"blog.example={self.site}"], "webroot": ["none"]}
        self.assertEqual([site.name for site in load(given).sites], ["", "blog.example"])

    def test_the_default_site_stands_first_and_its_keys_have_no_prefix(self) -> None:
        file = self.toml('[[site]]\nhosts = "a.example"\n[[site]]\nhosts = "b.example"\ndefault = true\n')
        sites = load({}, file).sites
        self.assertEqual([(site.name, site.prefix) for site in sites],
                         [("b.example", ""), ("a.example", "a.example")])  # fmt: skip

    def test_hosts_are_written_in_one_way(self) -> None:
        hosts = {
            "WWW.Example.ORG": "www.example.org",
            "example.org.": "example.org",
            "localhost": "localhost",
            "*.example.org": "*.example.org",
            "b\u00fccher.example": "xn--bcher-kva.example",
            "192.0.2.1": "192.0.2.1",
            "2001:DB8:0::1": "[2001:db8::1]",
            "[2001:db8::1]": "[2001:db8::1]",
        }
        for written, meant in hosts.items():
            with self.subTest(host=written):
                self.assertEqual(load({"site": [f"{written}={self.site}"]}).site[0].hosts, (meant,))

    def test_wrong_hosts_are_told_with_a_way_out(self) -> None:
        for host, words in {
            "example.org:8080": "remove the colon and the port",
            "https://example.org": "without scheme",
            "exa mple.org": "without scheme",
            "a.*.example": "give a name, or *. before one",
            "*": "give a name, or *. before one",
            "*.192.0.2.1": "nothing lies below an address",
            "x" * 64 + ".example": "give a name like",
            "b\u00fc..cher": "no name of the DNS",
        }.items():
            with self.subTest(host=host):
                file = self.toml(f'[[site]]\nhosts = ["{host}"]\n')
                self.refused({}, str(file), "[[site]] number 1", words, file=file)

    def test_wrong_tables_name_the_table_the_key_and_the_way_out(self) -> None:
        file = self.toml(
            "[[site]]\nhosts = 3\n"
            '[[site]]\nhosts = ["b.example"]\nwebrot = "site"\n'
            '[[site]]\nwebroot = "site"\n'
            '[[site]]\nhosts = ["c.example"]\n[[site.app]]\nat = "/"\n'
            '[[site]]\nhosts = ["d.example"]\nname = "d/e"\n'
        )
        told = self.refused({}, file=file).splitlines()
        self.assertEqual(len(told), 5, told)
        for line, words in zip(
            told,
            ["number 1: hosts = 3: write a text",
             "number 2 (b.example): unknown key 'webrot'; did you mean 'webroot'",
             "number 3: it has no hosts", "number 4 (c.example): [[app]] number 1 (/): neither run nor to",
             "number 5 (d.example): name = "],
            strict=True,
        ):  # fmt: skip
            self.assertIn(words, line)

    def test_collisions_are_named(self) -> None:
        for table, words in {
            '[[site]]\nhosts = ["a.example"]\n[[site]]\nname = "b"\nhosts = ["A.example"]\n':
                "a.example and b have this host",
            '[[site]]\nhosts = ["*.a.example"]\n[[site]]\nname = "b"\nhosts = ["*.a.example"]\n':
                "*.a.example and b have this host",
            '[[site]]\nhosts = ["a.example", "a.example."]\n': "is named 2 times",
            '[[site]]\nhosts = "a.example"\ndefault = true\n[[site]]\nhosts = "b.example"\ndefault = true\n':
                "[[site]] a.example and [[site]] b.example are both the default site",
            'webroot = "site"\n[[site]]\nhosts = ["a.example"]\ndefault = true\n':
                "the top of the file and [[site]] a.example are both the default site",
            '[[site]]\nhosts = ["a.example"]\nname = "x"\n[[site]]\nhosts = ["b.example"]\nname = "x"\n':
                "2 sites have this name",
        }.items():  # fmt: skip
            with self.subTest(words=words):
                self.refused({}, words, file=self.toml(table))

    def test_every_tls_listener_shows_the_certificates_of_sites(self) -> None:
        """After its own, or the automatic one, which has the names of the others."""
        file = self.toml(
            'listen = ["tls:443", "tls:444:privateKey=k.pem:certKey=c.pem", "tcp:80"]\n'
            '[[site]]\nhosts = ["own.example", "*.own.example"]\ncertificate = "own.pem"\nkey = "own.key"\n'
            '[[site]]\nhosts = ["a.example", "*.a.example", "192.0.2.1", "localhost"]\n'
        )
        config = load({"tls-auto": ["www.example.org"]}, file)
        self.assertEqual(config.automatic_names, ("www.example.org", "a.example"))
        own = CertificateFiles(str(self.folder / "own.pem"), str(self.folder / "own.key"))
        automatic, files, plain = config.endpoints
        self.assertEqual(automatic.certificates[1:], (own,))
        self.assertTrue(automatic.certificates[0].certificate.endswith("acme/certificate.pem"))
        self.assertEqual(
            files.certificates,
            (CertificateFiles(str(self.folder / "c.pem"), str(self.folder / "k.pem")), own),
        )
        self.assertEqual(plain.certificates, ())

    def test_certificates_that_nobody_would_show_or_that_lack_a_half_are_refused(self) -> None:
        table = '[[site]]\nhosts = ["a.example"]\n'
        self.refused({}, "key is there without certificate", file=self.toml(f'{table}key = "k.pem"\n'))
        file = self.toml(f'{table}certificate = "c.pem"\n')
        self.refused({}, "no listener would show its certificate", file=file)
        self.assertEqual(load({"listen": ["tls:443"]}, file).automatic_names, ())
