"""A machine that is lent to coordinators elsewhere."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.process.remote import notice_when_gone


class GoneTests(SynchronousTestCase):
    """No load goes on without somebody who looks on."""

    def test_a_coordinator_whose_network_has_gone_is_noticed_within_half_a_minute(self) -> None:
        """It sends no end; the kernel asks for one, whether reports are on their way or not."""
        with (
            socket.create_server(("127.0.0.1", 0)) as listening,
            socket.create_connection(listening.getsockname()),
            listening.accept()[0] as connection,
        ):
            notice_when_gone(connection)
            self.assertEqual(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
            idle, interval, user_ms = (
                connection.getsockopt(socket.IPPROTO_TCP, name)
                for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)
            )
            self.assertLessEqual(idle + 2 * interval, 30)
            self.assertEqual(user_ms, 30_000)
