/* Networks of addresses, and whether an address is in one of them: the twin of edge/networks.py.  Sans-IO.
 *
 * An address is 16 bytes, IPv4 mapped into IPv6; zeros: none, over a Unix socket. */
#ifndef EDGE_NETWORKS_H
#define EDGE_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EDGE_SUBNETS 64

typedef struct {
    uint8_t address[16];
    uint8_t bits;
} edge_subnet;

typedef struct {
    edge_subnet networks[EDGE_SUBNETS];
    unsigned count;
    bool local; /* who comes over Unix sockets */
} edge_networks;

static inline bool edge_networks_hold(const edge_networks *networks, const uint8_t address[16])
{
    static const uint8_t none[16];
    if (!memcmp(address, none, 16))
        return networks->local;
    for (unsigned i = 0; i < networks->count; i++) {
        const edge_subnet *one = networks->networks + i;
        const unsigned whole = one->bits / 8, rest = one->bits % 8;
        if (!memcmp(one->address, address, whole)
            && (!rest || !((one->address[whole] ^ address[whole]) >> (8 - rest))))
            return true;
    }
    return false;
}

#endif
