"""``loadgen run --plain URL`` as a user calls it: against a real nginx, which logs what it was asked."""

from __future__ import annotations

import collections
import contextlib
import grp
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from loadgen.cli import main
from tests import processes
from tests.commands import run_command
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import RunningNode
from tests.loadgen.run.coordinator.test_command import DONE, ROOT, Runs
from tests.loadgen.wire import tls_peer

_CONFIG = """{user} daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    log_format short '$status $request_uri $http_if_none_match'; access_log {folder}/access.log short;
    types {{ text/html html; text/css css; image/svg+xml svg; }}
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    gzip on; gzip_min_length 1; gzip_types text/css;
    server {{
        listen 127.0.0.1:{port}; {listen} root {folder}/site; add_header Cache-Control no-cache;
        location = /fresh.svg {{ add_header Cache-Control max-age=3600; }}
    }}
}}
"""


class NginxRuns(Runs):
    """Runs against an nginx with a small site."""

    def nginx(self, listen: str = "") -> str:
        """Starts one; its URL.  *listen*: more of its server's lines."""
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program is not None, "nginx is missing: apt-get install nginx-light"
        (self.folder / "site").mkdir(exist_ok=True)
        page = (
            b"<link rel=stylesheet href=/a.css><img src=/fresh.svg><a href=/b.html>b</a><p>" + b"words " * 50
        )
        for name, body in {
            "index.html": page,
            "b.html": page,
            "a.css": b"p {}",
            "fresh.svg": b"<svg/>",
        }.items():
            (self.folder / "site" / name).write_bytes(body)
        user = f"user root {grp.getgrgid(os.getgid()).gr_name};" if os.getuid() == 0 else ""
        port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(_CONFIG.format(folder=self.folder, port=port, user=user, listen=listen))
        process = processes.start(
            [program, "-c", str(config), "-e", str(self.folder / "error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return f"http://127.0.0.1:{port}"
            assert process.poll() is None, (self.folder / "error.log").read_text()
            time.sleep(0.02)
        raise AssertionError("nginx does not listen")

    def run_plainly(self, url: str, *options: str, scenario: Path | None = None) -> tuple[int, str, str]:
        """Exit code, output, errors."""
        return self.run_on("", *options, scenario=scenario, where=("--plain", url))

    def log(self) -> list[list[str]]:
        """What nginx was asked: status, path, If-None-Match."""
        return [line.split(" ", 2) for line in (self.folder / "access.log").read_text().splitlines()]


class NginxTests(NginxRuns):
    """Any server is read as browsers read it."""

    def test_readers_validate_what_they_have_by_what_nginx_gave(self) -> None:
        code, out, err = self.run_plainly(self.nginx(), "--users", "50")
        self.assertIn(code, DONE, out + err)
        counts, result = self.result().counts, self.result()
        self.assertTrue(result.plain)
        self.assertIn("browsers without the smart client", out)
        for name in ("failed", "wrong_answers", "retries", "hedges", "load_polls", "batches"):
            self.assertEqual(counts.get(name, 0), 0, name)
        self.assertGreater(min(counts["not_modified"], counts["bodies"], counts["fresh_hits"]), 0)
        asked = self.log()
        self.assertFalse([path for _, path, _ in asked if "/.edge" in path or path == "/sw.js"])
        crawled = 4
        of_status = collections.Counter(status for status, _, _ in asked)
        self.assertEqual(of_status["304"], counts["not_modified"])
        self.assertEqual(of_status["200"], counts["bodies"] + crawled)
        # Coded on the way, so the page's tags are weak, and go back as they came.
        self.assertEqual({tag[:2] for status, path, tag in asked if status == "304" and path == "/"}, {"W/"})
        self.assertFalse([path for status, path, _ in asked if status == "304" and path == "/fresh.svg"])

    def test_the_shipped_scenario_runs_on_it(self) -> None:
        scenario = ROOT / "scenarios" / "any-server.toml"
        code, out, err = self.run_plainly(
            self.nginx(), "--users", "300", "--duration", "2", scenario=scenario
        )
        self.assertIn(code, (*DONE, 2), out + err)
        self.assertEqual(self.result().counts.get("failed", 0), 0)

    def test_what_pages_name_and_is_not_there_is_said(self) -> None:
        url = self.nginx()
        (self.folder / "site" / "a.css").unlink()
        code, _, err = self.run_plainly(url)
        self.assertIn(code, DONE, err)
        self.assertIn("loadgen run: not there, and so not asked for, though pages name it: /a.css (404)", err)

    def test_sockets_of_a_scenario_are_said_to_be_left_out(self) -> None:
        scenario = self.scenario("\n[sockets]\nshare = 0.5\n")
        code, out, err = self.run_plainly(self.nginx(), "--duration", "0.3", scenario=scenario)
        self.assertIn(code, DONE, out + err)
        self.assertIn("no WebSockets are opened", err)
        self.assertEqual(self.result().processes, 1)

    def test_either_a_cluster_or_any_server(self) -> None:
        code, _, err = self.run_on("http://localhost:1", where=())
        self.assertEqual(code, 2)
        self.assertIn("--cluster", err)
        code, _, err = self.run_on(
            "", where=("--plain", "http://localhost:1", "--cluster", "http://localhost:1")
        )
        self.assertEqual(code, 2)
        self.assertIn("not allowed with", err)

    def test_a_server_of_another_kind_is_told_of_the_option(self) -> None:
        code, _, err = self.run_on(self.nginx())
        self.assertEqual(code, 1)
        self.assertIn("--plain URL loads any server", err)


class SecureTests(NginxRuns):
    """The same over HTTPS, for both wires."""

    def secure(self, *names: str, version: str = "TLSv1.3", more: str = "") -> str:
        """Starts nginx with TLS and a certificate for *names*; the URL of that."""
        certificate, key = tls_peer.write(self.folder, *names)
        port = free_port()
        files = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        self.nginx(f"listen 127.0.0.1:{port} ssl; ssl_protocols {version}; {files} {more}")
        (self.folder / "ca.pem").write_text(tls_peer.trust().authorities)
        return f"https://localhost:{port}"

    def run_securely(self, url: str, *options: str) -> tuple[int, str, str]:
        """With the authority of the tests."""
        return self.run_plainly(url, "--cafile", str(self.folder / "ca.pem"), *options)

    def test_readers_come_over_https_and_resume(self) -> None:
        """Crawled over HTTPS, too; handshakes have histograms of their own."""
        for wire in ("native", "python"):
            with self.subTest(wire):
                url = self.secure("localhost", more="keepalive_requests 2;")
                code, out, err = self.run_securely(url, "--users", "50", "--duration", "1.5", "--wire", wire)
                self.assertIn(code, DONE, out + err)
                result = self.result()
                counts = result.counts
                self.assertEqual(counts.get("failed", 0), 0, result.errors)
                self.assertGreater(min(counts["handshakes_full"], counts["handshakes_resumed"]), 0)
                self.assertGreater(min(counts["not_modified"], counts["bodies"]), 0)
                self.assertLessEqual({"handshake_full", "handshake_resumed"}, set(result.histograms))
                self.assertGreater(result.measures["handshake_p99"], 0)
                self.assertIn("TLS handshakes", out)
                self.assertEqual(
                    {path for _, path, _ in self.log()}, {"/", "/b.html", "/a.css", "/fresh.svg"}
                )

    def test_a_log_is_replayed_over_https(self) -> None:
        url = self.secure("localhost")
        log = self.folder / "old.log"
        when = "[26/Nov/2026:12:00:00 +0000]"
        log.write_text(f'192.0.2.1 - - {when} "GET /a.css HTTP/1.1" 200 5 "-" "M"\n')
        trusted = ("--cafile", str(self.folder / "ca.pem"))
        out = str(self.folder / "out")
        code, said, err = run_command(main, "replay", str(log), "--to", url, "--out", out, *trusted)
        self.assertIn(code, DONE, said + err)
        self.assertEqual(self.result().counts["handshakes_full"], 1)
        self.assertEqual([path for _, path, _ in self.log()], ["/a.css"])

    def test_who_cannot_be_trusted_is_named_before_the_run_begins(self) -> None:
        url = self.secure("other.example")
        for options, why in (
            (("--cafile", str(self.folder / "ca.pem")), "its certificate is for another name"),
            ((), "of an authority that is not trusted here; name the authority with --cafile FILE"),
        ):
            code, _, err = self.run_plainly(url, *options)
            self.assertEqual(code, 1)
            self.assertIn(f"{url}: ", err)
            self.assertIn(why, err)
        code, out, err = self.run_plainly(url, "--insecure", "--duration", "0.5")
        self.assertIn(code, DONE, out + err)

    def test_a_server_of_yesterday_is_named(self) -> None:
        code, _, err = self.run_securely(self.secure("localhost", version="TLSv1.2"))
        self.assertEqual(code, 1)
        self.assertIn("it speaks no TLS 1.3, only older versions", err)

    def test_a_server_in_the_clear_is_named(self) -> None:
        code, _, err = self.run_plainly(self.nginx().replace("http://", "https://"))
        self.assertEqual(code, 1)
        self.assertIn("it answers, but not by TLS; try http://", err)

    def test_a_file_of_no_authorities_is_named(self) -> None:
        for text in (None, "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            file = self.folder / "wrong.pem"
            if text is not None:
                file.write_text(text)
            code, _, err = self.run_plainly("https://localhost:1", "--cafile", str(file))
            self.assertEqual(code, 2)
            self.assertIn(f"--cafile {file}: ", err)
            self.assertIn("give a PEM file of authorities", err)


class SecureClusterTests(Runs):
    """A node of ours over HTTPS."""

    def test_smart_clients_come_over_https(self) -> None:
        certificate, key = tls_peer.write(self.folder, "localhost", "127.0.0.1")
        (self.folder / "ca.pem").write_text(tls_peer.trust().authorities)
        port = free_port()
        url = f"https://127.0.0.1:{port}"
        listen = f"tls:{port}:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        node = RunningNode("--public-url", url, workers=1, listen=("tcp:0:interface=127.0.0.1", listen))
        self.addCleanup(node.clean_up)
        node.write("index.html", b"<link rel=stylesheet href=/a.css><p>home")
        node.write("a.css", b"p { color: red }")
        node.start()
        trusted = ("--cafile", str(self.folder / "ca.pem"), "--users", "50")
        code, out, err = self.run_on(url, *trusted)
        self.assertIn(code, DONE, out + err)
        counts = self.result().counts
        self.assertEqual([node.url for node in self.result().nodes], [url])
        for name in ("failed", "wrong_answers", "stale_confirmations"):
            self.assertEqual(counts.get(name, 0), 0, name)
        self.assertGreater(min(counts["handshakes_full"], counts["not_modified"], counts["batches"]), 0)
        scenario = self.scenario("\n[sockets]\nshare = 0.5\n")
        code, out, err = self.run_on(url, *trusted, scenario=scenario)
        self.assertIn(code, DONE, out + err)
        found = self.result()
        self.assertGreater(found.counts["pushes"], 0)
        self.assertEqual((found.measures["socket_attempts"], found.measures["socket_errors"]), (25, 0), err)
