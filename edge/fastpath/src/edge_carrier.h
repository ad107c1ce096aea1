/* A connection to a process or a server of an application, a member of it, on which exchanges are carried: what is said,
 * what comes, which can be asked one more.  What is said and understood on it is its member's protocol: edge-app/1
 * (edge_carrier_app.c), with up to EDGE_EXCHANGES exchanges at once, or HTTP/1.1 (edge_carrier_http.c), with one.
 *
 *     begun    edge-app/1: the process has not said yet that it is ready
 *     offered  it can be asked one more; of HTTP/1.1 it rests, until its time is over
 *     full     it has as many exchanges as it may have; of HTTP/1.1 the one
 *     retired  it is asked nothing more, and lost when all is answered
 *     lost     fd -1: its exchanges have parted; freed at the end of the turn, so that whoever holds it may look
 *
 *     from      begun    offered    full       any
 *     to        offered  full       offered    retired, lost
 *
 * It owns its descriptor, rest and out.  Exchanges are their connections' (edge_exchange.h): who leaves first, carrier or
 * exchange, tells the other (lost, cancel).  Bounds: out 4 MiB, after which it is lost; rest less than its protocol reads
 * at once; and see edge_members.h. */
#ifndef EDGE_CARRIER_H
#define EDGE_CARRIER_H

#include "edge_exchange.h"
#include "edge_upstream.h"

#define EDGE_RESTING 32 /* carriers of a server that rest; Python has as many: edge/node/applications/http_origin.py */

extern const edge_protocol edge_carrier_app, edge_carrier_http;

struct edge_carrier {
    int fd;      /* -1: it is lost */
    uint32_t id; /* with its place in it; no two are the same */
    edge_member *member;
    edge_carrier *newer, *older; /* of those that can be asked one more */
    edge_carrier *next;          /* of those with something to do at the end of the turn */
    bool offered, queued;        /* whether it is among these */
    bool retired;                /* closed when all is answered */
    bool awaits_output, paused;  /* paused: not read */
    bool held;                   /* in the rest is more than there was room for in the turn */
    bool stuck;                  /* it does not take what is said */
    uint32_t open;               /* exchanges that have not parted */
    uint32_t until;              /* loop seconds for which it may rest; 0: for ever */
    uint8_t *rest, *out; /* of what has come, what is not understood yet; what is to be sent */
    size_t rest_length, out_length, out_sent, out_room;
    union {
        struct {
            bool ready;
            uint32_t at_once;
            uint64_t asked; /* exchanges so far */
            edge_exchange *exchanges[EDGE_EXCHANGES];
        } app;
        struct {
            edge_exchange *exchange;
            edge_upstream_reader reader;
        } http;
    };
};

/* A carrier of the member on this descriptor, which may rest for so many seconds: 0 and *made, or -errno; then the
 * descriptor stays the caller's. */
int edge_carrier_new(edge_loop *loop, edge_member *member, int fd, uint32_t seconds, edge_carrier **made);
/* It can be asked one more, or not. */
void edge_carrier_offer(edge_loop *loop, edge_carrier *carrier);
void edge_carrier_withdraw(edge_loop *loop, edge_carrier *carrier);
/* Sends bytes at the end of the turn.  false: too many wait already, and the carrier will be lost. */
bool edge_carrier_say(edge_loop *loop, edge_carrier *carrier, const uint8_t *bytes, size_t length);
/* It is read, or not for now. */
void edge_carrier_pause(edge_loop *loop, edge_carrier *carrier, bool paused);
void edge_carrier_retire(edge_loop *loop, edge_carrier *carrier);
void edge_carrier_lose(edge_loop *loop, edge_carrier *carrier, bool broken);
/* What epoll says of the one at this place. */
void edge_carrier_ready(edge_loop *loop, unsigned place, uint32_t events);
/* At the end of a turn: sends what was said, and frees what is lost. */
void edge_carrier_flush(edge_loop *loop);
void edge_carrier_free(edge_loop *loop, edge_carrier *carrier);

#endif
