"""The native build of the fast path, and nothing else: metadata is in setup.cfg.

Without a working C compiler the installation goes on without it: the Python twin serves then.  Set
EDGE_REQUIRE_NATIVE=1 to make a missing native build an error.
"""

import os
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError


class OptionalNativeBuild(build_ext):
    """Compiles; a failure is reported and, unless told otherwise, forgiven."""

    def build_extension(self, extension: Extension) -> None:
        try:
            super().build_extension(extension)
        except (BaseError, CCompilerError, OSError) as error:
            if os.environ.get("EDGE_REQUIRE_NATIVE") == "1":
                raise
            print(
                f"warning: {extension.name} was not built ({error}); "
                "the Python twin of the fast path will serve, at a multiple of the CPU time",
                file=sys.stderr,
            )

    def copy_extensions_to_source(self) -> None:
        """For an editable installation: only what was built."""
        self.extensions = [one for one in self.extensions if self._is_built(one)]
        super().copy_extensions_to_source()

    def get_outputs(self) -> list[str]:
        """Only what was built is installed."""
        return [path for path in super().get_outputs() if os.path.exists(path)]

    def get_output_mapping(self) -> dict[str, str]:
        """Only what was built is mapped."""
        return {
            built: source for built, source in super().get_output_mapping().items() if os.path.exists(built)
        }

    def _is_built(self, extension: Extension) -> bool:
        name = self.get_ext_filename(self.get_ext_fullname(extension.name))
        return os.path.exists(os.path.join(self.build_lib, name))


setup(
    cffi_modules=["edge/fastpath/build.py:ffibuilder"],
    cmdclass={"build_ext": OptionalNativeBuild},
)
