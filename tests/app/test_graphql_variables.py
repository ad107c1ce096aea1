"""Variables in addresses have one spelling, the same in Python and in a browser."""

from __future__ import annotations

import json
import shutil
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from edge.app.graphql import Limits
from edge.app.graphql.variables import WrongVariables, canonical_query, from_query
from tests import processes

LIMITS = Limits(variables=100_000)
#: As a browser spells it; JSON.stringify has the numbers and strings of RFC 8785, the keys need to be sorted.
BROWSER = """
const sorted = value => Array.isArray(value) ? value.map(sorted) : value && typeof value === "object"
  ? Object.fromEntries(Object.keys(value).sort().map(key => [key, sorted(value[key])])) : value;
let text = "";
process.stdin.on("data", data => text += data).on("end", () => {
  for (const variables of JSON.parse(text)) {
    const spelt = encodeURIComponent(JSON.stringify(sorted(variables)));
    console.log(Object.keys(variables).length ? `?variables=${spelt}` : "");
  }
});
"""
_TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=8)
#: JavaScript puts keys that are numbers first, whatever is asked: names in GraphQL are none.
_NAMES = some.from_regex(r"[_A-Za-z][_0-9A-Za-z]{0,6}", fullmatch=True)
_NUMBERS = some.integers(-(2**53) + 1, 2**53 - 1) | some.floats(-1e15, 1e15, allow_nan=False)
VALUES = some.recursive(
    some.none() | some.booleans() | _NUMBERS | _TEXT,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=8,
)
VARIABLES = some.dictionaries(_NAMES, VALUES, max_size=5)


class VariableTests(SynchronousTestCase):
    """canonical_query and from_query."""

    @settings(max_examples=60)
    @given(VARIABLES)
    def test_an_address_means_what_it_was_made_of_and_is_its_own_canonical_form(self, variables: Any) -> None:
        query = canonical_query(variables)
        read = from_query(query[1:].encode(), LIMITS)
        self.assertEqual(read, json.loads(json.dumps(variables)))
        self.assertEqual(canonical_query(read), query)

    @settings(max_examples=40)
    @given(VARIABLES, some.randoms(use_true_random=False))
    def test_all_spellings_have_one_canonical_form(self, variables: Any, random: Any) -> None:
        def shuffled(value: Any) -> Any:
            if isinstance(value, dict):
                items = [(key, shuffled(one)) for key, one in value.items()]
                random.shuffle(items)
                return dict(items)
            return [shuffled(one) for one in value] if isinstance(value, list) else value

        for ascii_only, indent, spell in (
            (True, 2, quote),
            (False, None, quote_plus),
            (True, None, quote_plus),
        ):
            text = json.dumps(shuffled(variables), ensure_ascii=ascii_only, indent=indent)
            query = f"variables={spell(text)}&extensions=%7B%7D".encode()
            self.assertEqual(canonical_query(from_query(query, LIMITS)), canonical_query(variables))

    @settings(max_examples=8)
    @given(some.lists(VARIABLES, min_size=1, max_size=60))
    def test_a_browser_spells_them_alike(self, cases: Any) -> None:
        node = shutil.which("node")
        assert node, "node is missing; on Debian: apt-get install nodejs"
        done = processes.run([node, "-e", BROWSER], input=json.dumps(cases), text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split("\n")[:-1], [canonical_query(case) for case in cases])

    def test_what_two_readers_could_read_in_two_ways_is_refused(self) -> None:
        for text, said in (
            ('{"a":1,"a":2}', "a name stands twice"),
            ('{"a":{"b":1,"b":1}}', "a name stands twice"),
            ('{"a":NaN}', "NaN is no JSON"),
            ('{"a":-Infinity}', "-Infinity is no JSON"),
            ('{"a":9007199254740993}', "beyond 2^53"),
            ('{"a":1e999}', "cannot be written"),
            ('{"a":' + "9" * 3000 + "}", "beyond 2^53"),
            ('{"a":' + "9" * 5000 + "}", "no JSON"),
            ('{"a":"\\ud800"}', "cannot be written"),
            ('{"\\udfff":1}', "cannot be written"),
            ("[1]", "variables are a JSON object"),
            ("1", "variables are a JSON object"),
            ("", "this is no JSON"),
            ("{", "this is no JSON"),
            ("[" * 90_000, "nested too deeply"),
            ('{"a":' * 9 + "1" + "}" * 9, "nested 8 levels at most"),
            (json.dumps({"a": list(range(101))}), "has 100 members at most"),
        ):
            error = self.assertRaises(
                WrongVariables,
                lambda text=text: canonical_query(from_query(f"variables={quote(text)}".encode(), LIMITS)),
            )
            self.assertIn(said, str(error), text[:40])

    def test_queries_that_cannot_be_read_are_refused(self) -> None:
        for query, said in (
            (b"variables={}&variables={}", "variables stand twice"),
            (b"variables=%ff", "cannot be read"),
            (b"variables=\xe9", "cannot be read"),
            (b"&".join(b"a=1" for _ in range(30)), "cannot be read"),
            (b"variables=" + b"x" * 20_000, "variables of 4,096 bytes at most"),
            (b"variables=%22" + b"x" * 5000 + b"%22", "variables have 4,096 bytes at most"),
        ):
            error = self.assertRaises(WrongVariables, from_query, query, Limits())
            self.assertIn(said, str(error), query[:40])

    def test_no_variables_are_nothing_in_an_address(self) -> None:
        self.assertEqual(canonical_query({}), "")
        for query in (b"", b"variables=%7B%7D", b"variables=null", b"utm_source=x"):
            self.assertEqual(canonical_query(from_query(query, LIMITS)), "")
