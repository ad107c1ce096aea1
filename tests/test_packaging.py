"""What is in the wheel and in the source distribution, and that it works from there."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import processes

ROOT = Path(__file__).resolve().parents[1]
_NOT_COPIED = shutil.ignore_patterns(
    ".*",
    "node_modules",
    "build",
    "_build",
    "dist",
    "*.egg-info",
    "__pycache__",
    "_trial_temp*",
    "_native*.so",
    "_native.c",
    "_tls.c",
    "_tls*.so",
    "*.o",
)


def is_made(name: str) -> bool:
    """Whether this file of the webroot is data that building makes."""
    return name.startswith(("block/", "data/")) or name == "index.html"


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python process in *folder*."""
    return processes.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def wheel(checkout: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel of *checkout* into *folder*, with the setuptools that are here."""
    command = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    return run(checkout, *command, **environment)


class Built:
    """One build of both, from a copy of this checkout; removed when the process ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        atexit.register(shutil.rmtree, self.folder)
        self.checkout = self.folder / "checkout"
        shutil.copytree(ROOT, self.checkout, ignore=_NOT_COPIED)
        shutil.copytree(ROOT / ".ci", self.checkout / ".ci")
        self.installed = self.folder / "installed"
        #: A compiler that does not optimize, which takes a third of the time.
        self.compiler = self.folder / "cc"
        self.compiler.write_text('#!/bin/sh\nexec gcc "$@" -O0\n')
        self.compiler.chmod(0o755)
        required = {"EDGE_REQUIRE_NATIVE": "1", "CC": str(self.compiler)}
        built = wheel(self.checkout, self.folder / "wheel", **required)
        if built.returncode:
            raise AssertionError(built.stdout + built.stderr)
        with zipfile.ZipFile(next((self.folder / "wheel").glob("*.whl"))) as archive:
            archive.extractall(self.installed)
            self.wheel = {name for name in archive.namelist() if not name.endswith("/")}
        packed = run(self.checkout, "setup.py", "-q", "sdist", "-d", str(self.folder / "sdist"))
        if packed.returncode:
            raise AssertionError(packed.stderr)
        with tarfile.open(next((self.folder / "sdist").glob("*.tar.gz"))) as source:
            self.source = {name.partition("/")[2] for name in source.getnames()}


build = cache(Built)


class PackagingTests(SynchronousTestCase):
    """Wheel and source distribution."""

    def setUp(self) -> None:
        built = build()
        self.folder, self.checkout, self.compiler = built.folder, built.checkout, built.compiler
        self.installed, self.wheel, self.source = built.installed, built.wheel, built.source

    def names(self, folder: Path) -> set[str]:
        """All files under *folder* but what Python has compiled there."""
        files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {str(path.relative_to(folder)) for path in files}

    def test_the_wheel_has_every_module(self) -> None:
        for package in ("edge", "loadgen"):
            modules = {
                f"{package}/{path.relative_to(ROOT / package)}" for path in (ROOT / package).rglob("*.py")
            }
            self.assertGreater(len(modules), 1)
            self.assertEqual(modules - self.wheel, set())

    def test_the_wheel_has_the_native_builds_and_not_their_sources(self) -> None:
        libraries = sorted(name.partition(".")[0] for name in self.wheel if ".so" in name)
        self.assertEqual(
            libraries, ["edge/_native", "edge/_tls", "loadgen/wire/_native", "loadgen/wire/_tls"]
        )
        self.assertEqual([name for name in self.wheel if name.endswith((".c", ".h", ".o"))], [])

    def test_the_wheel_has_the_demonstration_site_whole(self) -> None:
        self.assertEqual(
            self.names(self.installed / "edge" / "webroot"), self.names(self.checkout / "webroot")
        )

    def test_the_wheel_has_what_modules_read_beside_them(self) -> None:
        self.assertLessEqual(
            {
                "edge/py.typed",
                "edge/node/resources/dashboard.html",
                "edge/node/resources/dashboard.css",
                "edge/node/resources/dashboard.js",
                "edge/node/resources/client.html",
                "edge/node/resources/client.css",
                "edge/node/resources/client.js",
            },
            self.wheel,
        )

    def test_the_wheel_adds_one_file_to_twisted_and_nothing_else(self) -> None:
        others = {name for name in self.wheel if not name.startswith(("edge/", "loadgen/", "twistd_edge-"))}
        self.assertEqual(others, {"twisted/plugins/edge_plugin.py"})

    def test_the_source_distribution_has_all_to_build_and_test(self) -> None:
        made = {f"webroot/{name}" for name in self.names(self.checkout / "webroot") if is_made(name)}
        for folder in (
            "edge/fastpath/src",
            "loadgen/wire/src",
            "webroot",
            "tests",
            "ops",
            "tools",
            "benchmarks",
            "docs",
        ):
            wanted = {
                f"{folder}/{name}"
                for name in self.names(self.checkout / folder)
                if "/build/" not in f"/{name}" and f"{folder}/{name}" not in made
            }
            self.assertEqual(wanted - self.source, set())
        self.assertLessEqual({"Makefile", "LICENSE", "pyproject.toml", "setup.py", ".ci/run"}, self.source)
        self.assertEqual([name for name in self.source if name.endswith((".o", ".so", ".pyc"))], [])

    def test_installed_it_serves_its_own_copy_of_the_site(self) -> None:
        ended = run(
            self.folder,
            "-c",
            "from twisted.scripts.twistd import run; run()",
            *("edge", "--check", "--state-dir", str(self.folder / "s"), "--fast-path", "native"),
            "--listen=tcp:0:interface=127.0.0.1",
            PYTHONPATH=str(self.installed),
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn(f"webroot    {self.installed / 'edge' / 'webroot'}", ended.stdout)

    def test_without_a_compiler_it_is_built_without_the_native_part(self) -> None:
        # Otherwise setuptools takes what it built before.
        shutil.rmtree(self.checkout / "build")
        built = wheel(self.checkout, self.folder / "pure", CC="/bin/false")
        self.assertEqual(built.returncode, 0, built.stderr)
        with zipfile.ZipFile(next((self.folder / "pure").glob("*.whl"))) as archive:
            names = archive.namelist()
        self.assertIn("edge/fastpath/twin.py", names)
        self.assertEqual([name for name in names if ".so" in name], [])

    def test_native_parts_that_fail_leave_the_other(self) -> None:
        """Headers of the wire and of TLS are broken, as where OpenSSL has none: the fast path is built."""
        headers = [self.checkout / "loadgen/wire/src" / name for name in ("wire_link.h", "wire_tls_client.h")]
        headers.append(self.checkout / "edge/tls/src/edge_tls_suite.h")
        whole = [header.read_text() for header in headers]
        for header in headers:
            header.write_text("#error broken")
        try:
            folder = self.folder / "half"
            command = ["setup.py", "build_ext", "-f", f"-b{folder}", f"-t{self.folder / 't'}"]
            built = run(self.checkout, *command, CC=str(self.compiler))
        finally:
            for header, text in zip(headers, whole, strict=True):
                header.write_text(text)
        self.assertEqual(built.returncode, 0, built.stderr)
        self.assertIn("The native wire of loadgen could not be built", built.stderr)
        self.assertIn("The native TLS of twistd edge could not be built", built.stderr)
        self.assertNotIn("The native fast path of twistd edge could not", built.stderr)
        libraries = [path.relative_to(folder).as_posix() for path in folder.rglob("*.so")]
        self.assertEqual([name.partition(".")[0] for name in libraries], ["edge/_native"])

    def test_without_a_compiler_it_says_what_to_install(self) -> None:
        built = run(self.checkout, "setup.py", "build_ext", "-f", f"-b{self.folder / 'b'}", CC="/bin/false")
        self.assertEqual(built.returncode, 0)
        for what in (
            "The native fast path of twistd edge",
            "The native TLS of twistd edge",
            "The native wire of loadgen",
        ):
            self.assertIn(f"{what} could not be built", built.stderr)
        self.assertIn("apt-get install gcc python3-dev", built.stderr)
        self.assertIn("apt-get install gcc libssl-dev python3-dev", built.stderr)

    def test_where_the_native_part_is_required_its_failure_is_an_error(self) -> None:
        command = ["setup.py", "-q", "build_ext", "-f", f"-b{self.folder / 'b'}"]
        built = run(self.checkout, *command, CC="/bin/false", EDGE_REQUIRE_NATIVE="1")
        self.assertEqual(built.returncode, 1)
