/* A closed loop: connections that send the same requests again when all of them are answered.
 *
 * Answers are framed and counted; nothing of them is kept.  A connection that has failed opens again after a
 * tenth of a second, one that the server has closed in good order at once.
 *
 * What follows is declared to Python as it stands. */
#ifndef EDGE_FLOOD_H
#define EDGE_FLOOD_H

#include <stddef.h>
#include <stdint.h>

enum { EDGE_FLOOD_LATENCIES = 65536 };

typedef struct {
    uint64_t statuses[600], errors[8]; /* answers by status; connections that failed by the number of the error */
    uint64_t bytes_in, bytes_out;
    uint32_t latency_count, open;
    uint32_t latencies[EDGE_FLOOD_LATENCIES]; /* microseconds from sending to the last answer; taken by the caller */
} edge_flood_figures;

typedef struct {
    uint32_t connections, pipeline;
    uint32_t first; /* number of the first connection: each comes from a loopback address of its own */
    uint64_t body_bytes;
} edge_flood_shape;

typedef struct edge_flood edge_flood;

/* batch: the requests that are sent at once, copied; head_only: they are HEAD.  NULL with errno. */
edge_flood *edge_flood_new(const char *host, uint32_t port, const edge_flood_shape *shape, const uint8_t *batch,
                           size_t length, int head_only);
void edge_flood_free(edge_flood *flood);
/* Until then, or until the latencies are full or a signal came. */
void edge_flood_run(edge_flood *flood, int64_t until);
edge_flood_figures *edge_flood_look(edge_flood *flood);

#endif
