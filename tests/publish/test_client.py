"""The smart client beside any site."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import brotlicffi
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from edge.config import default_webroot
from edge.publish import minifying
from edge.publish.client import (
    CACHE_RULES,
    bundled,
    files_of,
    unpack,
    with_constants,
    without_comments,
)
from edge.publish.minifying import minify
from edge.publish.rules import IMMUTABLE, CacheRules
from tests import processes


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

    def test_numbers_and_strings_stand_where_constants_are_used_and_exported_ones_stay(self) -> None:
        source = (
            'const MOST = 2 * 1024;\nconst NAME = "a";\nexport const MS = 5;\nconst LIST = [1];\n'
            "f(MOST / 2, `${NAME}`, x.NAME, MOST_OF, LIST, MS);\n"
        )
        self.assertEqual(
            with_constants(source),
            "export const MS = 5;\nconst LIST = [1];\n"
            'f((2 * 1024) / 2, `${"a"}`, x.NAME, MOST_OF, LIST, MS);\n',
        )
        self.assertEqual(with_constants("let a = 1;\n"), "let a = 1;\n")
        with self.assertRaisesRegex(ValueError, '"the MOST" has the name of a constant in it'):
            with_constants('const MOST = 1;\nf(MOST, "the MOST");\n')

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
                r'importScripts\("\./(edge/worker/[0-9a-f]{12}/)worker\.js"\)',
                (self.folder / "sw.js").read_text(),
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
            bundled(modules, "worker.js"),
            "const { Worker } = (() => {\nclass B {}\nconst a = new B();\nclass Worker {}\n"
            "return { Worker };\n})();\n",
        )

    def test_modules_that_cannot_share_a_scope_are_no_bundle(self) -> None:
        with self.assertRaisesRegex(ValueError, "declared twice: a,"):
            bundled({"b.js": 'import { b } from "./a.js";\nconst a = b;\n', "a.js": "const a = 1;\n"}, "b.js")
        with self.assertRaisesRegex(ValueError, "or an import"):
            bundled({"b.js": 'import * as a from "./a.js";\n', "a.js": ""}, "b.js")

    def test_worker_and_page_runtime_keep_within_their_bytes(self) -> None:
        files = files_of(default_webroot(), minify)

        def weight(*names: str) -> int:
            return sum(len(brotlicffi.compress(files[name].encode(), quality=11)) for name in names)

        def closure(entry: str) -> list[str]:
            """A module and all that it imports at once."""
            found = [entry]
            for name in found:
                imported = re.findall(r'\b(?:from|import|importScripts\()\s*"(\.[^"]*)"', files[name])
                modules = [os.path.normpath(os.path.join(os.path.dirname(name), one)) for one in imported]
                found += [one for one in modules if one not in found]
            return found

        loaded = closure("sw.js")
        self.assertEqual(len(loaded), 2)
        for word in ("const{Worker}=", "edge-bodies", "/.edge/revalidate", "edge-outbox", "load-metrics"):
            self.assertIn(word, files[loaded[1]])
        self.assertLessEqual(weight(*loaded), 25_900)
        runtime = closure("edge/client.js")
        self.assertIn("edge/worker/messages.js", runtime)
        self.assertLessEqual(weight(*runtime), 3_000)
        drawing = ("app", "html", "rows", "tokens", "patch")
        self.assertLessEqual(weight(*(f"edge/page/{name}.js" for name in drawing)), 7_300)
        self.assertLessEqual(weight("edge/page/components.js", "edge/page/query.js"), 2_050)

    def test_what_is_minified_is_read_as_modules(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise SkipTest("node is not here")
        scripts = {
            name: text for name, text in files_of(default_webroot(), minify).items() if name[-3:] == ".js"
        }
        program = (
            "const vm = require('vm'), all = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
            "for (const name in all) new vm.SourceTextModule(all[name], { identifier: name });"
        )
        command = [node, "--no-warnings", "--experimental-vm-modules", "-e", program]
        done = processes.run(command, input=json.dumps(scripts), text=True, capture_output=True, check=False)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        self.assertGreater(len(scripts), 40)

    def test_what_the_build_has_minified_is_published_and_other_sources_as_they_are(self) -> None:
        made = Path(self.mktemp())
        self.patch(minifying, "MADE", made)
        minifying._made.cache_clear()
        self.addCleanup(minifying._made.cache_clear)
        plain = files_of(default_webroot())
        minifying.build(lambda small: files_of(default_webroot(), small))
        minifying._made.cache_clear()
        small = files_of(default_webroot())
        self.assertEqual(small, files_of(default_webroot(), minify))
        self.assertLess(sum(map(len, small.values())), 0.8 * sum(map(len, plain.values())))
        self.assertEqual(minifying.minified("let another  =  1;"), "let another  =  1;")
        made.write_text("half of a fi")
        minifying._made.cache_clear()
        self.assertEqual(files_of(default_webroot()), plain)
