"""Builds the native wire of the load generator: plain C11 behind cffi's API mode.

``setup.py`` names :data:`ffibuilder` in ``cffi_modules``; the result is ``loadgen.wire._native``.  Of the
node's sources it shares ``edge_request.c`` alone: spans of bytes, and how field lines and lists are taken
apart (RFC 9110 section 5).
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).parents[2]
SOURCES = "loadgen/wire/src"
SHARED = "edge/fastpath/src"


def files(folder: str, ending: str) -> list[str]:
    """The files of *folder*, by a glob, as setuptools wants them."""
    return [f"{folder}/{path.name}" for path in sorted((ROOT / folder).glob(ending))]


def declarations(name: str) -> str:
    """The header as cffi reads it: without what is the preprocessor's."""
    lines = (ROOT / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


ffibuilder = FFI()
ffibuilder.cdef(declarations(f"{SOURCES}/wire_client.h"))
# For the test that compares it with its twin.
ffibuilder.cdef(
    """
    typedef struct { const uint8_t *bytes; size_t length; } edge_span;
    typedef struct {
        int64_t age;
        uint16_t status;
        uint8_t closing, counted, weak, coding, later, etag_length, modified_length, etag[63], modified[31];
        ...;
    } wire_reply;
    typedef enum {
        WIRE_REPLY_MORE, WIRE_REPLY_BODY, WIRE_REPLY_DONE, WIRE_REPLY_GARBAGE, WIRE_REPLY_TOO_LARGE
    } wire_reply_verdict;
    void wire_reply_begin(wire_reply *reply, uint64_t body_limit, int head_only);
    wire_reply_verdict wire_reply_read(wire_reply *reply, edge_span *in, edge_span *body);
    int wire_reply_ended(wire_reply *reply);
    int64_t wire_reply_max_age(const wire_reply *reply);
    """
)
ffibuilder.set_source(
    "loadgen.wire._native",
    """
    #include "wire_client.h"
    #include "wire_reply.h"
    """,
    sources=[*(one for one in files(SOURCES, "*.c") if "tls" not in one), f"{SHARED}/edge_request.c"],
    include_dirs=[SOURCES, SHARED],
    depends=[*files(SOURCES, "*.h"), f"{SHARED}/edge_request.h", f"{SHARED}/edge_variant.h"],
    define_macros=[("_GNU_SOURCE", "1")],
    extra_compile_args=["-std=c11", "-O2", "-fno-plt", "-fvisibility=hidden", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
