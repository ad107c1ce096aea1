/* The sans-IO heart of the fast path: request bytes in, answer bytes out.
 *
 * Output is gathered (edge_output.h): heads are composed by edge_head.c, bodies stay in the shared
 * arena.  It is valid until the table is left (edge_table_leave). */
#ifndef EDGE_ANSWER_H
#define EDGE_ANSWER_H

#include "edge_certificates.h"
#include "edge_changes.h"
#include "edge_date.h"
#include "edge_guard.h"
#include "edge_head.h"
#include "edge_log.h"
#include "edge_networks.h"
#include "edge_opening.h"
#include "edge_output.h"
#include "edge_request.h"
#include "edge_sites.h"
#include "edge_table.h"

#define EDGE_OUTPUT_BYTES (256 * 1024) /* after which no further request is begun: backpressure */
#define EDGE_ORIGINS 1024 /* of all sites */
#define EDGE_ORIGIN_BYTES 256
#define EDGE_HSTS_BYTES 128
#define EDGE_SPECULATION_BYTES 256
#define EDGE_VALIDATORS 1000 /* lines of a batch: edge/http/revalidation.py MAX_LINES */
#define EDGE_DATES 256              /* remembered dates; a power of two */
#define EDGE_MEMO 1024              /* remembered hashes of paths; a power of two */
#define EDGE_MEMO_PATH 104
#define EDGE_MEMO_HOSTS 64 /* remembered hosts; a power of two */
#define EDGE_MEMO_HOST 60
#define EDGE_SITE_CELLS 8 /* of a row of edge/table/layout.py: five classes of statuses, bytes of bodies, two unused */
#define EDGE_SITE_SENT 5

/* What is known of a path. */
typedef struct {
    edge_key key;
    uint64_t fitting; /* the patterns of its site that it fits: edge_guard.h */
    uint32_t length, site;
    bool is_odd;
    uint8_t path[EDGE_MEMO_PATH];
} edge_memo;

#define EDGE_HELD_TARGET 4096 /* the longest that is kept: edge/cache/keys.py */
#define EDGE_MARKS 8192 /* addresses that are passed on; a power of two */

/* An address of which the caller has found that an application answers it, and each visitor for himself: as long as
 * nothing is published or stored there. */
typedef struct {
    edge_key key;      /* of its name, with its query */
    uint64_t sequence; /* of the table, when nothing was published there */
    uint64_t until_ms; /* 0: a free cell */
    uint16_t application;
    bool secure;       /* who came over TLS was passed on */
} edge_mark;

/* What the answer to a request is that has waited for it. */
typedef enum {
    EDGE_WAITED_NOT,
    EDGE_WAITED_HIT,      /* one from the table like any other */
    EDGE_WAITED_FILLED,   /* stored on its account */
    EDGE_WAITED_COLLAPSED /* stored on that of another one */
} edge_waited;

typedef struct {
    edge_table table;
    bool draining;     /* every answer closes */
    bool secure;       /* what is answered comes over TLS */
    unsigned hsts_length;
    uint8_t hsts[EDGE_HSTS_BYTES]; /* Strict-Transport-Security, a whole line: over TLS */
    unsigned speculation_length;
    uint8_t speculation[EDGE_SPECULATION_BYTES]; /* Speculation-Rules, a whole line: of pages, for now */
    edge_sites sites;  /* count 0: one site alone, for all hosts, whose names of entries are paths */
    edge_site alone;
    uint64_t *by_site; /* EDGE_SITE_CELLS for each site: what was answered; NULL: it is not counted by site */
    unsigned site_rows;
    unsigned origin_count;
    uint32_t origin_site[EDGE_ORIGINS];
    uint16_t origin_length[EDGE_ORIGINS];
    char origins[EDGE_ORIGINS][EDGE_ORIGIN_BYTES];
    uint64_t now;      /* Unix seconds, what date says */
    char date[EDGE_DATE_BYTES];
    uint32_t log_every, log_countdown; /* one request in so many is logged; 0: none */
    edge_log_ring log;
    uint64_t (*clock)(void);     /* microseconds; NULL: how long requests took is not known */
    uint64_t now_us, began;      /* Unix microseconds; the clock, when what is answered was found there */
    uint8_t peer[16];            /* whom the connection is with, as records have it */
    uint8_t client[16];          /* whom the request came from: he, or whom he names if he is trusted */
    edge_networks trusted;       /* of proxies whose X-Forwarded-For is believed */
    bool is_trusted;             /* the peer is */
    bool (*parse_address)(edge_span text, uint8_t address[16]); /* false: it is no numeric address */
    edge_span tls;               /* over which protocol and cipher suite, as records have it */
    const edge_certificates *certificates; /* one of them was shown on the connection; NULL: it may be asked for all */
    uint32_t shown;              /* which, and the number of the site whose name the client has asked for */
    unsigned named;
    bool opens;                  /* WebSockets of the push service, now */
    edge_audience audience;      /* of its topic status */
    edge_opening opened;         /* the last one; topics 0: none in the last call */
    const edge_guard *guards;    /* of each site; NULL: everybody may everything */
    edge_buckets buckets;
    struct {
        uint32_t at;
        char text[EDGE_DATE_BYTES];
    } dates[EDGE_DATES]; /* formatted dates: a direct-mapped cache */
    edge_memo memo[EDGE_MEMO]; /* of the paths asked for most, a direct-mapped cache: hashing is a quarter of what a
                                  pipelined 304 costs */
    struct {
        uint16_t length; /* 0: a free cell */
        int16_t site;
        uint8_t host[EDGE_MEMO_HOST];
    } hosts[EDGE_MEMO_HOSTS]; /* sites of the hosts asked for most, as they are written, likewise */
    edge_mark *marks;         /* EDGE_MARKS, a direct-mapped cache; NULL: nothing is passed on here */
    edge_request passed;      /* of EDGE_NEXT_PASS and EDGE_NEXT_HOLD: what is asked, */
    unsigned application;     /* and of the former whom */
    bool holds;               /* who asks for what is not there waits for the caller's word: EDGE_NEXT_HOLD */
    edge_waited waited;       /* the next request has; NOT again once that is answered */
} edge_answerer;

/* What the caller does with the connection once the output is sent. */
typedef enum {
    EDGE_NEXT_RECEIVE,  /* all is answered but an incomplete request: wait for more bytes */
    EDGE_NEXT_ANSWER,   /* the output was full: call again with the rest */
    EDGE_NEXT_HAND_OFF, /* the rest is not for the fast path */
    EDGE_NEXT_PASS,     /* what comes next is for an application, or to be handed off */
    EDGE_NEXT_HOLD,     /* what comes next may be to be stored, or is to be handed off */
    EDGE_NEXT_CLOSE,    /* close */
    EDGE_NEXT_OPEN      /* with the output, which is that answer alone, it is a WebSocket: answerer->opened.  What
                           follows are frames */
} edge_next;

/* Answers as many requests at the front of the bytes as are recognised and found; *consumed: their bytes.
 * Clears the output first. */
edge_next edge_answer(edge_answerer *answerer, const uint8_t *in, size_t length, edge_output *out,
                      size_t *consumed);

/* Writes what has changed for a site since the state asked, as edge_changes_since does: *written bytes, 0: nothing.
 * false: it is not answered here. */
bool edge_answer_since(edge_answerer *answerer, unsigned site, edge_span asked, uint8_t *to, size_t *written);

/* The answer to a request that took too long, so many microseconds; it is logged, whatever log_every says. */
void edge_answer_too_slow(edge_answerer *answerer, uint64_t waited_us, edge_output *out);

/* What the heads of answers have to know that others compose. */
edge_head_context edge_answer_context(const edge_answerer *answerer, bool close);
/* Counts and logs an answer that an application gave, with so many bytes of a body. */
void edge_answer_passed(edge_answerer *answerer, const edge_request *request, unsigned status, uint64_t sent);
/* From now on, and for so many milliseconds, who asks for what has this name is passed on to an application. */
void edge_answerer_pass(edge_answerer *answerer, const uint8_t *name, size_t length, uint64_t sequence,
                        uint32_t milliseconds, unsigned application, bool secure);

/* Sets the date of the following answers. */
void edge_answerer_date(edge_answerer *answerer, uint64_t unix_seconds);
/* Tells sites apart from now on; the arrays stay the caller's, and are there as long as the answerer. */
void edge_answerer_sites(edge_answerer *answerer, const edge_sites *sites);
/* Counts answers at so many sites from now on, in rows that stay the caller's; 0: it does not. */
void edge_answerer_count_sites(edge_answerer *answerer, void *rows, unsigned sites);
/* From now on these patterns, an edge_guard for each site, say who may, with these buckets; all stay the caller's, and
 * are there as long as the answerer.  0, or -1: those are no buckets. */
int edge_answerer_guards(edge_answerer *answerer, const edge_guard *guards, void *buckets, uint64_t bytes);
/* Forgets all origins that were allowed for a site. */
void edge_answerer_allow_none(edge_answerer *answerer, unsigned site);
/* 0, or -1: too many origins or one too long. */
int edge_answerer_allow(edge_answerer *answerer, unsigned site, const char *origin, size_t length);
/* The line Strict-Transport-Security of answers over TLS, with its CRLF; 0, or -1: it is too long. */
int edge_answerer_hsts(edge_answerer *answerer, const uint8_t *line, size_t length);
/* The line Speculation-Rules of pages from now on, with its CRLF, or none; 0, or -1: it is too long. */
int edge_answerer_speculate(edge_answerer *answerer, const uint8_t *line, size_t length);

#endif
