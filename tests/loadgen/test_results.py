"""Results: written whole, read again, and refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError, UsageError
from loadgen.results import Generator, Result, Second, load, save, unused
from tests.devices import full_device


def result(**fields: object) -> Result:
    """A small one."""
    generator = Generator(
        offered=1.0, lag_p99_ms=0.1, lag_max_ms=0.2, cpu_seconds=1.0, per_core=30_000, memory_bytes=1 << 20
    )
    plain = {
        "scenario": "test",
        "cluster": "http://localhost:1",
        "began": 0.0,
        "seconds": 2.0,
        "users": 1,
        "seed": 1,
    }
    return Result(**{**plain, "processes": 1, "verdict": "ok", "generator": generator, **fields})  # type: ignore[arg-type]


class ResultTests(SynchronousTestCase):
    """Files in a run's folder."""

    def test_what_is_saved_is_read_again(self) -> None:
        """From the folder or the file; nothing temporary stays."""
        folder = Path(self.mktemp())
        written = result(series=[Second(at=0, planned=3)], statuses={"304": 3})
        path = save(written, folder)
        self.assertEqual((load(folder), load(path)), (written, written))
        self.assertEqual(os.listdir(folder), ["result.json"])

    def test_what_is_no_result_is_refused(self) -> None:
        """Missing, garbage, of another version: each says which file and why."""
        folder = Path(self.mktemp())
        with self.assertRaisesRegex(UsageError, "No such file"):
            load(folder)
        save(result(v=9), folder)
        with self.assertRaisesRegex(UsageError, "version 9"):
            load(folder)
        (folder / "result.json").write_text("{}")
        with self.assertRaisesRegex(UsageError, "no result of loadgen run"):
            load(folder)

    def test_two_runs_that_name_their_folders_alike_get_one_each(self) -> None:
        """Names are of seconds."""
        folder = Path(self.mktemp())
        made = [unused(folder) for _ in range(3)]
        self.assertEqual([one.name.removeprefix(folder.name) for one in made], ["", "-2", "-3"])
        (folder.parent / "a file").write_text("")
        blocked = folder.parent / "a file" / "results"
        self.assertEqual(unused(blocked), blocked)

    def test_a_folder_that_cannot_be_written_is_told(self) -> None:
        """With the way out."""
        blocked = Path(self.mktemp())
        blocked.write_text("a file")
        with self.assertRaisesRegex(LoadgenError, "--out"):
            save(result(), blocked)

    def test_a_full_disk_leaves_no_half_result(self) -> None:
        """The error says so; an earlier result stays."""
        full = full_device()
        folder = Path(self.mktemp())
        save(result(), folder)
        (folder / "result.new").symlink_to(full)
        with self.assertRaisesRegex(LoadgenError, "No space left"):
            save(result(seed=2), folder)
        self.assertEqual(load(folder).seed, 1)
