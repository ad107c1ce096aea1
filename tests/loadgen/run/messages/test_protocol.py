"""Frames: whole however they come, and nothing else is one."""

from __future__ import annotations

import itertools
import struct

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import Second
from loadgen.run.messages.job import Job
from loadgen.run.messages.protocol import (
    MOST_BYTES,
    Expect,
    Failed,
    Go,
    JobMessage,
    Message,
    MessageError,
    MessageReader,
    Ready,
    ReportMessage,
    encode,
)  # fmt: skip
from loadgen.run.messages.report import Report
from loadgen.run.messages.scenario import Scenario
from tests.loadgen.run.coordinator.test_scenario_file import LEAST, SHIPPED, read
from tests.loadgen.run.samples import NODES, Published

JOB = Job(
    scenario=msgspec.convert(LEAST, Scenario), site=Published().site(), nodes=NODES, users=100, seed=7,
    rate_seconds=[0.0, 5.0], rates=[1.0, 2.5], rate_is_linear=True,
)  # fmt: skip
REPORT = Report(
    second=Second(at=3, planned=5, statuses={"200": 4}, latency_ms=[1.5]), counts={"requests": 5},
    histograms={"corrected": b"\x01\x00\x00\x00\x02\x00\x00\x00", "node:3": b""}, node_errors={2: 1},
    node_bytes={2: (10, 20)}, offered=5, cpu_seconds=0.5, memory_bytes=1 << 20, last=True,
)  # fmt: skip
ALL: list[Message] = [
    JobMessage(JOB), Ready("native", 161.0), Ready(), Failed("no: \N{SNOWMAN}"), Go(), Expect(17 * 10**17),
    ReportMessage(REPORT),
]  # fmt: skip


def framed(data: bytes) -> bytes:
    """As a message."""
    return struct.pack("<I", len(data)) + data


class ProtocolTests(SynchronousTestCase):
    """One stream."""

    def test_what_is_sent_is_what_is_received(self) -> None:
        for message in ALL:
            self.assertEqual(MessageReader().receive(encode(message)), [message])

    def test_a_whole_scenario_goes_over_the_wire(self) -> None:
        for path in SHIPPED:
            job = msgspec.structs.replace(JOB, scenario=read(path))
            self.assertEqual(MessageReader().receive(encode(JobMessage(job))), [JobMessage(job)])

    @settings(max_examples=60)
    @given(st.lists(st.sampled_from(ALL), max_size=6), st.lists(st.integers(0, 5000), max_size=10))
    def test_any_split_gives_the_same_frames(self, messages: list[Message], cuts: list[int]) -> None:
        data = b"".join(map(encode, messages))
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        reader, found = MessageReader(), []
        for begin, end in itertools.pairwise(places):
            found += reader.receive(data[begin:end])
        self.assertEqual(found, messages)

    def test_byte_by_byte(self) -> None:
        reader, found = MessageReader(), []
        for byte in encode(Go()) + encode(Failed("x")):
            found += reader.receive(bytes([byte]))
        self.assertEqual(found, [Go(), Failed("x")])

    def test_a_part_is_nothing_yet(self) -> None:
        reader = MessageReader()
        self.assertEqual(reader.receive(encode(ReportMessage(REPORT))[:-1]), [])
        self.assertEqual(reader.receive(encode(ReportMessage(REPORT))[-1:]), [ReportMessage(REPORT)])

    def test_a_length_beyond_all_jobs_is_refused_before_it_is_waited_for(self) -> None:
        with self.assertRaisesRegex(MessageError, "a message of 268,435,457 bytes"):
            MessageReader().receive(struct.pack("<I", MOST_BYTES + 1))
        self.assertEqual(MessageReader().receive(struct.pack("<I", MOST_BYTES)), [])

    def test_garbage_is_refused(self) -> None:
        """Whichever way it is none: bytes, types, texts that are not UTF-8, depth."""
        for data in (
            b"",
            b"GET / HTTP/1.1\r\n",
            msgspec.msgpack.encode({"type": "stop"}),
            msgspec.msgpack.encode({"type": "ready", "kind": 5}),
            msgspec.msgpack.encode({"type": "work"}),
            msgspec.msgpack.encode(["go"]),
            msgspec.msgpack.encode({"type": "go"}) + b"x",
            b"\x81\xa4type\xa2\xff\xfe",
            b"\x82\xa4type\xa2go\xa1x" + b"\x91" * 100_000 + b"\x01",
        ):
            with self.assertRaises(MessageError, msg=data[:30]):
                MessageReader().receive(framed(data))

    @settings(max_examples=200)
    @given(st.binary(max_size=40), st.booleans())
    def test_any_bytes_are_frames_or_an_error_that_says_so(self, data: bytes, is_framed: bool) -> None:
        try:
            MessageReader().receive(framed(data) if is_framed else data)
        except MessageError as error:
            self.assertTrue(str(error))

    def test_a_newer_process_may_say_more(self) -> None:
        """What is unknown is not looked at."""
        data = msgspec.msgpack.encode({"type": "ready", "kind": "native", "moon": "full"})
        self.assertEqual(MessageReader().receive(framed(data)), [Ready("native")])

    def test_a_scenario_of_a_job_is_checked_as_one_of_a_file(self) -> None:
        """Jobs come from other machines."""
        data = msgspec.msgpack.decode(msgspec.msgpack.encode(JobMessage(JOB)))
        data["job"]["scenario"]["timeout_s"] = -1
        with self.assertRaisesRegex(MessageError, "timeout_s"):
            MessageReader().receive(framed(msgspec.msgpack.encode(data)))
