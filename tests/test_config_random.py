"""Configuration files of any content: a configuration, or sentences that name file, line, key and remedy."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.config import SETTINGS, Config, load
from edge.config.lines import Lines
from edge.errors import ConfigError

#: As many as in the documents by EDGE_CONFIGURATIONS=10000.
EXAMPLES = int(os.environ.get("EDGE_CONFIGURATIONS", "300"))
TABLES = ("app", "auth", "access", "cache", "header", "rate", "redirect", "rewrite", "site", "listing")
#: Keys of tables, of whichever.
KEYS = (
    "path", "from", "from-regex", "to", "status", "force", "set", "add", "remove", "hosts", "default",
    "webroot", "at", "run", "name", "users", "realm", "allow", "deny", "requests", "per", "burst",
    "certificate", "python",
)  # fmt: skip
TEXTS = (
    "", "/", "/a", "/a/**", "/:x/*", "*", "**", "a.org", "*.a.org", "none", "http://127.0.0.1:1",
    "unix:/tmp/x", "10.0.0.0/8", "::/0", "no-cache", "m:app", "[", "(", "\\\\", "\\u0000", "\\u202e", "%zz",
    "minute", "tls:443", "tcp:80", "é", "a" * 300,
)  # fmt: skip
#: The key that a problem is about.
NAMED = re.compile(r"(?:^|: )(?:unknown key )?['\"]?([\w-]+)['\"]?(?: =|;| and | is )")


def toml(value: object) -> str:
    """*value* as TOML writes it on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml(one)}' for key, one in value.items()) + "}"
    return str(value)


TEXT = st.sampled_from(TEXTS)
SCALARS = st.one_of(st.booleans(), st.integers(-2, 2**40), st.floats(allow_nan=False), TEXT)
FIELDS = st.dictionaries(st.sampled_from(("X-A", "Cache-Control", "Content-Length", "a b")), TEXT, max_size=2)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), FIELDS).map(toml)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A TOML document, made of keys that there are, nearly are, or are not."""
    known = st.sampled_from([*SETTINGS, *[name.replace("-", "_") for name in SETTINGS], "wrokers", "zzz"])
    lines = [f"{key} = {draw(VALUES)}" for key in draw(st.lists(known, max_size=5, unique=True))]
    for name in draw(st.lists(st.sampled_from(TABLES), max_size=4)):
        within = draw(st.booleans()) and any(line == "[[site]]" for line in lines)
        lines += ["", f"[[site.{name}]]" if within and name != "site" else f"[[{name}]]"]
        keys = draw(st.lists(st.sampled_from(KEYS), max_size=4, unique=True))
        lines += [f"{key} = {draw(VALUES)}" for key in keys]
    return "\n".join(lines) + "\n"


class AnyConfiguration(SynchronousTestCase):
    """Whatever a file says."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.file = self.folder / "edge.toml"
        self.addCleanup(lambda: (self.file.unlink(missing_ok=True), self.folder.rmdir()))

    def problems(self, text: str) -> list[str]:
        self.file.write_text(text)
        try:
            self.assertIsInstance(load({}, self.file), Config)
        except ConfigError as error:
            return str(error).splitlines()
        return []

    def test_a_problem_is_told_with_its_file_line_key_and_remedy(self) -> None:
        """No other exception; a sentence for each problem, of which the last part says what to do."""

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(documents())
        @example("rate = {}\n")  # no key is said to stand there that does not
        def check(text: str) -> None:
            lines = text.splitlines()
            for problem in self.problems(text):
                if "this is not TOML" in problem:
                    continue  # a key and a table of the same name; where is told in TOML's words
                found = re.match(rf"{re.escape(str(self.file))}:(\d+): (.*)$", problem)
                if found is None:
                    # Settings that do not go together, of which none stands in the file with that name.
                    self.assertRegex(problem, rf"--[a-z]|{re.escape(str(self.file))}: ", text)
                    continue
                self.assertLessEqual(int(found[1]), len(lines), text)
                named = re.search(
                    r"(?:^|: )(?:unknown key )?['\"]?([\w-]+)['\"]?(?: =|;| and | is )", problem
                )
                here = lines[int(found[1]) - 1]
                if named and named[1] in SETTINGS | dict.fromkeys(KEYS) and " is missing" not in problem:
                    self.assertTrue(here.startswith((named[1], "[")), f"{problem}\n{text}")

        check()

    def test_what_does_not_go_together_is_told_with_a_line_of_it(self) -> None:
        """Of two that are the same with the later one."""
        self.file.write_text(
            '[[redirect]]\nfrom = "/a"\nto = "/b"\n[[redirect]]\nfrom = "/b"\nto = "/a"\n'
            '[[site]]\nhosts = ["a.example"]\nwebroot = "/tmp"\n'
            '[[site]]\nhosts = ["b.example", "A.example."]\nwebroot = "/tmp"\n'
            '[[site.redirect]]\nfrom = "/c"\nto = "/c/"\n[[site.redirect]]\nfrom = "/c/"\nto = "/c"\n'
            '[[app]]\nat = "/"\nto = "http://127.0.0.1:1"\n[[app]]\nname = "other"\nat = "/"\n'
            'to = "http://127.0.0.1:2"\n'
        )
        found = {int(one.split(":")[1]): one for one in self.problems(self.file.read_text())}
        self.assertEqual(sorted(found), [1, 11, 13, 24], found)
        self.assertIn("round in a circle", found[1])
        self.assertIn("have this host", found[11])
        self.assertIn("applications are at this path", found[24])
        self.file.write_text('listen = ["tcp:80", "tls:443", "tcp:443"]\ntls-auto = ["a.example"]\n')
        (problem,) = self.problems(self.file.read_text())
        self.assertIn(":1: --listen tcp:443: port 443 is listened on", problem)
        self.file.write_text('redirect-https = true\nlisten = ["tcp:80"]\n')
        self.assertRegex(self.problems(self.file.read_text())[0], r":1: --redirect-https: ")

    def test_a_file_that_is_no_text_is_told_with_its_line(self) -> None:
        for data, line, word in (
            (b'node = "a"\nnode = "\xff"\n', 2, "is not UTF-8"),
            (b'node = "a"\nlisten = [tcp\n', 2, "Invalid value"),
            (b"x = " + b"[" * 3000 + b"]" * 3000, 0, "too deep"),
        ):
            self.file.write_bytes(data)
            sentence = str(self.assertRaises(ConfigError, load, {}, self.file))
            self.assertTrue(sentence.startswith(f"{self.file}:{line or ''}"), sentence)
            self.assertIn(word, sentence)
        self.patch(sys.modules["edge.config.load"], "PATIENCE_SECONDS", 0.01)
        os.mkfifo(self.folder / "pipe")
        self.addCleanup(os.unlink, self.folder / "pipe")
        sentence = str(self.assertRaises(ConfigError, load, {}, self.folder / "pipe"))
        self.assertIn("a pipe that nobody writes", sentence)
        sentence = str(self.assertRaises(ConfigError, load, {}, Path("/dev/zero")))
        self.assertIn("more than 32 MiB", sentence)

    def test_lines_of_nested_tables(self) -> None:
        """Numbered anew within each site; what stands in long texts is none."""
        lines = Lines(
            'a = 1\n"b-c" = """\n[[site]]\nx = 1\n"""\n[[site]]\n[[site.header]]\nset = {}\n[[site]]\n'
            "hosts = []\n[[site.header]]\n[[site.header]]\npath = 3\n[types]\nx = 3\n"
        )
        for problem, line in (
            ("a = 1: write", 1),
            ("unknown key 'b-c'; there are", 2),
            ("[[site]] number 1: [[header]] number 1: set = {}: write", 8),
            ("[[site]] number 2 (a.org): hosts = []: give", 10),
            ("[[site]] number 2 (a.org): [[header]] number 2: path = 3: write", 13),
            ("[[site]] number 2: [[header]] number 1: path is missing; give", 11),
            ("[[site]] number 1: webroot is missing; name it", 6),
            ('types = {"x": 3}: write', 14),
            ("[types] x = 3: write", 15),
            ("[types] y = 3: write", 14),
            ("[[site]] number 2 (a.org): [[header]] number 2 (^/p/([0-9]+)$): path = 3: write", 13),
            ("[[app]] number 1: nothing", None),
        ):
            self.assertEqual(lines.of(problem), line, problem)
