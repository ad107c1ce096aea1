/* Heads of answers, composed to the byte as edge/http/answer.py writes them: its docstring draws the
 * order of the lines.  Sans-IO; an answer is composed here and nowhere else in C.
 *
 * Each function writes a head at the end of out->heads and appends it as a piece.  The caller sees to
 * it that there is room: EDGE_HEAD_FIXED bytes besides the published lines. */
#ifndef EDGE_HEAD_H
#define EDGE_HEAD_H

#include "edge_date.h"
#include "edge_output.h"
#include "edge_table.h"

#define EDGE_HEAD_FIXED 2048 /* a state of the site takes up to 1,152 of them */

/* What any head may say. */
typedef struct {
    const char *date; /* EDGE_DATE_BYTES */
    bool readable;    /* by scripts of the request's origin: Access-Control-Allow-Origin */
    bool close;       /* Connection: close */
    const uint8_t *hsts; /* Strict-Transport-Security, a whole line that comes last, but not in a 304 */
    size_t hsts_length;
    const uint8_t *speculation; /* Speculation-Rules, a whole line behind that, of pages */
    size_t speculation_length;
    const uint8_t *state; /* Edge-State: of the site, in a 200 of what is published; NULL: it has none */
    size_t state_length;
    const char *cached; /* Cache-Status of an answer, a whole line in place of the stored one, a hit; NULL: that */
} edge_head_context;

/* A whole representation; modified: its Last-Modified, EDGE_DATE_BYTES. */
void edge_head_200(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                   const char *modified);
/* The answer of an application; date: when it was made, EDGE_DATE_BYTES. */
void edge_head_answer_200(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                          const char *date);
void edge_head_answer_304(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                          const char *date);
/* The client's copy is current. */
void edge_head_304(edge_output *out, const edge_head_context *context, const edge_entry *entry);
/* A body of so many bytes without validators, with the lines of a template: the answer to a batch. */
void edge_head_plain(edge_output *out, const edge_head_context *context, const edge_entry *template,
                     size_t length);
/* The connection is a WebSocket from now on; proof: of so many bytes, that its opening was understood. */
void edge_head_101(edge_output *out, const uint8_t *proof, size_t length);
/* Whether edge_head_redirect knows the status. */
bool edge_head_leads(unsigned status);
/* The resource is elsewhere; query: of the request, passed on where the address has none; NULL: it has none.  A HEAD
 * gets no body.  Bytes of the body. */
size_t edge_head_redirect(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                        const uint8_t *query, size_t query_length, bool with_body);
/* Too many requests: a token comes in so many seconds.  Bytes of its body, which is put if wanted. */
size_t edge_head_429(edge_output *out, const edge_head_context *context, uint64_t seconds, bool with_body);
/* The request's head took too long.  With its body: the answer is whole. */
size_t edge_head_408(edge_output *out, const edge_head_context *context); /* bytes of its body */

#endif
