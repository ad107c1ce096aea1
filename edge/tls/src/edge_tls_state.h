/* What is left of TLS when a connection is detached, and where it lies.
 *
 * States lie in slabs of mmap'ed memory, one for each size, that go into no core dump; a state that is given up is
 * cleansed.  An index names the slab in its two upper bits.  The bytes of a cell are also what the Python twin
 * reads and writes (edge/tls/interface.py):
 *
 *      0  u8   suite     1 AES-128-GCM, 2 AES-256-GCM, 3 ChaCha20-Poly1305; 0: the cell is free
 *      1  u8   flags     EDGE_TLS_FLAG_*
 *      2  u8   useless   records in a row that carried nothing
 *      3  u8   partial   bytes of a KeyUpdate that have come, 0..4
 *      4  u32  0; of a free cell: the number of the next one
 *      8  u64  read sequence      16  u64  write sequence
 *     24  12s  read IV            36  12s  write IV
 *     48  read key, write key, read secret, write secret
 *
 * Read is what the client sends.  144, 208 and 176 bytes. */
#ifndef EDGE_TLS_STATE_H
#define EDGE_TLS_STATE_H

#include "edge_tls_suite.h"

#define EDGE_TLS_CELL 208    /* the longest */
#define EDGE_TLS_USELESS 32 /* records in a row that may carry nothing, as in OpenSSL */

enum { EDGE_TLS_READ, EDGE_TLS_WRITE };

enum {
    EDGE_TLS_FLAG_HTTP = 1 << 0,   /* ALPN chose http/1.1 */
    EDGE_TLS_FLAG_CLOSED = 1 << 1, /* close_notify received */
    EDGE_TLS_FLAG_SHUT = 1 << 2,   /* close_notify or a fatal alert sent: nothing is sealed any more */
    EDGE_TLS_FLAG_OWES = 1 << 3,   /* a KeyUpdate that the peer has requested */
    EDGE_TLS_FLAG_DEAD = 1 << 4,   /* nothing is opened any more: the peer has erred, or sent a fatal alert */
    EDGE_TLS_FLAGS = (1 << 5) - 1
};

typedef struct {
    uint8_t suite, flags, useless, partial;
    uint32_t next;
    uint64_t sequence[2];
    uint8_t iv[2][EDGE_TLS_IV];
    uint8_t secrets[];
} edge_tls_cell;

_Static_assert(sizeof(edge_tls_cell) == 48, "the drawing of a state");

typedef struct {
    uint8_t *cells;
    size_t bytes;                        /* of one cell */
    uint32_t capacity, used, free, count; /* used: cells that were ever taken; free: the first of the free ones */
} edge_tls_slab;

static inline size_t edge_tls_cell_bytes(const edge_tls_suite *suite)
{
    return sizeof(edge_tls_cell) + 2 * (size_t)suite->key + 2 * (size_t)suite->secret;
}

static inline uint8_t *edge_tls_key(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction)
{
    return cell->secrets + direction * suite->key;
}

static inline uint8_t *edge_tls_secret(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction)
{
    return cell->secrets + 2 * suite->key + direction * suite->secret;
}

/* The key, the IV and the sequence number 0 that follow from the direction's secret.  false: no memory. */
bool edge_tls_derive(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction);
/* The direction's next secret and all that follows from it, RFC 8446 7.2.  false: no memory. */
bool edge_tls_advance(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction);

bool edge_tls_slabs_open(edge_tls_slab slabs[EDGE_TLS_SUITES], const edge_tls_suite suites[EDGE_TLS_SUITES],
                         uint32_t capacity);
void edge_tls_slabs_close(edge_tls_slab slabs[EDGE_TLS_SUITES]);
/* A cell of zeros but for its suite; 0: none is free. */
edge_tls_state edge_tls_take(edge_tls_slab slabs[EDGE_TLS_SUITES], unsigned suite);
void edge_tls_give(edge_tls_slab slabs[EDGE_TLS_SUITES], edge_tls_state state);
edge_tls_cell *edge_tls_at(const edge_tls_slab slabs[EDGE_TLS_SUITES], edge_tls_state state);

/* From the bytes of a state: 0 when they are none, or none is free. */
edge_tls_state edge_tls_import(edge_tls_slab slabs[EDGE_TLS_SUITES], const uint8_t *bytes, size_t length);

#endif
