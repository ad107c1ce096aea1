/* One connection of the fast path's loop, for the sources of the loop alone.
 *
 * edge_connection.c knows one connection: its buffer, its states, receiving, answering, sending.  It calls what stands
 * above it by tables that the loop has of them, and includes none of it:
 *
 *     how its bytes become requests, and answers bytes    edge_transport    plain (edge_connection.c), edge_shaking.c,
 *                                                                           edge_sealed.c
 *     who passes its request on (ASKED, GIVING)           edge_passing      edge_exchange.c, edge_relay.c
 *     who has it wait for what is stored (HELD)           edge_passing      edge_held.c
 *
 * edge_sockets.c knows the WebSockets among them.  edge_loop.c knows all: accepting, events, deadlines, the interface.
 *
 * Who owns what:
 *
 *     the descriptor          the loop, but of HANDED: then its caller, until edge_loop_adopt
 *     edge_connection.buffer  the connection; what is in it counts for its address and in edge_loop.buffered
 *     edge_buffer.exchange    the connection, as long as it is ASKED or GIVING
 *     edge_connection.tls     the connection: a handshake, or a sealed state, which moves with a handoff
 *     edge_loop.output        one call: nothing in it outlives the turn (edge_table_leave)
 *     edge_loop.input         one call; a piece of the output may lie in it */
#ifndef EDGE_CONNECTION_H
#define EDGE_CONNECTION_H

#ifdef EDGE_CHECK_STATES
#include <stdio.h>
#include <stdlib.h>
#endif
#include <sys/epoll.h>
#include <sys/types.h>

#include "edge_loop.h"
#include "edge_sockets.h"

#define LISTENERS 64
#define SHOWN 65536 /* what may have been shown on connections since the loop began; of what is more nobody knows */
#define CARRIER_BIT ((uint64_t)1 << 35)    /* of an event: a connection to an application */
#define HANDSHAKES_BIT ((uint64_t)1 << 34) /* of an event: the set of handshakes */
#define READABLE (EPOLLIN | EPOLLRDHUP) /* what a connection that waits for input is watched for */
#define INPUT_BYTES (EDGE_HEAD_LIMIT + EDGE_BODY_LIMIT + 32 * 1024)
#define SLICE_BYTES (64 * 1024) /* sealed and sent at once */

#define LINGER_SECONDS 2
#define OWED_BYTES (16 * 1024) /* unacknowledged: a connection that the kernel has more of is not left to it */

/* The states that edge_loop.h draws; FREE: no connection. */
typedef enum {
    EDGE_CONN_FREE,
    EDGE_CONN_IDLE,
    EDGE_CONN_HANDSHAKE,
    EDGE_CONN_READING,
    EDGE_CONN_WRITING,
    EDGE_CONN_LINGER,
    EDGE_CONN_HANDED,
    EDGE_CONN_SOCKET,
    EDGE_CONN_ASKED,
    EDGE_CONN_GIVING,
    EDGE_CONN_HELD
} edge_conn_state;

/* Bits of edge_connection.flags. */
enum {
    EDGE_CONN_WATCHED = 1 << 0,            /* in an epoll set */
    EDGE_CONN_CLOSE_AFTER_OUTPUT = 1 << 1, /* WRITING: then our side is closed */
    EDGE_CONN_SHAKING = 1 << 2,            /* TLS, not agreed upon yet; tls: the number of a handshake, or 0 */
    EDGE_CONN_SEALED = 1 << 3,             /* TLS; tls: a sealed state */
    EDGE_CONN_ENDED = 1 << 4,              /* SEALED: the peer has sent close_notify */
    EDGE_CONN_UNNAMED = 1 << 5,            /* HANDED: its proxy has still to say whom it has accepted */
    EDGE_CONN_PROXIED = 1 << 6,            /* its proxy has said whom: edge_loop.clients */
    EDGE_CONN_SOCKET_BIT = 1 << 7          /* a WebSocket of the push service: edge_loop.sockets */
};

/* Bytes that outlive a turn: first output not taken yet (over TLS as it was sealed), then input not answered
 * yet, then input not opened yet. */
typedef struct {
    uint32_t sent, output, input, sealed; /* output: sent and unsent together */
    uint64_t owed; /* WRITING: what the peer had still to acknowledge when the deadline was set */
    struct edge_exchange *exchange; /* ASKED, GIVING: NULL, it has ended */
    uint64_t ticket, began;         /* HELD: what names it, and when its head was found */
    uint8_t bytes[];
} edge_buffer;

typedef struct {
    uint32_t deadline; /* loop seconds */
    uint32_t peer;
    uint16_t listener;
    uint8_t state, flags; /* edge_conn_state, set by edge_connection_set_state alone; EDGE_CONN_* bits */
    union {
        uint32_t tls;  /* see the flags */
        uint32_t owed; /* LINGER: what the peer had still to acknowledge when the deadline was set; 0: not looked yet */
    };
    edge_buffer *buffer;
} edge_connection;

/* What is there to be answered, and behind it what is to be opened. */
typedef struct {
    const uint8_t *bytes, *sealed;
    size_t length, sealed_length;
} edge_received;

/* What became of an output. */
typedef enum { EDGE_SENT, EDGE_KEPT, EDGE_BROKEN } edge_sending;

/* How a connection is received from and sent to. */
typedef struct {
    /* The socket has something, or is at its end. */
    void (*readable)(edge_loop *loop, int fd);
    /* What waited has its turn: so many bytes in loop->input, and of records in loop->sealed. */
    void (*go_on)(edge_loop *loop, int fd, size_t length, size_t sealed);
    /* Sends loop->output, and a goodbye behind it if closing; what is not taken is kept with what was received.  NULL:
     * nothing is answered yet. */
    edge_sending (*send)(edge_loop *loop, int fd, bool closing, const edge_received *received);
    /* Says goodbye, if nothing of an answer waits.  NULL: there is none. */
    void (*goodbye)(edge_loop *loop, int fd);
    /* What the connection has of it ends, and it is plain then.  NULL: it has nothing. */
    void (*end)(edge_loop *loop, edge_connection *c);
} edge_transport;

/* Who passes requests on to applications (edge_relay.h): what becomes of them then. */
typedef struct {
    /* What was received begins with a request that the answerer says is to be passed on.  false: it is handed off. */
    bool (*ask)(edge_loop *loop, int fd, const edge_received *received);
    /* The same of one that may be to be stored. */
    bool (*hold)(edge_loop *loop, int fd, const edge_received *received);
    /* ASKED, GIVING: the connection ends. */
    void (*left)(edge_loop *loop, int fd);
    /* ASKED: its client sends something, or nothing more. */
    void (*ready)(edge_loop *loop, int fd, uint32_t events);
    /* GIVING: its client has taken what there was. */
    void (*drained)(edge_loop *loop, int fd);
} edge_passing;

typedef struct {
    edge_tls_handshake *handshake;
    uint32_t next; /* of those that are free */
} edge_shaking;

typedef struct {
    int fd;
    uint32_t number;
    unsigned flags; /* as given to edge_loop_listen */
    bool watched;   /* in the epoll set */
    edge_tls_context *context; /* TLS; NULL: plain */
    const edge_certificates *certificates; /* what is in it; NULL: nobody needs to know */
    uint32_t first_shown; /* the place in edge_loop.shown of its number 0 */
} edge_listener;

/* What may have been shown on a connection. */
typedef struct {
    const edge_certificates *certificates;
    uint32_t shown;
} edge_shown;

struct edge_loop {
    edge_answerer answerer;
    edge_output output;
    edge_limits limits;
    edge_peers peers;
    edge_sockets sockets;
    edge_connection *connections;
    uint8_t (*clients)[16]; /* whom they are with, if somebody wants to know: memory as it is used */
    uint32_t *certified;    /* of connections over TLS, where there are sites: the place in shown, and the number of the
                               site whose name was asked for times 65,536; 0: no name was.  Memory as it is used. */
    edge_shown *shown;      /* [0] is not used */
    uint32_t shown_count;
    edge_networks proxies;  /* who says first, by the PROXY protocol, whom it has accepted */
    uint32_t capacity, highest; /* of descriptors */
    int epoll, timer; /* timer: when the caller has its turn */
    int log_wake; /* eventfd of who reads the log; -1: nobody waits */
    uint64_t open, buffered; /* buffered: bytes of all buffers */
    uint32_t now, advanced; /* loop seconds */
    uint32_t resume_accept; /* after EMFILE; 0: accepting */
    bool draining;
    unsigned sleeps, sleeps_left; /* waits that do not look again and again before they sleep */
    int accepts;                  /* in the next turn of a listener */
    int listener_count, handoff_count;
    edge_listener listeners[LISTENERS];
    edge_handoff handoffs[EDGE_HANDOFFS];
    const edge_transport *transports[3]; /* by the flags of a connection: edge_connection_over */
    const edge_passing *passing;         /* NULL: nothing is passed on */
    const edge_tls_functions *tls; /* NULL: there is no TLS */
    edge_tls *tls_of;
    struct edge_relay *relay; /* NULL: nothing is passed on to applications */
    int handshakes; /* an epoll set in the other one: of connections that are not agreed upon TLS yet */
    edge_shaking *shaking; /* [0] is not used: number 0 means none */
    uint32_t shaking_count, shaking_used, shaking_free, shaking_most;
    /* Scratch of one call: how much of it is used is known to that call alone. */
    uint8_t input[INPUT_BYTES], sealed[INPUT_BYTES];
    uint8_t slice[SLICE_BYTES + SLICE_BYTES / EDGE_TLS_TEXT * EDGE_TLS_OVERHEAD + EDGE_TLS_UPDATE + EDGE_TLS_ALERT];
};

/* What a connection is received from and sent to by. */
static inline const edge_transport *edge_connection_over(const edge_loop *loop, const edge_connection *c)
{
    return loop->transports[(c->flags & (EDGE_CONN_SHAKING | EDGE_CONN_SEALED)) / EDGE_CONN_SHAKING];
}

extern const edge_transport edge_plain;

/* Counts, in the worker's block of the segment. */
static inline void count(edge_loop *loop, unsigned counter, uint64_t n)
{
    edge_count(&loop->answerer.table, counter, n);
}

/* Whether who asks matters: there is a log, or a rule, or a proxy that is trusted. */
static inline bool edge_loop_knows_clients(const edge_loop *loop)
{
    return loop->answerer.log_every || loop->answerer.guards || loop->answerer.trusted.count
           || loop->answerer.trusted.local || loop->relay;
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
        [EDGE_CONN_IDLE] = TO(ASKED) | TO(HELD) | TO(IDLE) | TO(SOCKET) | TO(HANDSHAKE) | TO(READING) | TO(WRITING) | TO(LINGER) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_READING] = TO(ASKED) | TO(HELD) | TO(IDLE) | TO(SOCKET) | TO(READING) | TO(WRITING) | TO(LINGER) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_HANDSHAKE] = TO(IDLE) | TO(WRITING) | TO(LINGER) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_WRITING] = TO(IDLE) | TO(SOCKET) | TO(HANDSHAKE) | TO(LINGER) | TO(FREE),
        [EDGE_CONN_LINGER] = TO(FREE),
        [EDGE_CONN_HANDED] = TO(IDLE) | TO(SOCKET) | TO(FREE),
        [EDGE_CONN_SOCKET] = TO(SOCKET) | TO(WRITING) | TO(LINGER) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_ASKED] = TO(GIVING) | TO(IDLE) | TO(HANDED) | TO(FREE),
        [EDGE_CONN_GIVING] = TO(ASKED) | TO(FREE),
        [EDGE_CONN_HELD] = TO(IDLE) | TO(HANDED) | TO(FREE),
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
    case EDGE_CONN_HANDSHAKE:
    case EDGE_CONN_READING:
        c->deadline = loop->now + loop->limits.head_seconds;
        break;
    case EDGE_CONN_WRITING:
    case EDGE_CONN_GIVING:
        c->deadline = loop->now + loop->limits.write_seconds;
        break;
    case EDGE_CONN_LINGER:
        c->deadline = loop->now + LINGER_SECONDS;
        break;
    case EDGE_CONN_SOCKET: /* edge_sockets_rest */
    case EDGE_CONN_ASKED:  /* edge_exchange.c */
    case EDGE_CONN_HELD:   /* edge_held.c */
    case EDGE_CONN_FREE:
    case EDGE_CONN_HANDED:
        c->deadline = 0;
        break;
    }
}

/* The time of what is served next. */
void edge_loop_clocks(edge_loop *loop);

/* For these events from now on: 0, or -1 with errno. */
int edge_connection_watch(edge_loop *loop, int fd, uint32_t events);
void edge_connection_unwatch(edge_loop *loop, int fd);
/* No longer counted; the descriptor stays open (forget) or is closed: at once (drop); or (close) with a word to a
 * peer that is between two records, and lingering while it has much to read.  Nothing much is left to the kernel,
 * where no limit counts it: what is dropped with more than OWED_BYTES to be acknowledged is reset. */
void edge_connection_forget(edge_loop *loop, int fd);
void edge_connection_drop(edge_loop *loop, int fd);
void edge_connection_close(edge_loop *loop, int fd);
/* Our side is closed; the peer gets time to read what we sent (RFC 9112 9.6). */
void edge_connection_linger(edge_loop *loop, int fd);
/* To the list of handoffs, which must have room; a sealed state moves along. */
void edge_connection_hand_off(edge_loop *loop, int fd, const edge_received *received);
void edge_connection_keep_nothing(edge_loop *loop, edge_connection *c);
/* A buffer with room for so much output, and behind it for what was received.  NULL: over the share of its
 * address, or no memory. */
edge_buffer *edge_connection_buffer(edge_loop *loop, const edge_connection *c, size_t room,
                                    const edge_received *received);
/* The buffer, with its first bytes of output there, becomes the connection's. */
void edge_connection_keep(edge_loop *loop, edge_connection *c, edge_buffer *buffer, size_t output,
                          const edge_received *received);
/* WRITING until the kept output is taken; what cannot be waited for is closed. */
void edge_connection_await_output(edge_loop *loop, int fd);
void edge_connection_await_input(edge_loop *loop, int fd);
/* Bytes that the socket takes now, counted; -1: the connection is broken. */
ssize_t edge_connection_send(edge_loop *loop, int fd, const uint8_t *bytes, size_t length);
/* Whom a connection is with, as records have it: once, when that is known. */
void edge_connection_set_client(edge_loop *loop, int fd, const struct sockaddr *address);
/* Whether it is with this machine: over a Unix socket, or with a loopback address. */
bool edge_connection_is_local(const edge_loop *loop, int fd);
/* Sends loop->output, between two answers; what is not taken is kept (WRITING), and what cannot be sent drops it. */
void edge_connection_push(edge_loop *loop, int fd);
/* Counts so many bytes more, which are kept for it elsewhere, or no longer.  false: over the share of its address. */
bool edge_connection_hold(edge_loop *loop, int fd, size_t bytes);
void edge_connection_let(edge_loop *loop, int fd, size_t bytes);
/* What is kept of what was received: the request, and behind it what is to be opened. */
edge_received edge_connection_kept(const edge_loop *loop, int fd);
/* HELD: what is kept is served. */
void edge_connection_go_on(edge_loop *loop, int fd);
/* ASKED, HELD: the client sends something, which is read when it has its answer, or nothing more, which is not the end
 * where it may be half closed.  false: it has gone, or another one had that number. */
bool edge_connection_mute(edge_loop *loop, int fd, uint32_t events, bool half);
/* Waits for an application until the deadline: what was received, which begins with the request, is kept in the buffer,
 * which was made for it. */
void edge_connection_ask(edge_loop *loop, int fd, edge_buffer *buffer, const edge_received *received,
                         struct edge_exchange *exchange, uint32_t deadline);
/* Sends loop->output, a piece of the answer that ASKED waits for; it may be GIVING then.  EDGE_BROKEN: it is dropped. */
edge_sending edge_connection_give(edge_loop *loop, int fd);
/* Sends loop->output, the end of that answer: of so many bytes of requests it was the first.  The next one is served. */
void edge_connection_answered(edge_loop *loop, int fd, size_t consumed, bool closing, bool muted);
/* The output that was kept is taken: what else is kept stays.  false: no memory. */
bool edge_connection_forget_output(edge_loop *loop, int fd);
/* Hands ASKED or HELD off, whose request met that; its head was found at began of the answerer's clock. */
void edge_connection_give_up(edge_loop *loop, int fd, edge_met met, uint64_t began);
/* The request of a handoff has been here since then. */
void edge_connection_handed_since(const edge_loop *loop, edge_handoff *handoff, uint64_t began);
/* What only the connection knows of what is answered next, for the answerer. */
void edge_connection_prepare(edge_loop *loop, int fd);
/* Answers what was received; leaves the connection in its next state. */
void edge_connection_serve(edge_loop *loop, int fd, edge_received received);
/* What epoll says of it. */
void edge_connection_ready(edge_loop *loop, int fd, uint32_t events);
/* WRITING, and the deadline is over: whether the peer took enough before it; then another begins. */
bool edge_connection_keeps_pace(edge_loop *loop, int fd);
/* LINGER, likewise; true also when that has just begun to be looked at. */
bool edge_connection_lingers_on(edge_loop *loop, int fd);
/* Its head has not come in time, as in a slow-header attack (Slowloris): 408. */
void edge_connection_too_slow(edge_loop *loop, int fd);

#endif
