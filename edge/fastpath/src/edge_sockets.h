/* The WebSockets of the push service that rest in the loop: what each is to get, and whose turn it is.
 *
 * What is pushed is composed once, by the caller: a message of a topic, as frames (edge_loop_publish).  The caller
 * also says how many have their turn, when, and of which topics (edge_loop_push_round, edge_loop_push_all); for each
 * of these nothing happens outside C.  All stand in one array, through which a round goes from its end to its
 * beginning: who comes gets what is true then, and who goes is replaced by the last one, which has had its turn.
 *
 * Who still has bytes waiting (WRITING) gets nothing on top of them, and the newest in the next round. */
#ifndef EDGE_SOCKETS_H
#define EDGE_SOCKETS_H

#include "edge_loop.h"

typedef struct {
    edge_frames frames;
    int32_t fd;
    uint32_t heard, pinged; /* loop seconds; pinged: or sent our goodbye */
    uint8_t topics, choice; /* bits by number */
    uint32_t seen[EDGE_TOPICS]; /* the edition that it has got */
} edge_socket;

typedef struct {
    uint8_t *bytes; /* NULL: none */
    uint32_t length, edition;
} edge_message;

typedef struct {
    edge_socket *all;
    uint32_t count, room;
    uint32_t *at; /* of a descriptor, in all: memory as it is used */
    uint32_t descriptors;
    uint32_t round, rounds;       /* still to be served in this round; rounds so far */
    uint32_t hurry, hurry_topics; /* still to be served at once, and with what */
    edge_message common[EDGE_TOPICS], *of_site[EDGE_TOPICS]; /* of_site: NULL, or sites messages */
    uint32_t sites;
    uint32_t most; /* may be here when another one is opened */
} edge_sockets;

/* 0, or -1 with errno. */
int edge_sockets_open(edge_sockets *sockets, uint32_t descriptors);
void edge_sockets_close(edge_sockets *sockets);
/* A connection becomes one of them: 0, or -ENOMEM. */
int edge_sockets_enter(edge_loop *loop, int fd, const edge_socket_state *state);
/* A connection whose opening handshake has been answered, in the output, becomes one: what is true now comes behind
 * that.  0, or -ENOMEM. */
int edge_sockets_begin(edge_loop *loop, int fd);
/* It is none any more; *state (or NULL): what it was. */
void edge_sockets_leave(edge_loop *loop, int fd, edge_socket_state *state);
/* Answers frames, as edge_answer does requests. */
edge_next edge_sockets_answer(edge_loop *loop, int fd, const uint8_t *in, size_t length, size_t *consumed);
/* All is answered, and taken: it rests until it has something to say, or is to be pinged. */
void edge_sockets_rest(edge_loop *loop, int fd);
/* It has been silent for too long. */
void edge_sockets_overdue(edge_loop *loop, int fd);

#endif
