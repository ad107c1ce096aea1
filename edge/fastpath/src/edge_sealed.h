/* A connection over TLS, after its handshake: receiving and sending between its socket and its requests. */
#ifndef EDGE_SEALED_H
#define EDGE_SEALED_H

#include "edge_connection.h"

/* Its handshake is over; records that came with the end of it are there already. */
void edge_sealed_begin(edge_loop *loop, int fd, const edge_received *rest);
/* The socket has something, or is at its end. */
void edge_sealed_readable(edge_loop *loop, int fd);
/* Opens the records and serves what is in them, behind `plain` bytes that are in loop->input already. */
void edge_sealed_open(edge_loop *loop, int fd, size_t plain, const uint8_t *in, size_t length);
/* Seals and sends loop->output, and close_notify behind it if closing; what is not taken is kept as it was sealed. */
edge_sending edge_sealed_send(edge_loop *loop, int fd, bool closing, const edge_received *received);
/* close_notify, if it was not sent; nothing on a connection without TLS, or not between two records. */
void edge_sealed_goodbye(edge_loop *loop, int fd);
/* Counts an alert by its kind. */
void edge_sealed_count_alert(edge_loop *loop, bool sent, int description);

#endif
