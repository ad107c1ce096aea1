/* A connection over TLS, after its handshake: receiving and sending between its socket and its requests. */
#ifndef EDGE_SEALED_H
#define EDGE_SEALED_H

#include "edge_connection.h"

/* Records are opened and what is in them served; what is not taken of an answer is kept as it was sealed; goodbye is
 * close_notify. */
extern const edge_transport edge_sealed;

/* Its handshake is over; records that came with the end of it are there already. */
void edge_sealed_begin(edge_loop *loop, int fd, const edge_received *rest);
/* Counts an alert by its kind. */
void edge_sealed_count_alert(edge_loop *loop, bool sent, int description);

#endif
