"""Three real nodes as one: what is published on n1 is confirmed and served by n2 and n3."""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from edge.edgectl.main import main
from edge.trust.authority import certify
from tests.commands import run_command
from tests.end_to_end.cluster import RunningCluster, free_port, load, states
from tests.end_to_end.node import PATIENCE

BIG = os.urandom(700_000)


class ClusterTests(SynchronousTestCase):
    """One cluster, used by one story after the other."""

    def setUp(self) -> None:
        self.cluster = RunningCluster()
        self.addCleanup(self.cluster.clean_up)
        first = self.cluster.nodes[0]
        first.write("index.html", b"<p>one")
        first.write("big.bin", BIG)
        self.cluster.start()

    def test_what_one_publishes_all_serve_and_confirm(self) -> None:
        n1, n2, n3 = self.cluster.nodes
        for node in (n2, n3):
            status, headers, body = node.ask("/")
            self.assertEqual((status, body), (200, b"<p>one"))
            etag = headers["ETag"]
            self.assertEqual(node.ask("/", {"If-None-Match": etag})[0], 304)
            self.assertEqual(node.ask("/big.bin")[2], BIG)
            self.assertEqual(node.ask("/nothing")[0], 404)
        n1.write("index.html", b"<p>two")
        n1.wait_for(lambda: n1.ask("/")[2] == b"<p>two", "n1 has published")
        for node in (n2, n3):
            node.wait_for(lambda node=node: node.ask("/", {"If-None-Match": etag})[0] == 200, "it is new")
            self.assertEqual(node.ask("/")[2], b"<p>two")
        self.assertEqual(n2.admin("POST", "/purge", {"paths": ["/"]})[1]["purged"], ["/"])
        for node in (n1, n3):
            node.wait_for(lambda node=node: node.ask("/")[0] == 404, "it is purged")

        # edgectl shows it
        for command, words in (("members", ("n1", "alive", "n3")), ("log", ("n1", "lag p99 ms"))):
            code, said, errors = run_command(main, "--state-dir", str(n2.state), command)
            self.assertEqual((code, errors), (0, ""))
            for word in words:
                self.assertIn(word, said)
        self.assertEqual(set(load(n3)), {"n1", "n2", "n3"})
        # A machine that is busy may lose sight of one for a moment.
        n3.wait_for(
            lambda: all(one["weight"] > 0 and one["age_ms"] < 5000 for one in load(n3).values()),
            "it hears of all what they can take",
        )
        n2.wait_for(
            lambda: (
                "edge_gossip_members_alive 2.0"
                in run_command(main, "--state-dir", str(n2.state), "metrics")[1]
            ),
            "the others are counted",
        )

    def test_a_killed_node_gets_no_clients_and_comes_back_with_what_it_missed(self) -> None:
        n1, n2, n3 = self.cluster.nodes
        assert n2.process is not None
        n2.process.kill()
        n2.process.wait(PATIENCE)
        for node in (n1, n3):
            node.wait_for(lambda node=node: load(node)["n2"]["weight"] == 0, "n2 has no weight")
        n1.write("index.html", b"<p>missed")
        n1.wait_for(lambda: n1.ask("/")[2] == b"<p>missed", "n1 has published")
        n2.start()
        self.assertEqual(n2.ask("/")[2], b"<p>missed")
        for node in (n1, n3):
            node.wait_for(lambda node=node: load(node)["n2"]["weight"] > 0, "n2 has weight again")

    def test_a_node_that_leaves_says_so_and_what_it_published_stays_confirmed(self) -> None:
        n1, n2, n3 = self.cluster.nodes
        n2.wait_for(lambda: n2.ask("/")[0] == 200, "it has the body")
        etag = n2.ask("/")[1]["ETag"]
        n1.stop()
        for node in (n2, n3):
            node.wait_for(lambda node=node: states(node)["n1"] == "left", "n1 has left")
            self.assertEqual(node.ask("/", {"If-None-Match": etag})[0], 304)


class LeaseTests(SynchronousTestCase):
    """Leases: who has no news of a publisher confirms nothing that it has published."""

    def test_without_news_of_the_publisher_nothing_is_confirmed_only_sent_whole(self) -> None:
        cluster = RunningCluster(2, lease=2)
        self.addCleanup(cluster.clean_up)
        n1, n2 = cluster.nodes
        n1.write("index.html", b"<p>one")
        cluster.start()
        n2.wait_for(lambda: n2.ask("/")[0] == 200, "it has the body")
        etag = n2.ask("/")[1]["ETag"]
        validator = f"{etag} /\n".encode()
        text = {"Content-Type": "text/plain"}
        n2.wait_for(lambda: n2.ask("/", {"If-None-Match": etag})[0] == 304, "it has a lease")
        assert n1.process is not None
        n1.process.send_signal(signal.SIGSTOP)
        try:
            # The last words of n1 may still be on their way when a lease runs out for the first time.
            n2.wait_for(
                lambda: n2.admin("GET", "/log")[1]["logs"][0]["lease_s"] < -1,
                "the lease has run out for good",
            )
            self.assertEqual(n2.ask("/", {"If-None-Match": etag})[0], 200)
            self.assertEqual(n2.ask("/", {"If-None-Match": etag})[2], b"<p>one")
            self.assertEqual(n2.ask(f"/?~etag={etag.strip(chr(34))}")[0], 200)
            self.assertIn(b'"stale":[0]', n2.ask("/.edge/revalidate", text, "POST", validator)[2])
        finally:
            n1.process.send_signal(signal.SIGCONT)
        n2.wait_for(lambda: n2.ask("/", {"If-None-Match": etag})[0] == 304, "it is confirmed again")
        self.assertIn(b'"stale":[]', n2.ask("/.edge/revalidate", text, "POST", validator)[2])


class RenamedTests(SynchronousTestCase):
    """A node that comes back under another name."""

    def test_the_old_name_goes_with_one_line(self) -> None:
        cluster = RunningCluster(2)
        self.addCleanup(cluster.clean_up)
        n1, n2 = cluster.nodes
        n1.write("index.html", b"<p>one")
        cluster.start()
        assert n2.process is not None
        n2.process.kill()
        n2.process.wait(PATIENCE)
        certify(cluster.folder / "ca", "n9", n2.state / "cluster")
        n2.options = ["--node=n9" if one == "--node=n2" else one for one in n2.options]
        n2.start()
        n1.wait_for(lambda: states(n1).get("n9") == "alive", "it is there under its new name")
        n1.wait_for(lambda: states(n1).get("n2") in ("left", None), "the old name has gone")
        n1.wait_for(lambda: n2.ask("/")[2] == b"<p>one", "it serves")
        told = [
            line
            for line in n1.log.read_text().splitlines()
            if "edge.node.cluster" in line and "#warn" in line
        ]
        self.assertEqual(len([line for line in told if "the old name is forgotten" in line]), 1, told)
        # While n2 was not dead yet it may have been said who answered: a datagram, an exchange of secrets.
        answered = ("dialled n2, and n9 answered", "could not be told n2: it is n9, not n2")
        self.assertEqual(len([line for line in told if not line.endswith(answered)]), 1, told)


class StolenTests(SynchronousTestCase):
    """A node whose certificate is revoked."""

    def test_one_node_is_told_and_all_shut_it_out(self) -> None:
        cluster = RunningCluster(2)
        self.addCleanup(cluster.clean_up)
        n1, n2 = cluster.nodes
        n1.write("index.html", b"<p>one")
        cluster.start()
        authority = str(cluster.folder / "ca")
        file = str(n2.state / "cluster" / "n2.pem")
        code, _, errors = run_command(main, "cluster", "revoke", file, "--dir", authority)
        self.assertEqual((code, errors), (0, ""))
        told = ("--state-dir", str(n1.state), "cluster", "announce", f"{authority}/crl.pem")
        code, out, errors = run_command(main, *told)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("n2", out)
        n1.wait_for(lambda: "n2" not in states(n1), "n2 is shut out")
        n2.wait_for(
            lambda: "is revoked" in run_command(main, "--state-dir", str(n2.state), "check")[1], "n2 says so"
        )
        code, out, _ = run_command(main, "--state-dir", str(n2.state), "cluster", "revoked")
        self.assertIn("this node's own", out)
        self.assertNotIn("n2", states(n1))
        self.assertEqual(n1.ask("/")[2], b"<p>one")


class OtherCluster(RunningCluster):
    """A cluster on *host*, whose nodes know the first one by *name*."""

    def __init__(self, host: str, name: str) -> None:
        self._host, self._name = host, name
        super().__init__(3)

    def addresses(self, count: int) -> list[str]:
        """Gossip addresses of *count* nodes."""
        return [f"{self._host}:{free_port(self._host.strip('[]'))}" for _ in range(count)]

    def peers(self, number: int) -> list[str]:
        """Gossip addresses that the node at *number* is given: the first node's alone."""
        return [f"{self._name}:{self.gossip[0].rsplit(':', 1)[1]}"] if number else []


class AddressTests(SynchronousTestCase):
    """One address is enough, of any kind."""

    def check(self, host: str, name: str) -> None:
        cluster = OtherCluster(host, name)
        self.addCleanup(cluster.clean_up)
        cluster.nodes[0].write("index.html", b"<p>found")
        cluster.start()
        self.assertEqual(cluster.nodes[2].ask("/")[2], b"<p>found")
        members = cluster.nodes[2].admin("GET", "/members")[1]["members"]
        self.assertEqual({one["address"].rsplit(":", 1)[0] for one in members}, {host.strip("[]")})

    def test_nodes_find_each_other_by_the_name_of_one(self) -> None:
        self.check("127.0.0.1", "localhost")

    def test_nodes_find_each_other_over_ipv6(self) -> None:
        try:
            free_port("::1")
        except OSError:
            raise SkipTest("no IPv6 on loopback") from None
        self.check("[::1]", "[::1]")
