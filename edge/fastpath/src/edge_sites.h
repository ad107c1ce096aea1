/* Which site a host belongs to: the twin of edge/sites.py.  Sans-IO; the caller owns the arrays.
 *
 * A host costs one pass over its bytes from the right, whatever it is: the hash of what lies behind each dot is
 * that of the one before, continued.  Names are compared where hashes are equal. */
#ifndef EDGE_SITES_H
#define EDGE_SITES_H

#include "edge_request.h"

#define EDGE_HOST_LIMIT 260   /* bytes of a field Host that may be of a site */
#define EDGE_PREFIX_LIMIT 255 /* of the names of a site's entries */
#define EDGE_NO_SITE (-1)

typedef struct {
    uint16_t length;
    uint8_t bytes[EDGE_PREFIX_LIMIT];
    bool any_origin; /* every page may read its answers */
} edge_site;

typedef struct {
    uint64_t hash;
    uint32_t site;
    uint16_t length; /* 0: a free cell */
    uint8_t name[EDGE_HOST_LIMIT];
} edge_host;

typedef struct {
    edge_site *sites;
    unsigned count;
    edge_host *hosts;   /* a hash table with free cells */
    uint32_t host_mask; /* a power of two of cells, less 1 */
    int by_default;     /* takes hosts that are in no cell; EDGE_NO_SITE: nobody does */
} edge_sites;

/* Notes that a host, in lower case or "*." and a name, is of a site.  -1: it is too long. */
int edge_sites_put(edge_sites *sites, unsigned site, const uint8_t *name, size_t length);

/* The value of a field Host as sites and certificates know it, in so many bytes: lower case, no port, no dot at the end.
 * Of length 0: it is nobody's. */
edge_span edge_sites_name(edge_span host, uint8_t name[EDGE_HOST_LIMIT]);

/* The number of the site of the value of a field Host, or EDGE_NO_SITE. */
int edge_sites_find(const edge_sites *sites, edge_span host);

#endif
