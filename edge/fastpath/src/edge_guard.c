#include "edge_guard.h"

/* Whether a path may be spelt otherwise: a percent sign, a backslash, two slashes, a segment of dots. */
static bool may_be_another(const uint8_t *path, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (path[i] == '%' || path[i] == '\\')
            return true;
        if (path[i] != '/')
            continue;
        size_t next = i + 1;
        if (next < length && path[next] == '/')
            return true;
        if (next == length || path[next] != '.')
            continue;
        next += next + 1 < length && path[next + 1] == '.';
        if (next + 1 == length || path[next + 1] == '/')
            return true;
    }
    return false;
}

static bool begins(const uint8_t *path, size_t length, const char *text)
{
    size_t size = strlen(text);
    return length >= size && !memcmp(path, text, size);
}

static bool is_for_all(const edge_pattern *one)
{
    return one->exact && !one->literal && one->begin_length == 1 && *one->begin == '/';
}

static bool fits(const edge_pattern *one, const uint8_t *path, size_t length, bool is_odd)
{
    if (is_odd)
        return true;
    if (length < (size_t)one->begin_length + one->end_length || memcmp(path, one->begin, one->begin_length))
        return false;
    if (one->literal)
        return length == one->begin_length;
    return !one->end_length || !memcmp(path + length - one->end_length, one->end, one->end_length);
}

uint64_t edge_guard_of(const edge_guard *guard, const uint8_t *path, size_t length, bool *is_odd)
{
    uint64_t fitting = 0;
    *is_odd = false;
    if (!guard->count || begins(path, length, "/.edge/health") || begins(path, length, "/.edge/ready")
        || begins(path, length, "/.well-known/acme-challenge/"))
        return 0;
    *is_odd = may_be_another(path, length);
    for (unsigned i = 0; i < guard->count; i++)
        if (is_for_all(guard->patterns + i) || fits(guard->patterns + i, path, length, *is_odd))
            fitting |= (uint64_t)1 << i;
    return fitting;
}

static bool may_by_network(const edge_pattern *one, const uint8_t *client)
{
    for (uint32_t i = 0; i < one->network_count; i++)
        if (edge_subnet_holds(&one->networks[i].network, client))
            return one->networks[i].allows;
    return one->others;
}

static bool is_sure(const edge_pattern *one, bool is_odd)
{
    return is_for_all(one) || (one->exact && !is_odd);
}

bool edge_guard_tells(const edge_guard *guard, uint64_t fitting, bool is_odd, const uint8_t *client)
{
    bool knows_network = false;
    for (uint64_t left = fitting; left; left &= left - 1) {
        const edge_pattern *one = guard->patterns + __builtin_ctzll(left);
        if (one->kind == EDGE_LOGIN)
            return false;
        if (one->kind != EDGE_NETWORKS || knows_network)
            continue;
        if (!is_sure(one, is_odd) || !may_by_network(one, client))
            return false;
        knows_network = true; /* the first rule decides */
    }
    return true;
}

edge_verdict edge_guard_check(const edge_guard *guard, uint64_t fitting, bool is_odd, const uint8_t *client,
                              edge_buckets *buckets, uint64_t now_us, uint64_t *wait)
{
    if (!edge_guard_tells(guard, fitting, is_odd, client))
        return EDGE_ASK;
    for (uint64_t left = fitting; left; left &= left - 1) {
        const edge_pattern *one = guard->patterns + __builtin_ctzll(left);
        if (one->kind == EDGE_RATE && !is_sure(one, is_odd))
            return EDGE_ASK;
    }
    for (uint64_t left = fitting; left; left &= left - 1) {
        const edge_pattern *one = guard->patterns + __builtin_ctzll(left);
        if (one->kind != EDGE_RATE)
            continue;
        *wait = edge_buckets_take(buckets, one->rule, client, now_us, one->interval, one->burst);
        if (*wait)
            return EDGE_TOO_MANY;
    }
    return EDGE_MAY;
}

void edge_guard_undo(const edge_guard *guard, uint64_t fitting, const uint8_t *client, edge_buckets *buckets)
{
    for (uint64_t left = fitting; left; left &= left - 1) {
        const edge_pattern *one = guard->patterns + __builtin_ctzll(left);
        if (one->kind == EDGE_RATE)
            edge_buckets_give(buckets, one->rule, client, one->interval);
    }
}
