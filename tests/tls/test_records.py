"""The record layers, native and in Python, and states as bytes."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from edge.tls.interface import AlertDescription, RecordLayer, alert_name
from edge.tls.native import NativeTls
from edge.tls.twin import PythonRecordLayer
from tests.tls.builds import NATIVE
from tests.tls.peer import Peer, server_state
from tests.tls.record_suite import RecordLayerSuite


class PythonRecordLayerTests(RecordLayerSuite, SynchronousTestCase):
    """The suite over the Python twin."""

    def adopt(self, state: bytes, unread: bytes = b"") -> RecordLayer:
        return PythonRecordLayer(state, unread)


class NativeRecordLayerTests(RecordLayerSuite, SynchronousTestCase):
    """The suite over C."""

    def adopt(self, state: bytes, unread: bytes = b"") -> RecordLayer:
        return NATIVE.record_layer(state, unread)

    def test_states_that_are_given_up_are_counted_no_more(self) -> None:
        tls = NativeTls(3)
        layers = [tls.record_layer(server_state()) for _ in range(3)]
        self.assertEqual(tls.states(), 3)
        layers[0].discard()
        layers[0].discard()
        layers[1].export()
        del layers[2]
        self.assertEqual(tls.states(), 0)

    def test_a_state_outlives_what_it_was_made_of(self) -> None:
        layer = NativeTls(1).record_layer(server_state())
        gc.collect()
        self.assertEqual(layer.open(Peer().data(b"still")).plaintext, b"still")

    def test_there_are_no_more_states_than_there_is_room_for(self) -> None:
        tls = NativeTls(2)
        layers = [tls.record_layer(server_state()) for _ in range(2)]
        self.assertRaises(ValueError, tls.record_layer, server_state())
        layers.pop().discard()
        self.assertEqual(tls.record_layer(server_state()).suite, "TLS_AES_128_GCM_SHA256")


class AlertNameTests(SynchronousTestCase):
    """Names of alerts, for figures and logs."""

    def test_known_ones_have_the_names_of_the_rfc_and_others_their_number(self) -> None:
        self.assertEqual(alert_name(AlertDescription.bad_record_mac), "bad_record_mac")
        self.assertEqual(alert_name(200), "alert_200")
