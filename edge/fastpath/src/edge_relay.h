/* Requests passed on to applications, and their answers passed back, without leaving C.
 *
 * The caller says which addresses (edge_loop_pass), and gives the connections (edge_loop_carry): one to each process that
 * speaks edge-app/1, and to a server of HTTP/1.1 as many as are wanted, of those on which it was answered itself and
 * that can be used again.  It does everything else: whatever is not a GET or HEAD of such an address, what finds no
 * connection free, and what goes wrong before an answer has begun, is handed off, with what is known of it (edge_met).
 *
 *     client --- edge_exchange --- edge_carrier --- process or server
 *                                       |
 *                             edge_carrier_app, edge_carrier_http     (which bytes mean what: edge_app, edge_upstream)
 *
 * Backpressure: what a client has not taken of an answer is kept with it, EDGE_APP_WINDOW at most.  A process gets credit
 * when it is taken; the connection to a server is not read before that.  A client that goes cancels. */
#ifndef EDGE_RELAY_H
#define EDGE_RELAY_H

#include "edge_carrier.h"

#define EDGE_APPLICATIONS 64
#define EDGE_MEMBERS 1024
#define EDGE_WANTED 128 /* carriers of a member that speaks HTTP/1.1: more are not wanted */

typedef struct edge_relay {
    edge_mark marks[EDGE_MARKS];
    edge_passed_rules rules;
    char *rule_texts;
    edge_application applications[EDGE_APPLICATIONS];
    edge_member members[EDGE_MEMBERS];
    unsigned application_count, member_count, carrier_count;
    uint32_t carried; /* so far */
    edge_carrier *carriers[EDGE_CARRIERS];
    edge_carrier *work; /* at the end of this turn */
    edge_news news[EDGE_NEWS];
    int news_count;
    edge_field fields[EDGE_PASSED_FIELDS]; /* of the answer that is being read */
    uint8_t input[EDGE_APP_FRAME + 4 + EDGE_RELAY_READ];
} edge_relay;

/* Asks what the answerer says is to be passed on; what was received begins with it.  false: it is to be handed off. */
bool edge_relay_ask(edge_loop *loop, int fd, const edge_received *received);
/* At the end of a turn; whether something is left for the next one, for which there was no room; and between turns. */
void edge_relay_flush(edge_loop *loop);
bool edge_relay_has_work(const edge_loop *loop);
void edge_relay_resume(edge_loop *loop);
/* Every second. */
void edge_relay_tick(edge_loop *loop);
void edge_relay_close(edge_loop *loop);

#endif
