"""The access log: one line per request, written by a thread, so that no request ever waits for a disk.

Lines wait in a bounded queue.  When the disk is slower than the requests, lines are dropped and
counted; the count is reported, once a minute at most, as are failures to write.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

from twisted.logger import Logger

from edge.errors import ConfigError

#: Lines that wait for the disk at most, about 4 MB.
QUEUE_LINES = 20_000
#: Seconds between two reports of the same trouble.
REPORT_SECONDS = 60.0

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: at (Unix seconds), peer, method, target, status, bytes sent, fields besides -> one line.
Format = Callable[[float, str, bytes, bytes, int, int, dict[str, object]], str]


def json_line(
    at: float, address: str, method: bytes, target: bytes, status: int, sent: int, more: dict[str, object]
) -> str:
    """One request as a JSON object; bytes outside ASCII and controls are escaped, so a line stays a line."""
    record = {
        "time": round(at, 3),
        **more,
        "peer": address,
        "method": method.decode("latin-1"),
        "target": target.decode("latin-1"),
        "status": status,
        "bytes": sent,
    }
    return json.dumps(record, separators=(",", ":"))


def common_line(
    at: float, address: str, method: bytes, target: bytes, status: int, sent: int, more: dict[str, object]
) -> str:
    """One request in the Common Log Format.

    Quotes, backslashes, controls and bytes outside ASCII become ``\\xNN``.
    """
    now = time.gmtime(at)
    when = time.strftime(f"%d/{_MONTHS[now.tm_mon - 1]}/%Y:%H:%M:%S", now)  # %b would follow the locale
    request = _escaped(method + b" " + target + b" HTTP/1.1")
    return f'{address or "-"} - - [{when} +0000] "{request}" {status} {sent}'


def _escaped(text: bytes) -> str:
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in text
    )


def _for_user_and_group(path: str, flags: int) -> int:
    """An opener for :func:`open`: addresses of clients are not for everybody."""
    return os.open(path, flags, 0o640)


FORMATS: dict[str, Format] = {"json": json_line, "clf": common_line}


def open_access_log(path: str) -> IO[str]:
    """The file *path* for appending, standard output for ``-``; :exc:`ConfigError` if it cannot be opened."""
    if path == "-":
        return sys.stdout
    try:
        return open(path, "a", encoding="ascii", errors="backslashreplace", opener=_for_user_and_group)
    except OSError as error:
        raise ConfigError(
            f"access-log {path}: cannot be opened: {error.strerror}; name a file in a directory "
            "that this user may write, or - for standard output"
        ) from None


def try_access_log(path: str) -> None:
    """:exc:`ConfigError` if the access log *path* cannot be opened."""
    file = open_access_log(path)
    if file is not sys.stdout:
        file.close()


class AccessLog:
    """The access log in the file *path*, or on standard output for ``-``.

    While it cannot be opened, lines are dropped; it is tried again with each that comes.

    :param clock: seconds; called in the writing thread, too.
    :param node: fields that every JSON line carries.
    :param open_file: opens it, in the writing thread; :exc:`ConfigError` if that is impossible.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        clock: Callable[[], float],
        log_format: str = "json",
        node: dict[str, object] | None = None,
        open_file: Callable[[str], IO[str]] = open_access_log,
    ) -> None:
        self._path = path
        self._open_file = open_file
        self._format = FORMATS[log_format]
        self._node = node or {}
        self._clock = clock
        self._lines: deque[str] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._reopening = True
        #: Lines that were not written for want of room or of disk.
        self.dropped = 0
        self._reported: float | None = None
        self._file: IO[str] | None = None
        self._thread = threading.Thread(target=self._write_all, name="access log", daemon=True)
        self._thread.start()

    def record(
        self, at: float, address: str, method: bytes, target: bytes, status: int, sent: int, tls: str = ""
    ) -> None:
        """Write down one answer; never blocks, never raises.  *tls*: protocol and cipher suite, or ""."""
        more = {**self._node, "tls": tls} if tls else self._node
        line = self._format(at, address, method, target, status, sent, more)
        with self._wake:
            if len(self._lines) >= QUEUE_LINES:
                self.dropped += 1
            else:
                self._lines.append(line)
                self._wake.notify()
        if self.dropped:
            self._report("the disk is slower than the requests")

    def reopen(self) -> None:
        """After the file was renamed (log rotation): go on in a new one."""
        with self._wake:
            self._reopening = True
            self._wake.notify()

    def close(self) -> None:
        """Writes what waits, for two seconds at most, and closes."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(2.0)

    def _write_all(self) -> None:
        while True:
            with self._wake:
                while not (self._lines or self._closing or self._reopening):
                    self._wake.wait()
                lines, self._lines = self._lines, deque()
                reopening, self._reopening = self._reopening, False
                closing = self._closing
            if reopening and self._file is None:
                self._reopen()
                reopening = False
            self._write(lines)
            if reopening:
                self._reopen()
            if closing and not self._lines:
                self._close_file()
                return

    def _write(self, lines: deque[str]) -> None:
        if not lines:
            return
        try:
            if self._file is None:
                self._file = self._open_file(self._path)
            self._file.write("\n".join(lines) + "\n")
            self._file.flush()
        except (OSError, ValueError, ConfigError) as error:
            self.dropped += len(lines)
            self._report(str(error))

    def _reopen(self) -> None:
        self._close_file()
        try:
            self._file = self._open_file(self._path)
        except ConfigError as error:
            self._file = None
            self._report(str(error))

    def _close_file(self) -> None:
        if self._file is not None and self._file is not sys.stdout:
            try:
                self._file.close()
            except OSError as error:
                self._report(str(error))
        self._file = None if self._path != "-" else self._file

    def _report(self, why: str) -> None:
        now = self._clock()
        if self._reported is None or now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._log.warn(
                "access log {path}: {dropped} lines dropped so far: {why}",
                path=self._path,
                dropped=self.dropped,
                why=why,
            )
