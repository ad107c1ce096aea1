/* edge-app/1 as a node speaks it for the relay: questions without a body written, what applications say read.
 * docs/reference/edge-app.md draws the bytes; edge/app/messages.py says the same in Python.  Sans-IO. */
#ifndef EDGE_APP_H
#define EDGE_APP_H

#include "edge_passed.h"

#define EDGE_APP_FRAME 262144 /* bytes of one array */
#define EDGE_APP_WINDOW 65536 /* of bodies that are on their way in one exchange */
#define EDGE_APP_FIELDS EDGE_PASSED_FIELDS
#define EDGE_APP_FIELDS_BYTES 65536
#define EDGE_APP_ASK (2 * EDGE_HEAD_LIMIT + 4096) /* a question takes less */

/* Writes the frame of a question, with room for EDGE_APP_ASK: its bytes; 0: this one is not for the relay. */
size_t edge_app_ask(uint8_t *to, uint64_t number, const edge_question *question, const edge_passed_rules *rules);
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

typedef struct {
    uint64_t number;   /* of the exchange; of EDGE_APP_READY: the version */
    uint64_t size;     /* of EDGE_APP_CREDIT; of EDGE_APP_READY: exchanges at once */
    unsigned status;
    uint64_t length;   /* of the whole body; EDGE_UNKNOWN */
    bool more;
    edge_span body;
    edge_span fields;  /* an array of pairs that was looked through; of EDGE_APP_ANSWER */
    unsigned field_count;
} edge_app_message;

/* What one array says. */
edge_app_kind edge_app_read(const uint8_t *array, size_t length, edge_app_message *message);

/* The fields of a message that was read, to room for EDGE_APP_FIELDS. */
void edge_app_fields(const edge_app_message *message, edge_field *to);

#endif
