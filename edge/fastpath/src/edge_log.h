/* Records of requests in a ring in shared memory, as drawn in edge/logs/record.py and edge/logs/ring.py.
 *
 * One process writes, another reads.  A record is copied into the ring, and exists from when the head has moved
 * over it: a writer that is killed half-way leaves nothing.  What there is no room for is counted.  Sans-IO. */
#ifndef EDGE_LOG_H
#define EDGE_LOG_H

#include "edge_request.h"

#define EDGE_LOG_MAGIC "EDGELOG"
#define EDGE_LOG_VERSION 1
#define EDGE_LOG_HEADER 4096
#define EDGE_LOG_RECORD 64 /* bytes of a record before its texts */
#define EDGE_LOG_PROTOCOL 11 /* HTTP/1.1 */
#define EDGE_LOG_HIT 1       /* of what the cache made of a request: edge/logs/record.py CACHE */
#define EDGE_LOG_MISS 3
#define EDGE_LOG_COLLAPSED 5
#define EDGE_LOG_BYPASS 6

/* The texts of a record, in their order, and the most bytes of each: what is longer is cut, and marked. */
enum {
    EDGE_LOG_METHOD, EDGE_LOG_TARGET, EDGE_LOG_HOST, EDGE_LOG_USER, EDGE_LOG_REFERER, EDGE_LOG_AGENT, EDGE_LOG_TLS,
    EDGE_LOG_TRACE, EDGE_LOG_TEXTS
};
#define EDGE_LOG_LIMITS {16, 2048, 256, 128, 1024, 512, 64, 32}
#define EDGE_LOG_MOST 4144 /* bytes of the longest record */

typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t pad_12;
    uint64_t bytes; /* of the data behind the header: a power of two */
    uint8_t pad_24[40];
    uint64_t head;    /* bytes ever written; the writer's, as the next two */
    uint64_t written; /* records */
    uint64_t dropped; /* records that there was no room for */
    uint8_t pad_88[40];
    uint64_t tail;    /* bytes ever read; the reader's, as the next one */
    uint32_t waiting; /* 1: the reader sleeps, and is to be woken */
} edge_log_header;

/* Zeros: there is no log. */
typedef struct {
    edge_log_header *header;
    uint8_t *data;
    uint64_t bytes;
} edge_log_ring;

typedef struct {
    uint64_t at, sent; /* Unix microseconds; bytes of the body */
    uint32_t duration; /* microseconds */
    uint16_t status;
    uint8_t cache, protocol;
    const uint8_t *address; /* 16 bytes: IPv6, or IPv4 mapped into it; zeros: none */
    edge_span texts[EDGE_LOG_TEXTS];
} edge_log_entry;

/* false: the memory is no ring. */
bool edge_log_open(edge_log_ring *ring, void *memory, uint64_t bytes);
void edge_log_write(edge_log_ring *ring, const edge_log_entry *entry);
/* Whether the reader sleeps and there is something to read: who finds that wakes it. */
bool edge_log_is_awaited(const edge_log_ring *ring);

#endif
