#include "edge_certificates.h"

#include <string.h>

static int compare(edge_span a, edge_span b)
{
    const int order = memcmp(a.bytes, b.bytes, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* The place of a name; -1: it is not there. */
static int64_t place_of(const edge_names *names, edge_span name)
{
    uint32_t from = 0, to = names->count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        const int order = compare(names->names[middle], name);
        if (!order)
            return middle;
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return -1;
}

/* The place of what covers a name: itself, or "*" in place of its first label, RFC 6125 6.4.3. */
static int64_t cover_of(const edge_names *names, edge_span name)
{
    uint8_t wild[EDGE_HOST_LIMIT + 1];
    const uint8_t *dot = memchr(name.bytes, '.', name.length);
    const int64_t found = place_of(names, name);
    if (found >= 0 || !dot)
        return found;
    const size_t rest = name.length - (size_t)(dot - name.bytes);
    *wild = '*';
    memcpy(wild + 1, dot, rest);
    return place_of(names, (edge_span){wild, rest + 1});
}

uint32_t edge_certificates_shown_to(const edge_certificates *certificates, edge_span name)
{
    const int64_t found = name.length && name.length <= EDGE_HOST_LIMIT ? cover_of(&certificates->all, name) : -1;
    return found < 0 ? 0 : certificates->shown[found];
}

bool edge_certificates_misdirect(const edge_certificates *certificates, uint32_t shown, edge_span host)
{
    uint8_t bytes[EDGE_HOST_LIMIT];
    const edge_span name = edge_sites_name(host, bytes);
    if (name.length && cover_of(certificates->own + shown, name) >= 0)
        return false;
    return edge_certificates_shown_to(certificates, name) != shown;
}
