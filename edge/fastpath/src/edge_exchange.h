/* A request that is passed on, as its client has it: it waits, gets what comes of the answer as fast as it takes it, and
 * may go.  Whom it is asked on is a carrier (edge_carrier.h); when all of the answer has come they part, and what the
 * client has not taken yet is between the two of us.
 *
 *     asked     edge_relay.c makes it, and it is on a carrier       ASKED
 *     begun     the head of its answer has come: it is unanswered no more
 *     parted    all has come, or nothing more will: carrier NULL    ASKED, or GIVING while the client takes the rest
 *     over      note, release: the connection serves what is next, is handed off, or ends
 *
 * It belongs to its connection's buffer.  It owns pending, which counts for its address (edge_connection_hold) and is no
 * more than what was on its way when the client took no more: EDGE_APP_WINDOW of edge-app/1, one read of HTTP/1.1. */
#ifndef EDGE_EXCHANGE_H
#define EDGE_EXCHANGE_H

#include "edge_members.h"

struct edge_exchange {
    edge_carrier *carrier; /* NULL: all of the answer has come, or nothing more will */
    edge_member *member;   /* whom it is asked */
    int fd;                /* of the client */
    uint32_t asker;        /* whose question it is: among the askers of the application, until it is answered */
    bool head_only, answered, chunked, closing, muted, of_events;
    uint8_t interim;
    unsigned status, site;
    uint32_t consumed;     /* bytes of the request, at the front of the connection's input */
    uint32_t deadline;     /* until when the answer begins */
    uint64_t began, sent, expected; /* sent: bytes of the body, given to the client or pending, and of how many */
    uint8_t *pending;      /* what is behind the bytes that the client has not taken yet; in the share of its address */
    size_t pending_length, pending_room;
    /* of edge-app/1 */
    uint64_t number;
    uint32_t may_come, untold;
};

/* Puts the head of an interim answer, or of the final one, which begins the answer, into the output.  false: clients
 * could misread it. */
bool edge_exchange_interim(edge_loop *loop, const edge_exchange *exchange, const edge_passed *answer);
bool edge_exchange_head(edge_loop *loop, edge_exchange *exchange, const edge_passed *answer, bool bodiless);
/* The answer has begun: who was asked is free for another one. */
void edge_exchange_begun(edge_loop *loop, edge_exchange *exchange);
/* Puts a piece of the body into the output, and what ends it if all has come. */
void edge_exchange_body(edge_loop *loop, edge_exchange *exchange, edge_span body);
/* Passes on what is in the output; if all has come, that is the end of the exchange. */
void edge_exchange_give(edge_loop *loop, edge_exchange *exchange);
/* It is on the carrier no more. */
void edge_exchange_part(edge_exchange *exchange);
/* There is no whole answer, and it has parted: the caller goes on; or, if it has begun, the connection ends before it is
 * whole.  One of which all bytes have come, and only the end has not, is whole. */
void edge_exchange_fail(edge_loop *loop, edge_exchange *exchange, edge_met met);

/* The client is gone, which cancels; */
void edge_exchange_left(edge_loop *loop, int fd);
/* it sends something, or nothing more; */
void edge_exchange_ready(edge_loop *loop, int fd, uint32_t events);
/* it has taken what there was; */
void edge_exchange_drained(edge_loop *loop, int fd);
/* its time is over. */
void edge_exchange_overdue(edge_loop *loop, int fd);

#endif
