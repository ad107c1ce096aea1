/* One connection of the fast path's loop: what edge_loop.c and edge_connection.c share, and nobody else.
 *
 * edge_connection.c knows one connection: its buffer, its states, receiving, answering, sending.
 * edge_loop.c knows all of them: accepting, events, deadlines, the interface. */
#ifndef EDGE_CONNECTION_H
#define EDGE_CONNECTION_H

#ifdef EDGE_CHECK_STATES
#include <stdio.h>
#include <stdlib.h>
#endif
#include <sys/epoll.h>
#include <sys/types.h>

#include "edge_loop.h"

#define LISTENERS 64
#define READABLE (EPOLLIN | EPOLLRDHUP) /* what a connection that waits for input is watched for */
#define INPUT_BYTES (EDGE_HEAD_LIMIT + EDGE_BODY_LIMIT + 32 * 1024)

#define LINGER_SECONDS 2

/* The states that edge_loop.h draws; FREE: no connection. */
typedef enum {
    EDGE_CONN_FREE,
    EDGE_CONN_IDLE,
    EDGE_CONN_READING,
    EDGE_CONN_WRITING,
    EDGE_CONN_LINGER,
    EDGE_CONN_HANDED
} edge_conn_state;

/* Bits of edge_connection.flags. */
enum {
    EDGE_CONN_WATCHED = 1 << 0,           /* in the epoll set */
    EDGE_CONN_CLOSE_AFTER_OUTPUT = 1 << 1 /* WRITING: then our side is closed */
};

/* Bytes that outlive a turn: first output not taken yet, then input not answered yet. */
typedef struct {
    uint32_t sent, output, input; /* output: sent and unsent together */
    uint64_t owed; /* WRITING: what the peer had still to acknowledge when the deadline was set */
    uint8_t bytes[];
} edge_buffer;

typedef struct {
    uint32_t deadline; /* loop seconds */
    uint32_t peer;
    uint16_t listener;
    uint8_t state, flags; /* edge_conn_state, set by edge_connection_set_state alone; EDGE_CONN_* bits */
    edge_buffer *buffer;
} edge_connection;

typedef struct {
    int fd;
    uint32_t number;
    unsigned flags; /* as given to edge_loop_listen */
    bool watched;   /* in the epoll set */
} edge_listener;

struct edge_loop {
    edge_answerer answerer;
    edge_output output;
    edge_limits limits;
    edge_peers peers;
    edge_connection *connections;
    uint32_t capacity, highest; /* of descriptors */
    int epoll;
    uint64_t open, buffered; /* buffered: bytes of all buffers */
    uint32_t now, advanced; /* loop seconds */
    uint32_t resume_accept; /* after EMFILE; 0: accepting */
    bool draining;
    int listener_count, handoff_count;
    edge_listener listeners[LISTENERS];
    edge_handoff handoffs[EDGE_HANDOFFS];
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

#ifdef EDGE_CHECK_STATES /* where the sanitizers run: a transition that is not drawn ends the process */
static inline void edge_connection_check(unsigned from, edge_conn_state to)
{
#define TO(state) (1u << EDGE_CONN_##state)
    static const unsigned next[] = {
        [EDGE_CONN_FREE] = TO(IDLE),
        [EDGE_CONN_IDLE] = TO(IDLE) | TO(READING) | TO(WRITING) | TO(LINGER) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_READING] = TO(IDLE) | TO(READING) | TO(WRITING) | TO(LINGER) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_WRITING] = TO(IDLE) | TO(LINGER) | TO(FREE),
        [EDGE_CONN_LINGER] = TO(FREE),
        [EDGE_CONN_HANDED] = TO(IDLE) | TO(FREE),
    };
#undef TO
    if (next[from] >> to & 1)
        return;
    fprintf(stderr, "connection: no way from state %u to %u\n", from, (unsigned)to);
    abort();
}
#else
static inline void edge_connection_check(unsigned from, edge_conn_state to)
{
    (void)from, (void)to;
}
#endif

/* Into a state, whose deadline begins. */
static inline void edge_connection_set_state(const edge_loop *loop, edge_connection *c, edge_conn_state to)
{
    edge_connection_check(c->state, to);
    c->state = (uint8_t)to;
    switch (to) {
    case EDGE_CONN_IDLE:
        c->deadline = loop->now + loop->limits.idle_seconds;
        break;
    case EDGE_CONN_READING:
        c->deadline = loop->now + loop->limits.head_seconds;
        break;
    case EDGE_CONN_WRITING:
        c->deadline = loop->now + loop->limits.write_seconds;
        break;
    case EDGE_CONN_LINGER:
        c->deadline = loop->now + LINGER_SECONDS;
        break;
    case EDGE_CONN_FREE:
    case EDGE_CONN_HANDED:
        c->deadline = 0;
        break;
    }
}

/* For these events from now on: 0, or -1 with errno. */
int edge_connection_watch(edge_loop *loop, int fd, uint32_t events);
/* No longer counted; the descriptor stays open (forget) or is closed (drop). */
void edge_connection_forget(edge_loop *loop, int fd);
void edge_connection_drop(edge_loop *loop, int fd);
/* To the list of handoffs, which must have room. */
void edge_connection_hand_off(edge_loop *loop, int fd, const uint8_t *data, size_t length);
/* What epoll says of it; readable also right after it was accepted. */
void edge_connection_readable(edge_loop *loop, int fd);
void edge_connection_writable(edge_loop *loop, int fd);
/* WRITING, and the deadline is over: whether the peer took enough before it; then another begins. */
bool edge_connection_keeps_pace(edge_loop *loop, int fd);
/* While lingering: what still comes is thrown away. */
void edge_connection_discard(edge_loop *loop, int fd);
/* Its head has not come in time, as in a slow-header attack (Slowloris): 408. */
void edge_connection_too_slow(edge_loop *loop, int fd);

#endif
