#include "edge_peers.h"

#include "edge_networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

int edge_peers_open(edge_peers *peers, uint64_t seed)
{
    memset(peers, 0, sizeof *peers);
    peers->size = FIRST_SIZE;
    peers->used = 1;
    peers->seed = seed;
    peers->peers = calloc(FIRST_SIZE, sizeof *peers->peers);
    peers->buckets = calloc(FIRST_SIZE, sizeof *peers->buckets);
    return peers->peers && peers->buckets ? 0 : -1;
}

void edge_peers_close(edge_peers *peers)
{
    free(peers->peers);
    free(peers->buckets);
}

static int network_of(const edge_peers *peers, const struct sockaddr *address, uint64_t network[2])
{
    if (address->sa_family == AF_INET) {
        network[0] = 0xffff;
        network[1] = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
        return 1;
    }
    if (address->sa_family == AF_INET6) {
        edge_limited_network(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr,
                             peers->prefix ? peers->prefix : EDGE_PREFIX_BITS, network);
        return 1;
    }
    return 0;
}

/* Multiply-xorshift with a secret seed: good enough to spread, and not to be aimed at. */
static uint32_t bucket_of(const edge_peers *peers, const uint64_t network[2])
{
    uint64_t h = (network[0] ^ peers->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ network[1]) * (peers->seed | 1);
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32) & (peers->size - 1);
}

static int grow(edge_peers *peers)
{
    uint32_t size = peers->size * 2;
    edge_peer *wider = realloc(peers->peers, size * sizeof *wider);
    if (wider)
        peers->peers = wider;
    uint32_t *buckets = wider ? calloc(size, sizeof *buckets) : NULL;
    if (!buckets)
        return -1;
    free(peers->buckets);
    peers->buckets = buckets;
    peers->size = size;
    for (uint32_t i = 1; i < peers->used; i++) {
        uint32_t bucket = bucket_of(peers, peers->peers[i].network);
        peers->peers[i].next = buckets[bucket];
        buckets[bucket] = i;
    }
    return 0;
}

uint32_t edge_peers_enter(edge_peers *peers, const struct sockaddr *address)
{
    uint64_t network[2];
    return network_of(peers, address, network) ? edge_peers_enter_network(peers, network) : 0;
}

uint32_t edge_peers_enter_network(edge_peers *peers, const uint64_t network[2])
{
    uint32_t index, bucket;
    bucket = bucket_of(peers, network);
    for (index = peers->buckets[bucket]; index; index = peers->peers[index].next)
        if (!memcmp(peers->peers[index].network, network, sizeof peers->peers[index].network)) {
            peers->peers[index].count++;
            return index;
        }
    if (peers->free) {
        index = peers->free;
        peers->free = peers->peers[index].next;
    } else {
        if (peers->used == peers->size) { /* none free: all of peers is in use, as grow expects */
            if (grow(peers))
                return 0;
            bucket = bucket_of(peers, network);
        }
        index = peers->used++;
    }
    memcpy(peers->peers[index].network, network, sizeof peers->peers[index].network);
    peers->peers[index].count = 1;
    peers->peers[index].bytes = 0;
    peers->peers[index].handshakes = 0;
    peers->peers[index].others = 0;
    peers->peers[index].next = peers->buckets[bucket];
    peers->buckets[bucket] = index;
    return index;
}

void edge_peers_leave(edge_peers *peers, uint32_t index)
{
    edge_peer *peer = peers->peers + index;
    uint32_t *link;
    if (!index || --peer->count)
        return;
    link = peers->buckets + bucket_of(peers, peer->network);
    while (*link != index)
        link = &peers->peers[*link].next;
    *link = peer->next;
    peer->next = peers->free;
    peers->free = index;
}

void edge_peers_address(const edge_peers *peers, uint32_t index, uint8_t address[16])
{
    const uint64_t *network = peers->peers[index].network;
    memset(address, 0, 16);
    if (network[0] == 0xffff) { /* as edge_limited_network has IPv4 */
        const uint32_t four = (uint32_t)network[1];
        address[10] = address[11] = 0xff;
        memcpy(address + 12, &four, 4);
        return;
    }
    memcpy(address, network, network[1] == ~(uint64_t)0 ? 8 : 16);
}

void edge_address_of(const struct sockaddr *address, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    if (address->sa_family == AF_INET) {
        bytes[10] = bytes[11] = 0xff;
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    }
}

void edge_address_to(const uint8_t bytes[16], struct sockaddr_storage *address)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)address;
    memset(address, 0, sizeof *address);
    six->sin6_family = AF_INET6;
    memcpy(&six->sin6_addr, bytes, 16);
}

bool edge_address_parse(edge_span text, uint8_t bytes[16])
{
    char copy[INET6_ADDRSTRLEN];
    if (!text.length || text.length >= sizeof copy || memchr(text.bytes, 0, text.length))
        return false;
    memcpy(copy, text.bytes, text.length);
    copy[text.length] = 0;
    memset(bytes, 0, 12);
    bytes[10] = bytes[11] = 0xff;
    return inet_pton(AF_INET, copy, bytes + 12) == 1 || inet_pton(AF_INET6, copy, bytes) == 1;
}
