/* What passes between visitors and applications, whichever protocol these speak: questions, the fields of visitors that
 * are believed, and the heads of answers, composed to the byte as edge/upstream/fields.py and
 * edge/node/connection/framing.py have them.  Sans-IO. */
#ifndef EDGE_PASSED_H
#define EDGE_PASSED_H

#include "edge_head.h"
#include "edge_request.h"

#define EDGE_UNKNOWN UINT64_MAX /* a length that nobody has said */
#define EDGE_PASSED_FIELDS 256  /* of an answer, at most */

/* Which fields of visitors pass: names, prefixes and suffixes that do not, in lower case, each ended by a zero byte, and
 * an empty one behind the last.  A copy of the caller's, who has them in one place (edge/upstream/fields.py). */
typedef struct {
    const char *names, *prefixes, *suffixes;
    uint32_t starts[65]; /* letters that names of so many bytes begin with; [64]: longer ones */
    uint32_t prefix_starts;
} edge_passed_rules;

void edge_passed_open(edge_passed_rules *rules, const char *names, const char *prefixes, const char *suffixes);

/* A question without a body. */
typedef struct {
    edge_method method;
    edge_span target, host, peer, at; /* peer: the client's address in text; at: the path of the application */
    bool secure;
    uint32_t deadline_ms;
    edge_span fields; /* of the request: its lines, without the request line and the empty one */
} edge_question;

/* The next field that an application may believe; *lines moves behind it, lower gets its name in lower case, with room
 * for EDGE_HEAD_LIMIT.  EDGE_INCOMPLETE: there is none; EDGE_LET_GO: one makes the question another path's than the
 * relay's. */
edge_recognition edge_passed_next(edge_span *lines, const edge_passed_rules *rules, uint8_t *lower, edge_span *name,
                                  edge_span *value);

typedef struct {
    edge_span name, value;
} edge_field;

/* The head of an answer. */
typedef struct {
    unsigned status;
    uint64_t length; /* of the whole body; EDGE_UNKNOWN */
    const edge_field *fields;
    unsigned count;
} edge_passed;

/* Appends the head of an answer to the output, as a piece: one of 102 to 199, or the final one, with Cache-Status.
 * *chunked: how the body is delimited then.  false: clients could misread it, and nothing is written. */
bool edge_passed_head(edge_output *out, const edge_passed *answer, const edge_head_context *context, bool bodiless,
                      bool *chunked);
/* Whether the answer's fields say that it is a stream of events, which may rest. */
bool edge_passed_is_of_events(const edge_passed *answer);
/* The same as edge_list_next, where commas within quoted strings do not separate. */
bool edge_quoted_list_next(edge_span *rest, edge_span *member);

#endif
