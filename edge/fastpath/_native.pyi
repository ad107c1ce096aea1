"""The compiled module, as far as types go: what it declares stands in build.py."""

from typing import Any

ffi: Any
lib: Any
