/* Requests passed on to applications, and their answers passed back, without leaving C.
 *
 * The caller says which addresses (edge_loop_pass), and gives the connections (edge_loop_carry): one to each process that
 * speaks edge-app/1, and to a server of HTTP/1.1 as many as are wanted, of those on which it was answered itself and
 * that can be used again.  It does everything else: whatever is not a GET or HEAD of such an address, what finds no
 * connection free, and what goes wrong before an answer has begun, is handed off, with what is known of it (edge_met).
 *
 *     client --- edge_exchange --- edge_carrier --- process or server (edge_members: whom, and how much they have)
 *                                       |
 *                             edge_carrier_app, edge_carrier_http     (which bytes mean what: edge_app, edge_upstream)
 *
 * Backpressure: what a client has not taken of an answer is kept with it, EDGE_APP_WINDOW at most.  A process gets credit
 * when it is taken; the connection to a server is not read before that.  A client that goes cancels. */
#ifndef EDGE_RELAY_H
#define EDGE_RELAY_H

#include "edge_carrier.h"

/* At the end of a turn; whether something is left for the next one, for which there was no room; and between turns. */
void edge_relay_flush(edge_loop *loop);
bool edge_relay_has_work(const edge_loop *loop);
void edge_relay_resume(edge_loop *loop);
/* Every second. */
void edge_relay_tick(edge_loop *loop);
/* Whether somebody is asked who has not answered. */
bool edge_relay_awaits(const edge_loop *loop);
/* Whether something is to be told to the caller. */
bool edge_relay_has_news(const edge_loop *loop);
void edge_relay_close(edge_loop *loop);

#endif
