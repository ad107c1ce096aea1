/* Who may: patterns over bytes that end before a guard page, networks, buckets in damaged memory. */
#include "check.h"

#include "edge_guard.h"

static uint64_t seed = 88172645463325252u;

static uint64_t draw(void) /* xorshift64 */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static edge_pattern pattern(edge_pattern_kind kind, const char *begin, const char *end, bool literal, bool exact)
{
    return (edge_pattern){.kind = (uint8_t)kind, .literal = literal, .exact = exact,
                          .begin_length = (uint16_t)strlen(begin), .end_length = (uint16_t)strlen(end),
                          .begin = (const uint8_t *)begin, .end = (const uint8_t *)end,
                          .interval = 1000000, .burst = 2};
}

static uint64_t fitting(const edge_guard *guard, const char *path, bool *is_odd)
{
    size_t length = strlen(path);
    uint8_t *copy = guarded(path, length);
    uint64_t found = edge_guard_of(guard, copy, length, is_odd);
    unguard(copy, length);
    return found;
}

static void paths_fit(void)
{
    const edge_pattern patterns[] = {pattern(EDGE_LOGIN, "/admin/", "", false, true),
                                     pattern(EDGE_LOGIN, "/", ".pdf", false, false),
                                     pattern(EDGE_LOGIN, "/page", "", true, false),
                                     pattern(EDGE_RATE, "/", "", false, true)};
    const edge_guard guard = {patterns, 4};
    static const struct { const char *path; uint64_t bits; bool odd; } cases[] = {
        {"/", 8, false},           {"/admin/", 9, false},     {"/admin", 8, false},     {"/x.pdf", 10, false},
        {"/page", 12, false},      {"/pages", 8, false},      {"/admin/x.pdf", 11, false},
        {"//admin/", 15, true},    {"/%61dmin/", 15, true},   {"/./admin/", 15, true},  {"/x/..", 15, true},
        {"/x/.", 15, true},        {"/.hidden", 8, false},    {"/...", 8, false},       {"/x/..x", 8, false},
        {"/a\\b", 15, true},       {"/.edge/load", 8, false}, {"/.edge/health", 0, false}, {"/.pdf", 10, false},
        {"", 0, false},            {"pdf", 0, false},         {"*", 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_odd;
        uint64_t found = fitting(&guard, cases[i].path, &is_odd) & (*cases[i].path == '/' ? ~(uint64_t)0 : 7);
        check(found == cases[i].bits && is_odd == cases[i].odd, "the path '%s' fits what it should", cases[i].path);
    }
}

static void random_paths_are_read_to_their_end_and_not_beyond(void)
{
    static const char letters[] = "/.%\\admin\0x";
    const edge_pattern patterns[] = {pattern(EDGE_LOGIN, "/admin/", "", false, true),
                                     pattern(EDGE_NETWORKS, "/a", "n", false, false)};
    const edge_guard guard = {patterns, 2};
    uint8_t path[16];
    for (int round = 0; round < 20000; round++) {
        size_t length = draw() % sizeof path;
        bool is_odd;
        for (size_t i = 0; i < length; i++)
            path[i] = (uint8_t)letters[draw() % (sizeof letters - 1)];
        uint8_t *copy = guarded(path, length);
        edge_guard_of(&guard, copy, length, &is_odd);
        unguard(copy, length);
    }
    check(1, "random paths are read to their end and not beyond");
}

static void networks_decide(void)
{
    static const edge_listed_network networks[] = {{{{[10] = 0xff, 0xff, 10, 1}, 112}, false},
                                                   {{{[10] = 0xff, 0xff, 10}, 104}, true},
                                                   {{{0x20, 1}, 16}, true},
                                                   {{{0}, 0}, false}};
    edge_pattern one = pattern(EDGE_NETWORKS, "/", "", false, true);
    one.networks = networks;
    one.network_count = 4;
    one.others = true;
    const edge_guard guard = {&one, 1};
    static const uint8_t clients[][16] = {
        {[10] = 0xff, 0xff, 10, 2}, {[10] = 0xff, 0xff, 10, 1}, {0x20, 1}, {0x30}, {[10] = 0xff, 0xff, 192}, {0}};
    static const bool may[] = {true, false, true, false, true, true}; /* neither IPv4 nor none is in ::/0 */
    for (size_t i = 0; i < 6; i++)
        check(edge_guard_tells(&guard, 1, false, clients[i]) == may[i], "network %zu decides", i);
}

static void whatever_is_in_buckets_taking_ends(void)
{
    static uint8_t memory[EDGE_BUCKETS_HEADER + 2 * EDGE_BUCKETS_WAYS * sizeof(edge_bucket)] __attribute__((aligned(64)));
    edge_buckets buckets = {NULL, 0, 0, 64};
    const uint32_t version = EDGE_BUCKETS_VERSION;
    const uint64_t numbers[] = {2, 12345};
    uint8_t client[16] = {[10] = 0xff, 0xff, 192};
    check(!edge_buckets_open(&buckets, memory, sizeof memory), "zeros are no buckets");
    check(!edge_buckets_take(&buckets, 1, client, 1, 1, 1), "without buckets nothing is limited");
    memcpy(memory, EDGE_BUCKETS_MAGIC, 8);
    memcpy(memory + 8, &version, sizeof version);
    memcpy(memory + 16, numbers, sizeof numbers);
    check(!edge_buckets_open(&buckets, memory, EDGE_BUCKETS_HEADER), "without room for their sets");
    check(edge_buckets_open(&buckets, memory, sizeof memory), "buckets");
    for (int round = 0; round < 100000; round++) {
        client[15] = (uint8_t)(draw() % 64);
        if (round % 10 == 0)
            memory[EDGE_BUCKETS_HEADER + draw() % (sizeof memory - EDGE_BUCKETS_HEADER)] = (uint8_t)draw();
        edge_buckets_take(&buckets, (uint32_t)(draw() % 3), client, draw() % 2 ? (uint64_t)round : draw(), 1000, 5);
        edge_buckets_give(&buckets, (uint32_t)(draw() % 3), client, 1000);
    }
    check(1, "whatever is in buckets, taking ends");
}

int main(void)
{
    paths_fit();
    random_paths_are_read_to_their_end_and_not_beyond();
    networks_decide();
    whatever_is_in_buckets_taking_ends();
    return check_failures != 0;
}
