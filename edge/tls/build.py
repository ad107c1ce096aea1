"""The build of native TLS: C11 over the system's libssl and libcrypto, behind cffi's API mode.

``setup.py`` names :data:`ffibuilder` in ``cffi_modules``; the result is ``edge._tls``, a module beside
``edge._native``, which so needs no OpenSSL.  The declarations repeat what Python calls of the headers.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).parents[2]
SOURCES = "edge/tls/src"


def _files(ending: str) -> list[str]:
    return [f"{SOURCES}/{path.name}" for path in sorted((ROOT / SOURCES).glob(ending))]


ffibuilder = FFI()
ffibuilder.cdef(
    """
    typedef struct edge_tls edge_tls;
    typedef struct edge_tls_context edge_tls_context;
    typedef struct edge_tls_handshake edge_tls_handshake;
    typedef uint32_t edge_tls_state;

    typedef struct {
        size_t consumed, written;
        int sends, received;
        bool closed, owes;
        uint32_t updates;
    } edge_tls_opened;
    typedef enum { EDGE_TLS_INCOMPLETE, EDGE_TLS_RECOGNISED, EDGE_TLS_LET_GO } edge_tls_recognition;
    typedef enum { EDGE_TLS_RECEIVE, EDGE_TLS_DONE, EDGE_TLS_FAILED } edge_tls_progress;
    typedef struct {
        edge_tls_state state;
        size_t consumed;
        const uint8_t *output;
        size_t length;
        int sends, received;
        uint16_t group;
        bool resumed;
        const uint8_t *name;
        size_t name_length;
    } edge_tls_outcome;
    typedef struct {
        edge_tls_recognition (*recognise)(edge_tls *tls, const uint8_t *in, size_t length);
        edge_tls_handshake *(*begin)(edge_tls *tls, edge_tls_context *context, const uint8_t *in,
                                     size_t length);
        edge_tls_progress (*step)(edge_tls_handshake *handshake, const uint8_t *in, size_t length,
                                  edge_tls_outcome *outcome);
        void (*end)(edge_tls_handshake *handshake);
        ...;
    } edge_tls_functions;
    extern const edge_tls_functions edge_tls_native;
    size_t edge_tls_sealed_bytes(size_t length);

    #define EDGE_TLS_ALERT ...
    #define EDGE_TLS_CELL ...
    #define EDGE_TLS_TICKET_KEYS ...
    #define EDGE_TLS_FLAG_HTTP ...
    #define EDGE_TLS_FLAG_CLOSED ...
    #define EDGE_TLS_FLAG_OWES ...
    #define EDGE_TLS_FLAG_DEAD ...
    struct edge_tls { bool hybrid, spoil; uint64_t unproved; ...; };
    edge_tls *edge_tls_new(uint32_t states);
    void edge_tls_free(edge_tls *tls);
    void edge_tls_set_tickets(edge_tls *tls, const uint8_t *keys, unsigned count);
    edge_tls_state edge_tls_state_import(edge_tls *tls, const uint8_t *bytes, size_t length);
    size_t edge_tls_state_bytes(const edge_tls *tls, edge_tls_state state);
    void edge_tls_state_export(edge_tls *tls, edge_tls_state state, uint8_t *bytes);
    unsigned edge_tls_state_flags(const edge_tls *tls, edge_tls_state state);
    unsigned edge_tls_state_suite(edge_tls *tls, edge_tls_state state);
    void edge_tls_state_open(edge_tls *tls, edge_tls_state state, const uint8_t *in, size_t length,
                             uint8_t *out, edge_tls_opened *opened);
    size_t edge_tls_state_seal(edge_tls *tls, edge_tls_state state, const uint8_t *bytes, size_t length,
                               uint8_t *out);
    size_t edge_tls_state_alert(edge_tls *tls, edge_tls_state state, int description, uint8_t *out);
    void edge_tls_state_discard(edge_tls *tls, edge_tls_state state);
    uint64_t edge_tls_states(edge_tls *tls);

    edge_tls_context *edge_tls_context_for(const edge_tls *tls);
    const char *edge_tls_context_add(edge_tls_context *context, const uint8_t *chain, size_t chain_bytes,
                                     const uint8_t *key, size_t key_bytes);
    const char *edge_tls_context_finish(edge_tls_context *context);
    const char *edge_tls_context_name(const edge_tls_context *context, unsigned index);
    void edge_tls_context_release(edge_tls_context *context);

    typedef struct { size_t consumed, name_length; uint8_t name[255]; } edge_tls_hello;
    edge_tls_recognition edge_tls_recognise(const uint8_t *in, size_t length, bool hybrid,
                                            edge_tls_hello *hello);
    const char *OpenSSL_version(int what);
    """
)
ffibuilder.set_source(
    "edge._tls",
    """
    #include <openssl/crypto.h>
    #include "edge_tls_hello.h"
    #include "edge_tls_module.h"
    #if OPENSSL_VERSION_NUMBER < 0x30000000L
    #error "OpenSSL 3.0 or newer is needed"
    #endif
    """,
    sources=_files("*.c"),
    include_dirs=[SOURCES],
    depends=_files("*.h"),
    libraries=["ssl", "crypto"],
    define_macros=[("_GNU_SOURCE", "1")],
    extra_compile_args=["-std=c11", "-O2", "-fno-plt", "-fvisibility=hidden", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
