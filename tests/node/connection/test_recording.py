"""What is written down of a request on the Twisted side."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.cache import status
from edge.node.connection.recording import cache_status


class CacheStatusTests(SynchronousTestCase):
    def test_a_request_that_filled_the_cache_is_a_miss_or_an_expired_one(self) -> None:
        for how, name in ((status.MISS, "miss"), (status.STALE, "expired")):
            for parameters in (how, (*how, status.STORED)):
                self.assertEqual(cache_status([status.status_field(*parameters)]), name)

    def test_what_caches_nearer_to_the_application_say_is_not_ours(self) -> None:
        theirs = (b"Cache-Status", b"origin; hit")
        fields = [theirs, status.status_field(*status.HIT_STALE), (b"Access-Control-Allow-Origin", b"*")]
        self.assertEqual((cache_status(fields), cache_status([theirs])), ("stale", ""))
