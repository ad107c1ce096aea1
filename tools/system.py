"""Programs that do not come from PyPI: installed with apt-get where we may, asked for where not.

Everything under ``tools/`` runs with the machine's own Python, before there is an environment: it
needs the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"


class Need(NamedTuple):
    """Something that must be on the machine."""

    #: A program, "venv", "Python.h", a header of the system ("openssl/ssl.h") or a file ("/etc/mime.types").
    what: str
    #: The Debian packages that bring it.
    packages: str

    def is_there(self) -> bool:
        """Whether it is."""
        if self.what == "venv":
            # In a process of its own: what was not importable before stays so in this one.
            program = [sys.executable, "-c", "import ensurepip, venv"]
            return subprocess.run(program, check=False, capture_output=True).returncode == 0
        if self.what == "Python.h":
            return Path(sysconfig.get_path("include"), "Python.h").exists()
        if self.what.startswith("/"):
            return Path(self.what).exists()
        if self.what.endswith(".h"):
            return any(Path(folder, self.what).exists() for folder in ("/usr/include", "/usr/local/include"))
        folders = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
        return bool(shutil.which(self.what) or shutil.which(self.what, path=os.pathsep.join(folders)))


VENV = Need("venv", f"{_PYTHON}-venv")
#: What compiles C code for Python; gcc brings the sanitizers along.
COMPILER = (Need("gcc", "gcc libc6-dev"), Need("Python.h", f"{_PYTHON}-dev"))
#: What runs the smart client: pages in a browser, and programs that drive it.
BROWSER = (Need("node", "nodejs"), Need("npm", "npm"), Need("chromium", "chromium"))
#: Installs what those programs import.
NPM_CI = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
#: Databases that the tests of the demonstration start, each in a directory of theirs.
DATABASES = (Need("initdb", "postgresql"), Need("redis-server", "redis-server"))
#: What nodes are compared with and stand behind; its module speaks the PROXY protocol.
NGINX = (
    Need("nginx", "nginx-light"),
    Need("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream"),
)
#: What native TLS is compiled with.
OPENSSL = Need("openssl/ssl.h", "libssl-dev")

#: Seconds for one command of apt-get: a mirror that does not answer is not waited for.
INSTALL_SECONDS = 900


def ensure(needs: Sequence[Need], why: str) -> list[str]:
    """Install what is missing, when this is a Debian machine and we are root.

    Returns what is missing still, having said how to get it.
    """
    missing = [need for need in needs if not need.is_there()]
    if not missing:
        return []
    packages = sorted({package for need in missing for package in need.packages.split()})
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {', '.join(packages)} ({why})", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        for command in (["apt-get", "update", "-qq"], install):
            try:
                quiet = subprocess.DEVNULL
                subprocess.run(command, env=environment, stdout=quiet, check=False, timeout=INSTALL_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{' '.join(command)} has not ended after {INSTALL_SECONDS} seconds", file=sys.stderr)
    still = [need.what for need in missing if not need.is_there()]
    if still:
        remedy = f"on Debian: apt-get install {' '.join(packages)}"
        print(f"missing: {', '.join(still)} ({why}); {remedy}", file=sys.stderr)
    return still
