"""What a node says of a site's edge.json: the worker's own verdict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from edge.publish.client_rules import wrong_with
from edge.publish.problems import Kind
from tests import processes
from tests.publish.site import SiteTestCase

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "webroot" / "edge" / "edge.schema.json").read_text("utf-8"))
#: Values of which some are right for one key and none for all.
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 0.5, 1.0, 1e300, "", "/", "/a", "a", "https://x/", [], [""], ["/"],
    ["/a", 1], ["a"], [None], [[]], {}, [{}],
    [{"paths": [], "use": "keep"}], [{"paths": ["/a"], "use": "kept"}],
    [{"paths": "/a", "use": "keep"}], [{"paths": ["https://x/**"], "use": "pass", "max_count": 1}],
    [{"paths": ["/a"], "use": "keep", "max_count": 1.5}],
    [{"paths": ["/a"], "use": "keep", "max_count": 2.0}],
    [{"paths": ["/a"], "use": "keep", "more": 1}], [{"use": "keep"}], [{"paths": ["/a"]}],
    [{"paths": ["ftp://x/"], "use": "keep"}], [{"paths": ["/a"], "use": "fresh-first", "timeout_ms": 0}],
    [{"paths": ["/a"], "use": "fresh-first", "max_days": 0.5}],
]  # fmt: skip
PROGRAM = """
import { parseRules } from "./webroot/edge/worker/rules.js";
import { readFileSync } from "node:fs";
const taken = (text) => { try { parseRules(text); return true; } catch { return false; } };
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(taken)));
"""


class VerdictTests(SynchronousTestCase):
    """The same as the worker's, of any file."""

    def test_a_file_is_wrong_here_if_and_only_if_the_worker_does_not_take_it(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise SkipTest("node is not here")
        names = [*SCHEMA["properties"], "of", "V", "__proto__", ""]
        documents = [json.dumps({"v": 1, name: value}) for name in names for value in ODD]
        documents += [json.dumps(value) for value in [*ODD, {"v": 2}, {"v": "1"}, {"off": True}]]
        documents += [
            "",
            "{",
            '{"v":1',
            '{"v":1}}',
            '{"v": 1,}',
            '{"v":1,"off":true,"off":false}',
            "nul",
            " ",
        ]
        documents.append('{"v":1,"rules":' + "[" * 100_000)
        command = [node, "--input-type=module", "-e", PROGRAM]
        done = processes.run(
            command, input=json.dumps(documents), cwd=ROOT, text=True, capture_output=True, check=True
        )
        taken = json.loads(done.stdout)
        ours = [not wrong_with(document.encode()) for document in documents]
        self.assertEqual([one for one, a, b in zip(documents, ours, taken, strict=True) if a is not b], [])
        self.assertTrue(20 < sum(taken) < len(taken) - 200)

    def test_what_is_wrong_is_said_with_its_place(self) -> None:
        self.assertIn("`ignored`", wrong_with(b'{"v":1,"ignored":[]}'))
        self.assertIn("$.ignore[1]", wrong_with(b'{"v":1,"ignore":["/a","b"]}'))
        self.assertEqual(wrong_with(b'\xef\xbb\xbf{"v":1,"ignore":["/\xff"]}'), "")


class PublishedTests(SiteTestCase):
    """It is published as it is, and said."""

    def test_a_file_that_clients_will_not_take_is_said_and_one_elsewhere_is_nobodys(self) -> None:
        self.write("edge.json", b'{"v": 1, "limit_mib": 0}')
        self.write("docs/edge.json", b"nonsense")
        catalogue = self.scan(self.store())
        self.assertIn(b"/edge.json", catalogue)
        self.assertEqual(self.kinds(), {"edge.json": Kind.CLIENT_RULES})
        self.assertIn("`float` > 0", str(self.problems[0]))
        self.assertIn("stay with the rules that they have", str(self.problems[0]))
