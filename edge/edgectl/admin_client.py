"""HTTP to a node's admin socket: what ``edgectl`` asks, and clear words for what goes wrong."""

from __future__ import annotations

import http.client
import json
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.errors import EdgeError

#: A publish of a large folder may compress for minutes.
TIMEOUT = 600.0


class AdminError(EdgeError):
    """The node could not be asked, or refused."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Overrides: connects to the path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class AdminClient:
    """A client of the admin API.

    *endpoint*: ``unix:PATH``; or, with a token file, ``tcp:PORT[:interface=ADDRESS]`` or ``http://ADDRESS:PORT``.
    """

    def __init__(self, endpoint: str, token_file: Path | None = None, timeout: float = TIMEOUT) -> None:
        self._endpoint = endpoint
        self._token_file = token_file
        self._timeout = timeout

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer; :exc:`AdminError`."""
        return self._decoded(self.ask_text(method, path, body))

    def ask_text(self, method: str, path: str, body: object = None) -> bytes:
        """The body of the answer; :exc:`AdminError`."""
        connection = self._connection()
        headers = {"Content-Type": "application/json", **self._authorization()}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except FileNotFoundError:
            raise AdminError(
                f"{self._endpoint}: there is no such socket; is the node running? {_WHERE}"
            ) from None
        except ConnectionRefusedError:
            raise AdminError(
                f"{self._endpoint}: nobody listens there; is the node running? {_WHERE}"
            ) from None
        except PermissionError:
            raise AdminError(
                f"{self._endpoint}: you may not use this socket; be the user that runs the node, or root"
            ) from None
        except TimeoutError:
            raise AdminError(f"{self._endpoint}: no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise AdminError(f"{self._endpoint}: no usable answer: {error!r}") from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise AdminError(self._reason(answer.status, text))
        return text

    def _connection(self) -> http.client.HTTPConnection:
        kind, _, rest = self._endpoint.partition(":")
        if kind == "unix" and rest:
            return _UnixConnection(rest.removeprefix("path=").split(":")[0], self._timeout)
        port, _, more = rest.partition(":")
        if kind == "tcp" and port.isdigit():
            host = more.removeprefix("interface=").replace("\\:", ":") or "127.0.0.1"
            return http.client.HTTPConnection(host, int(port), timeout=self._timeout)
        if url := re.fullmatch(r"http://(\[[0-9A-Fa-f:]+\]|[0-9A-Za-z.-]+):([0-9]{1,5})/?", self._endpoint):
            return http.client.HTTPConnection(url[1].strip("[]"), int(url[2]), timeout=self._timeout)
        raise AdminError(f"{self._endpoint}: not an admin endpoint; give unix:PATH or tcp:PORT")

    def _authorization(self) -> dict[str, str]:
        if self._token_file is None or self._endpoint.startswith("unix:"):
            return {}
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except OSError as error:
            raise AdminError(
                f"{self._token_file}: the admin token cannot be read: {error.strerror}; is the node running, "
                "and may this user read its state directory? --token-file names another file"
            ) from None

    def _decoded(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise AdminError(
                f"{self._endpoint}: that is not the admin socket of a node: {text[:60]!r}"
            ) from None

    def _reason(self, status: int, text: bytes) -> str:
        try:
            return str(json.loads(text)["error"])
        except (ValueError, KeyError, TypeError):
            return f"{self._endpoint}: refused with status {status}: {text[:200].decode('latin-1').strip()}"


_WHERE = "(--admin ENDPOINT or --state-dir DIR says where to look)"


def default_endpoint(state_dir: str | None, node: str) -> tuple[str, Path]:
    """(endpoint, token file) of the node with this state directory: as usual, else as it tells there."""
    from edge.config import default_state_dir

    directory = Path(state_dir) if state_dir else default_state_dir(node)
    usual, told = directory / "admin.sock", None
    if not usual.exists():
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads((directory / "listening.json").read_text())["admin"]
    return told if isinstance(told, str) else f"unix:{usual}", directory / "admin.token"
