"""Makes the environment that the Makefile uses: ``python3 tools/make_venv.py DIR [EXTRAS]``.

The project is installed from this checkout, editable, so that edits count at once, the native fast path is
built in place, and the data of the demonstration site is made.  *EXTRAS*, like
``test,docs``, are those of setup.cfg.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.system import COMPILER, OPENSSL, VENV, ensure

ROOT = Path(__file__).resolve().parents[1]
# What pyproject.toml says of building: installed for good, each build starts at once then.
BUILD = ("setuptools>=68", "wheel", "cffi>=1.16", "tdewolff-minify>=2.20")
#: The native modules: the fast path of the node and its TLS, the wire of the load generator.
NATIVE = ("edge._native", "edge._tls", "loadgen.wire._native", "loadgen.wire._tls")
_LOOK = "import sys; from importlib import import_module; [import_module(name) for name in sys.argv[1:]]"


def main(directory: str, extras: str = "") -> int:
    """0, or 1 having said what is wrong."""
    if sys.version_info < (3, 10):  # noqa: UP036  the one file that an older Python may be asked to run
        version = sys.version.split()[0]
        print(f"Python 3.10 or newer is needed, this is {version}: make PYTHON=python3.x", file=sys.stderr)
        return 1
    python = ROOT / directory / "bin" / "python"
    if not python.exists():
        if ensure([VENV], "to make environments"):
            return 1
        if subprocess.run([sys.executable, "-m", "venv", str(ROOT / directory)], check=False).returncode:
            print(f"no environment could be made in {directory}, see above", file=sys.stderr)
            return 1
    ensure([*COMPILER, OPENSSL], "for the native modules")
    for name in NATIVE:
        module = ROOT / name.replace(".", "/")
        for old in (
            *module.parent.glob(f"{module.name}.*so"),
            module.with_suffix(".c"),
            module.with_suffix(".o"),
        ):
            old.unlink(missing_ok=True)
    project = f".[{','.join(filter(None, ('loadgen', 'demonstration', extras)))}]"
    print(f"installing into {directory}: a minute or so", flush=True)
    for arguments in (BUILD, ("--no-build-isolation", "--editable", project)):
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq", *arguments]
        if subprocess.run(pip, cwd=ROOT, check=False).returncode:
            print("the installation failed, see above; can pip reach its package index?", file=sys.stderr)
            return 1
    if not has_native(python):
        print(
            "A native module is missing: its Python twin will serve, several times slower.\n"
            f"Why it could not be built says: {directory}/bin/python setup.py build_ext --inplace",
            file=sys.stderr,
        )
    # Twisted notes the plugin, so that the first start need not write.
    plugins = "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
    subprocess.run([str(python), "-c", plugins], cwd=ROOT, check=False, capture_output=True)
    subprocess.run([str(python), "-m", "ops.unicode_site"], cwd=ROOT, check=False)
    return 0


def has_native(python: Path) -> bool:
    """Whether the environment of *python* exists and has native modules that load."""
    if not python.exists():
        return False
    return (
        subprocess.run(
            [str(python), "-c", _LOOK, *NATIVE], cwd=ROOT, check=False, stderr=subprocess.DEVNULL
        ).returncode
        == 0
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
