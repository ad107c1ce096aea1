/* The shared segment's bytes, as drawn in edge/table/layout.py; a test compares the two. */
#ifndef EDGE_LAYOUT_H
#define EDGE_LAYOUT_H

#include <stdint.h>

#define EDGE_MAGIC "EDGETBL"
#define EDGE_LAYOUT_VERSION 5
#define EDGE_HEADER_BYTES 4096
#define EDGE_WORKER_BLOCK 4096 /* besides the hits */
#define EDGE_GRANULE 64
#define EDGE_ORIGIN_COUNT 256
#define EDGE_APPLICATION_COUNT 256
#define EDGE_MAX_PROBES 128
#define EDGE_OFFSET_COUNTERS 64
#define EDGE_OFFSET_HITS 4096
#define EDGE_OFFSET_ANSWERS_LEASE 208
#define EDGE_OFFSET_DOUBTS 2304
#define EDGE_COUNTER_COUNT 256
#define EDGE_ETAG_BYTES 16
#define EDGE_LINES_LIMIT 8192 /* bytes of each block in a head record */
#define EDGE_LENGTH_BITS 56   /* of edge_slot.length; above them: the origin, or the application */
#define EDGE_TICKS_PER_SECOND 16
#define EDGE_OWN_LIMIT 512    /* of an application's ETag */
#define EDGE_RECORD_LENGTHS 20 /* where the lengths of its parts begin */
#define EDGE_RECORD_BORN 28    /* when the application made the answer, in ticks */
#define EDGE_RECORD_BYTES 36  /* of the record behind an answer's body, at least */

/* edge_slot.state. */
enum {
    EDGE_SLOT_EMPTY, EDGE_SLOT_LIVE, EDGE_SLOT_DELETED, EDGE_SLOT_TEMPLATE, EDGE_SLOT_ANSWER, EDGE_SLOT_OTHER,
    EDGE_SLOT_REDIRECT
};

/* edge_slot.variants of an answer, above the bits of variants. */
#define EDGE_OWN_ETAG 0x8000u
#define EDGE_OWN_CORS 0x4000u

typedef struct {
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t segment_bytes, slots_offset, slot_count, arena_offset, arena_bytes;
    uint32_t worker_count, worker_bytes;
    uint8_t hash_key[16];
    uint8_t pad_80[48];
    uint64_t epoch;
    uint8_t pad_136[56];
    uint64_t sequence;
    uint32_t complete, entries;
    uint64_t answers_lease; /* as those below */
    uint8_t pad_216[40];
    uint64_t leases[EDGE_ORIGIN_COUNT]; /* CLOCK_MONOTONIC milliseconds; 0 is this node itself */
    uint32_t doubts[EDGE_APPLICATION_COUNT];
} edge_header;

typedef struct {
    uint32_t seq;
    uint8_t state, variant;
    uint16_t variants; /* EDGE_BIT(variant) for each that the path has: edge_variant.h */
    uint8_t key[16];
    uint8_t etag[EDGE_ETAG_BYTES];
    uint32_t body;   /* / EDGE_GRANULE */
    uint32_t doubts; /* of answers: those of its application when it was stored */
    uint64_t length; /* and the origin or the application, see EDGE_LENGTH_BITS */
    uint32_t head, modified; /* of answers: until when it is fresh, in ticks; of redirects: the status */
} edge_slot;

/* CLOCK_MONOTONIC in milliseconds, as ticks. */
static inline uint32_t edge_ticks_of(uint64_t monotonic_ms)
{
    return (uint32_t)(monotonic_ms * 2 / 125) + 0x80000000u;
}

/* Index of each counter in a worker block: the order of edge/table/counters.py. */
enum {
    EDGE_C_REQUESTS, EDGE_C_NOT_MODIFIED, EDGE_C_OK, EDGE_C_REVALIDATIONS, EDGE_C_VALIDATORS,
    EDGE_C_HANDOFFS, EDGE_C_RETURNS, EDGE_C_ACCEPTS, EDGE_C_REFUSED_TOTAL, EDGE_C_REFUSED_ADDRESS,
    EDGE_C_TIMEOUTS_HEAD, EDGE_C_TIMEOUTS_IDLE, EDGE_C_TIMEOUTS_WRITE, EDGE_C_BYTES_IN,
    EDGE_C_BYTES_OUT, EDGE_C_CONNECTIONS, EDGE_C_TWISTED_REQUESTS, EDGE_C_TWISTED_1XX, EDGE_C_TWISTED_2XX,
    EDGE_C_TWISTED_3XX, EDGE_C_TWISTED_4XX, EDGE_C_TWISTED_5XX, EDGE_C_LAG_US, EDGE_C_TWISTED_BYTES_IN,
    EDGE_C_TWISTED_BYTES_OUT, EDGE_C_SOCKETS, EDGE_C_REFUSED_SHARE, EDGE_C_TLS_FULL, EDGE_C_TLS_RESUMED,
    EDGE_C_TLS_REFUSED, EDGE_C_TLS_FAILED, EDGE_C_TLS_TIMEOUTS, EDGE_C_TLS_LET_GO, EDGE_C_TLS_HANDSHAKES, EDGE_C_TLS_STATES,
    EDGE_C_TLS_HANDSHAKE_US, EDGE_C_TLS_AES_128_GCM, EDGE_C_TLS_AES_256_GCM, EDGE_C_TLS_CHACHA20,
    EDGE_C_TLS_X25519, EDGE_C_TLS_P256, EDGE_C_TLS_X25519MLKEM768, EDGE_C_TLS_ALERTS_SENT_BAD_RECORD_MAC,
    EDGE_C_TLS_ALERTS_SENT_UNEXPECTED_MESSAGE, EDGE_C_TLS_ALERTS_SENT_HANDSHAKE_FAILURE,
    EDGE_C_TLS_ALERTS_SENT_OTHER, EDGE_C_TLS_ALERTS_RECEIVED_CERTIFICATE, EDGE_C_TLS_ALERTS_RECEIVED_OTHER,
    EDGE_C_TLS_KEY_UPDATES, EDGE_C_ANSWERS_HIT, EDGE_C_ANSWERS_STALE, EDGE_C_ANSWERS_FILLED,
    EDGE_C_ANSWERS_COALESCED, EDGE_C_ANSWERS_PASSED, EDGE_C_REFUSED_RATE,
    EDGE_C_REFUSED_LOGIN, EDGE_C_REFUSED_NETWORK, EDGE_C_RELAY_RESTING
};

_Static_assert(sizeof(edge_slot) == 64, "a slot is one cache line");
_Static_assert(__builtin_offsetof(edge_header, hash_key) == 64, "header drawing");
_Static_assert(__builtin_offsetof(edge_header, epoch) == 128, "header drawing");
_Static_assert(__builtin_offsetof(edge_header, sequence) == 192, "header drawing");
_Static_assert(__builtin_offsetof(edge_header, answers_lease) == EDGE_OFFSET_ANSWERS_LEASE, "header drawing");
_Static_assert(__builtin_offsetof(edge_header, leases) == 256, "header drawing");
_Static_assert(__builtin_offsetof(edge_header, doubts) == EDGE_OFFSET_DOUBTS, "header drawing");
_Static_assert(__builtin_offsetof(edge_slot, doubts) == 44, "slot drawing");

#endif
