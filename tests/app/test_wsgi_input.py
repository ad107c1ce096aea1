"""``wsgi.input``: read in one thread while it comes in another."""

from __future__ import annotations

import random
import threading

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.app.hosting import wsgi_input
from edge.app.hosting.wsgi_input import Input


class InputTests(SynchronousTestCase):
    """:mod:`edge.app.hosting.wsgi_input`."""

    def made(self, *pieces: bytes, whole: bool = True) -> Input:
        self.taken = 0
        made = Input(self.take)
        for piece in pieces:
            made.put(piece, True)
        if whole:
            made.put(b"", False)
        return made

    def take(self, size: int) -> None:
        self.taken += size

    def test_it_is_read_as_a_file_is(self) -> None:
        made = self.made(b"ab\ncd", b"ef\n", b"gh")
        self.assertEqual((made.read(0), made.read(1), made.readline()), (b"", b"a", b"b\n"))
        self.assertEqual((made.readline(3), made.readline(100)), (b"cde", b"f\n"))
        self.assertEqual((made.read(), made.read(5), made.readline()), (b"gh", b"", b""))
        self.assertEqual(self.taken, 10)
        self.assertEqual(self.made(b"a\nb\nc").readlines(), [b"a\n", b"b\n", b"c"])
        self.assertEqual(self.made(b"a\nb\nc").readlines(3), [b"a\n", b"b\n"])
        self.assertEqual(list(self.made(b"a\n\nb")), [b"a\n", b"\n", b"b"])

    @given(st.binary(max_size=300), st.integers(0, 1 << 30))
    @settings(deadline=None)
    def test_however_it_is_cut_and_read_it_is_the_same(self, data: bytes, seed: int) -> None:
        chance = random.Random(seed)
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(4))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        made, read = self.made(*pieces), b""
        while part := chance.choice((made.readline, made.read))(chance.choice((1, 2, 7, 100))):
            read += part
        self.assertEqual((read, self.taken), (data, len(data)))

    def test_a_reader_waits_and_is_told_when_no_more_comes(self) -> None:
        made = self.made(whole=False)
        threading.Timer(0.02, made.put, (b"late", False)).start()
        self.assertEqual(made.read(), b"late")
        made = self.made(b"half", whole=False)
        threading.Timer(0.02, made.gone).start()
        self.assertRaises(OSError, made.read)
        self.patch(wsgi_input, "PATIENCE", 0.01)
        self.assertRaises(TimeoutError, self.made(whole=False).read)
