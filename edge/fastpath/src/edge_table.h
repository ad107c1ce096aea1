/* Reading the ETag table of the shared segment (edge/table/layout.py), and the two primitives of its
 * writer that need memory fences.  Sans-IO: the time is a field that the caller sets.
 *
 * A hash table with open addressing and linear probing, one cache line a slot.  Each slot is a seqlock:
 * readers never wait and never write to it; a slot is copied between two reads of its sequence counter
 * and used only if both were equal and even.  Offsets are checked against the segment before they are
 * followed, so corrupt bytes cost a miss, never a fault.  Bytes of the arena are freed by epoch-based
 * reclamation: pointers in an edge_entry stay valid until edge_table_leave. */
#ifndef EDGE_TABLE_H
#define EDGE_TABLE_H

#include <stdbool.h>

#include "edge_hash.h"
#include "edge_layout.h"

typedef struct {
    const uint8_t *base;
    const edge_header *header;
    const edge_slot *slots;
    uint64_t slot_mask, arena_begin, arena_end;
    uint64_t *worker_epoch;
    uint64_t *counters;
    uint8_t *hits;   /* one for each slot */
    uint64_t now_ms; /* CLOCK_MONOTONIC, set by the caller: what leases and lifetimes are compared with */
    edge_hash_state hash;
} edge_table;

typedef struct {
    uint8_t state, variant;
    uint16_t variants;
    uint32_t modified;
    uint8_t etag[EDGE_ETAG_BYTES];
    uint64_t length;
    bool confirmed; /* false: the lease of who published it has run out */
    bool fresh;     /* of an answer: it may be sent */
    uint32_t age;   /* of an answer: seconds since the application made it */
    uint32_t date;  /* of variant 0 of an answer: what Date says, Unix seconds */
    const uint8_t *own_etag; /* likewise: the application's ETag as it is written, NULL: it has none */
    uint16_t own_length;
    uint64_t at;    /* the number of its slot */
    const uint8_t *body; /* NULL: not in memory */
    const uint8_t *lines_200, *lines_304;
    uint16_t length_200, length_304;
} edge_entry;

/* Why a segment is not opened. */
typedef enum {
    EDGE_TABLE_OPENED,
    EDGE_TABLE_FOREIGN,      /* other magic bytes, or none */
    EDGE_TABLE_VERSION,      /* another layout version */
    EDGE_TABLE_INCONSISTENT, /* truncated, or its sizes contradict each other */
    EDGE_TABLE_BIG_ENDIAN    /* this machine cannot read it */
} edge_table_opening;

/* *base is only read.  *block: EDGE_WORKER_BLOCK bytes, which are this reader's alone to write. */
edge_table_opening edge_table_open(edge_table *table, const void *base, uint64_t bytes, void *block);

/* Reads between enter and leave are protected from reclamation by the worker's epoch.  Not re-entrant. */
void edge_table_enter(edge_table *table);
void edge_table_leave(edge_table *table);

/* Whether it is there (live, template or answer) and readable now. */
bool edge_table_find(const edge_table *table, edge_key key, unsigned variant, edge_entry *entry);
/* Whether any live variant of the path has this opaque-tag, and may be confirmed; likewise of a fresh answer, which
 * *is_file tells from a file, whether its ETag is this one or not. */
bool edge_table_is_current(const edge_table *table, edge_key key, const uint8_t *tag, size_t length, bool *is_file);

/* Whether an opaque-tag is the application's own of a variant of an answer; entry: with its own_etag. */
bool edge_is_own_tag(const edge_entry *entry, unsigned variant, const uint8_t *tag, size_t length);
/* What stands between the application's opaque-tag and its last quote in the ETag of a variant: a strong one is of
 * one sequence of bytes alone. */
const char *edge_own_suffix(const edge_entry *entry, unsigned variant);

/* An answer was sent: what is asked for stays. */
static inline void edge_table_hit(const edge_table *table, const edge_entry *entry)
{
    uint8_t *hit = table->hits + entry->at;
    if (!__atomic_load_n(hit, __ATOMIC_RELAXED))
        __atomic_store_n(hit, 1, __ATOMIC_RELAXED);
}

/* Writer: replaces all of a slot but seq, under its sequence counter. */
void edge_slot_store(edge_slot *slot, const edge_slot *value);
/* Writer: the epoch before this call tags what is retired; readers that enter later see a newer one. */
uint64_t edge_epoch_advance(edge_header *header);

static inline void edge_count(edge_table *table, unsigned counter, uint64_t n)
{
    uint64_t *cell = table->counters + counter;
    __atomic_store_n(cell, *cell + n, __ATOMIC_RELAXED);
}

#endif
