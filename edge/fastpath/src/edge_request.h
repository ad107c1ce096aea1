/* Recognising requests: a strict subset of RFC 9112, everything else is let go.
 *
 * The recogniser says yes only to what it understands whole.  It never repairs, skips or guesses:
 * a byte, a field or a combination outside the subset means EDGE_LET_GO, and the strict parser on
 * the Twisted side sees the same bytes from the start of the request.  It reads each byte at most
 * once, writes nothing, allocates nothing, and never looks beyond length.  Sans-IO. */
#ifndef EDGE_REQUEST_H
#define EDGE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "edge_variant.h"

#define EDGE_HEAD_LIMIT 8192
#define EDGE_FIELD_LIMIT 64
#define EDGE_BODY_LIMIT 131072

/* What the bytes at hand are: of a request, a list or a line. */
typedef enum {
    EDGE_RECOGNISED, /* whole, and understood */
    EDGE_INCOMPLETE, /* may become it: wait for more bytes */
    EDGE_LET_GO      /* not within the subset, whatever follows */
} edge_recognition;
/* OPEN: the opening handshake of a WebSocket of the push service. */
typedef enum { EDGE_GET, EDGE_HEAD, EDGE_REVALIDATE, EDGE_OPEN } edge_method;

/* bytes == NULL: absent. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
} edge_span;

typedef struct {
    edge_method method;
    bool close;            /* Connection: close */
    bool apart;            /* Authorization, Via or Edge-Timing: nothing is asked for others on its account */
    unsigned codings;      /* acceptable content codings: EDGE_BIT(coding) each */
    edge_span target;      /* whole request-target */
    edge_span path;        /* target without the query */
    edge_span exact;       /* target without ~etag=TAG: the key of an application's answer */
    edge_span tag;         /* of a last query parameter ~etag=TAG */
    edge_span none_match;  /* If-None-Match */
    edge_span accept, origin;
    edge_span host;        /* uri-host and port */
    /* What proxies write; it means nothing where the peer is not trusted. */
    edge_span forwarded, forwarded_for, forwarded_host;
    unsigned forwarded_fors; /* lines of X-Forwarded-For */
    edge_span referer, user_agent;
    edge_span body;        /* EDGE_REVALIDATE */
    const uint8_t *key;    /* EDGE_OPEN: Sec-WebSocket-Key, 24 characters */
    size_t consumed;       /* head and body */
    unsigned site;         /* the caller's to fill in: whose host it is */
} edge_request;

edge_recognition edge_recognise(const uint8_t *in, size_t length, edge_request *request);

/* One step through a comma-separated list (RFC 9110 5.6.1): the next member without OWS around it.
 * false at the end; an empty member comes back with length 0. */
bool edge_list_next(edge_span *rest, edge_span *member);

/* The first byte that is not part of a token (RFC 9110 5.6.2). */
const uint8_t *edge_token_end(const uint8_t *p, const uint8_t *end);

/* The first byte that is not part of a field value: below 0x20 but HTAB, or DEL. */
const uint8_t *edge_value_end(const uint8_t *p, const uint8_t *end);

/* The field line at *at: its name, and its value without OWS around it; *at moves behind the line.
 * EDGE_LET_GO: malformed. */
edge_recognition edge_field_next(const uint8_t **at, const uint8_t *end, edge_span *name, edge_span *value);

/* Case-insensitive comparison with a literal of lower-case letters, digits, dashes and slashes, eight bytes at
 * a time.  Setting bit 5 folds letters; what else it folds are control bytes, which a field never
 * has here. */
static inline bool edge_equal_nocase(edge_span span, const char *lower, size_t length)
{
    const uint64_t fold = 0x2020202020202020u;
    uint64_t ours, theirs;
    size_t i = 0;
    if (span.length != length)
        return false;
    for (; i + 8 <= length; i += 8) {
        memcpy(&ours, span.bytes + i, 8);
        memcpy(&theirs, lower + i, 8);
        if ((ours | fold) != theirs)
            return false;
    }
    for (; i < length; i++)
        if ((span.bytes[i] | 0x20) != (uint8_t)lower[i])
            return false;
    return true;
}
#define EDGE_IS(span, literal) edge_equal_nocase(span, literal, sizeof(literal) - 1)

#endif
