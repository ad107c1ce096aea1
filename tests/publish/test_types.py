"""Media types by name: what is known, what the configuration adds, and what goes out of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import run

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import edge
from edge.errors import ConfigError
from edge.publish.groups import NEGOTIATED_IMAGES
from edge.publish.types import UNKNOWN, WEB, Types, checked_type, content_type, is_compressible, media_type

#: Of Debian's package media-types.
DEBIAN = Path("/etc/mime.types")
#: Extensions to which Debian gives another type than the web does.
OTHERWISE = {"xsl", "rss", "rst", "wav", "ts", "tgz", "exe", "3gp", "3gpp", "3g2", "3gpp2"}


class ContentTypes(SynchronousTestCase):
    def test_the_types_of_the_web_are_known(self) -> None:
        for name, type_ in {
            "a.html": "text/html",
            "a.HTM": "text/html",
            "a.js": "text/javascript",
            "a.mjs": "text/javascript",
            "a.svg": "image/svg+xml",
            "a.woff2": "font/woff2",
            "a.wasm": "application/wasm",
            "site.webmanifest": "application/manifest+json",
            "a.js.map": "application/json",
            "a.tar.gz": "application/gzip",
            "a.csh": "application/x-csh",
            "a.tm.json": "application/tm+json",
            "a.b.json": "application/json",
            "a.heif": "image/heif",
            "a.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "a.deb": "application/vnd.debian.binary-package",
            "README": UNKNOWN,
            ".html": UNKNOWN,
            "a.": UNKNOWN,
            "a.nobody-knows": UNKNOWN,
            "apple-app-site-association": "application/json",
        }.items():
            self.assertEqual(media_type(name), type_, name)

    def test_the_machine_s_own_table_is_not_read(self) -> None:
        table = os.path.abspath(self.mktemp())
        with open(table, "w") as file:
            file.write("text/wrong html csh\n")
        code = (
            f"import mimetypes; mimetypes.knownfiles[:] = [{table!r}]; mimetypes.init();"
            "print(mimetypes.guess_type('a.csh')[0]);"
            "from edge.publish.types import media_type; print(media_type('a.html'), media_type('a.csh'))"
        )
        path = {"PYTHONPATH": os.path.dirname(os.path.dirname(edge.__file__))}
        done = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=path)
        self.assertEqual(done.stdout, "text/wrong\ntext/html application/x-csh\n", done.stderr)

    def test_text_that_is_utf_8_names_its_character_encoding_and_nothing_else_does(self) -> None:
        self.assertEqual(content_type("text/css", True), b"text/css; charset=utf-8")
        self.assertEqual(content_type("text/css", False), b"text/css")
        self.assertEqual(content_type("image/svg+xml", True), b"image/svg+xml")

    def test_types_that_are_compressed_already_are_left_alone(self) -> None:
        for name in ("a.html", "a.svg", "a.json", "a.ttf", "a.wasm", "a.xml", "a.webmanifest", "a.ico"):
            self.assertTrue(is_compressible(media_type(name)), name)
        for name in ("a.png", "a.jpg", "a.woff2", "a.mp4", "a.zip", "a.gz", "a.pdf", "a.avif", "a"):
            self.assertFalse(is_compressible(media_type(name)), name)

    def test_no_type_has_both_codings_and_media_variants(self) -> None:
        for extension in NEGOTIATED_IMAGES:
            self.assertFalse(is_compressible(WEB[extension]))

    def test_whatever_debian_knows_is_known(self) -> None:
        """Under a type that it gives to the extension, but for the conventions of the web."""
        if not DEBIAN.exists():
            raise SkipTest("this machine has no /etc/mime.types, which Debian's media-types brings")
        debian: dict[str, set[str]] = {}
        for line in DEBIAN.read_text().splitlines():
            type_, *extensions = line.partition("#")[0].split() or [""]
            for extension in extensions:
                if extension[0].isalnum():
                    debian.setdefault(extension.lower(), set()).add(type_)
        self.assertGreater(len(debian), 1000)
        for extension, types in debian.items():
            found = media_type("a." + extension)
            self.assertEqual(found == UNKNOWN, UNKNOWN in types or extension == "exe", extension)
            if extension not in OTHERWISE:
                self.assertIn(found, types, extension)


class Configured(SynchronousTestCase):
    """[types]."""

    def test_extensions_names_and_the_rest(self) -> None:
        types = Types(
            [
                (".FOO", "text/x-foo"),
                ("LICENSE", "text/plain"),
                (".tar.zst", "a/tar"),
                (".html", "text/x"),
                ("*", "a/b"),
            ]
        )
        for name, type_ in {
            "a.foo": "text/x-foo",
            "b.Foo": "text/x-foo",
            "LICENSE": "text/plain",
            "license": "a/b",
            "a.tar.zst": "a/tar",
            "a.zst": "application/zstd",
            "a.HTML": "text/x",
            "foo": "a/b",
            ".foo": "a/b",
        }.items():
            self.assertEqual(types.of(name), type_, name)

    def test_a_type_with_parameters_goes_out_as_it_is(self) -> None:
        self.assertEqual(
            content_type("text/html; charset=iso-8859-1", True), b"text/html; charset=iso-8859-1"
        )
        self.assertTrue(is_compressible("text/html; charset=iso-8859-1"))

    def test_what_is_no_type_or_no_name_is_refused_with_the_reason(self) -> None:
        for key, value, word in (
            ("", "a/b", "neither an extension"),
            (".", "a/b", "neither an extension"),
            ("a/b", "a/b", "neither an extension"),
            (".a.b.c.d", "a/b", "neither an extension"),
            (".a", "text", "no media type"),
            (".a", "text/", "no media type"),
            (".a", "text/html\r\nX: y", "no media type"),
            (".a", "text/html; charset", "no media type"),
            (".a", "text/h\u00e4", "no media type"),
        ):
            error = self.assertRaises(ConfigError, checked_type, key, value)
            self.assertIn(word, str(error))
            self.assertIn("write", str(error))

    @given(st.text(), st.text())
    def test_every_accepted_type_is_a_field_value(self, key: str, value: str) -> None:
        try:
            checked_type(".x" + key.replace("/", ""), "text/html; a=" + value)
        except ConfigError:
            return
        self.assertTrue(all(32 <= octet < 127 for octet in content_type("text/html; a=" + value, True)))

    @given(st.text())
    def test_every_name_has_a_type(self, name: str) -> None:
        self.assertRegex(Types([(".a", "x/y")]).of(name), r"\A[!-~]+/[!-~]+\Z")
