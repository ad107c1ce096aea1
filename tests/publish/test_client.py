"""The smart client beside any site."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import brotlicffi
from twisted.trial.unittest import SynchronousTestCase

from edge.config import default_webroot
from edge.publish.client import CACHE_RULES, bundled, unpack, without_comments
from edge.publish.rules import IMMUTABLE, CacheRules


class ClientTests(SynchronousTestCase):
    """Unpacking it, and what it weighs."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        os.makedirs(self.folder)

    def test_comments_go_and_nothing_else(self) -> None:
        source = (
            "// a\n\n/** b\n * c */\nlet a = 1; // goes\n  // d\nconst u = 'http://x';\nlet s = 'a; // b';\n"
            "/** one */\n  f(/** @type {any} */ (a));\n"
        )
        self.assertEqual(
            without_comments(source), "let a = 1;\nconst u = 'http://x';\nlet s = 'a; // b';\nf((a));\n"
        )

    def test_it_is_unpacked_once_and_what_is_no_longer_part_of_it_goes(self) -> None:
        count = unpack(default_webroot(), self.folder)
        self.assertGreater(count, 15)
        self.assertTrue((self.folder / "sw.js").is_file())
        schema = json.loads((self.folder / "edge" / "edge.schema.json").read_text())
        self.assertEqual(schema["$id"], "/edge/edge.schema.json")
        (self.folder / "edge" / "old.js").write_text("x")
        times = {path: path.stat().st_mtime_ns for path in self.folder.rglob("*.js")}
        unpack(default_webroot(), self.folder)
        after = {path: path.stat().st_mtime_ns for path in self.folder.rglob("*.js")}
        times.pop(self.folder / "edge" / "old.js")
        self.assertEqual(after, times)

    def test_the_worker_is_imported_from_a_folder_that_its_contents_name(self) -> None:
        source = Path(self.mktemp())
        shutil.copytree(default_webroot() / "edge", source / "edge")
        shutil.copy(default_webroot() / "sw.js", source)
        seen = set()
        for extra in ("", "export const more = 1;\n"):
            with (source / "edge" / "worker" / "budget.js").open("a") as file:
                file.write(extra)
            unpack(source, self.folder)
            found = re.search(
                r'from "\./(edge/worker/[0-9a-f]{12}/)worker\.js"', (self.folder / "sw.js").read_text()
            )
            assert found is not None
            seen.add(found[1])
            versions = [
                path for path in (self.folder / "edge" / "worker").iterdir() if any(path.glob("*.js"))
            ]
            self.assertEqual(versions, [self.folder / found[1]])
            self.assertIn(extra.removeprefix("export "), (self.folder / found[1] / "worker.js").read_text())
            self.assertEqual(CacheRules(CACHE_RULES).given(f"{found[1]}worker.js"), IMMUTABLE)
        self.assertEqual(len(seen), 2)

    def test_a_bundle_has_each_module_once_behind_those_that_it_imports(self) -> None:
        modules = {
            "worker.js": 'import { a } from "./a.js";\nimport { B } from "./b.js";\nexport class Worker {}\n',
            "a.js": 'import { B } from "./b.js";\nexport const a = new B();\nexport {};\n',
            "b.js": "export class B {}\n",
            "c.js": "export const c = 1;\n",
        }
        self.assertEqual(
            bundled(modules, "worker.js"), "class B {}\nconst a = new B();\nexport class Worker {}\n"
        )

    def test_modules_that_cannot_share_a_scope_are_no_bundle(self) -> None:
        with self.assertRaisesRegex(ValueError, "declared twice: a,"):
            bundled({"b.js": 'import { b } from "./a.js";\nconst a = b;\n', "a.js": "const a = 1;\n"}, "b.js")
        with self.assertRaisesRegex(ValueError, "or an import"):
            bundled({"b.js": 'import * as a from "./a.js";\n', "a.js": ""}, "b.js")

    def test_worker_and_page_runtime_keep_within_their_bytes(self) -> None:
        unpack(default_webroot(), self.folder)

        def weight(*paths: Path) -> int:
            return sum(len(brotlicffi.compress(path.read_bytes(), quality=11)) for path in paths)

        def closure(entry: Path) -> list[Path]:
            """A module and all that it imports at once."""
            found = [entry.resolve()]
            for path in found:
                for name in re.findall(r'^import .*?"(\..*?)";$', path.read_text(), re.MULTILINE):
                    module = (path.parent / name).resolve()
                    if module not in found:
                        found.append(module)
            return found

        loaded = closure(self.folder / "sw.js")
        self.assertEqual(len(loaded), 2)
        self.assertIn('import { Worker } from "', loaded[0].read_text())
        self.assertIn("\nexport class Worker {", loaded[1].read_text())
        for name in ("ResponseStore", "Sender", "Outbox", "Nodes"):
            self.assertIn(f"class {name} ", loaded[1].read_text())
        self.assertLessEqual(weight(*loaded), 25_500)
        runtime = closure(self.folder / "edge" / "client.js")
        self.assertIn("segments.js", [path.name for path in runtime])
        self.assertLessEqual(weight(*runtime), 3_000)
        page = self.folder / "edge" / "page"
        self.assertLessEqual(weight(*(page / f"{name}.js" for name in ("app", "html", "patch"))), 6_000)
