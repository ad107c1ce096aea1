/* Which site a host belongs to: that no host makes it read or write beyond.  What it finds is compared with the
 * Python code in tests/test_sites.py. */
#include "check.h"

static edge_site known[2];
static edge_host cells[16];
static edge_sites sites = {known, 2, cells, 15, EDGE_NO_SITE};

static int find(const uint8_t *text, size_t length)
{
    uint8_t *host = guarded(text, length);
    int found = edge_sites_find(&sites, (edge_span){host, length});
    unguard(host, length);
    return found;
}

int main(void)
{
    uint8_t text[EDGE_HOST_LIMIT + 8];
    static const char letters[] = "ab.:[]*W", exact[] = "a.example", wild[] = "*.example";
    uint64_t random = 88172645463325252u;
    bool in_bounds = true;
    edge_sites_put(&sites, 0, (const uint8_t *)exact, sizeof exact - 1);
    edge_sites_put(&sites, 1, (const uint8_t *)wild, sizeof wild - 1);
    check(find((const uint8_t *)"A.Example.:80", 13) == 0, "an exact host, as requests write it");
    check(find((const uint8_t *)"b.example", 9) == 1, "a host below a name");
    check(find((const uint8_t *)"example", 7) == EDGE_NO_SITE, "the name itself is not below it");
    memset(text, 'a', sizeof text);
    check(edge_sites_put(&sites, 0, text, EDGE_HOST_LIMIT + 1) == -1, "a host that is too long is refused");
    for (size_t length = 1; length <= sizeof text; length++)
        for (int round = 0; round < 20; round++) {
            for (size_t i = 0; i < length; i++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                text[i] = (uint8_t)letters[random & 7];
            }
            int found = find(text, length);
            in_bounds &= found >= EDGE_NO_SITE && found < 2;
        }
    check(in_bounds, "random hosts of every length are of a site or of none");
    return check_failures != 0;
}
