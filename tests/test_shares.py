"""Shares: nobody who wants to fill a pool leaves nothing to others."""

from __future__ import annotations

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath import native
from edge.shares import NOBODY, Pool, network_of


def fill(pool: Pool, *networks: bytes) -> None:
    """Each of them takes what it can, one by one."""
    while any([pool.take(network) for network in networks]):
        pass


class PoolTests(SynchronousTestCase):
    """:class:`edge.shares.Pool`."""

    def test_one_that_takes_all_it_can_gets_half_and_n_get_a_part_of_n_plus_one(self) -> None:
        for several in (1, 2, 3, 9, 99):
            pool = Pool(1000)
            networks = [b"%d" % number for number in range(several)]
            fill(pool, *networks)
            for network in networks:
                self.assertIn(pool.held(network) - 1000 // (several + 1), (0, 1))
            self.assertGreaterEqual(pool.free, 1000 // (several + 1) - 1)

    def test_who_holds_nothing_gets_what_there_is(self) -> None:
        pool = Pool(1000)
        fill(pool, *(b"%d" % number for number in range(99)))
        self.assertTrue(pool.take(b"new", pool.free))
        self.assertFalse(pool.take(b"newer"))

    def test_what_is_given_back_is_there_for_others(self) -> None:
        pool = Pool(10)
        fill(pool, b"a")
        pool.give(b"a", 5)
        self.assertEqual((pool.used, pool.held(b"a"), pool.take(b"b", 10)), (0, 0, True))

    def test_those_that_are_not_told_apart_have_the_whole_pool(self) -> None:
        for pool, network in ((Pool(10), NOBODY), (Pool(10, told_apart=False), b"a")):
            fill(pool, network)
            self.assertEqual(pool.used, 10)

    @given(st.integers(0, 1000), st.lists(st.tuples(st.sampled_from("abc"), st.integers(-50, 200))))
    def test_it_never_holds_more_than_its_size_and_nobody_more_than_was_free(
        self, size: int, steps: list[tuple[str, int]]
    ) -> None:
        pool = Pool(size)
        for name, amount in steps:
            network = name.encode()
            if amount < 0:
                amount = min(-amount, pool.held(network))
                pool.give(network, amount)
            else:
                held = pool.held(network)
                if pool.take(network, amount) and held and amount:
                    self.assertLessEqual(pool.held(network), pool.free)
            self.assertTrue(0 <= pool.used <= size)
            self.assertEqual(pool.used, sum(map(pool.held, (b"a", b"b", b"c"))))

    @given(*[st.integers(0, 100)] * 4)
    def test_c_says_the_same(self, size: int, others: int, held: int, more: int) -> None:
        pool = Pool(size)
        if pool.take(b"others", others) and pool.take(b"a", held):
            said = native.lib.edge_share(size, pool.used, pool.held(b"a"), more)
            self.assertEqual(pool.take(b"a", more), said)


class NetworkTests(SynchronousTestCase):
    """:func:`edge.shares.network_of`."""

    def test_a_customer_is_one_network(self) -> None:
        self.assertEqual(network_of("2001:db8::1"), network_of("2001:db8::2:3:4:5%eth0"))
        self.assertNotEqual(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"))
        self.assertEqual(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"))
        self.assertNotEqual(network_of("192.0.2.1"), network_of("192.0.2.2"))
        self.assertEqual(network_of(""), NOBODY)

    def test_an_operator_says_how_much_of_an_ipv6_address_is_one_client(self) -> None:
        address = IPv6Address("2001:db8:1:2::1")
        for bits in (16, 48, 56, 64, 100, 128):
            for bit in {0, bits - 1, min(bits, 127), 127}:
                other = IPv6Address(int(address) ^ 1 << (127 - bit))
                same = network_of(str(address), bits) == network_of(str(other), bits)
                self.assertEqual(same, bit >= bits, (bits, bit))
            self.assertEqual(len(network_of("192.0.2.1", bits)), 4)
