"""Builds the native wire's TLS: C11 over the system's libssl and libcrypto, behind cffi's API mode.

``setup.py`` names :data:`ffibuilder` in ``cffi_modules``; the result is ``loadgen.wire._tls``, a module
beside ``loadgen.wire._native``, which so needs no OpenSSL.  Of the node's sources it shares two.
"""

from __future__ import annotations

from cffi import FFI

from loadgen.wire.build import SOURCES, declarations, files

#: Of the node's TLS: HKDF, and the library context whose key schedule is faster than libcrypto's own.
_SHARED = "edge/tls/src"

ffibuilder = FFI()
ffibuilder.cdef(
    """
    typedef struct wire_tls wire_tls;
    typedef struct wire_tls_link wire_tls_link;
    typedef enum { WIRE_TLS_DONE, WIRE_TLS_RECEIVE, WIRE_TLS_SEND, WIRE_TLS_FAILED } wire_tls_progress;
    typedef struct { ...; } wire_tls_functions;
    """
)
ffibuilder.cdef(declarations(f"{SOURCES}/wire_tls_client.h"))
ffibuilder.cdef("const char *OpenSSL_version(int what);")
ffibuilder.set_source(
    "loadgen.wire._tls",
    """
    #include <openssl/crypto.h>
    #include "wire_tls_client.h"
    #if OPENSSL_VERSION_NUMBER < 0x30000000L
    #error "OpenSSL 3.0 or newer is needed"
    #endif
    """,
    sources=[
        *files(SOURCES, "wire_tls*.c"),
        *files(_SHARED, "edge_tls_hkdf.c"),
        *files(_SHARED, "edge_tls_library.c"),
    ],
    include_dirs=[SOURCES, _SHARED],
    depends=[
        *files(SOURCES, "wire_tls*.h"),
        *files(_SHARED, "edge_tls_hkdf.h"),
        *files(_SHARED, "edge_tls_library.h"),
    ],
    libraries=["ssl", "crypto"],
    define_macros=[("_GNU_SOURCE", "1")],
    extra_compile_args=["-std=c11", "-O2", "-fno-plt", "-fvisibility=hidden", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
