/* Token buckets in shared memory: the twin of edge/access/buckets.py, which draws them.  Sans-IO.
 *
 * Any number of processes take from them at once, without a lock: a bucket is one number, which is compared and
 * exchanged.  A cell that changes hands at that very moment may lose or gain a token; no bucket ever holds more. */
#ifndef EDGE_BUCKETS_H
#define EDGE_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#define EDGE_BUCKETS_MAGIC "EDGEBKT"
#define EDGE_BUCKETS_VERSION 1
#define EDGE_BUCKETS_HEADER 4096
#define EDGE_BUCKETS_WAYS 8

typedef struct {
    uint64_t key, full;
} edge_bucket;

/* Zeros: there are none, and nothing is limited. */
typedef struct {
    edge_bucket *cells;
    uint64_t sets, seed;
    unsigned prefix; /* bits of an IPv6 address that are told apart */
} edge_buckets;

/* false: the memory holds no buckets. */
bool edge_buckets_open(edge_buckets *buckets, void *memory, uint64_t bytes);
/* Takes a token of the rule for the address, 16 bytes: 0, or the microseconds until there is one. */
uint64_t edge_buckets_take(edge_buckets *buckets, uint32_t rule, const uint8_t *address, uint64_t now_us,
                           uint64_t interval, uint64_t burst);
/* Puts back the token that was taken last. */
void edge_buckets_give(edge_buckets *buckets, uint32_t rule, const uint8_t *address, uint64_t interval);

#endif
