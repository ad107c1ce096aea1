/* What edge_client.c, edge_link.c and edge_exchange.c share, and nobody else.
 *
 * edge_client.c knows time: what is due, what has taken too long; and the interface.
 * edge_link.c knows connections: who waits for one, which one a request gets, sending, their ends.
 * edge_exchange.c knows answers: receiving, what is kept of them, handing them over. */
#ifndef EDGE_LINK_H
#define EDGE_LINK_H

#include "edge_client.h"
#include "edge_dial.h"
#include "edge_reply.h"
#include "edge_requests.h"
#include "edge_wait.h"

#define EDGE_ANSWERED 4096             /* answers, after which run returns */
#define EDGE_BODIES ((size_t)8 << 20)  /* bytes of bodies, after which run returns */
#define EDGE_CONNECTIONS_EACH 6        /* of one user to one node */
#define EDGE_NODES 65536
#define EDGE_QUEUES 16384              /* of requests that wait, by hash of user and node; a power of two */
#define EDGE_INPUT_BYTES (256 * 1024)  /* of one recv */

/* Names of connections are descriptors + 1; 0 is none.
 * CONNECTED: it took bytes.  USED: it has brought an answer.  LEAVING: it will not rest again.  WRITING: epoll
 * tells when it is writable. */
enum { EDGE_OPEN = 1, EDGE_CONNECTED = 2, EDGE_USED = 4, EDGE_LEAVING = 8, EDGE_WRITING = 16 };

typedef struct {
    int64_t rested;        /* since when */
    uint32_t user, next;   /* next: of the same user */
    uint32_t request;      /* on it; 0: it rests */
    uint32_t older, newer; /* among those at rest */
    uint16_t node;
    uint8_t flags;
} edge_link;

/* An answer on its way in. */
typedef struct {
    edge_reply reply;
    uint8_t *line; /* that has not ended */
    uint8_t *body; /* as far as earlier calls brought it */
    size_t line_length, line_capacity, body_length, body_capacity;
    uint32_t free; /* the next free one */
} edge_exchange;

struct edge_client {
    edge_client_limits limits;
    edge_requests requests;
    int epoll;
    uint32_t users, capacity;      /* capacity: of descriptors */
    uint32_t *first;               /* connection of each user */
    edge_link *links;              /* by descriptor */
    uint32_t resting, resting_last; /* the one that has rested for longest, and the last to come to rest */
    uint64_t open, opened, waiting;
    struct {
        uint32_t first, last;
    } queues[EDGE_QUEUES];
    edge_node *nodes;
    uint32_t node_count, node_capacity;
    edge_exchange *exchanges; /* [0] is not used */
    uint32_t exchange_count, exchange_capacity, exchange_free;
    edge_answered *answers;
    size_t answer_count, answer_capacity, returned; /* returned: by the last run */
    uint8_t *bodies;
    size_t body_count, body_capacity;
    int out_of_memory;
    int64_t now;
    uint8_t input[EDGE_REPLY_HEAD_BYTES + EDGE_INPUT_BYTES]; /* the beginning of a line, and what recv brings */
};

int64_t edge_client_clock(edge_client *client);
static inline int edge_client_full(const edge_client *client)
{
    return client->answer_count >= EDGE_ANSWERED || client->body_count >= EDGE_BODIES || client->out_of_memory;
}

static inline edge_pending *request_of(edge_client *client, uint32_t request)
{
    return client->requests.pool + request;
}

/* ---- edge_exchange.c ---- */

/* 0: no memory. */
uint32_t edge_exchange_new(edge_client *client, const edge_pending *one);
void edge_exchange_free(edge_client *client, uint32_t number);
/* The request has ended: an answer, without a body; it is on no connection any more. */
void edge_finish(edge_client *client, uint32_t request, unsigned error);
/* Bytes have come for the request, or their end. */
void edge_link_read(edge_client *client, uint32_t request);

/* ---- edge_link.c ---- */

/* As edge_finish; its connection, if it is on one, is closed.  Others may wait for one: edge_serve. */
void edge_fail(edge_client *client, uint32_t request, unsigned error);
/* To the end of its queue. */
void edge_wait(edge_client *client, uint32_t request);
/* Whether somebody waits for a connection of the user to the node. */
int edge_waits(edge_client *client, uint32_t user, uint16_t node);
/* Connections for those who wait, as far as there are any. */
void edge_serve(edge_client *client, uint32_t user, uint16_t node);
/* What epoll says of a connection. */
void edge_link_ready(edge_client *client, int fd, uint32_t events);
void edge_link_rest(edge_client *client, int fd);
void edge_link_drop(edge_client *client, int fd);
/* No more bytes can come or go on the request's connection. */
void edge_link_broken(edge_client *client, uint32_t request);

#endif
