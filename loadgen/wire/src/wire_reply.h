/* Sans-IO: reads one HTTP/1.1 answer, in whatever pieces it comes.
 *
 * The same as AnswerReader in loadgen/wire/answers.py, where the states are drawn; a test compares the two.
 * Allocates nothing and keeps no byte of what it reads: a line that has not ended is left to the caller, a
 * body is handed on piece by piece. */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "edge_request.h"

#define WIRE_REPLY_HEAD_BYTES (64 * 1024)
#define WIRE_REPLY_ETAG_BYTES 63
#define WIRE_REPLY_MODIFIED_BYTES 31
#define WIRE_REPLY_OTHER_CODING 5

/* GARBAGE and the like are the numbers of loadgen.wire.interface. */
enum { WIRE_OK, WIRE_REFUSED, WIRE_CLOSED, WIRE_GARBAGE, WIRE_TOO_LARGE, WIRE_TIMEOUT, WIRE_CANCELLED, WIRE_LONGER = 12 };

typedef struct {
    uint64_t body_limit, body_bytes;
    uint64_t left;   /* of a counted body or a chunk */
    uint64_t length; /* Content-Length */
    int64_t max_age; /* seconds; -1: none */
    int64_t age;     /* seconds */
    uint32_t head_bytes;
    uint16_t status;
    uint8_t state, head_only, version_1_0, uncacheable, chunked, has_length, says_close, says_keep_alive;
    uint8_t closing; /* the connection is of no use after this answer; known at the end of the head */
    uint8_t counted; /* its end is where Content-Length tells; known at the end of the head */
    uint8_t weak; /* the entity tag */
    uint8_t coding; /* of the content, as loadgen.wire.interface.Answer */
    uint8_t later;  /* it says when to come again */
    uint8_t etag_length, modified_length;
    uint8_t etag[WIRE_REPLY_ETAG_BYTES];
    uint8_t modified[WIRE_REPLY_MODIFIED_BYTES]; /* Last-Modified as it came */
} wire_reply;

typedef enum {
    WIRE_REPLY_MORE, /* an incomplete line is left: to be given again, with what follows */
    WIRE_REPLY_BODY, /* *body is a piece of the body; call again */
    WIRE_REPLY_DONE, /* what is left in *in belongs to no answer yet */
    WIRE_REPLY_GARBAGE,
    WIRE_REPLY_TOO_LARGE
} wire_reply_verdict;

void wire_reply_begin(wire_reply *reply, uint64_t body_limit, int head_only);
/* Reads on and moves *in behind what has been read. */
wire_reply_verdict wire_reply_read(wire_reply *reply, edge_span *in, edge_span *body);
/* The server has closed: 1 if that completes the answer. */
int wire_reply_ended(wire_reply *reply);

/* Of Cache-Control, as Answer.max_age. */
static inline int64_t wire_reply_max_age(const wire_reply *reply)
{
    return reply->uncacheable ? -1 : reply->max_age;
}

#endif
