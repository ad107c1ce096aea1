"""The record layer in Python, and states as bytes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.tls.interface import AlertDescription, RecordLayer, alert_name
from edge.tls.twin import PythonRecordLayer
from tests.tls.record_suite import RecordLayerSuite


class PythonRecordLayerTests(RecordLayerSuite, SynchronousTestCase):
    """The suite over the Python twin."""

    def adopt(self, state: bytes, unread: bytes = b"") -> RecordLayer:
        return PythonRecordLayer(state, unread)


class AlertNameTests(SynchronousTestCase):
    """Names of alerts, for figures and logs."""

    def test_known_ones_have_the_names_of_the_rfc_and_others_their_number(self) -> None:
        self.assertEqual(alert_name(AlertDescription.bad_record_mac), "bad_record_mac")
        self.assertEqual(alert_name(200), "alert_200")
