/* HTTP/1.1 as a node speaks it with upstreams for the relay: questions without a body written, answers read, strictly.
 * edge/upstream/question.py, forwarded.py, answer.py and reuse.py say the same in Python, with the reasons; what one
 * refuses, the other does.  Sans-IO. */
#ifndef EDGE_UPSTREAM_H
#define EDGE_UPSTREAM_H

#include "edge_passed.h"

#define EDGE_UPSTREAM_ASK (3 * EDGE_HEAD_LIMIT + 2048) /* a question takes less */
/* edge/upstream/answer.py Limits; of framing so many bytes besides for each byte of data */
#define EDGE_UPSTREAM_HEAD (32 * 1024)
#define EDGE_UPSTREAM_FIELDS 128
#define EDGE_UPSTREAM_FRAMING (8 * 1024)
#define EDGE_UPSTREAM_FRAMING_OF_BYTE 8
#define EDGE_UPSTREAM_INTERIM 16
#define EDGE_UPSTREAM_REST 30 /* seconds for which a connection may rest: edge/upstream/reuse.py */

/* Writes the head that asks a question, with room for EDGE_UPSTREAM_ASK: its bytes; 0: this one is not for the relay. */
size_t edge_upstream_ask(uint8_t *to, const edge_question *question, const edge_passed_rules *rules);

/* What the next bytes are. */
typedef enum {
    EDGE_UPSTREAM_MORE,   /* to be known when there are more of them; none, if all is taken */
    EDGE_UPSTREAM_EARLY,  /* an interim answer */
    EDGE_UPSTREAM_FINAL,  /* the head of the final answer */
    EDGE_UPSTREAM_BODY,   /* some of its body */
    EDGE_UPSTREAM_END,    /* the answer is whole; what follows was not asked for */
    EDGE_UPSTREAM_WRONG   /* no answer */
} edge_upstream_kind;

typedef struct {
    bool head_only;    /* the question is HEAD */
    bool begun;        /* something has come */
    bool reusable;     /* the connection may be asked the next question, after the end */
    uint8_t stage, interim;
    uint8_t known;     /* bytes of the name of a trailer field so far */
    uint8_t trailers;
    char name[18];     /* of a trailer field, in lower case */
    uint32_t searched; /* bytes of a head that have been searched for its end in vain */
    uint32_t rest;     /* seconds for which the connection may rest */
    uint64_t left;     /* of the body, or of a chunk */
    uint64_t data, framing; /* bytes of a body in chunks so far */
    edge_passed head;  /* of EARLY and FINAL; its fields lie in what was read */
    edge_field *fields; /* the caller's, with room for EDGE_UPSTREAM_FIELDS */
    const char *why;   /* of WRONG, in a sentence for the log */
} edge_upstream_reader;

/* Reads the answer to one question from here on; fields: room for EDGE_UPSTREAM_FIELDS of them. */
void edge_upstream_begin(edge_upstream_reader *reader, edge_field *fields, bool head_only);
/* The next that is at the front of the bytes; *consumed: as many as it is.  *body: of BODY, moved together over what
 * framed it, at the front of the bytes or behind it. */
edge_upstream_kind edge_upstream_read(edge_upstream_reader *reader, uint8_t *in, size_t length, size_t *consumed,
                                      edge_span *body);
/* The server has closed: whether that is the end of the answer. */
bool edge_upstream_ends(const edge_upstream_reader *reader);

#endif
