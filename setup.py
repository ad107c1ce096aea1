"""What setup.cfg cannot say: the native modules are optional, and the demonstration site comes along.

The smart client is minified here as well.  Of native modules
there are four: the fast path of the node and its TLS, the wire of the load generator and its TLS.  Each may
fail to build: then the package is installed without it, its Python twin (of the node's TLS: Twisted's) serves
instead, and the node says so when it starts.  With EDGE_REQUIRE_NATIVE=1 a failure is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

# Builds import what they share from this tree, also where it is not installed yet.
sys.path.insert(0, str(Path(__file__).parent))

NOTE = """
***************************************************************************************
{what} could not be built:
    {error}
It works without, several times slower.  To have it, install {needs}
and Python's headers (Debian: apt-get install {packages} python3-dev), and install again.
***************************************************************************************
"""
#: What each native module is, what its build needs, and the packages of Debian that bring it.
WHAT = {
    "edge._native": ("The native fast path of twistd edge", "a C compiler", "gcc"),
    "edge._tls": ("The native TLS of twistd edge", "a C compiler, OpenSSL's headers", "gcc libssl-dev"),
    "loadgen.wire._tls": ("The native TLS of loadgen", "a C compiler, OpenSSL's headers", "gcc libssl-dev"),
    "loadgen.wire._native": ("The native wire of loadgen", "a C compiler", "gcc"),
}


class OptionalBuild(build_ext):
    """Builds what can be built."""

    def run(self) -> None:
        super().run()
        self._minify_client()

    def _minify_client(self) -> None:
        """The client's scripts, where there is a minifier; else they are published as they are."""
        from edge.publish import minifying
        from edge.publish.client import files_of

        try:
            minifying.build(lambda small: files_of(Path("webroot"), small))
        except ImportError:
            minifying.MADE.unlink(missing_ok=True)
            return
        if not self.inplace and not self.editable_mode:
            target = Path(self.build_lib, "edge", "publish", minifying.MADE.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(minifying.MADE, target)

    def build_extension(self, extension: Any) -> None:
        required = os.environ.get("EDGE_REQUIRE_NATIVE") == "1"
        # Tells setuptools, too, that there may be no file to copy afterwards.
        extension.optional = not required
        try:
            super().build_extension(extension)
        except Exception as error:  # a missing compiler, header, linker: each has its own exception
            if required:
                raise
            # What an earlier build left does not belong to these sources.
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            what, needs, packages = WHAT[extension.name]
            print(NOTE.format(what=what, error=error, needs=needs, packages=packages), file=sys.stderr)


class BuildWithSite(build_py):
    """Copies webroot/, with the data of its pages, to edge/webroot/ in the wheel."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            from ops.unicode_site import build

            build(Path("webroot"))
            shutil.copytree("webroot", Path(self.build_lib, "edge", "webroot"), dirs_exist_ok=True)


setup(
    cffi_modules=[
        "edge/fastpath/build.py:ffibuilder",
        "edge/tls/build.py:ffibuilder",
        "loadgen/wire/build.py:ffibuilder",
        "loadgen/wire/build_tls.py:ffibuilder",
    ],
    cmdclass={"build_ext": OptionalBuild, "build_py": BuildWithSite},
)
