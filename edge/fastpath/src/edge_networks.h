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

/* No IPv4 address is in a network of IPv6, and who has none is in none. */
static inline bool edge_subnet_holds(const edge_subnet *one, const uint8_t address[16])
{
    static const uint8_t none[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
    const unsigned whole = one->bits / 8, rest = one->bits % 8;
    if (!memcmp(address, none, sizeof none) || (one->bits < 96 && !memcmp(address, mapped, sizeof mapped)))
        return false;
    return !memcmp(one->address, address, whole)
           && (!rest || !((one->address[whole] ^ address[whole]) >> (8 - rest)));
}

#define EDGE_PREFIX_BITS 64 /* where nothing else is said */

/* What limits tell apart, of 16 bytes: an IPv4 address (mapped), or so many bits of an IPv6 one. */
static inline void edge_limited_network(const uint8_t address[16], unsigned bits, uint64_t network[2])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (!memcmp(address, mapped, sizeof mapped)) {
        uint32_t four;
        memcpy(&four, address + 12, 4);
        network[0] = 0xffff;
        network[1] = four;
        return;
    }
    memcpy(network, address, 16);
    if (bits <= 64) {
        network[0] &= __builtin_bswap64(bits ? ~(uint64_t)0 << (64 - bits) : 0);
        network[1] = ~(uint64_t)0;
    } else {
        network[1] &= __builtin_bswap64(~(uint64_t)0 << (128 - bits));
    }
}

static inline bool edge_networks_hold(const edge_networks *networks, const uint8_t address[16])
{
    static const uint8_t none[16];
    if (!memcmp(address, none, 16))
        return networks->local;
    for (unsigned i = 0; i < networks->count; i++)
        if (edge_subnet_holds(networks->networks + i, address))
            return true;
    return false;
}

#endif
