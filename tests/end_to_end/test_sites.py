"""Several sites on real nodes: by Host, on both ways of a request, in a cluster; hosts of attackers."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.main import main
from tests.commands import run_command
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import PATIENCE, RunningNode
from tests.end_to_end.servers import Server
from tests.trust.made import make

#: How many hosts of nobody are asked for.
UNKNOWN_HOSTS = int(os.environ.get("EDGE_UNKNOWN_HOSTS", "4000"))
#: Host -> the site that answers.
HOSTS = {
    "blog.example": "blog",
    "BLOG.Example": "blog",
    "blog.example.": "blog",
    "blog.example:8080": "blog",
    "www.blog.example:1": "blog",
    "xn--bcher-kva.example": "books",
    "XN--BCHER-KVA.example": "books",
    "a.shop.example": "shop",
    "b.a.shop.example.:443": "shop",
    "[2001:db8::1]": "blog",
    "[2001:DB8::1]:80": "blog",
    "192.0.2.7:80": "blog",
    # Nobody's: the default site
    "example.org": "top",
    "shop.example": "top",
    "evilblog.example": "top",
    "blog.example.evil": "top",
    "[2001:db8::2]": "top",
    "127.0.0.1": "top",
    "localhost": "top",
    "b%C3%BCcher.example": "top",
}
#: Versions of TLS: native, and Twisted's.
_WAYS = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
#: Lines that are no Host, or too many of them.
REFUSED = (
    ["Host: blog.example, top.example"],
    ["Host: blog.example", "Host: blog.example"],
    ["Host: blog.example", "Host: top.example"],
    ["Host:"],
    [],
    ["Host: blog.example:80:80"],
    ["Host: blog.example:port"],
    ["Host: blog.example/"],
    ["Host: user@blog.example"],
    ["Host: blog.example\x00"],
    ["Host: [::1"],
    ["Host : blog.example"],
    [" Host: blog.example"],
    ["Host: blog .example"],
    ["Host: b\u00fccher.example"],
)


def talk(port: int, request: bytes) -> bytes:
    """All that a node answers to *request*, until it closes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(request)
        answer = bytearray()
        while piece := client.recv(65536):
            answer += piece
        return bytes(answer)


def asked(lines: Iterable[str], target: str = "/", *more: str) -> bytes:
    """A request whose connection ends with its answer."""
    head = [f"GET {target} HTTP/1.1", *lines, "Connection: close", *more, "", ""]
    return "\r\n".join(head).encode("latin-1")


def status_of(answer: bytes) -> int:
    """The status of the last answer."""
    return int(answer[9:12])


def add_sites(node: RunningNode) -> None:
    """Give *node* a file with three sites beside that of its webroot, each with a page that says its name."""
    text = ""
    for name, hosts in (
        ("blog", '"blog.example", "www.blog.example", "2001:db8::1", "192.0.2.7"'),
        ("books", '"b\u00fccher.example"'),
        ("shop", '"*.shop.example"'),
    ):
        folder = node.directory / name
        folder.mkdir()
        (folder / "index.html").write_text(f"<p>{name}")
        (folder / f"{name}.txt").write_text(name)
        text += f'[[site]]\nname = "{name}"\nhosts = [{hosts}]\nwebroot = "{folder}"\n'
    file = node.directory / "edge.toml"
    file.write_text(text)
    node.write("index.html", b"<p>top")
    node.write("top.txt", b"top")
    node.options += ["--config", str(file)]


class SiteTests(SynchronousTestCase):
    """One node, four sites."""

    def setUp(self) -> None:
        self.node = RunningNode(workers=1)
        self.addCleanup(self.node.clean_up)
        add_sites(self.node)
        self.node.start()

    def answered(self, host: str, target: str = "/", *lines: str) -> tuple[int, bytes]:
        """(status, body) of GET, which must be the same on both ways: a field makes the fast path let go."""
        fast = talk(self.node.port, asked([f"Host: {host}"], target, *lines))
        slow = talk(self.node.port, asked([f"Host: {host}"], target, *lines, "TE: trailers"))
        ways = [re.sub(rb"\r\nDate: [^\r]*", b"", answer) for answer in (fast, slow)]
        self.assertEqual(*ways)
        return status_of(fast), fast.partition(b"\r\n\r\n")[2]

    def test_the_host_chooses_the_site_and_nothing_else_does(self) -> None:
        for host, name in HOSTS.items():
            self.assertEqual(self.answered(host)[1], f"<p>{name}".encode(), host)
        # what one has is 404 at the others
        for name, host in (("blog", "blog.example"), ("shop", "a.shop.example"), ("top", "example.org")):
            for file in ("blog", "books", "shop", "top"):
                status = self.answered(host, f"/{file}.txt")[0]
                self.assertEqual(status, 200 if file == name else 404, (host, file))
        # the target in absolute form counts, whatever Host says (RFC 9112 section 3.2.2)
        answer = talk(self.node.port, asked(["Host: example.org"], "http://blog.example/"))
        self.assertTrue(answer.endswith(b"<p>blog"))
        self.assertEqual(status_of(talk(self.node.port, asked(["Host: a, b"], "http://blog.example/"))), 400)
        for lines in REFUSED:
            self.assertEqual(status_of(talk(self.node.port, asked(lines))), 400, lines)
        # names of entries are no paths, and a path that looks like one is a path
        for target in ("/blog/index.html", "/blog/", "//blog/", "/blog/blog.txt", "blog/blog.txt"):
            self.assertIn(self.answered("example.org", target)[0], (400, 404), target)
        # other fields do not count
        for line in (
            "X-Forwarded-Host: blog.example",
            "Forwarded: host=blog.example",
            "X-Host: blog.example",
        ):
            self.assertEqual(self.answered("example.org", "/", line)[1], b"<p>top")

    def test_ever_new_hosts_are_answered_by_the_default_site_and_known_ones_as_before(self) -> None:
        """100,000 of them were tried: nothing is remembered of a host but in a few fixed cells."""
        requests = b"".join(
            b"GET /top.txt HTTP/1.1\r\nHost: h%d.unknown.example\r\n\r\n" % number for number in range(2000)
        )
        for _ in range(UNKNOWN_HOSTS // 2000):
            answer = talk(self.node.port, requests + asked(["Host: blog.example"]))
            self.assertEqual(answer.count(b"HTTP/1.1 200 "), 2001)
            self.assertTrue(answer.endswith(b"<p>blog"))

    def test_sites_are_published_purged_and_told_of_one_by_one(self) -> None:
        node, blog = self.node, {"Host": "blog.example"}
        etag = node.ask("/", blog)[1]["ETag"]
        state = node.ask("/.edge/changes", blog)[2].strip().decode()
        (node.directory / "blog" / "index.html").write_text("<p>new")
        node.wait_for(lambda: node.ask("/", blog)[2] == b"<p>new", "the blog is published anew")
        self.assertEqual(node.ask("/")[2], b"<p>top")
        self.assertEqual(node.ask("/", {**blog, "If-None-Match": etag})[0], 200)
        changed = node.ask(f"/.edge/changes?since={state}", blog)[2].split()
        self.assertEqual(sorted(changed[1:]), [b"/", b"/index.html"])
        self.assertEqual(node.ask(f"/.edge/changes?since={state}")[2].split()[1:], [])
        tag = node.ask("/", blog)[1]["ETag"].strip('"')
        for host, stale in (("blog.example", []), ("example.org", [0])):
            answer = node.ask("/.edge/revalidate", {"Host": host}, "POST", f"{tag} /\n".encode())[2]
            self.assertEqual(json.loads(answer)["stale"], stale)
        nodes = json.loads(node.ask("/.edge/load", blog)[2])["nodes"]
        self.assertEqual([one["url"] for one in nodes], [f"http://blog.example:{node.port}"])
        # edgectl
        ctl = ("--state-dir", str(node.state))
        self.assertEqual(run_command(main, *ctl, "purge", "blog.example/")[0], 0)
        self.assertEqual((node.ask("/", blog)[0], node.ask("/")[0]), (404, 200))
        self.assertEqual(run_command(main, *ctl, "publish", "--site", "blog")[0], 0)
        self.assertEqual(node.ask("/", blog)[0], 200)
        code, _, errors = run_command(main, *ctl, "publish", "--site", "none")
        self.assertEqual(code, 1)
        self.assertIn("there is no site none; there are: blog, books, shop", errors)
        said = run_command(main, *ctl, "status")[1]
        for word in ("(default)", "blog", "books", "shop"):
            self.assertIn(word, said)

    def test_requests_and_bytes_are_counted_by_site_on_both_ways(self) -> None:
        """Every request is one site's; hosts of strangers add no series."""
        node = self.node
        for host in ("blog.example", "BLOG.example.", "a.shop.example", *(f"h{n}.evil" for n in range(20))):
            self.answered(host)  # twice
        self.assertEqual(self.answered("blog.example", "/none")[0], 404)

        def counted(*labels: str) -> float:
            label = ",".join(labels)
            return node.metric("edge_site_requests_total", label)

        for site, status, count in (
            ("blog", "2xx", 4), ("blog", "4xx", 2), ("shop", "2xx", 2), ("books", "2xx", 0),
            ("(default)", "2xx", 40),
        ):  # fmt: skip
            self.assertEqual(counted(f'site="{site}"', f'status="{status}"'), count, (site, status))
        self.assertEqual(counted(), node.metric("edge_requests_total"))
        self.assertEqual(node.metric("edge_site_sent_bytes_total", 'site="shop"'), 2 * len("<p>shop"))
        self.assertEqual(node.metric("edge_site_sent_bytes_total", 'site="books"'), 0)
        told = {one.get("name", ""): one for one in node.admin("GET", "/status")[1]["sites"]}
        self.assertEqual(set(told), {"", "blog", "books", "shop"})
        self.assertEqual((told["shop"]["requests"], told["shop"]["sent_bytes"]), (2, 2 * len("<p>shop")))

    def test_a_host_that_is_added_takes_effect_with_sighup(self) -> None:
        node = self.node
        self.assertEqual(node.ask("/", {"Host": "new.example"})[2], b"<p>top")
        file = node.directory / "edge.toml"
        file.write_text(file.read_text().replace('"*.shop.example"', '"*.shop.example", "new.example"'))
        assert node.process is not None
        node.process.send_signal(1)
        node.wait_for(lambda: node.ask("/", {"Host": "new.example"})[2] == b"<p>shop", "workers know it")


class WithoutDefaultTests(SynchronousTestCase):
    """A node on which no site takes unknown hosts."""

    def setUp(self) -> None:
        self.node = RunningNode(workers=1)
        self.addCleanup(self.node.clean_up)
        add_sites(self.node)
        self.node.has_webroot = False
        self.node.start()

    def test_hosts_of_no_site_are_told_so(self) -> None:
        port = self.node.port
        self.assertTrue(talk(port, asked(["Host: blog.example"])).endswith(b"<p>blog"))
        for host in ("example.org", "127.0.0.1", "blog.example.evil", "shop.example"):
            for target in ("/", "/blog.txt", "/.edge/load", "/.edge/changes", "/.edge/", "http://a.example/"):
                self.assertEqual(status_of(talk(port, asked([f"Host: {host}"], target))), 421, (host, target))
        # a connection goes on after it
        answers = talk(port, b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n" + asked(["Host: blog.example"]))
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", answers), [b"421", b"200"])
        # whoever watches the node may know its address alone
        self.assertEqual(status_of(talk(port, asked(["Host: 127.0.0.1"], "/.edge/ready"))), 200)
        # and they are counted apart
        nobodys = 'site="(none)",status="4xx"'
        self.assertEqual(self.node.metric("edge_site_requests_total", nobodys), 4 * 6 + 1)


class CertificateTests(SynchronousTestCase):
    """A TLS listener, and a site with a certificate of its own."""

    def setUp(self) -> None:
        listen = "tls:0:privateKey=DIR/top.key:certKey=DIR/top.pem:interface=127.0.0.1"
        node = self.node = RunningNode(workers=1, listen=(listen,))
        self.addCleanup(node.clean_up)
        certified = ("top.example", "both.example"), ("blog.example", "*.blog.example", "both.example")
        for number, names in enumerate(certified):
            made, stem = make(*names, number=number), node.directory / names[0].removesuffix(".example")
            stem.with_suffix(".pem").write_bytes(made.pem)
            stem.with_suffix(".key").write_bytes(made.key_pem())
        (node.directory / "blog").mkdir()
        (node.directory / "blog" / "index.html").write_text("<p>blog")
        file = node.directory / "edge.toml"
        file.write_text(
            '[[site]]\nhosts = ["blog.example", "*.blog.example"]\nwebroot = "blog"\n'
            'certificate = "blog.pem"\nkey = "blog.key"\n'
        )
        node.options += ["--config", str(file)]
        node.write("index.html", b"<p>top")
        node.start()
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def connect(self, name: str | None, version: ssl.TLSVersion) -> ssl.SSLSocket:
        """A connection whose client has asked for *name*."""
        self.context.maximum_version = version
        raw = socket.create_connection(("127.0.0.1", self.node.port), PATIENCE)
        return self.context.wrap_socket(raw, server_hostname=name)

    def test_a_request_for_another_sites_host_is_told_so_and_the_connection_goes_on(self) -> None:
        for version in _WAYS:
            for name, host, status in (
                ("blog.example", "blog.example", 200),
                ("blog.example", "www.blog.example:443", 200),
                ("blog.example", "both.example", 200),
                ("blog.example", "top.example", 421),
                ("blog.example", "127.0.0.1", 421),
                ("top.example", "blog.example", 421),
                ("top.example", "both.example", 200),
                ("top.example", "other.example", 200),
                ("other.example", "blog.example", 421),
                ("other.example", "third.example", 200),
                (None, "blog.example", 200),
            ):
                with self.connect(name, version) as client:
                    client.settimeout(20)
                    for more in ((), ("TE: trailers",)):  # the fast path, and what it lets go
                        lines = [f"Host: {host}", *more]
                        client.sendall(asked(lines).replace(b"Connection: close\r\n", b""))
                        self.assertEqual(self.read_status(client), status, (name, host, version, more))
                    own = "blog.example" if name == "blog.example" else name or "top.example"
                    # what is everybody's, and what the connection is for
                    client.sendall(asked([f"Host: {host}"], "/.edge/ready").replace(b"close", b"keep-alive"))
                    self.assertEqual(self.read_status(client), 200)
                    client.sendall(asked([f"Host: {own}"]).replace(b"close", b"keep-alive"))
                    self.assertEqual(self.read_status(client), 200)
                    posted = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\nhi"
                    client.sendall(posted.encode())
                    self.assertEqual(self.read_status(client), 421 if status == 421 else 405)

    def read_status(self, client: ssl.SSLSocket) -> int:
        """The status of the next answer, which is read whole."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = client.recv(1)
            self.assertTrue(piece, head)
            head += piece
        found = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(found[1]) if found else 0
        while left:
            left -= len(client.recv(left)) or left
        return status_of(head)

    def test_who_asks_for_a_name_of_a_site_is_shown_its_certificate(self) -> None:
        for version in _WAYS:
            for host, shown, body in (
                ("blog.example", "blog.example", b"<p>blog"),
                ("www.blog.example", "blog.example", b"<p>blog"),
                ("top.example", "top.example", b"<p>top"),
                ("other.example", "top.example", b"<p>top"),
            ):
                with self.connect(host, version) as client:
                    client.sendall(asked([f"Host: {host}"]))
                    answer = b"".join(iter(lambda: client.recv(65536), b""))
                    certificate = x509.load_der_x509_certificate(client.getpeercert(True) or b"")
                name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
                self.assertEqual((name, answer[-len(body) :]), (shown, body), (host, version))


class ApplicationTests(SynchronousTestCase):
    """An application of one site, another of another."""

    def setUp(self) -> None:
        self.node = RunningNode(workers=1)
        self.addCleanup(self.node.clean_up)
        folder = Path(self.node.directory)
        self.servers = []
        text = ""
        for name in ("one", "two"):
            server = Server("gunicorn", f"saying:{name}", folder / f"{name}.sock")
            self.servers.append(server)
            text += f'[[site]]\nhosts = ["{name}.example"]\n[[site.app]]\nname = "{name}"\nat = "/"\n'
            text += f'to = "{server.target}"\n'
        file = folder / "edge.toml"
        file.write_text(text)
        self.node.write("index.html", b"<p>top")
        self.node.options += ["--config", str(file)]
        for server in self.servers:
            self.addCleanup(server.stop)
            server.start()
        self.node.start()

    def test_each_site_has_its_applications_and_its_shared_answers(self) -> None:
        node = self.node
        self.assertEqual(node.ask("/")[2], b"<p>top")
        self.assertEqual(node.ask("/anything")[0], 404)
        for name in ("one", "two"):
            host = {"Host": f"{name}.example"}
            self.assertEqual(node.ask("/x", host)[2], f"{name} at {name}.example".encode())
            node.wait_for(
                lambda host=host: "; hit" in node.ask("/x", host)[1].get("Cache-Status", ""), "it is stored"
            )
        for name in ("one", "two"):
            self.assertTrue(node.ask("/x", {"Host": f"{name}.example"})[2].startswith(name.encode()))
        ctl = ("--state-dir", str(node.state))
        code, said, _ = run_command(main, *ctl, "app", "explain", "http://one.example/x")
        self.assertEqual(code, 0)
        self.assertIn("it is stored", said)
        self.assertEqual(run_command(main, *ctl, "purge", "one.example/x")[0], 0)
        self.assertNotIn("; hit", node.ask("/x", {"Host": "one.example"})[1].get("Cache-Status", ""))
        self.assertIn("; hit", node.ask("/x", {"Host": "two.example"})[1].get("Cache-Status", ""))


class TwoNodesTests(SynchronousTestCase):
    """Two nodes with the same sites, and one that has others."""

    def test_what_one_publishes_for_a_site_the_other_serves_for_it(self) -> None:
        cluster = RunningCluster(2)
        self.addCleanup(cluster.clean_up)
        one, two = cluster.nodes
        add_sites(one)
        sites = (one.directory / "edge.toml").read_text()
        other = two.directory / "edge.toml"
        other.write_text(re.sub(r'webroot = "[^"]*"', 'webroot = "none"', sites))
        two.options += ["--config", str(other)]
        cluster.start()
        blog = {"Host": "blog.example"}
        for node in (one, two):
            node.wait_for(lambda node=node: node.ask("/blog.txt", blog)[2] == b"blog", "the blog is there")
            self.assertEqual(node.ask("/", blog)[2], b"<p>blog")
            self.assertEqual(node.ask("/", {"Host": "a.shop.example"})[2], b"<p>shop")
        etag = two.ask("/", blog)[1]["ETag"]
        self.assertEqual(two.ask("/", {**blog, "If-None-Match": etag})[0], 304)
        (one.directory / "blog" / "index.html").write_text("<p>new")
        two.wait_for(lambda: two.ask("/", blog)[2] == b"<p>new", "it is new everywhere")
        self.assertEqual(two.ask("/", {**blog, "If-None-Match": etag})[0], 200)
        self.assertNotIn("other sites", one.log.read_text() + two.log.read_text())
        # now they differ
        other.write_text(other.read_text().replace('"*.shop.example"', '"*.store.example"'))
        two.stop()
        two.start()
        for node, name in ((one, "n2"), (two, "n1")):
            node.wait_for(lambda node=node: "has other sites" in node.log.read_text(), "it says so")
            self.assertEqual(node.log.read_text().count(f"{name} has other sites than this node"), 1)
            checks = node.admin("GET", "/check")[1]["checks"]
            self.assertIn("sites", [check["name"] for check in checks if not check["ok"]])
