/* What addresses hold, connections, bytes of buffers, handshakes and unanswered questions, for the limit per address and the rule of
 * shares: an IPv4 address, or a part of an IPv6 one, the /64 that one customer gets.  A hash table with chaining that grows;
 * a peer's index stays the same while its count is not 0.  Makes no system call, but knows socket addresses. */
#ifndef EDGE_PEERS_H
#define EDGE_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "edge_request.h"

typedef struct {
    uint64_t network[2];
    uint64_t bytes; /* of buffers of its connections */
    uint32_t count, next;
    uint32_t handshakes; /* of TLS, under way */
    uint32_t others;     /* of those that are counted, the caller's (edge_members.h) */
} edge_peer;

typedef struct {
    edge_peer *peers; /* [0] is not used: index 0 means none */
    uint32_t *buckets;
    uint32_t size, used, free; /* size: of peers and of buckets, a power of two */
    uint64_t seed;
    uint32_t prefix; /* bits of an IPv6 address that are one; 0: 64 */
} edge_peers;

/* 0, or -1 without memory. */
int edge_peers_open(edge_peers *peers, uint64_t seed);
void edge_peers_close(edge_peers *peers);
/* Counts one more; its index, or 0: not an IP address or no memory (then not counted). */
uint32_t edge_peers_enter(edge_peers *peers, const struct sockaddr *address);
/* The same of one whose network is known (edge_limited_network). */
uint32_t edge_peers_enter_network(edge_peers *peers, const uint64_t network[2]);
void edge_peers_leave(edge_peers *peers, uint32_t index);

/* The first address of the network of an index that is not 0. */
void edge_peers_address(const edge_peers *peers, uint32_t index, uint8_t address[16]);

/* An address of a socket as 16 bytes, IPv4 mapped into IPv6; zeros: it has none. */
void edge_address_of(const struct sockaddr *address, uint8_t bytes[16]);
/* The other way. */
void edge_address_to(const uint8_t bytes[16], struct sockaddr_storage *address);
/* A numeric address in text, without a zone. */
bool edge_address_parse(edge_span text, uint8_t bytes[16]);

/* The rule of shares: whether an address that holds so much of a pool may have that much more of it.  It may hold
 * as much as it leaves free; who holds nothing gets what there is.  edge/shares.py says why. */
static inline bool edge_share(uint64_t size, uint64_t used, uint64_t held, uint64_t more)
{
    return used + more <= size && (!held || held + more <= size - used - more);
}

#endif
