/* Connections that are to speak TLS and have not agreed upon it yet.
 *
 * A silent one is as small as any; a ClientHello is kept until it is whole, and then recognised, or let go with the
 * bytes that were read.  Handshakes cost as much as a hundred answers each: they are in an epoll set of their own,
 * of which each turn of the loop takes a few, they are counted in all and by address, and they have a deadline. */
#ifndef EDGE_SHAKING_H
#define EDGE_SHAKING_H

#include "edge_connection.h"

/* What handshakes need: 0 or -errno. */
int edge_shaking_open(edge_loop *loop);
void edge_shaking_close(edge_loop *loop);
/* A connection that was just accepted: it is in the set, or closed. */
void edge_shaking_accepted(edge_loop *loop, int fd);
/* A few of those that are ready. */
void edge_shaking_turn(edge_loop *loop);
/* Every second. */
void edge_shaking_tick(edge_loop *loop);

#endif
