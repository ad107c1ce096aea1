"""Scenarios: all that are shipped can be read, and every mistake is named with its file and its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.models.choice import POLICIES as POLICIES_OF_THE_MODEL
from loadgen.run.coordinator.scenario_file import parse, read
from loadgen.run.messages.scenario import POLICIES, Scenario

SHIPPED = sorted(Path(__file__).parents[4].joinpath("scenarios").glob("*.toml"))
LEAST: dict[str, Any] = {"v": 1, "title": "x", "users": 10, "duration_s": 10, "arrivals": {"rate_per_s": 1}}

ANYTHING = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.text(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip


def with_(path: str, value: object) -> dict[str, Any]:
    """The least scenario, with *value* at the dotted *path*."""
    given = {name: dict(one) if isinstance(one, dict) else one for name, one in LEAST.items()}
    *tables, key = path.split(".")
    table = given
    for name in tables:
        table = table.setdefault(name, {})
    table[key] = value
    return given


class ShippedTests(SynchronousTestCase):
    """The examples."""

    def test_every_shipped_scenario_can_be_read(self) -> None:
        self.assertGreaterEqual(len(SHIPPED), 6)
        for path in SHIPPED:
            scenario = read(path)
            self.assertTrue(scenario.title, path)
            self.assertTrue(scenario.thresholds, path)

    def test_every_shipped_scenario_begins_with_what_it_is_for_and_how_to_run_it(self) -> None:
        for path in SHIPPED:
            text = path.read_text("utf-8")
            self.assertTrue(text.startswith("# "), path)
            self.assertIn(f"loadgen run scenarios/{path.name} --cluster ", text)

    def test_policies_are_those_of_the_model(self) -> None:
        self.assertEqual(POLICIES, POLICIES_OF_THE_MODEL)


class ParsingTests(SynchronousTestCase):
    """One table after the other."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def parse(self, given: dict[str, Any]) -> Scenario:
        return parse(given, "day.toml", self.folder)

    def refused(self, given: dict[str, Any]) -> str:
        """Why."""
        with self.assertRaises(UsageError, msg=given) as caught:
            self.parse(given)
        text = str(caught.exception)
        self.assertTrue(text.startswith("day.toml: "), text)
        return text

    def test_little_has_to_be_said(self) -> None:
        scenario = self.parse(LEAST)
        self.assertEqual(
            (scenario.policy, scenario.stale_ms, scenario.session.pages_mean), ("smart", 1000, 5)
        )
        self.assertEqual(scenario.arrivals.kind, "poisson")

    def test_what_has_to_be_said_is_asked_for_by_name(self) -> None:
        for key in ("v", "title", "users", "duration_s"):
            given = {name: value for name, value in LEAST.items() if name != key}
            self.assertIn(f"{key} is missing", self.refused(given))

    def test_a_key_that_is_unknown_is_answered_with_the_one_that_was_meant(self) -> None:
        for path, meant in (
            ("user", "users"),
            ("duration", "duration_s"),
            ("thresholdz", "thresholds"),
            ("arrivals.rate_per_sec", "rate_per_s"),
            ("session.page_mean", "pages_mean"),
            ("session.think.means", "mean_s"),
            ("site.zip", "zipf"),
            ("cache.wam", "warm"),
            ("sockets.topic", "topics"),
        ):
            text = self.refused(with_(path, 1))
            self.assertIn(f"`{path.rpartition('.')[2]}`", text)
            self.assertIn(f"did you mean {meant}?", text)
            if "." in path:
                self.assertIn(f"$.{path.rpartition('.')[0]}", text)
        self.assertIn("did you mean at_s?", self.refused(with_("events", [{"at": 1, "say": "x"}])))
        text = self.refused(with_("mutations", {"path": "/x", "share": 0, "content-type": "text/plain"}))
        self.assertIn("did you mean content_type?", text)
        self.assertNotIn("did you mean", self.refused(with_("xyzzy", 1)))

    def test_each_wrong_value_is_named_by_its_key(self) -> None:
        for path, values in {
            "v": (2, 0, "1"),
            "title": (1, ["x"]),
            "users": (0, -1, 1.5, "10", 1_000_000_000),
            "duration_s": (0, -1, 86_401, float("nan"), float("inf"), "10s"),
            "seed": (-1, 0.5),
            "policy": ("best", 1),
            "stale_ms": (0, float("inf")),
            "timeout_s": (0, -1, float("inf"), 1e300),
            "keep_alive_s": (0, float("inf")),
            "arrivals.kind": ("uniform",),
            "arrivals.rate_per_s": (-1, float("inf"), float("nan")),
            "arrivals.to_per_s": (-0.5,),
            "arrivals.present": (-0.1, 1.1),
            "arrivals.steps": ([[0]], [[0, -1]], [[-1, 0]], [[0, 1, 2]], 5),
            "session.pages_mean": (0.5, float("inf")),
            "session.think.kind": ("normal",),
            "session.think.mean_s": (0, float("inf")),
            "session.think.shape": (0, 0.01, float("inf")),
            "session.think.sigma": (0, 1000.0),
            "site.start": ("block/", "", "/a b", "/ä", "/a\n"),
            "site.pages": (0, 100_001),
            "site.zipf": (-1, float("inf")),
            "cache.warm": (-0.1, 2),
            "cache.pages": (0, 13),
            "cache.age_s": (0, 90_001),
            "sockets.share": (1.5,),
            "sockets.topics": (["news"], "load"),
            "sockets.per_second": (0,),
            "mutations.share": (2,),
            "events": ([{"say": "x"}], [{"at_s": -1, "say": "x"}], [{"at_s": 1, "command": "ls"}]),
            "thresholds": ("p99 < 50ms", [5]),
        }.items():
            for value in values:
                self.assertIn(path.rpartition(".")[2], self.refused(with_(path, value)), (path, value))

    def test_queries_are_addresses_or_documents_of_a_site_that_tells_theirs(self) -> None:
        given = with_("site", {"documents": "/d.json", "queries": [{"pages": "/*", "document": "Ranking"}]})
        self.assertEqual(self.parse(given).site.queries[0].document, "Ranking")
        for query, why in (
            ({"pages": "/*"}, "site.queries[0]: name a path or a document"),
            ({"pages": "/*", "path": "/x", "document": "X"}, "name a path or a document"),
            ({"pages": "/*", "document": "X"}, "site.documents"),
            ({"pages": "*", "path": "/x"}, "site.queries[0].pages"),
            ({"pages": "/", "path": "/a b"}, "site.queries[0].path"),
            ({"pages": "/", "path": "/x", "variables": {"a": [1]}}, "site.queries[0].variables"),
        ):
            self.assertIn(why, self.refused(with_("site", {"queries": [query]})))
        readers = {"path": "/vote", "share": 0.1, "readers": 5}
        self.assertIn("mutations.readers: name what changes", self.refused(with_("mutations", readers)))

    def test_mutations_are_requests_that_can_be_sent(self) -> None:
        right = {"path": "/cart", "share": 0.1}
        self.assertEqual(self.parse(with_("mutations", right)).mutations.path, "/cart")
        for key, value in (
            ("path", "cart"), ("path", "/a b"), ("path", "/x\r\nHost: y"), ("content_type", "a\r\nX: y"),
            ("content_type", ""), ("content_type", "ä"), ("share", -1),
        ):  # fmt: skip
            text = self.refused(with_("mutations", {**right, key: value}))
            self.assertIn(f"mutations.{key}: ", text)

    def test_each_kind_of_arrivals_says_what_it_needs(self) -> None:
        for kind, key in (
            ("poisson", "rate_per_s"),
            ("constant", "rate_per_s"),
            ("ramp", "to_per_s"),
            ("steps", "steps"),
            ("replay", "file"),
        ):
            given = {**LEAST, "arrivals": {"kind": kind}}
            self.assertIn(f"arrivals: kind = {kind!r} needs {key}", self.refused(given))
        self.refused({**LEAST, "arrivals": {"kind": "steps", "steps": [[0, 0], [5, 0]]}})
        self.parse({**LEAST, "arrivals": {"present": 0.5}})
        self.parse({**LEAST, "arrivals": {"kind": "ramp", "rate_per_s": 5}})

    def test_steps_go_forward(self) -> None:
        self.parse(with_("arrivals.steps", [[0, 1], [5, 0], [7.5, 3]]))
        for steps in ([[0, 1], [0, 2]], [[5, 1], [0, 2]]):
            self.assertIn(
                "arrivals.steps: the seconds have to grow", self.refused(with_("arrivals.steps", steps))
            )

    def test_sockets_hear_of_something(self) -> None:
        self.assertIn("sockets.topics", self.refused(with_("sockets", {"share": 0.5, "topics": []})))

    def test_events_do_something_within_the_run(self) -> None:
        events = [{"at_s": 10, "say": "now"}, {"at_s": 1, "command": ["true"]}]
        self.assertEqual(len(self.parse(with_("events", events)).events), 2)
        self.assertIn("events[1]: ", self.refused(with_("events", [events[0], {"at_s": 1}])))
        text = self.refused(with_("events", [{"at_s": 11, "say": "late"}]))
        self.assertIn("events[0].at_s: 11 is after the end, duration_s = 10", text)

    def test_files_are_relative_to_the_scenario_and_have_to_be_there(self) -> None:
        given = with_("arrivals", {"kind": "replay", "file": "day.csv"})
        self.assertIn(f"arrivals.file: there is no file {self.folder / 'day.csv'}", self.refused(given))
        (self.folder / "day.csv").write_text("0,1\n")
        self.parse(given)
        given = with_("site", {"list": "pages.txt"})
        self.assertIn(f"site.list: there is no file {self.folder / 'pages.txt'}", self.refused(given))
        (self.folder / "pages.txt").mkdir()
        self.assertIn("site.list", self.refused(given))

    def test_thresholds_are_understood_before_the_run(self) -> None:
        for text in ("p99 is low", "p42 < 5ms", "errors < 5ms", "p99 < 5%"):
            why = self.refused(with_("thresholds", ["errors == 0", text]))
            self.assertIn("thresholds: ", why)
            self.assertIn(text, why)

    @settings(max_examples=200)
    @given(
        st.sampled_from(
            ["v", "users", "duration_s", "policy", "arrivals", "arrivals.steps", "session.think", "site.list",
             "sockets.topics", "mutations", "events", "thresholds", "cache.age_s", "arrivals.file"]
        ),
        ANYTHING,
    )  # fmt: skip
    def test_whatever_is_written_is_taken_or_refused(self, path: str, value: object) -> None:
        """Never a traceback."""
        try:
            self.parse(with_(path, value))
        except UsageError as error:
            self.assertIn("day.toml: ", str(error))


class ReadingTests(SynchronousTestCase):
    """The file itself."""

    def test_a_file_that_is_not_there_or_no_toml_is_named(self) -> None:
        missing = Path(self.mktemp())
        with self.assertRaisesRegex(UsageError, "No such file.*scenarios/ has examples") as caught:
            read(missing)
        self.assertIn(str(missing), str(caught.exception))
        for data in (b"v = ", b"\xff\xfe", b"v = 1\nv = 1\n"):
            missing.write_bytes(data)
            with self.assertRaisesRegex(UsageError, "this is no (TOML|UTF-8 text)") as caught:
                read(missing)
            self.assertIn(str(missing), str(caught.exception))

    def test_paths_in_it_are_relative_to_it(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "rates.csv").write_text("0,5\n")
        (folder / "day.toml").write_text(
            'v = 1\ntitle = "x"\nusers = 1\nduration_s = 1\n[arrivals]\nkind = "replay"\nfile = "rates.csv"\n'
        )
        self.assertEqual(read(folder / "day.toml").arrivals.file, "rates.csv")


class ChoiceTests(SynchronousTestCase):
    """Words of which there are few."""

    def test_a_wrong_one_is_told_with_those_that_there_are(self) -> None:
        for tables, place, words in (
            ({"policy": "smrt"}, "policy", "smart, least-loaded, two-choices, random, one"),
            ({"sockets": {"topics": ["lod"]}}, "sockets.topics", "load, changed"),
            ({"events": [{"at_s": 0, "effect": "none"}]}, "events.effect", "version, failure"),
        ):
            with self.assertRaises(UsageError) as caught:
                parse({**LEAST, **tables}, "x.toml", Path())
            self.assertIn(f"x.toml: {place}: there is no ", str(caught.exception))
            self.assertTrue(str(caught.exception).endswith(f"there are {words}"), caught.exception)
