#include "edge_sites.h"

#include <string.h>

/* FNV-1a: collisions cost a comparison, so it need not be keyed. */
#define BASIS 0xcbf29ce484222325u

static inline uint64_t mix(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * 0x100000001b3u;
}

static uint32_t cell_of(const edge_sites *sites, uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32) & sites->host_mask;
}

int edge_sites_put(edge_sites *sites, unsigned site, const uint8_t *name, size_t length)
{
    uint64_t hash = BASIS;
    if (!length || length > EDGE_HOST_LIMIT)
        return -1;
    for (size_t i = length; i; i--)
        hash = mix(hash, name[i - 1]);
    uint32_t at = cell_of(sites, hash);
    while (sites->hosts[at].length)
        at = (at + 1) & sites->host_mask;
    sites->hosts[at].hash = hash;
    sites->hosts[at].site = site;
    sites->hosts[at].length = (uint16_t)length;
    memcpy(sites->hosts[at].name, name, length);
    return 0;
}

/* The site of the name that begins with an optional "*." and has these bytes behind it; not below 0: found. */
static int find(const edge_sites *sites, uint64_t hash, bool wild, const uint8_t *name, size_t length)
{
    const size_t skip = wild ? 2 : 0;
    for (uint32_t at = cell_of(sites, hash);; at = (at + 1) & sites->host_mask) {
        const edge_host *host = sites->hosts + at;
        if (!host->length)
            return EDGE_NO_SITE;
        if (host->hash == hash && host->length == length + skip && !memcmp(host->name, "*.", skip)
            && !memcmp(host->name + skip, name, length))
            return (int)host->site;
    }
}

/* The bytes of a host that are its name; it has some, and not too many. */
static size_t name_length(edge_span host)
{
    size_t length = host.length;
    if (*host.bytes == '[') {
        while (length && host.bytes[length - 1] != ']')
            length--;
    } else {
        const uint8_t *colon = memchr(host.bytes, ':', length);
        if (colon > host.bytes)
            length = (size_t)(colon - host.bytes);
    }
    if (!length)
        length = host.length;
    return host.bytes[length - 1] == '.' ? length - 1 : length;
}

static inline uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

edge_span edge_sites_name(edge_span host, uint8_t name[EDGE_HOST_LIMIT])
{
    const size_t length = host.length && host.length <= EDGE_HOST_LIMIT ? name_length(host) : 0;
    for (size_t i = 0; i < length; i++)
        name[i] = lower(host.bytes[i]);
    return (edge_span){name, length};
}

int edge_sites_find(const edge_sites *sites, edge_span host)
{
    uint8_t name[EDGE_HOST_LIMIT];
    int found = sites->by_default, exact;
    uint64_t hash = BASIS;
    if (!sites->hosts || host.length > EDGE_HOST_LIMIT || !host.length)
        return found;
    const size_t length = name_length(host);
    for (size_t i = length; i; i--) {
        const uint8_t byte = name[i - 1] = lower(host.bytes[i - 1]);
        if (byte == '.') {
            int wild = find(sites, mix(mix(hash, '.'), '*'), true, name + i, length - i);
            found = wild != EDGE_NO_SITE ? wild : found; /* the longest is the last */
        }
        hash = mix(hash, byte);
    }
    exact = find(sites, hash, false, name, length);
    return exact != EDGE_NO_SITE ? exact : found;
}
