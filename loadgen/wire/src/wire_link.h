/* What wire_client.c, wire_link.c and wire_exchange.c share, and nobody else.
 *
 * wire_client.c knows time: what is due, what has taken too long; and the interface.
 * wire_link.c knows connections: who waits for one, which one a request gets, sending, their ends.
 * wire_exchange.c knows answers: receiving, what is kept of them, handing them over. */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "wire_client.h"
#include "wire_dial.h"
#include "wire_reply.h"
#include "wire_requests.h"
#include "wire_tls.h"
#include "wire_wait.h"

#define WIRE_ANSWERED 4096             /* answers, after which run returns */
#define WIRE_BODIES ((size_t)8 << 20)  /* bytes of bodies, after which run returns */
#define WIRE_CONNECTIONS_EACH 6        /* of one user to one node */
#define WIRE_NODES 65536
#define WIRE_QUEUES 16384              /* of requests that wait, by hash of user and node; a power of two */
#define WIRE_INPUT_BYTES (256 * 1024)  /* of one recv */

/* Names of connections are descriptors + 1; 0 is none.
 * CONNECTED: it took bytes.  USED: it has brought an answer.  LEAVING: it will not rest again.  WRITING: epoll
 * tells when it is writable.  SHAKING: its TLS handshake is not over. */
enum { WIRE_OPEN = 1, WIRE_CONNECTED = 2, WIRE_USED = 4, WIRE_LEAVING = 8, WIRE_WRITING = 16, WIRE_SHAKING = 32 };

typedef struct {
    int64_t rested;        /* since when */
    uint32_t user, next;   /* next: of the same user */
    uint32_t request;      /* on it; 0: it rests */
    uint32_t older, newer; /* among those at rest */
    uint16_t node;
    uint8_t flags;
} wire_link;

/* The TLS of a connection; of one in the clear tls is NULL. */
typedef struct {
    wire_tls_link *tls;
    int64_t since; /* when the first bytes of its handshake were sent */
} wire_secured;

/* An answer on its way in. */
typedef struct {
    wire_reply reply;
    uint8_t *line; /* that has not ended */
    uint8_t *body; /* as far as earlier calls brought it */
    size_t line_length, line_capacity, body_length, body_capacity;
    uint32_t free; /* the next free one */
} wire_exchange;

struct wire_client {
    wire_client_limits limits;
    wire_requests requests;
    int epoll;
    uint32_t users, capacity;      /* capacity: of descriptors */
    uint32_t *first;               /* connection of each user */
    wire_link *links;              /* by descriptor */
    const wire_tls_functions *tls_functions;
    wire_tls *tls;
    wire_secured *secured; /* by descriptor; NULL without TLS */
    wire_handshake *handshakes;
    size_t handshake_count, handshake_capacity;
    uint32_t resting, resting_last; /* the one that has rested for longest, and the last to come to rest */
    uint64_t open, opened, waiting;
    struct {
        uint32_t first, last;
    } queues[WIRE_QUEUES];
    wire_node *nodes;
    uint32_t node_count, node_capacity;
    wire_exchange *exchanges; /* [0] is not used */
    uint32_t exchange_count, exchange_capacity, exchange_free;
    wire_answered *answers;
    size_t answer_count, answer_capacity, returned; /* returned: by the last run */
    uint8_t *bodies;
    size_t body_count, body_capacity;
    int out_of_memory;
    int64_t now;
    uint8_t input[WIRE_REPLY_HEAD_BYTES + WIRE_INPUT_BYTES]; /* the beginning of a line, and what recv brings */
};

int64_t wire_client_clock(wire_client *client);
static inline int wire_client_full(const wire_client *client)
{
    return client->answer_count >= WIRE_ANSWERED || client->body_count >= WIRE_BODIES || client->out_of_memory;
}

static inline wire_pending *request_of(wire_client *client, uint32_t request)
{
    return client->requests.pool + request;
}

/* ---- wire_exchange.c ---- */

/* 0: no memory. */
uint32_t wire_exchange_new(wire_client *client, const wire_pending *one);
void wire_exchange_free(wire_client *client, uint32_t number);
/* The request has ended: an answer, without a body; it is on no connection any more. */
void wire_finish(wire_client *client, uint32_t request, unsigned error);
/* Bytes have come for the request, or their end; 1: there may be more, and no event will tell. */
int wire_link_read(wire_client *client, uint32_t request);
/* Room for more bytes behind those in use; 0: no memory. */
int wire_grow(uint8_t **bytes, size_t *capacity, size_t used, size_t more);

/* ---- wire_link.c ---- */

/* As wire_finish; its connection, if it is on one, is closed.  Others may wait for one: wire_serve. */
void wire_fail(wire_client *client, uint32_t request, unsigned error);
/* To the end of its queue. */
void wire_wait(wire_client *client, uint32_t request);
/* Whether somebody waits for a connection of the user to the node. */
int wire_waits(wire_client *client, uint32_t user, uint16_t node);
/* Connections for those who wait, as far as there are any. */
void wire_serve(wire_client *client, uint32_t user, uint16_t node);
/* What epoll says of a connection. */
void wire_link_ready(wire_client *client, int fd, uint32_t events);
void wire_link_rest(wire_client *client, int fd);
void wire_link_drop(wire_client *client, int fd);
/* As recv, also over TLS; more: as of wire_tls_functions. */
ssize_t wire_link_receive(wire_client *client, int fd, uint8_t *bytes, size_t length, int *more);
/* Bytes of the request above TCP: those given, or of TLS all of its connection since the last call. */
void wire_link_count(wire_client *client, uint32_t request, ssize_t in, ssize_t out);
/* No more bytes can come or go on the request's connection. */
void wire_link_broken(wire_client *client, uint32_t request);

#endif
