"""Makes the environment that the Makefile uses: ``python3 tools/make_venv.py DIR``.

The project is installed from this checkout, editable, so that edits count at once; ``compat`` mode puts
the checkout itself on the path, where Twisted looks for ``twisted/plugins``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.system import ensure

ROOT = Path(__file__).parents[1]


def main(directory: str) -> int:
    """0, or 1 with what is wrong."""
    if sys.version_info < (3, 10):  # noqa: UP036  the one file that an older Python may be asked to run
        print(
            f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.x",
            file=sys.stderr,
        )
        return 1
    venv = ROOT / directory
    if not _has_venv():
        ensure(
            {f"python{sys.version_info[0]}.{sys.version_info[1]}-venv": "python3-venv"},
            "to make environments",
        )
    ensure({"gcc": "gcc", "make": "make"}, "for the native fast path; without it the Python twin serves")
    python = venv / "bin" / "python"
    if not python.exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False)
        if made.returncode:
            print("no virtual environment: install python3-venv, or use another PYTHON", file=sys.stderr)
            return 1
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    for arguments in (
        ["setuptools>=68", "wheel", "cffi>=1.16"],
        ["--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable", ".[test]"],
    ):
        if subprocess.run([*pip, *arguments], cwd=ROOT, check=False).returncode:
            print("the installation failed, see above; is PyPI reachable?", file=sys.stderr)
            return 1
    return 0


def _has_venv() -> bool:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ".venv"))
