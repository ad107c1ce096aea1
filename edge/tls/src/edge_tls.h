/* TLS 1.3 for the fast path's loop: what edge._native calls of edge._tls, through pointers.
 *
 * edge._native links with no OpenSSL; edge._tls is a module of its own, built where the system has libssl.
 * Both include this header, and the loop compares `size` before it uses the rest.
 *
 * A connection's life: its ClientHello is recognised (edge_tls_hello.c), libssl shakes hands from memory
 * (edge_tls_handshake.c), and then the connection is detached: what is left of TLS is a sealed state of 144 to
 * 208 bytes (edge_tls_state.h), with which records are opened and sealed (edge_tls_record.c).  A state has one
 * owner; it moves, it is never copied. */
#ifndef EDGE_TLS_H
#define EDGE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define EDGE_TLS_HEADER 5      /* bytes before each record */
#define EDGE_TLS_TEXT 16384    /* plaintext in one record, RFC 8446 5.1 */
#define EDGE_TLS_OVERHEAD 22   /* what sealing adds to a record: its header, its inner type, its tag */
#define EDGE_TLS_RECORD (EDGE_TLS_HEADER + EDGE_TLS_TEXT + 256) /* the longest that is read, RFC 8446 5.2 */
#define EDGE_TLS_UPDATE (EDGE_TLS_OVERHEAD + 5)                 /* a sealed KeyUpdate */
#define EDGE_TLS_ALERT (EDGE_TLS_OVERHEAD + 2)                  /* a sealed alert */

typedef struct edge_tls edge_tls;                     /* of one worker */
typedef struct edge_tls_context edge_tls_context;     /* the certificates of a listener */
typedef struct edge_tls_handshake edge_tls_handshake; /* of one connection, while libssl has it */
typedef uint32_t edge_tls_state;                      /* an index; 0: none */

/* Descriptions of alerts, RFC 8446 6 and B.2. */
enum {
    EDGE_TLS_CLOSE_NOTIFY = 0,
    EDGE_TLS_UNEXPECTED_MESSAGE = 10,
    EDGE_TLS_BAD_RECORD_MAC = 20,
    EDGE_TLS_RECORD_OVERFLOW = 22,
    EDGE_TLS_HANDSHAKE_FAILURE = 40,
    EDGE_TLS_ILLEGAL_PARAMETER = 47,
    EDGE_TLS_DECODE_ERROR = 50,
    EDGE_TLS_INTERNAL_ERROR = 80,
    EDGE_TLS_USER_CANCELED = 90,
    EDGE_TLS_NO_ALERT = -1
};

/* Groups of the key exchange, RFC 8446 4.2.7. */
enum { EDGE_TLS_P256 = 0x0017, EDGE_TLS_X25519 = 0x001d, EDGE_TLS_X25519MLKEM768 = 0x11ec };

/* What opening has found. */
typedef struct {
    size_t consumed, written;
    int sends;    /* the peer has erred: the alert that it is to get, and its records are read no more */
    int received; /* the fatal alert that has come */
    bool closed;  /* close_notify has come */
    bool owes;    /* a KeyUpdate is to be sent: sealing does it, of nothing, too */
    uint32_t updates; /* KeyUpdates that have come */
} edge_tls_opened;

typedef enum { EDGE_TLS_INCOMPLETE, EDGE_TLS_RECOGNISED, EDGE_TLS_LET_GO } edge_tls_recognition;

typedef enum {
    EDGE_TLS_RECEIVE, /* more records are needed */
    EDGE_TLS_DONE,    /* detached: edge_tls_outcome.state is the caller's */
    EDGE_TLS_FAILED   /* the output ends with an alert, or nothing can be said */
} edge_tls_progress;

typedef struct {
    edge_tls_state state;
    size_t consumed;
    const uint8_t *output; /* to be sent in any case; valid until the next step or the end */
    size_t length;
    int sends, received; /* alerts of a handshake that failed, or EDGE_TLS_NO_ALERT */
    uint16_t group;      /* of the key exchange */
    bool resumed;
    const uint8_t *name; /* that the client has asked for, in lower case; valid until the end */
    size_t name_length;
} edge_tls_outcome;

typedef struct {
    uint32_t size; /* sizeof(edge_tls_functions) */

    /* Opens as many whole records at the front of the bytes as there are, up to an error or the end.  `out` has
     * room for `length` bytes.  After `sends` the peer gets that alert; `written` bytes before it are verified. */
    void (*open)(edge_tls *tls, edge_tls_state state, const uint8_t *in, size_t length, uint8_t *out,
                 edge_tls_opened *opened);
    /* Seals `length` bytes of the pieces, from `skip` on, in records; a KeyUpdate that is due goes before them.
     * `out` has room for sealed_bytes(length).  How many were written; 0 with length > 0: it cannot be done. */
    size_t (*seal)(edge_tls *tls, edge_tls_state state, const struct iovec *pieces, size_t skip, size_t length,
                   uint8_t *out);
    /* Seals an alert, fatal or close_notify, into EDGE_TLS_ALERT bytes; after it nothing is sealed.  How many. */
    size_t (*alert)(edge_tls *tls, edge_tls_state state, int description, uint8_t *out);
    /* Cleanses a state. */
    void (*discard)(edge_tls *tls, edge_tls_state state);
    /* The low byte of the cipher suite's number: 1 AES-128-GCM, 2 AES-256-GCM, 3 ChaCha20-Poly1305. */
    unsigned (*suite)(edge_tls *tls, edge_tls_state state);
    /* States that there are now, and bytes of memory of all that there were at once. */
    uint64_t (*states)(edge_tls *tls);
    uint64_t (*memory)(edge_tls *tls);

    /* Whether the bytes begin with a ClientHello that is served here, or are to be let go. */
    edge_tls_recognition (*recognise)(edge_tls *tls, const uint8_t *in, size_t length);
    /* NULL: no memory.  The bytes of the ClientHello are fed to the first step. */
    edge_tls_handshake *(*begin)(edge_tls *tls, edge_tls_context *context, const uint8_t *in, size_t length);
    /* Feeds the records at the front of the bytes, one at a time. */
    edge_tls_progress (*step)(edge_tls_handshake *handshake, const uint8_t *in, size_t length,
                              edge_tls_outcome *outcome);
    void (*end)(edge_tls_handshake *handshake);
    void (*retain)(edge_tls_context *context);
    void (*release)(edge_tls_context *context);
} edge_tls_functions;

/* Room for `length` bytes once sealed, and a KeyUpdate before them. */
static inline size_t edge_tls_sealed_bytes(size_t length)
{
    return length + (length + EDGE_TLS_TEXT - 1) / EDGE_TLS_TEXT * EDGE_TLS_OVERHEAD + EDGE_TLS_UPDATE;
}

#endif
