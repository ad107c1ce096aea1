"""How many connections strangers may open."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process import admission
from edge.node.process.admission import Admission, Rate


class AdmissionTests(SynchronousTestCase):
    """:class:`edge.node.process.admission.Admission`."""

    def count(self, made: Admission, hosts: list[str], now: float) -> int:
        """How many of these get in."""
        return sum(made.admits(host, now) for host in hosts)

    def test_an_address_has_its_burst_and_then_its_rate(self) -> None:
        """However hard it tries; another address has its own."""
        made = Admission(Rate(2, 10), Rate(1000, 1000))
        self.assertEqual(self.count(made, ["192.0.2.1"] * 500, 0.0), 10)
        later = [self.count(made, ["192.0.2.1"] * 50, float(second)) for second in range(1, 11)]
        self.assertEqual(later, [2] * 10)
        self.assertEqual(self.count(made, ["192.0.2.2"] * 500, 10.0), 10)
        self.assertEqual(self.count(made, ["192.0.2.1"] * 500, 1e6), 10)

    def test_all_together_have_a_rate_too(self) -> None:
        """Many addresses are no way around; what the total refuses costs the address nothing."""
        made = Admission(Rate(2, 10), Rate(20, 50))
        hosts = [f"10.0.{number >> 8}.{number & 255}" for number in range(2000)]
        self.assertEqual(self.count(made, hosts, 0.0), 50)
        self.assertEqual(self.count(made, hosts, 1.0), 20)

    def test_an_ipv6_customer_is_one_address_and_a_mapped_one_is_ipv4(self) -> None:
        """Whatever is behind the /64."""
        made = Admission(Rate(1, 3), Rate(1000, 1000))
        self.assertEqual(self.count(made, [f"2001:db8::{number:x}" for number in range(99)], 0.0), 3)
        self.assertEqual(self.count(made, ["2001:db8:0:1::1"] * 5, 0.0), 3)
        self.assertEqual(self.count(made, [f"::ffff:192.0.2.{number}" for number in range(5)], 0.0), 5)
        self.assertEqual(self.count(made, ["fe80::1%eth0", "fe80::2%eth1"] * 3, 0.0), 3)

    def test_an_operator_says_how_much_of_an_ipv6_address_is_one_client(self) -> None:
        hosts = [f"2001:db8:0:{number:x}::1" for number in range(20)]
        for prefix, admitted in ((64, 20), (56, 1), (60, 2)):
            made = Admission(Rate(1, 1), Rate(1000, 1000), prefix)
            self.assertEqual(self.count(made, hosts, 0.0), admitted)

    def test_what_it_remembers_is_bounded(self) -> None:
        """An attack has more addresses than we have memory."""
        self.patch(admission, "ADDRESSES", 10)
        made = Admission(Rate(1, 1), Rate(1e6, 1e6))
        self.count(made, [f"10.0.0.{number}" for number in range(200)], 0.0)
        self.assertLessEqual(len(made._buckets), 10)
