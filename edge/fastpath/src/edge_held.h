/* Requests that wait for what is to be stored: nothing is published or stored under their address, and an application may
 * answer it for all.  The caller knows whether one does, has the answer made and stored, and says what becomes of each:
 *
 *     begin    the request is kept with its connection, and named by a ticket          HELD
 *     look     it is answered from the table, as what it has waited for                IDLE
 *     let go   it is handed off: it is nobody's, to be asked whole, or what is to be said of it is not in the table
 *
 * So who waits is no object of the caller's but a number, which stands for him as long as he waits: it is never that of
 * another one, also not when the descriptor is.  A client that goes is not told of; the caller finds him gone. */
#ifndef EDGE_HELD_H
#define EDGE_HELD_H

#include "edge_members.h"

#define EDGE_HELD_SECONDS 300 /* then it is handed off: four times what who waits is made to look again after */

/* What was received begins with such a request.  false: it is not held. */
bool edge_held_begin(edge_loop *loop, int fd, const edge_received *received);
/* Its time is over. */
void edge_held_overdue(edge_loop *loop, int fd);

#endif
