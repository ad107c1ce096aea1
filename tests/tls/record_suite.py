"""What every record layer must do: run over the native build and over its Python twin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from edge.tls.interface import RECORDS_PER_KEY, Alert, AlertDescription, Opened, RecordLayer
from edge.tls.state import Flag
from edge.tls.suites import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, SUITES
from tests.tls.peer import ALERT, DATA, HANDSHAKE, KEY_UPDATE, Peer, server_state

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

hexadecimal = bytes.fromhex
#: RFC 8448 section 3, after the handshake: secrets, and records with 50 bytes and with close_notify.
CLIENT_SECRET = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
CLIENT_KEY, CLIENT_IV = "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"
SERVER_SECRET = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"
SERVER_KEY, SERVER_IV = "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"
CLIENT_RECORDS = (
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e"
    "1f5a6292a2977014bd1e3deae63aeebb21694915e4",
    "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3",
)
SERVER_RECORDS = (
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c"
    "4bf2e5f0a21c0047c2abf332540dd032e167c2955d",
    "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9",
)


class RecordLayerSuite(ABC, Base):
    """One record layer, and a peer that seals whatever the test says."""

    @abstractmethod
    def adopt(self, state: bytes, unread: bytes = b"") -> RecordLayer:
        """The build under test."""

    def setUp(self) -> None:
        self.layer = self.adopt(server_state())
        self.peer = Peer()

    def assert_ends(self, data: bytes, alert: AlertDescription, before: bytes = b"") -> None:
        """*data* ends the connection with our *alert*, however it is cut; at most *before* is told."""
        state = self.layer.export()[0]
        for cut in {0, 1, 4, 5, len(data) - 1, len(data)}:
            self.layer, told, answers = self.adopt(state), b"", b""
            raised = None
            try:
                for piece in (data[:cut], data[cut:]):
                    opened = self.layer.open(piece)
                    told += opened.plaintext
                    answers += opened.answer
            except Alert as error:
                raised = error
                answers += error.answer
            assert raised is not None, f"cut at {cut}: not refused"
            self.assertEqual((raised.description, raised.sent, raised.name), (alert, True, alert.name))
            self.assertTrue(before.startswith(told))
            self.assertEqual(self.assertRaises(Alert, Peer().open, answers).description, alert)
            self.assert_dead()
        self.layer = self.adopt(state)

    def refusal(self, data: bytes) -> int:
        """The alert that *data* ends the connection with."""
        return self.assertRaises(Alert, self.layer.open, data).description

    def assert_dead(self) -> None:
        """Nothing is opened or sealed any more."""
        self.assertEqual(self.layer.open(Peer().data(b"later")), Opened(b"", b"", closed=True))
        self.assertEqual((self.layer.seal(b"more"), self.layer.close()), (b"", b""))

    # The vectors of RFC 8448

    def test_the_example_of_rfc_8448_is_opened_and_sealed_byte_for_byte(self) -> None:
        """After one ticket record: the write sequence begins at 1."""
        state = hexadecimal(
            ("0101000000000000" + "0000000000000000" + "0100000000000000")
            + (CLIENT_IV + SERVER_IV + CLIENT_KEY + SERVER_KEY + CLIENT_SECRET + SERVER_SECRET)
        )
        self.assertEqual(len(state), 144)
        layer = self.adopt(state)
        self.assertEqual((layer.suite, layer.alpn), ("TLS_AES_128_GCM_SHA256", b"http/1.1"))
        fifty = bytes(range(50))
        self.assertEqual(layer.open(hexadecimal(CLIENT_RECORDS[0])), Opened(fifty))
        self.assertEqual(layer.seal(fifty).hex(), SERVER_RECORDS[0])
        self.assertEqual(layer.open(hexadecimal(CLIENT_RECORDS[1])), Opened(b"", b"", closed=True))
        self.assertEqual(layer.close().hex(), SERVER_RECORDS[1])

    def test_every_suite_talks_in_both_directions(self) -> None:
        for suite in SUITES.values():
            layer, peer = self.adopt(server_state(suite)), Peer(suite)
            self.assertEqual((layer.suite, layer.alpn), (suite.name, b"http/1.1"))
            self.assertEqual(layer.open(peer.data(b"question")).plaintext, b"question")
            self.assertEqual(peer.open(layer.seal(b"answer")).plaintext, b"answer")

    def test_states_have_the_lengths_that_are_drawn(self) -> None:
        for suite, length in ((AES_128_GCM, 144), (CHACHA20_POLY1305, 176), (AES_256_GCM, 208)):
            self.assertEqual(len(self.adopt(server_state(suite)).export()[0]), length)

    # Opening

    def test_records_cut_at_every_byte_give_the_same(self) -> None:
        stream = self.peer.data(b"one") + self.peer.key_update(True) + self.peer.record(b"two", padding=9)
        state = self.layer.export()[0]
        for cut in range(len(stream) + 1):
            layer = self.adopt(state)
            first, second = layer.open(stream[:cut]), layer.open(stream[cut:])
            self.assertEqual(first.plaintext + second.plaintext, b"onetwo")
            self.assertEqual(Peer().open(first.answer + second.answer + layer.seal(b"x")).plaintext, b"x")

    def test_bytes_that_come_one_by_one_give_the_same(self) -> None:
        opened = [self.layer.open(bytes((byte,))) for byte in self.peer.data(b"slowly") + self.peer.alert(0)]
        self.assertEqual(b"".join(each.plaintext for each in opened), b"slowly")
        self.assertEqual([each.closed for each in opened], [False] * (len(opened) - 1) + [True])

    def test_a_record_that_is_not_whole_tells_nothing(self) -> None:
        record = self.peer.data(b"whole or not at all")
        self.assertEqual(self.layer.open(record[:-1]), Opened(b""))
        self.assertEqual(self.layer.open(record[-1:]).plaintext, b"whole or not at all")

    def test_the_longest_record_is_opened(self) -> None:
        self.assertEqual(self.layer.open(self.peer.record(bytes(1 << 14))).plaintext, bytes(1 << 14))
        self.assertEqual(self.layer.open(self.peer.record(b"x", padding=(1 << 14) - 1)).plaintext, b"x")

    def test_an_outer_type_other_than_23_is_refused(self) -> None:
        for outer in (0, 20, 21, 22, 24, 255):
            self.assert_ends(Peer().record(b"x", outer=outer), AlertDescription.unexpected_message)

    def test_cleartext_alerts_and_change_cipher_spec_are_refused(self) -> None:
        for record in (b"\x15\x03\x03\x00\x02\x01\x00", b"\x14\x03\x03\x00\x01\x01"):
            self.assert_ends(record, AlertDescription.unexpected_message)

    def test_a_length_over_the_limit_is_refused_by_its_header_alone(self) -> None:
        self.assert_ends(b"\x17\x03\x03" + (16384 + 257).to_bytes(2, "big"), AlertDescription.record_overflow)
        self.assertEqual(self.layer.open(b"\x17\x03\x03" + (16384 + 256).to_bytes(2, "big")).closed, False)

    def test_an_inner_text_over_the_limit_is_refused(self) -> None:
        self.assert_ends(Peer().inner(bytes(1 << 14) + b"x\x17"), AlertDescription.record_overflow)
        self.assert_ends(Peer().record(b"x", padding=1 << 14), AlertDescription.record_overflow)

    def test_an_inner_text_of_zeros_only_is_refused(self) -> None:
        for length in (1, 2, 100, (1 << 14) + 1):
            self.assert_ends(Peer().inner(bytes(length)), AlertDescription.unexpected_message)

    def test_a_record_too_short_for_its_tag_is_refused(self) -> None:
        for length in (0, 1, 15):
            self.assert_ends(
                b"\x17\x03\x03" + length.to_bytes(2, "big") + bytes(length), AlertDescription.bad_record_mac
            )
        self.assert_ends(Peer().inner(b""), AlertDescription.bad_record_mac)

    def test_every_flipped_bit_is_refused(self) -> None:
        record = self.peer.data(b"abc")
        state = self.layer.export()[0]
        for bit in range(5 * 8, len(record) * 8):
            changed = bytearray(record)
            changed[bit // 8] ^= 1 << bit % 8
            self.layer = self.adopt(state)
            self.assertEqual(self.refusal(bytes(changed)), AlertDescription.bad_record_mac)

    def test_a_record_that_comes_twice_or_out_of_order_is_refused(self) -> None:
        first, second = Peer().data(b"1"), self.peer.data(b"1") + self.peer.data(b"2")
        self.assert_ends(first + first, AlertDescription.bad_record_mac, b"1")
        self.assert_ends(second[len(first) :], AlertDescription.bad_record_mac)

    def test_the_version_of_a_header_is_authenticated_and_not_compared(self) -> None:
        self.assertEqual(self.layer.open(self.peer.record(b"x", version=b"\x03\x01")).plaintext, b"x")
        changed = self.peer.record(b"y").replace(b"\x17\x03\x03", b"\x17\x03\x01", 1)
        self.assertEqual(self.refusal(changed), AlertDescription.bad_record_mac)

    def test_an_unknown_inner_type_is_refused(self) -> None:
        for kind in (1, 19, 20, 24, 255):
            self.assert_ends(Peer().record(b"\x01", kind), AlertDescription.unexpected_message)

    def test_what_came_before_the_refused_record_may_have_been_told(self) -> None:
        self.assert_ends(
            self.peer.data(b"good") + self.peer.record(b"", 20), AlertDescription.unexpected_message, b"good"
        )

    # Key updates

    def test_a_key_update_without_request_is_not_answered(self) -> None:
        opened = self.layer.open(self.peer.key_update() + self.peer.data(b"new keys"))
        self.assertEqual(opened, Opened(b"new keys"))

    def test_a_requested_key_update_is_answered_under_the_old_key(self) -> None:
        answer = self.layer.open(self.peer.key_update(requested=True)).answer
        self.assertEqual(len(answer), 5 + 5 + 1 + 16)
        self.assertEqual(Peer().open(answer), Opened(b""))
        self.assertEqual(self.peer.open(answer + self.layer.seal(b"new")).plaintext, b"new")

    def test_a_key_update_may_be_split_over_records(self) -> None:
        for pieces in ((1,), (4,), (1, 2, 3, 4)):
            layer, peer = self.adopt(server_state()), Peer()
            update = peer.key_update(True, pieces)
            opened = layer.open(update + peer.data(b"after"))
            self.assertEqual(opened.plaintext, b"after")
            self.assertEqual(peer.open(opened.answer + layer.seal(b"too")).plaintext, b"too")

    def test_a_key_update_must_end_its_record(self) -> None:
        for more in (b"\x00", KEY_UPDATE + b"\x00"):
            record = Peer().record(KEY_UPDATE + b"\x00" + more, HANDSHAKE)
            self.assert_ends(record, AlertDescription.unexpected_message)

    def test_a_key_update_must_not_be_interleaved(self) -> None:
        for kind, content in ((DATA, b"x"), (DATA, b""), (ALERT, b"\x01\x00"), (ALERT, b"\x01\x5a")):
            peer = Peer()
            begun = peer.record(KEY_UPDATE[:3], HANDSHAKE)
            self.assert_ends(begun + peer.record(content, kind), AlertDescription.unexpected_message)

    def test_a_key_update_with_another_value_or_length_is_refused(self) -> None:
        self.assert_ends(Peer().record(KEY_UPDATE + b"\x02", HANDSHAKE), AlertDescription.illegal_parameter)
        self.assert_ends(Peer().record(KEY_UPDATE + b"\xff", HANDSHAKE), AlertDescription.illegal_parameter)
        for length in (b"\x00\x00\x00", b"\x00\x00\x02\x00\x00", b"\x01\x00\x01", b"\xff\xff\xff"):
            self.assert_ends(Peer().record(b"\x18" + length, HANDSHAKE), AlertDescription.decode_error)

    def test_any_other_handshake_message_is_refused(self) -> None:
        for kind in (0, 1, 2, 4, 5, 8, 11, 13, 15, 20, 25, 254):
            self.assert_ends(
                Peer().record(bytes((kind, 0, 0, 0)), HANDSHAKE), AlertDescription.unexpected_message
            )

    def test_an_empty_handshake_record_is_refused(self) -> None:
        self.assert_ends(Peer().record(b"", HANDSHAKE), AlertDescription.unexpected_message)

    def test_at_most_32_useless_records_in_a_row_are_taken(self) -> None:
        def empty(peer: Peer) -> bytes:
            return peer.record(b"")

        def padded(peer: Peer) -> bytes:
            return peer.record(b"", padding=3)

        def update(peer: Peer) -> bytes:
            return peer.key_update()

        def canceled(peer: Peer) -> bytes:
            return peer.alert(AlertDescription.user_canceled, level=1)

        for useless in (empty, padded, update, canceled):
            self.layer, peer = self.adopt(server_state()), Peer()
            allowed = b"".join(useless(peer) for _ in range(32))
            self.assertEqual(self.layer.open(allowed + peer.data(b"x")), Opened(b"x"))
            allowed = b"".join(useless(peer) for _ in range(32))
            self.assertFalse(self.layer.open(allowed).closed)
            self.assertEqual(self.refusal(useless(peer)), AlertDescription.unexpected_message)

    def test_a_useless_record_too_many_is_not_looked_into(self) -> None:
        """It may be as wrong as it likes."""
        useless = b"".join(self.peer.record(b"") for _ in range(32))
        wrong = self.peer.record(KEY_UPDATE + b"\x02", HANDSHAKE)
        self.assert_ends(useless + wrong, AlertDescription.unexpected_message)
        self.refusal(useless + wrong)
        self.layer = self.adopt(*self.layer.export())  # it is a state still
        self.assert_dead()

    def test_one_key_update_answers_all_requests_of_one_call(self) -> None:
        opened = self.layer.open(b"".join(self.peer.key_update(True) for _ in range(3)))
        self.assertEqual(len(opened.answer), 27)
        self.assertEqual(self.peer.open(opened.answer + self.layer.seal(b"x")).plaintext, b"x")

    def test_a_key_update_may_be_owed_until_something_is_sealed(self) -> None:
        for _ in range(3):
            self.assertEqual(
                self.layer.open(self.peer.key_update(requested=True), replies=False), Opened(b"")
            )
        sealed = self.layer.seal(b"x")
        self.assertEqual(len(sealed), 27 + 23)
        self.assertEqual(self.peer.open(sealed).plaintext, b"x")

    def test_a_key_update_that_a_state_owes_leaves_before_the_next_record(self) -> None:
        for sealed in (
            self.adopt(server_state(flags=Flag.UPDATE_OWED)).seal(b"x"),
            self.adopt(server_state(flags=Flag.UPDATE_OWED)).seal(b"") + self.updated().seal(b"x"),
            self.adopt(server_state(flags=Flag.UPDATE_OWED)).open(b"").answer + self.updated().seal(b"x"),
        ):
            self.assertEqual(len(sealed), 27 + 23)
            self.assertEqual(Peer().open(sealed).plaintext, b"x")
        closing = self.adopt(server_state(flags=Flag.UPDATE_OWED)).close()
        self.assertEqual((len(closing), Peer().open(closing).closed), (24, True))

    def updated(self) -> RecordLayer:
        """A layer that has sent its first KeyUpdate already."""
        layer = self.adopt(server_state(flags=Flag.UPDATE_OWED))
        layer.seal(b"")
        return layer

    def test_a_refusal_after_a_request_is_sealed_under_the_old_key(self) -> None:
        request = self.peer.key_update(True)
        self.assert_ends(request + self.peer.record(b"", 20), AlertDescription.unexpected_message)

    def test_the_count_of_useless_records_moves_with_the_state(self) -> None:
        self.layer.open(b"".join(self.peer.record(b"") for _ in range(31)))
        self.layer = self.adopt(*self.layer.export())
        self.assertFalse(self.layer.open(self.peer.record(b"")).closed)
        self.layer = self.adopt(*self.layer.export())
        self.assertEqual(self.refusal(self.peer.record(b"")), AlertDescription.unexpected_message)

    # Sealing

    def test_long_data_leaves_in_records_of_the_longest_kind(self) -> None:
        data = bytes(range(256)) * 200
        sealed = self.layer.seal(data)
        self.assertEqual(len(sealed), len(data) + 4 * 22)
        self.assertEqual(self.peer.open(sealed).plaintext, data)

    def test_nothing_is_sealed_for_nothing(self) -> None:
        self.assertEqual(self.layer.seal(b""), b"")

    def test_nothing_is_sealed_twice_under_one_number(self) -> None:
        """Equal texts, unequal records."""
        self.assertEqual(len({self.layer.seal(b"same") for _ in range(50)}), 50)

    def test_the_keys_are_updated_after_2_to_the_23_records(self) -> None:
        self.layer = self.adopt(server_state(sealed=RECORDS_PER_KEY - 1))
        peer = Peer(opened=RECORDS_PER_KEY - 1)
        last, first = self.layer.seal(b"last"), self.layer.seal(b"first")
        self.assertEqual((len(last), len(first)), (26, 27 + 27))
        self.assertEqual(peer.open(last + first + self.layer.seal(b"second")).plaintext, b"lastfirstsecond")

    def test_the_keys_are_updated_within_one_long_answer(self) -> None:
        self.layer = self.adopt(server_state(sealed=RECORDS_PER_KEY - 2))
        data = bytes(5 << 14)
        self.assertEqual(Peer(opened=RECORDS_PER_KEY - 2).open(self.layer.seal(data)).plaintext, data)

    # The end

    def test_close_notify_of_the_peer_is_the_end_of_its_direction_only(self) -> None:
        opened = self.layer.open(self.peer.data(b"bye") + self.peer.alert(0, level=1) + b"anything")
        self.assertEqual(opened, Opened(b"bye", closed=True))
        self.assertEqual(self.peer.open(self.layer.seal(b"still")).plaintext, b"still")
        self.assertEqual(self.peer.open(self.layer.close()), Opened(b"", closed=True))

    def test_an_alert_of_the_peer_ends_both_directions(self) -> None:
        for number in (AlertDescription.bad_record_mac, AlertDescription.internal_error, 200):
            for level in (1, 2, 99):
                self.layer, peer = self.adopt(server_state()), Peer()
                self.assertEqual(self.layer.open(peer.data(b"x")), Opened(b"x"))
                data = peer.alert(number, level) + b"anything"
                alert = self.assertRaises(Alert, self.layer.open, data)
                self.assertEqual((alert.description, alert.sent, alert.answer), (number, False, b""))
                self.assert_dead()
                self.layer = self.adopt(*self.layer.export())
                self.assert_dead()

    def test_alerts_that_are_cut_or_joined_are_refused(self) -> None:
        for content in (b"\x02", b"\x01\x00\x01\x00", b"\x02\x14\x02"):
            self.assert_ends(Peer().record(content, ALERT), AlertDescription.decode_error)
        for padding in (0, 1, 100):
            self.assert_ends(Peer().record(b"", ALERT, padding=padding), AlertDescription.unexpected_message)

    def test_our_close_notify_is_the_last_that_we_send(self) -> None:
        self.assertEqual(self.peer.open(self.layer.close()), Opened(b"", b"", closed=True))
        self.assertEqual((self.layer.close(), self.layer.seal(b"x")), (b"", b""))
        self.layer = self.adopt(*self.layer.export())
        self.assertEqual((self.layer.close(), self.layer.seal(b"x")), (b"", b""))

    def test_after_our_close_notify_the_peer_is_still_read(self) -> None:
        """Its key updates are followed, and neither they nor its faults are answered."""
        self.layer.close()
        data = self.peer.data(b"a") + self.peer.key_update(True) + self.peer.data(b"b")
        self.assertEqual(self.layer.open(data), Opened(b"ab"))
        alert = self.assertRaises(Alert, self.layer.open, self.peer.record(b"", 20))
        self.assertEqual((alert.sent, alert.answer), (True, b""))
        self.assert_dead()

    def test_after_the_end_of_both_directions_nothing_is_said(self) -> None:
        self.layer.open(self.peer.alert(0))
        self.layer.close()
        self.assert_dead()
        self.layer = self.adopt(*self.layer.export())
        self.assert_dead()

    # Moving

    def test_a_state_moves_and_its_former_owner_is_dead(self) -> None:
        self.layer.open(self.peer.data(b"a"))
        before = self.layer.seal(b"b")
        state, unread = self.layer.export()
        self.assertEqual(unread, b"")
        self.assert_has_no_state()
        self.layer.discard()
        layer = self.adopt(state)
        self.assertEqual(layer.open(self.peer.data(b"c")).plaintext, b"c")
        self.assertEqual(self.peer.open(before + layer.seal(b"d")).plaintext, b"bd")

    def test_a_state_that_was_discarded_is_gone(self) -> None:
        self.layer.open(self.peer.data(b"a")[:10])
        self.layer.discard()
        self.assert_has_no_state()
        self.layer.discard()

    def assert_has_no_state(self) -> None:
        """Whatever is asked."""
        dead = (
            lambda: self.layer.open(b""),
            lambda: self.layer.seal(b""),
            lambda: self.layer.suite,
            lambda: self.layer.alpn,
        )
        for ask in (*dead, self.layer.close, self.layer.export):
            self.assertRaises(ValueError, ask)

    def test_a_state_moves_at_every_byte(self) -> None:
        peer = Peer()
        stream = peer.data(b"one") + peer.key_update(True, (2,)) + peer.data(b"two") + peer.alert(0)
        for cut in range(len(stream)):
            layer = self.adopt(server_state())
            first = layer.open(stream[:cut])
            layer = self.adopt(*layer.export())
            second = layer.open(stream[cut:])
            self.assertEqual((first.plaintext + second.plaintext, second.closed), (b"onetwo", True))
            self.assertEqual(Peer().open(first.answer + second.answer + layer.close()).closed, True)

    def test_whole_records_that_were_not_opened_move_along(self) -> None:
        layer = self.adopt(server_state(), self.peer.data(b"whole"))
        self.assertEqual(layer.open(b"").plaintext, b"whole")

    def test_what_is_no_state_is_refused(self) -> None:
        state = server_state()
        changed = [state[:-1], state + b"\0", server_state(useless=33), server_state(partial=5), b""]
        changed += [b"\x04" + state[1:], b"\x00" + state[1:], state[:1] + b"\x20" + state[2:]]
        changed += [state[:at] + b"\1" + state[at + 1 :] for at in range(4, 8)]
        for wrong in changed:
            self.assertRaises(ValueError, self.adopt, wrong)
