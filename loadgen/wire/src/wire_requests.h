/* The requests of a wire: a pool of them, found by token, ordered by when they are due.
 *
 * A request is a slot of the pool, named by its index; 0 is none.  A slot that is freed keeps its memory
 * for the next one, so that a wire in its stride allocates nothing. */
#ifndef WIRE_REQUESTS_H
#define WIRE_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

enum { WIRE_FREE, WIRE_DUE, WIRE_WAITING, WIRE_SENT, WIRE_ENDED };

typedef struct {
    int64_t token, due, begun, sent, head;
    uint64_t bytes_out, bytes_in;
    uint8_t *bytes; /* the request; belongs to the slot */
    uint32_t length, capacity, offset; /* of bytes; offset: of the first that is not sent */
    uint32_t user;
    uint32_t chain;          /* the next with the same hash of the token; the next free one */
    uint32_t earlier, later; /* among those begun, in the order of their deadlines */
    uint32_t next;           /* the next that waits */
    uint32_t exchange;       /* while it is on a connection */
    int32_t fd;              /* the same */
    uint16_t node;
    uint8_t state, head_only, retried;
} wire_pending;

typedef struct {
    int64_t due;
    uint32_t sequence, request; /* sequence: the order of requests that are due at once */
} wire_due;

typedef struct {
    wire_pending *pool; /* [0] is not used */
    uint32_t used, size, free, count;
    uint32_t *chains; /* by hash of the token; as many as the pool is large */
    wire_due *heap;   /* each has four below it */
    uint32_t heap_count, heap_size, sequence;
    uint32_t first, last; /* of those begun */
} wire_requests;

/* 0, or -1 without memory. */
int wire_requests_open(wire_requests *requests);
void wire_requests_close(wire_requests *requests);
/* A copy of the request, due at its time; 0: no memory. */
uint32_t wire_requests_add(wire_requests *requests, int64_t token, int64_t due, const uint8_t *bytes, size_t length);
uint32_t wire_requests_find(const wire_requests *requests, int64_t token);
/* It can no longer be found; its slot may be used again, once it has left the heap. */
void wire_requests_end(wire_requests *requests, uint32_t request);
/* When the next is due; INT64_MAX: none. */
int64_t wire_requests_due(const wire_requests *requests);
/* The next if it is due by now, among those begun from here on; 0: none. */
uint32_t wire_requests_take(wire_requests *requests, int64_t now);

#endif
