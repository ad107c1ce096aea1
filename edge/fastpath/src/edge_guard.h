/* Who may, as far as the fast path decides it: the twin of edge/access/patterns.py.  Sans-IO; the caller owns the
 * arrays and what they point to.
 *
 * Which patterns a path fits is found once, and remembered beside its hash (edge_answer.h): a site without rules, and a
 * path without rules, cost a comparison. */
#ifndef EDGE_GUARD_H
#define EDGE_GUARD_H

#include "edge_buckets.h"
#include "edge_networks.h"
#include "edge_request.h"

#define EDGE_PATTERNS 64 /* of one site */

typedef enum { EDGE_LOGIN, EDGE_NETWORKS, EDGE_RATE } edge_pattern_kind;

typedef struct {
    edge_subnet network;
    bool allows;
} edge_listed_network;

typedef struct {
    uint8_t kind; /* edge_pattern_kind */
    bool literal; /* the path is the begin */
    bool exact;   /* what fits is certainly one of the rule's */
    uint16_t begin_length, end_length;
    uint32_t rule;            /* EDGE_RATE: the number of its buckets */
    const uint8_t *begin, *end;
    const edge_listed_network *networks; /* EDGE_NETWORKS: the first that holds an address decides */
    uint32_t network_count;
    bool others;              /* EDGE_NETWORKS: may who is in none? */
    uint64_t interval, burst; /* EDGE_RATE */
} edge_pattern;

typedef struct {
    const edge_pattern *patterns;
    unsigned count;
} edge_guard;

/* A bit for each pattern that a path, as it was sent, fits; *is_odd: it may be spelt otherwise. */
uint64_t edge_guard_of(const edge_guard *guard, const uint8_t *path, size_t length, bool *is_odd);

typedef enum {
    EDGE_MAY,     /* and the tokens are taken */
    EDGE_ASK,     /* it is not decided here: let go, nothing is taken */
    EDGE_TOO_MANY /* 429 */
} edge_verdict;

/* Whether the client, 16 bytes, may have what fits these patterns; *wait: of EDGE_TOO_MANY, microseconds. */
edge_verdict edge_guard_check(const edge_guard *guard, uint64_t fitting, bool is_odd, const uint8_t *client,
                              edge_buckets *buckets, uint64_t now_us, uint64_t *wait);
/* Whether a batch tells the client whether its copy is current; else it is not, and is asked for. */
bool edge_guard_tells(const edge_guard *guard, uint64_t fitting, bool is_odd, const uint8_t *client);
/* Puts back what EDGE_MAY has taken: the request is let go. */
void edge_guard_undo(const edge_guard *guard, uint64_t fitting, const uint8_t *client, edge_buckets *buckets);

#endif
