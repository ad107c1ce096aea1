/* The opening handshake of a WebSocket of the push service (RFC 6455 section 4.2): which are accepted here.
 *
 * A request for one is recognised as all are (edge_request.h), or let go; what is here says whose page has sent it,
 * which topics it asks for, and what proves that it was understood.  edge/fastpath/opening.py is the twin of this, and
 * edge/node/resources/pushing.py what happens to the others.  Sans-IO. */
#ifndef EDGE_OPENING_H
#define EDGE_OPENING_H

#include "edge_request.h"

/* Topics by number: edge/fastpath/opening.py. */
enum { EDGE_TOPIC_LOAD, EDGE_TOPIC_CHANGED, EDGE_TOPIC_STATUS, EDGE_TOPIC_NODES, EDGE_TOPIC_WORD };

/* Who may choose the topic status. */
typedef enum { EDGE_STATUS_PUBLIC, EDGE_STATUS_LOCAL, EDGE_STATUS_OFF } edge_audience;

typedef struct {
    uint8_t topics, choice; /* bits: what it gets; what it may ask for */
    uint16_t site;
    bool is_own; /* no page of another origin has sent it, as far as its host proves that (EDGE_STATUS_LOCAL) */
} edge_opening;

#define EDGE_PROOF_BYTES 28

/* Whether a page of this origin was fetched from this very host (edge/node/resources/origins.py own_origins); any: there
 * is such an origin. */
bool edge_opening_is_own(edge_span host, edge_span origin, bool secure, bool *any);
/* Topics and choice by the target of a request.  false: in a form that is not decided here. */
bool edge_opening_topics(edge_span target, edge_audience audience, edge_opening *opening);
/* The value of Sec-WebSocket-Accept for a key of 24 characters. */
void edge_opening_proof(const uint8_t *key, uint8_t proof[EDGE_PROOF_BYTES]);

#endif
