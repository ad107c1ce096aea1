/* edge-app/1 as a node speaks it for the relay: questions without a body written, what applications say read, and the
 * heads of their answers composed.  docs/reference/edge-app.md draws the bytes; edge/app/messages.py, edge/upstream/fields.py
 * and edge/node/connection/framing.py say the same in Python.  Sans-IO. */
#ifndef EDGE_APP_H
#define EDGE_APP_H

#include "edge_head.h"
#include "edge_request.h"

#define EDGE_APP_FRAME 262144 /* bytes of one array */
#define EDGE_APP_WINDOW 65536 /* of bodies that are on their way in one exchange */
#define EDGE_APP_FIELDS 256
#define EDGE_APP_FIELDS_BYTES 65536
#define EDGE_APP_ASK (2 * EDGE_HEAD_LIMIT + 4096) /* a question takes less */

/* Which fields of visitors pass: names, prefixes and suffixes that do not, in lower case, each ended by a zero byte, and
 * an empty one behind the last.  A copy of the caller's, who has them in one place (edge/upstream/fields.py). */
typedef struct {
    const char *names, *prefixes, *suffixes;
} edge_app_rules;

typedef struct {
    uint64_t number;
    edge_method method;
    edge_span target, host, peer, at;
    bool secure;
    uint32_t deadline_ms;
    edge_span fields; /* of the request: its lines, without the request line and the empty one */
} edge_app_question;

/* Writes its frame, with room for EDGE_APP_ASK: its bytes; 0: this one is not for the relay. */
size_t edge_app_ask(uint8_t *to, const edge_app_question *question, const edge_app_rules *rules);
/* Likewise, what else is said: bytes, 32 at most. */
size_t edge_app_credit(uint8_t *to, uint64_t number, uint64_t size);
size_t edge_app_cancel(uint8_t *to, uint64_t number);

typedef enum {
    EDGE_APP_NOTHING,   /* of a type that a later version may have added */
    EDGE_APP_MALFORMED,
    EDGE_APP_ANSWER = 2,
    EDGE_APP_DATA = 3,
    EDGE_APP_CREDIT = 4,
    EDGE_APP_CANCEL = 5,
    EDGE_APP_CHANGED = 6, /* its elements are not looked at here */
    EDGE_APP_READY = 8,
    EDGE_APP_DRAIN = 9
} edge_app_kind;

#define EDGE_APP_UNKNOWN UINT64_MAX /* a length that nobody has said */

typedef struct {
    uint64_t number;   /* of the exchange; of EDGE_APP_READY: the version */
    uint64_t size;     /* of EDGE_APP_CREDIT; of EDGE_APP_READY: exchanges at once */
    unsigned status;
    uint64_t length;   /* of the whole body; EDGE_APP_UNKNOWN */
    bool more;
    edge_span body;
    edge_span fields;  /* an array of pairs that was looked through; of EDGE_APP_ANSWER */
    unsigned field_count;
} edge_app_message;

/* What one array says. */
edge_app_kind edge_app_read(const uint8_t *array, size_t length, edge_app_message *message);

/* Appends the head of an answer to the output, as a piece: one of 102 to 199, or the final one, with Cache-Status.
 * *chunked: how the body is delimited then.  false: clients could misread it, and nothing is written. */
bool edge_app_head(edge_output *out, const edge_app_message *answer, const edge_head_context *context, bool bodiless,
                   bool *chunked);
/* Whether the answer's fields say that it is a stream of events, which may rest. */
bool edge_app_is_of_events(const edge_app_message *answer);

#endif
