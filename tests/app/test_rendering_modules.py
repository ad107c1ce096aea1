"""ES modules without a loader: what is understood, and what is refused with which sentence."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.app.rendering.errors import ModuleError
from edge.app.rendering.modules import in_order, module


class ModuleTests(SynchronousTestCase):
    """One module."""

    def test_imports_take_and_exports_give(self) -> None:
        one = module(
            "/components/a.js",
            "import { html, keyed as k } from \"/edge/page/html.js\";\nimport * as b from './b.js'\n"
            'import c from "../c.js";\n'
            "export const x = 1, y = 2;\nexport async function f() {}\n"
            "export function* g() {}\nexport class K {}\n"
            "const z = 3;\nexport { z, y as why };\nexport default x;\n",
        )
        self.assertEqual(one.exports, {"x", "f", "g", "K", "z", "why", "default"})
        self.assertEqual(
            one.imports,
            {"/edge/page/html.js": ("html", "keyed"), "/components/b.js": (), "/c.js": ("default",)},
        )
        self.assertIn('const { html: html, keyed: k } = $modules["/edge/page/html.js"];', one.text)

    def test_lines_stay_where_they_are(self) -> None:
        source = 'import {\n  html,\n  keyed,\n} from "./h.js";\nexport const a =\n  1;\nMARK\n'
        self.assertEqual(
            module("/a.js", source).text.split("\n").index("MARK"), source.split("\n").index("MARK")
        )

    def test_words_in_strings_templates_comments_and_expressions_are_not_statements(self) -> None:
        source = (
            "// import x\n/* export y\nexport z */\nconst a = 'export { q }', b = `\n"
            "export const no = ${`\nimport ${1}`};\n`;\n"
            "const r = /[/\"'`]export/.test(a), d = 4 / 2 / 1;\n"
            "const o = { export: 1, import: 2 }; o.import; o.export;\n"
            "export const yes = 1;\n"
        )
        one = module("/a.js", source)
        self.assertEqual((one.exports, one.imports), ({"yes"}, {}))

    def test_what_is_not_understood_is_named_with_its_line(self) -> None:
        for source, said in (
            ('\nimport { a } from "lit";', "/a.js, line 2: 'lit' is no path"),
            ('import "./b.js";', "line 1: an import that is not understood"),
            ('export * from "./b.js";', "line 1: an export that is not understood"),
            ('export { a } from "./b.js";', "an export that is not understood"),
            ("export const { a } = b;", "an export that is not understood"),
            (
                "const a = 1;\nconst b = () => import('./c.js');",
                "line 2: components import nothing while they run",
            ),
            ("const url = { a: import.meta.url };", "components import nothing while they run"),
            ("\n\nconst a = `abc", "line 3: a template without an end"),
        ):
            with self.assertRaisesRegex(ModuleError, said.replace("*", r"\*")):
                module("/a.js", source)

    def test_modules_stand_behind_those_that_they_import(self) -> None:
        files = {
            "/a.js": 'import { b } from "./b.js"; import { c } from "./c.js"; export const a = b + c;',
            "/b.js": 'import { c } from "./c.js"; export const b = c;',
            "/c.js": "export const c = 1;",
        }
        self.assertEqual(
            [one.path for one in in_order("/a.js", files.__getitem__)], ["/c.js", "/b.js", "/a.js"]
        )

    def test_circles_and_names_that_nobody_exports_are_refused(self) -> None:
        files = {
            "/a.js": 'import { b } from "./b.js"; export const a = 1;',
            "/b.js": 'import { a } from "./a.js"; export const b = 1;',
            "/c.js": 'import { nothing } from "./d.js";',
            "/d.js": "",
        }
        with self.assertRaisesRegex(ModuleError, "/a.js imports /b.js imports /a.js: a circle"):
            in_order("/a.js", files.__getitem__)
        with self.assertRaisesRegex(
            ModuleError, "/c.js imports nothing from /d.js, which does not export it"
        ):
            in_order("/c.js", files.__getitem__)
