"""Results in Prometheus' text format, parsed again by Prometheus' own client."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from loadgen.histogram import Histogram
from loadgen.report.exposition import BUCKETS, exposition
from loadgen.results import Result
from tests.loadgen.charts.reading import HOSTILE
from tests.loadgen.report.samples import runs, sample
from tests.loadgen.test_results import result


def parsed(*results: Result) -> dict[str, Metric]:
    """Families by name."""
    text = exposition(runs(*results))
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(family: Metric, **labels: str) -> float:
    """Of the one sample with these labels."""
    (found,) = [sample for sample in family.samples if labels.items() <= sample.labels.items()]
    return found.value


class ExpositionTests(SynchronousTestCase):
    """Names, types, values."""

    def test_names_and_types_are_as_is_usual(self) -> None:
        """A common prefix, base units, counters that end in _total, help for each."""
        families = parsed(sample(seconds=60))
        for name, family in families.items():
            self.assertTrue(name.startswith("loadgen_"), name)
            self.assertTrue(family.documentation, name)
            self.assertNotEqual(family.type, "unknown", name)
            self.assertNotRegex(name, "_(ms|us|kb|percent)(_|$)")
            if family.type == "counter":
                self.assertTrue(all(sample.name.endswith("_total") for sample in family.samples), name)

    def test_values_are_those_of_the_result(self) -> None:
        """Counts by label; the verdict as one of all."""
        one = sample(seconds=60, verdict="threshold")
        families = parsed(one)
        self.assertEqual(value(families["loadgen_responses"], status="304"), one.statuses["304"])
        self.assertEqual(value(families["loadgen_errors"], reason="timeout"), one.errors["timeout"])
        self.assertEqual(value(families["loadgen_node_requests"], node="n3"), one.nodes[2].requests)
        self.assertEqual(value(families["loadgen_verdict"], verdict="threshold"), 1)
        self.assertEqual(value(families["loadgen_verdict"], verdict="ok"), 0)
        self.assertEqual(value(families["loadgen_threshold_held"], threshold="errors == 0"), 0)
        self.assertEqual(value(families["loadgen_run_info"], scenario="returning-readers", seed="1"), 1)

    def test_histograms_count_what_was_recorded(self) -> None:
        """Cumulative up to +Inf; a bucket's share agrees with the percentile there."""
        one = sample(seconds=60)
        family = parsed(one)["loadgen_request_duration_seconds"]
        recorded = Histogram.decode(one.histograms["corrected"])
        buckets = [
            (float(found.labels["le"]), found.value)
            for found in family.samples
            if found.name.endswith("_bucket") and found.labels["timing"] == "corrected"
        ]
        self.assertEqual([bound for bound, _ in buckets], [*BUCKETS, float("inf")])
        self.assertEqual(buckets[-1][1], recorded.count)
        self.assertEqual(sorted(count for _, count in buckets), [count for _, count in buckets])
        for bound, count in buckets[:-1]:
            below = recorded.percentile(100 * count / recorded.count)
            if 0 < count < recorded.count:
                self.assertLessEqual(below, bound * 1e6 * 1.001)
        (total,) = [
            found.value
            for found in family.samples
            if found.name.endswith("_sum") and found.labels["timing"] == "corrected"
        ]
        self.assertLess(abs(total / recorded.count - recorded.mean / 1e6), recorded.mean / 1e6 / 100)

    def test_runs_are_told_apart_by_a_label(self) -> None:
        """Each sample has it."""
        families = parsed(sample(seconds=20), sample("other", seconds=20))
        for family in families.values():
            self.assertLessEqual(
                {found.labels["run"] for found in family.samples}, {"returning-readers", "other"}
            )
        self.assertEqual(value(families["loadgen_users"], run="other"), 100_000)

    def test_hostile_text_stays_a_label(self) -> None:
        """Quotes, backslashes and line ends come back as they were."""
        hostile = HOSTILE + '\\n"}\n# TYPE x counter\nx 1'
        families = parsed(result(scenario=hostile, errors={hostile: 2}))
        self.assertEqual(value(families["loadgen_errors"], reason=hostile, run=hostile), 2)
        self.assertNotIn("x", families)

    def test_a_run_without_anything_can_be_exposed(self) -> None:
        """No histogram, no node."""
        self.assertIn("loadgen_duration_seconds", parsed(result()))
