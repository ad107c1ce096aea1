/* What edge_loop.c and edge_connection.c share, and nobody else.
 *
 * edge_connection.c knows one connection: its buffer, its states, receiving, answering, sending.
 * edge_loop.c knows all of them: accepting, events, deadlines, the interface. */
#ifndef EDGE_CONNECTION_H
#define EDGE_CONNECTION_H

#include <sys/epoll.h>
#include <sys/types.h>

#include "edge_loop.h"

#define LISTENERS 64
#define INPUT_BYTES (EDGE_HEAD_LIMIT + EDGE_BODY_LIMIT + 32 * 1024)

enum { FREE, IDLE, READING, WRITING, LINGER, HANDED };
enum { CLOSE_AFTER = 1 };

/* Bytes that outlive a turn: first output not taken yet, then input not answered yet. */
typedef struct {
    uint32_t sent, output, input; /* output: sent and unsent together */
    uint8_t bytes[];
} edge_buffer;

typedef struct {
    uint32_t deadline; /* loop seconds */
    uint32_t peer;
    uint16_t listener;
    uint8_t state, flags;
    edge_buffer *buffer;
} edge_connection;

typedef struct {
    int fd;
    uint32_t number;
    int recognise, shared, listening;
} edge_listener;

struct edge_loop {
    edge_answerer answerer;
    edge_output output;
    edge_limits limits;
    edge_peers peers;
    edge_connection *connections;
    uint32_t capacity, highest; /* of descriptors */
    int epoll;
    uint64_t open, pending, buffered;
    uint32_t now, advanced; /* loop seconds */
    uint32_t resume_accept; /* after EMFILE; 0: accepting */
    int draining;
    int listener_count, handoff_count;
    edge_listener listeners[LISTENERS];
    edge_handoff handoffs[EDGE_HANDOFFS];
    size_t timeout_length;
    uint8_t timeout_answer[1024];
    uint8_t input[INPUT_BYTES];
};

/* Counts, in the worker's block of the segment. */
static inline void count(edge_loop *loop, unsigned counter, uint64_t n)
{
    edge_count(&loop->answerer.table, counter, n);
}

static inline void edge_connection_gauge(edge_loop *loop)
{
    __atomic_store_n(loop->answerer.table.counters + EDGE_C_CONNECTIONS, loop->open, __ATOMIC_RELAXED);
}

/* EPOLL_CTL_ADD, _MOD: 0 or -1 with errno. */
int edge_connection_watch(edge_loop *loop, int operation, int fd, uint32_t events);
/* No longer counted; the descriptor stays open (forget) or is closed (drop). */
void edge_connection_forget(edge_loop *loop, int fd);
void edge_connection_drop(edge_loop *loop, int fd);
/* To the list of handoffs, which must have room. */
void edge_connection_hand_off(edge_loop *loop, int fd, const uint8_t *data, size_t length, int watched);
/* What epoll says of it; watched 0: just accepted, not in the set yet. */
void edge_connection_readable(edge_loop *loop, int fd, int watched);
void edge_connection_writable(edge_loop *loop, int fd);
/* While lingering: what still comes is thrown away. */
void edge_connection_discard(edge_loop *loop, int fd);
/* Its head has not come in time: 408. */
void edge_connection_too_slow(edge_loop *loop, int fd);

#endif
