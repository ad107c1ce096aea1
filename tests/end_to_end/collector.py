"""A collector for tests, in a process of its own: OTLP over HTTP, spans decoded by opentelemetry-proto.

``python -m tests.end_to_end.collector FILE PORT MANNER`` says its port and writes each span to FILE, a line
of JSON.  MANNER is how it answers, see :data:`MANNERS`.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests import processes

#: takes: as it should.  refuses: 400.  leads: elsewhere.  garbage: bytes that are no answer to anything.
#: endless: an answer that never ends.  silent: none.  partly: says that it has refused one.
MANNERS = ("takes", "refuses", "leads", "garbage", "endless", "silent", "partly")
KINDS = {2: "server", 3: "client"}


def plain(value: Any) -> Any:
    """A value of an attribute."""
    return getattr(value, value.WhichOneof("value"))


def spans_of(message: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    """The spans of a request, as JSON has them."""
    return [
        {
            "trace": span.trace_id.hex(),
            "span": span.span_id.hex(),
            "parent": span.parent_span_id.hex(),
            "state": span.trace_state,
            "name": span.name,
            "kind": KINDS.get(span.kind, span.kind),
            "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
            "start": span.start_time_unix_nano,
            "error": span.status.code == 2,
            "attributes": {one.key: plain(one.value) for one in span.attributes},
            "resource": {one.key: plain(one.value) for one in resource.resource.attributes},
        }
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        message = ExportTraceServiceRequest.FromString(body)
        manner = self.server.manner
        if manner in ("takes", "partly"):
            self.server.keep(self.path, self.headers.get("X-Key", ""), message)
        if manner == "silent":
            time.sleep(processes.PATIENCE)
        elif manner == "garbage":
            self.wfile.write(b"\x00\xff SSH-2.0-nothing\r\n" * 100)
            self.close_connection = True
        elif manner == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                self.wfile.write(bytes(65536))
        elif manner == "refuses":
            self.answer(400, b"")
        elif manner == "leads":
            self.answer(307, b"", [("Location", "http://127.0.0.1:1/elsewhere")])
        elif manner == "partly" and message.resource_spans:
            answer = ExportTraceServiceResponse()
            answer.partial_success.rejected_spans = 1
            answer.partial_success.error_message = "too many"
            self.answer(200, answer.SerializeToString())
        else:
            self.answer(200, b"")

    def answer(self, status: int, body: bytes, fields: list[tuple[str, str]] | None = None) -> None:
        self.send_response(status)
        for name, value in fields or ():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """The process."""

    daemon_threads = True

    def __init__(self, file: Path, port: int, manner: str) -> None:
        self.file, self.manner = file, manner
        super().__init__(("127.0.0.1", port), Handler)

    def keep(self, path: str, key: str, message: ExportTraceServiceRequest) -> None:
        lines = [json.dumps({**span, "path": path, "key": key}) + "\n" for span in spans_of(message)]
        with self.file.open("a") as file:
            file.write("".join(lines))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked has gone."""


class Collector:
    """The process, as a test sees it."""

    def __init__(self, file: Path, port: int = 0, manner: str = "takes") -> None:
        self.file = file
        self.process: subprocess.Popen[bytes] = processes.start(
            [sys.executable, "-m", "tests.end_to_end.collector", str(file), str(port), manner],
            stdout=subprocess.PIPE,
        )
        self.port = int(processes.first_line(self.process))
        self.url = f"http://127.0.0.1:{self.port}"

    def spans(self) -> list[dict[str, Any]]:
        """What it has been sent so far."""
        lines = self.file.read_text().split("\n")[:-1] if self.file.exists() else []
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(processes.PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def main() -> None:
    """Serve until killed."""
    server = Server(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
