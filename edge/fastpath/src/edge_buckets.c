#include "edge_buckets.h"

#include "edge_networks.h"

#include <string.h>

bool edge_buckets_open(edge_buckets *buckets, void *memory, uint64_t bytes)
{
    const uint8_t *start = memory;
    uint32_t version, prefix;
    uint64_t numbers[2];
    if (bytes < EDGE_BUCKETS_HEADER)
        return false;
    memcpy(&version, start + 8, sizeof version);
    memcpy(&prefix, start + 12, sizeof prefix);
    memcpy(numbers, start + 16, sizeof numbers);
    if (memcmp(start, EDGE_BUCKETS_MAGIC, 8) || version != EDGE_BUCKETS_VERSION || prefix > 128 || !numbers[0]
        || numbers[0] & (numbers[0] - 1)
        || numbers[0] > (bytes - EDGE_BUCKETS_HEADER) / (EDGE_BUCKETS_WAYS * sizeof(edge_bucket)))
        return false;
    buckets->cells = (edge_bucket *)((uint8_t *)memory + EDGE_BUCKETS_HEADER);
    buckets->sets = numbers[0];
    buckets->seed = numbers[1];
    buckets->prefix = prefix ? prefix : EDGE_PREFIX_BITS;
    return true;
}

/* Multiply-xorshift with a secret seed, of an IPv4 address or the prefix of an IPv6 one, and the rule. */
static uint64_t key_of(const edge_buckets *buckets, uint32_t rule, const uint8_t *address)
{
    uint64_t network[2], h;
    edge_limited_network(address, buckets->prefix, network);
    h = (network[0] ^ buckets->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ network[1]) * (buckets->seed | 1);
    h = (h ^ h >> 32 ^ rule) * 0xd6e8feb86659fd93u;
    return (h ^ h >> 29) | 1;
}

static edge_bucket *set_of(const edge_buckets *buckets, uint64_t key)
{
    return buckets->cells + (key >> 32 & (buckets->sets - 1)) * EDGE_BUCKETS_WAYS;
}

/* The cell of a key; NULL: it has none. */
static edge_bucket *find(edge_bucket *set, uint64_t key)
{
    for (int i = 0; i < EDGE_BUCKETS_WAYS; i++)
        if (__atomic_load_n(&set[i].key, __ATOMIC_ACQUIRE) == key)
            return set + i;
    return NULL;
}

/* The same, or the one that is full first, which is the key's from now on. */
static edge_bucket *claim(edge_bucket *set, uint64_t key, uint64_t now_us)
{
    for (;;) {
        edge_bucket *found = find(set, key), *first = set;
        if (found)
            return found;
        for (int i = 1; i < EDGE_BUCKETS_WAYS; i++)
            if (__atomic_load_n(&set[i].full, __ATOMIC_RELAXED) < __atomic_load_n(&first->full, __ATOMIC_RELAXED))
                first = set + i;
        uint64_t former = __atomic_load_n(&first->key, __ATOMIC_RELAXED);
        uint64_t full = __atomic_load_n(&first->full, __ATOMIC_RELAXED);
        if (!__atomic_compare_exchange_n(&first->key, &former, key, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            continue;
        if (full > now_us)
            __atomic_compare_exchange_n(&first->full, &full, now_us, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
        return first;
    }
}

static bool is_nobody(const uint8_t *address)
{
    static const uint8_t nobody[16];
    return !memcmp(address, nobody, sizeof nobody);
}

uint64_t edge_buckets_take(edge_buckets *buckets, uint32_t rule, const uint8_t *address, uint64_t now_us,
                           uint64_t interval, uint64_t burst)
{
    if (!buckets->cells || is_nobody(address))
        return 0;
    uint64_t key = key_of(buckets, rule, address);
    edge_bucket *cell = claim(set_of(buckets, key), key, now_us);
    uint64_t full = __atomic_load_n(&cell->full, __ATOMIC_ACQUIRE), next;
    do {
        next = (full > now_us ? full : now_us) + interval;
        if (next > now_us + interval * burst)
            return next - (now_us + interval * burst);
    } while (!__atomic_compare_exchange_n(&cell->full, &full, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return 0;
}

void edge_buckets_give(edge_buckets *buckets, uint32_t rule, const uint8_t *address, uint64_t interval)
{
    if (!buckets->cells || is_nobody(address))
        return;
    uint64_t key = key_of(buckets, rule, address);
    edge_bucket *cell = find(set_of(buckets, key), key);
    if (!cell)
        return;
    uint64_t full = __atomic_load_n(&cell->full, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(&cell->full, &full, full > interval ? full - interval : 0, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
}
