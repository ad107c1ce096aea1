"""Components on the server: what they may, what they cost, what becomes of hostile states."""

from __future__ import annotations

import asyncio
import datetime
import html.parser
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.app.marks import Marks
from edge.app.rendering import STATE, Components, Limits, ModuleError, Part, RenderingError, embedded
from edge.app.rendering.engine import Engine
from tests.processes import PATIENCE

HTML = 'import { html, keyed } from "/edge/page/html.js";\n'
#: Each kind of place that a value may stand in.
PLACES = (
    HTML + "export const render = ({ v }) => html`<div title=\"${v}\" class='${v}' ?hidden=${v}>"
    '<a href="${v}">${v}</a>'
    '<a href="/to/${v}?a=${v}">${[v, keyed(v, html`<b>${v}</b>`)]}</a><textarea>${v}</textarea></div>`;'
)
HOSTILE = st.text(
    st.one_of(st.sampled_from("<>\"'`&/=!-\0\n\t \u2028\ud800javscriptonloadSCRIPT:;"), st.characters()),
    max_size=60,
)


class Case(SynchronousTestCase):
    """With a webroot of its own."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        (self.root / "components").mkdir(parents=True)
        self.now = 0.0

    def write(self, **sources: str) -> None:
        for name, source in sources.items():
            (self.root / "components" / f"{name}.js").write_text(source)

    def components(self, limits: Limits | None = None, patience: float = PATIENCE) -> Components:
        made = Components(self.root, limits=limits, clock=lambda: self.now, patience=patience)
        self.addCleanup(made.close)
        return made

    def rendered(self, source: str, props: Mapping[str, Any] = {}) -> str:
        self.write(one=HTML + source)
        return self.components().render_now("one", props)


class RenderingTests(Case):
    """One component."""

    def test_a_component_is_rendered_with_its_props_and_imports(self) -> None:
        self.write(
            row=HTML + "export const row = ({ n }) => keyed(n, html`<li>${n}</li>`);",
            list=HTML + 'import { row } from "./row.js";\n'
            "export const render = ({ rows }) => html`<ol>${rows.map(row)}</ol>`;",
        )
        rows = [{"n": 1}, {"n": "<\u20ac\U0001f600"}]
        self.assertEqual(
            self.components().render_now("list", {"rows": rows}, "top"),
            '<ol data-key="top"><li data-key="1">1</li><li data-key="&lt;€😀">&lt;€😀</li></ol>',
        )

    def test_queries_are_told_with_their_urls(self) -> None:
        self.write(
            one=HTML + 'export const queries = ({ n }) => [["Top", { text: "ü !\'()*", n }], ["All"]];'
        )
        found = asyncio.run(
            self.components().queries("one", {"Top": "sha256:1", "All": "sha256:2"}, {"n": 3})
        )
        self.assertEqual(
            found,
            [
                (
                    "Top",
                    {"n": 3, "text": "ü !'()*"},
                    "/graphql/sha256:1/Top?variables=%7B%22n%22%3A3%2C%22text%22%3A%22%C3%BC%20!'()*%22%7D",
                ),
                ("All", {}, "/graphql/sha256:2/All"),
            ],
        )
        with self.assertRaisesRegex(RenderingError, "there is no query Top"):
            asyncio.run(self.components().queries("one", {}, {"n": 3}))

    def test_there_is_nothing_but_the_language(self) -> None:
        for source in (
            "Math.random()",
            "Date.now()",
            "new Date()",
            "Date()",
            "new Date(0).getHours()",
            "new Date(0).toLocaleString()",
            "String(new Date(0))",
            "(1234.5).toLocaleString()",
            "'a'.localeCompare('b')",
            "[1].toLocaleString()",
            "performance.now()",
            "eval('1')",
            "new Function('return 1')()",
            "(() => {}).constructor('return 1')()",
            "(async () => {}).constructor('return 1')()",
            "(function* () {}).constructor('return 1')()",
            "fetch('/')",
            "setTimeout(() => {})",
            "require('fs')",
            "process.exit()",
            "std.exit(1)",
            "os.exec([])",
            "Intl.NumberFormat()",
        ):
            with self.assertRaisesRegex(
                RenderingError, "/components/one.js: (TypeError|ReferenceError)", msg=source
            ):
                self.rendered(f"export const render = () => html`<p>${{{source}}}</p>`;")
        self.assertEqual(
            self.rendered(
                "const d = new Date(864e5);"
                "export const render = () => html`<p>${d.toISOString()}${Date.UTC(1970, 0)}</p>`;"
            ),
            '<p data-key="one">1970-01-02T00:00:00.000Z0</p>',
        )

    def test_nothing_that_a_rendering_changes_is_there_for_the_next(self) -> None:
        for source in (
            "Array.prototype.map = () => 'mine'",
            "Object.prototype.text = 'mine'",
            "globalThis.seen = 1",
            "undeclared = 1",
            "JSON.stringify = () => 'mine'",
            "String.prototype.replace = () => 'mine'",
            "(function* () {})().__proto__.__proto__.next = 1",
            "html.prototype = 1; Html.prototype.toString = 1",
        ):
            with self.assertRaises(RenderingError, msg=source):
                self.rendered(
                    "import { Html } from '/edge/page/html.js';"
                    f"export const render = () => {{ {source}; return html`<p></p>`; }};"
                )

    def test_errors_name_the_component_the_place_and_the_reason(self) -> None:
        self.write(
            bad=HTML
            + "const deep = (v) => v.x.y;\n\nexport const render = (props) => html`<p>${deep(props)}</p>`;",
            text=HTML + "export const render = () => '<p>';",
            none=HTML + "export const other = 1;",
            broken=HTML + "export const render = () => {{;\n",
            early=HTML + "\nconst a = null.x;",
            away='import { a } from "../../../../etc/passwd";',
        )
        components = self.components()
        for name, said in (
            ("bad", r"bad.js: TypeError: .*\(at /components/bad.js:2, /components/bad.js:4\)"),
            ("text", "has to return html"),
            ("none", "none.js: TypeError: not a function"),
            ("broken", r"broken.js: SyntaxError.*broken.js:"),
            ("early", r"early.js: TypeError.*early.js:"),
            ("away", r"there is no /etc/passwd in "),
            ("nowhere", r"there is no /components/nowhere.js in .* nor in "),
            ("../x", "is no name of a component"),
        ):
            with self.assertRaisesRegex(RenderingError, said):
                components.render_now(name, {})
        with self.assertRaisesRegex(RenderingError, "props are what JSON can say"):
            components.render_now("bad", {"x": float("nan")})
        with self.assertRaisesRegex(RenderingError, "props are what JSON can say"):
            components.render_now("bad", {"x": {1}})

    def test_a_changed_file_counts_and_a_broken_one_does_not(self) -> None:
        self.write(one=HTML + "export const render = () => html`<p>1</p>`;")
        components = self.components()
        self.assertIn(">1<", components.render_now("one", {}))
        self.write(one=HTML + "export const render = () => html`<p>2 more</p>`;")
        self.assertIn(">1<", components.render_now("one", {}))
        self.now += 1
        self.assertIn(">2 more<", components.render_now("one", {}))
        self.write(one=HTML + "export const render = (")
        self.now += 1
        with self.assertLogs("edge.app.rendering") as logs:
            self.assertIn(">2 more<", components.render_now("one", {}))
        self.assertIn("SyntaxError", logs.output[0])
        self.now += 1
        self.assertIn(">2 more<", components.render_now("one", {}))
        self.write(one=HTML + "export const render = () => html`<p>4</p>`;")
        self.now += 1
        self.assertIn(">4<", components.render_now("one", {}))


class LimitTests(Case):
    """Components that would take everything."""

    def test_what_loops_allocates_or_recurses_without_end_is_ended_and_the_next_is_rendered(self) -> None:
        self.write(good=HTML + "export const render = () => html`<p>good</p>`;")
        components = self.components(Limits(seconds=0.05, memory=8 << 20))
        for number, (source, said) in enumerate(
            (
                ("for (;;);", "took longer than 0.05 s"),
                ("for (;;) try { for (;;); } catch {} finally { continue; }", "took longer|took more"),
                ("const all = []; for (;;) all.push('x'.repeat(1000) + all.length);", "memory|longer"),
                ("let s = 'x'; for (;;) s += s;", "memory|string too long|longer"),
                ("const f = () => f() + 1; f();", "stack"),
                ("/(a+)+$/.test('a'.repeat(100) + 'b');", "longer|memory"),
                ("throw { toString() { for (;;); }, get name() { for (;;); } };", "longer"),
                (
                    "throw { get message() { throw { get stack() { for (;;); } }; } };",
                    "cannot be told|longer",
                ),
                ("throw null;", "memory"),
                ("return { __proto__: null };", "has to return html"),
                (
                    "const deep = []; let at = deep; "
                    "for (let i = 0; i < 2e4; i += 1) at = at[0] = []; JSON.stringify(deep);",
                    "stack|longer",
                ),
            )
        ):
            self.write(**{f"bad{number}": HTML + f"export const render = () => {{ {source} }};"})
            with self.assertRaisesRegex(RenderingError, said, msg=source):
                components.render_now(f"bad{number}", {})
            self.assertEqual(components.render_now("good", {}), '<p data-key="good">good</p>')

    def test_a_module_that_keeps_something_does_not_fill_the_memory(self) -> None:
        self.write(
            one=HTML + "const kept = [];\n"
            "export const render = () => { kept.push('x'.repeat(9000) + kept.length);"
            " return html`<p></p>`; };"
        )
        components = self.components(Limits(memory=8 << 20))
        for _ in range(2000):
            components.render_now("one", {})

    def test_what_other_threads_use_is_not_counted(self) -> None:
        self.write(
            one=HTML + "export const render = () => { let sum = 0; for (let i = 0; i < 1e6; i += 1) sum += i;"
            " return html`<p>${sum}</p>`; };",
        )
        limits = Limits(seconds=0.001)
        with self.assertRaisesRegex(RenderingError, "took longer"):
            self.components(limits).render_now("one", {})
        # As if it had been others who used it.
        self.patch(time, "thread_time", lambda: 0.0)
        self.assertIn("499999500000", self.components(limits).render_now("one", {}))

    def test_native_code_that_looks_at_no_limit_is_left_to_itself_and_another_thread_renders(self) -> None:
        self.write(
            good=HTML + "export const render = () => html`<p>good</p>`;",
            long=HTML + "export const render = () => html`<p>${new Array(2e7).join('').length}</p>`;",
        )
        components = Components(self.root, patience=PATIENCE)
        self.addCleanup(components.close)
        self.assertIn("good", components.render_now("good", {}))
        self.lose(components, 1, "long")
        self.assertIn("good", components.render_now("good", {}))
        # It takes nothing from other tests.
        until = time.monotonic() + PATIENCE
        while components._lost[0].since is not None and time.monotonic() < until:
            time.sleep(0.01)
        self.assertIsNone(components._lost[0].since)

    def test_a_thread_that_does_not_come_back_is_given_up_and_no_more_than_three(self) -> None:
        self.write(good=HTML + "export const render = () => html`<p>good</p>`;")
        components = self.components(patience=PATIENCE)
        come_back = threading.Event()
        self.addCleanup(come_back.set)

        def stays(engine: Engine) -> str:
            self.now += PATIENCE
            come_back.wait(PATIENCE)
            return ""

        for number in range(1, 4):
            self.assertIn("good", components.render_now("good", {}))
            with mock.patch.object(components, "_rendering", lambda *_: stays):
                self.lose(components, number, "good")
        with self.assertRaisesRegex(RenderingError, "3 renderings do not end"):
            components.render_now("good", {})
        come_back.set()

    def lose(self, components: Components, count: int, name: str) -> None:
        """Have *name* rendered, which is not done soon, until so many threads are given up.

        One that has not begun is not given up: it is the machine that is busy.
        """
        with mock.patch.object(components, "_patience", 0.02):
            for _ in range(1000):
                with self.assertRaisesRegex(RenderingError, "no rendering within 0.02 s"):
                    components.render_now(name, {})
                if len(components._lost) == count:
                    return
        self.fail("none was given up")


class _Reader(html.parser.HTMLParser):
    """Tags, with the names of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name == "href"]


class EscapingTests(Case):
    """States that want out."""

    def test_hostile_states_never_break_out(self) -> None:
        self.write(places=PLACES)
        components = self.components()
        tags = [
            ("div", ("data-key", "title", "class")),
            ("a", ("href",)),
            ("a", ("href",)),
            ("b", ("data-key",)),
            ("textarea", ()),
        ]

        @settings(max_examples=int(os.environ.get("STATES", "200")), deadline=None)
        @given(HOSTILE)
        def never(value: str) -> None:
            text = components.render_now("places", {"v": value})
            text.encode()
            self.assertNotIn("\0", text)
            seen = _Reader(text)
            shown = [(tag, tuple(one for one in names if one != "hidden")) for tag, names in seen.tags]
            self.assertEqual(shown, tags)
            scheme = re.match(r"[\0-\x20]*([^:/?#]*):", re.sub(r"[\t\n\r]", "", seen.links[0]))
            if scheme:
                self.assertIn(scheme[1].lower(), ("http", "https", "mailto", "tel", "about"))

        never()

    def test_urls_that_run_something_are_none(self) -> None:
        self.write(one=HTML + 'export const render = ({ v }) => html`<a href="${v}" data-x="${v}"></a>`;')
        components = self.components()
        for url in (
            "javascript:alert(1)",
            " JavaScript:x",
            "java\tscript:x",
            "\x01javascript:x",
            "data:text/html,x",
            "vbscript:x",
        ):
            self.assertIn(' href="about:invalid"', components.render_now("one", {"v": url}))
        for url in (
            "/a?b=c:d",
            "a/b",
            "https://x/",
            "HTTP://x",
            "mailto:a@b",
            "#javascript:",
            "?a:b",
            "",
            "//x",
        ):
            self.assertIn(f' href="{url}"', components.render_now("one", {"v": url}))

    def test_values_that_make_a_url_together_run_nothing_either(self) -> None:
        """An empty first one, or the beginning of a word, left the scheme to the second."""
        self.write(one=HTML + 'export const render = ({ a, b, c }) => html`<a href="${a}${b}${c}"></a>`;')
        components = self.components()
        for parts in (
            ("", "javascript:alert(1)", ""),
            ("java", "script:alert(1)", ""),
            ("javascript", ":alert(1)", ""),
            ("", "", "data:text/html,x"),
            ("javascript", "", ":alert(1)//"),
        ):
            text = components.render_now("one", dict(zip("abc", parts, strict=True)))
            self.assertNotRegex(text, "javascript:|data:text")
            self.assertIn("about:invalid", text)
        for parts in (
            ("https:", "//x", "/y"),
            ("/a", "/b", "?c"),
            ("", "a", "#b"),
            ("https://x/", "y?a=b", ""),
        ):
            text = components.render_now("one", dict(zip("abc", parts, strict=True)))
            self.assertIn(f' href="{"".join(parts)}"', text)
        self.write(two=HTML + 'export const render = ({ a, b }) => html`<a href="https://${a}/${b}"></a>`;')
        self.assertIn(' href="https://x:1/y:z"', components.render_now("two", {"a": "x:1", "b": "y:z"}))

    def test_templates_in_which_no_escaping_would_help_are_refused(self) -> None:
        for template in (
            "<p ${v}></p>",
            "<p class=${v}></p>",
            "<p class=a${v}></p>",
            "<${v}>",
            "</${v}>",
            '<p onclick="${v}"></p>',
            '<p ONCLICK="x(${v})"></p>',
            "<a href=\"javascript:x('${v}')\"></a>",
            '<a href=" JavaScript:${v}"></a>',
            '<a href="data:text/html,${v}"></a>',
            '<a href="${v}://${v}"></a>',
            '<iframe srcdoc="${v}"></iframe>',
            "<script>${v}</script>",
            '<script src="${v}"></script>',
            "<style>${v}</style>",
            "<!-- ${v} -->",
            "<!${v}>",
            "<p title=\"x href='${v}'\" ${v}></p>",
            "<p title='${v} class=\"${v}>",
            "<p><b",
            "<p><script>1",
            "<p><!-- ",
            "<p><",
        ):
            said = "no value can stand behind|nothing ends"
            with self.assertRaisesRegex(RenderingError, said, msg=template):
                self.rendered(f"export const render = ({{ v }}) => html`{template}`;", {"v": "x"})
        for template, text in (
            ("<!-- a --><p>${v}</p>", "no element"),
            ("<script>a < b</script><p>${v}</p>", '<script data-key="one">a < b</script><p>x</p>'),
            ('<p title="it\'s">${v}</p>', '<p data-key="one" title="it\'s">x</p>'),
            (
                "<p title='a > b' ?hidden=${0} ?open=${v} class=\"${v}\">a < ${v}</p>",
                '<p data-key="one" title=\'a > b\' open class="x">a < x</p>',
            ),
            ('<input disabled value="${v}">', '<input data-key="one" disabled value="x">'),
        ):
            try:
                self.assertEqual(
                    self.rendered(f"export const render = ({{ v }}) => html`{template}`;", {"v": "x"}), text
                )
            except RenderingError as error:
                self.assertIn(text, str(error))

    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            HOSTILE | st.integers() | st.none(),
            lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner),
            max_leaves=9,
        )
    )
    def test_the_state_comes_back_from_its_element_which_nothing_in_it_ends(self, state: Any) -> None:
        text = embedded({"state": state})
        text.encode()
        begin, inner, end = (
            text[: text.index(">") + 1],
            text[text.index(">") + 1 : text.rindex("<")],
            text[text.rindex("<") :],
        )
        self.assertEqual((begin, end), ('<script type="application/json" id="edge-state">', "</script>"))
        self.assertNotRegex(inner, "[<>&\u2028\u2029]")
        self.assertEqual(json.loads(inner), json.loads(json.dumps({"state": state})))


class PageTests(Case):
    """A page as it is streamed."""

    def setUp(self) -> None:
        super().setUp()
        self.write(
            top=HTML + 'export const queries = ({ n }) => [["Top", { n }]];\n'
            "export const render = ({ n, top }) => html`<p>${n}: ${top}</p>`;",
            plain=HTML + "export const render = ({ text }) => html`<i>${text}</i>`;",
        )

    def test_the_head_is_there_before_data_and_parts_come_in_order(self) -> None:
        asyncio.run(self._head_first())

    async def _head_first(self) -> None:
        asked: list[Any] = []
        gates = {1: asyncio.Event(), 2: asyncio.Event()}

        async def ask(name: str, variables: dict[str, Any]) -> dict[str, Any]:
            asked.append((name, variables))
            await gates[variables["n"]].wait()
            return {"top": f"</script>{variables['n']}"}

        pieces = [
            "<head>",
            "<main>",
            Part("top", {"n": 1}),
            "<hr>",
            Part("top", {"n": 2}, "second"),
            Part("plain", {"text": "&"}),
            Part("top", {"n": 1}, "third"),
            "</main>",
            STATE,
            "</body>",
        ]
        stream = self.components().page(pieces, ask, {"Top": "sha256:1", "Other": "sha256:2"})
        self.assertEqual(await anext(stream), b"<head><main>")
        self.assertEqual(asked, [])
        second = asyncio.ensure_future(anext(stream))  # type: ignore[arg-type]
        while len(asked) < 2 and not second.done():
            await asyncio.sleep(0.001)
        self.assertEqual(asked, [("Top", {"n": 1}), ("Top", {"n": 2})])
        gates[2].set()
        await asyncio.sleep(0.01)
        self.assertFalse(second.done())
        gates[1].set()
        rest = await second + b"".join([one async for one in stream])
        text = rest.decode()
        self.assertTrue(
            text.startswith(
                '<p data-key="top">1: &lt;/script&gt;1</p><hr><p data-key="second">2: &lt;/script&gt;2</p>'
                '<i data-key="plain">&amp;</i><p data-key="third">1: &lt;/script&gt;1</p></main><script type'
            )
        )
        state = json.loads(text[text.index('edge-state">') + 12 : text.index("</script>")])
        urls = [f"/graphql/sha256:1/Top?variables=%7B%22n%22%3A{n}%7D" for n in (1, 2)]
        self.assertEqual(state["documents"], {"Top": "sha256:1", "Other": "sha256:2"})
        self.assertEqual(
            state["parts"],
            [
                ["top", "top", {"n": 1}],
                ["second", "top", {"n": 2}],
                ["plain", "plain", {"text": "&"}],
                ["third", "top", {"n": 1}],
            ],
        )
        self.assertEqual(state["data"], {urls[0]: {"top": "</script>1"}, urls[1]: {"top": "</script>2"}})

    def test_a_part_that_fails_costs_its_place_alone_and_the_page_is_not_stored(self) -> None:
        marks = Marks()

        async def ask(name: str, variables: dict[str, Any]) -> dict[str, Any]:
            if variables["n"] == 1:
                raise OSError("the database is away")
            return {"top": 2}

        async def view() -> bytes:
            marks.put_in_force()
            parts = [Part("top", {"n": 1}), Part("top", {"n": 2}, "b"), Part("missing"), STATE]
            return b"".join([one async for one in self.components().page(parts, ask, {"Top": "sha256:1"})])

        with self.assertLogs("edge.app.rendering") as logs:
            text = asyncio.run(view()).decode()
        self.assertIn('<section data-key="top" role="status">', text)
        self.assertIn('<p data-key="b">2: 2</p>', text)
        self.assertIn('<section data-key="missing" role="status">', text)
        self.assertIn("top cannot be shown: the database is away", "\n".join(logs.output))
        self.assertIn("there is no /components/missing.js", "\n".join(logs.output))
        self.assertEqual(set(marks.groups), set(marks.invalidated))

    def test_what_json_cannot_say_costs_the_part_alone_that_has_it(self) -> None:
        """The state stands at the end of the page: it broke off there, behind all that was shown."""
        deep: Any = []
        for _ in range(200_000):
            deep = [deep]
        circle: list[Any] = []
        circle.append(circle)
        for wrong in (float("nan"), datetime.date(2026, 11, 27), circle, deep, {1, 2}):

            async def ask(name: str, variables: dict[str, Any], wrong: Any = wrong) -> Mapping[str, Any]:
                return {"top": wrong} if variables["n"] == 1 else MappingProxyType({"top": 2})

            async def view(ask: Any = ask, wrong: Any = wrong) -> bytes:
                parts = [Part("top", {"n": 1}), Part("top", MappingProxyType({"n": 2}), "b")]
                pieces = [*parts, Part("plain", {"text": wrong}), STATE, "</html>"]
                stream = self.components().page(pieces, ask, {"Top": "sha256:1"})
                return b"".join([one async for one in stream])

            with self.assertLogs("edge.app.rendering"):
                text = asyncio.run(view()).decode()
            self.assertIn('<p data-key="b">2: 2</p>', text)
            self.assertTrue(text.endswith("</html>"))
            state = json.loads(text[text.index('edge-state">') + 12 : text.rindex("</script>")])
            self.assertEqual([key for key, *_ in state["parts"]], ["top", "b"])
            self.assertEqual(list(state["data"].values()), [{"top": 2}])

    def test_the_shell_names_the_html_around_the_parts(self) -> None:
        async def shell(*pieces: Any) -> str:
            text = b"".join(
                [one async for one in self.components().page([*pieces, STATE], None, {})]
            ).decode()  # type: ignore[arg-type]
            return str(json.loads(text[text.index('edge-state">') + 12 : text.rindex("</script>")])["shell"])

        one, same, other = (
            asyncio.run(shell(head, Part("plain", {"text": text})))
            for head, text in (("a", "1"), ("a", "2"), ("b", "1"))
        )
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_two_parts_with_one_key_are_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "keys of their own: plain, plain"):
            self.components().page([Part("plain"), Part("plain")], None)  # type: ignore[arg-type]

    def test_names_of_modules_are_errors_of_rendering(self) -> None:
        self.assertTrue(issubclass(ModuleError, RenderingError))
