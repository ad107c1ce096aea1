#include "edge_hash.h"

#include <string.h>

#define BLOCK 128
#define DIGEST 16
#define KEY 16
#define MORE_FOLLOWS 0 /* the flag f0 of RFC 7693 */
#define LAST (~(uint64_t)0)

static const uint64_t IV[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static inline uint64_t rotr(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

#define G(a, b, c, d, x, y)                                                                        \
    do {                                                                                           \
        a += b + (x);                                                                              \
        d = rotr(d ^ a, 32);                                                                       \
        c += d;                                                                                    \
        b = rotr(b ^ c, 24);                                                                       \
        a += b + (y);                                                                              \
        d = rotr(d ^ a, 16);                                                                       \
        c += d;                                                                                    \
        b = rotr(b ^ c, 63);                                                                       \
    } while (0)

/* One round with its message schedule spelled out, so that every index is a constant. */
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, sa, sb, sc, sd, se, sf)                      \
    do {                                                                                           \
        G(v[0], v[4], v[8], v[12], m[s0], m[s1]);                                                  \
        G(v[1], v[5], v[9], v[13], m[s2], m[s3]);                                                  \
        G(v[2], v[6], v[10], v[14], m[s4], m[s5]);                                                 \
        G(v[3], v[7], v[11], v[15], m[s6], m[s7]);                                                 \
        G(v[0], v[5], v[10], v[15], m[s8], m[s9]);                                                 \
        G(v[1], v[6], v[11], v[12], m[sa], m[sb]);                                                 \
        G(v[2], v[7], v[8], v[13], m[sc], m[sd]);                                                  \
        G(v[3], v[4], v[9], v[14], m[se], m[sf]);                                                  \
    } while (0)

/* The compression function F; counted: bytes so far, this block's included. */
static void compress(uint64_t h[8], const uint8_t block[BLOCK], uint64_t counted, uint64_t last)
{
    uint64_t m[16], v[16];
    memcpy(m, block, BLOCK); /* little-endian machines only: edge_table.c checks */
    memcpy(v, h, 64);
    memcpy(v + 8, IV, 64);
    v[12] ^= counted;
    v[14] ^= last;
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
    ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
    ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
    ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
    ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
    ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
    ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
    ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
    ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

void edge_hash_prepare(edge_hash_state *state, const uint8_t key[16])
{
    uint8_t block[BLOCK] = {0};
    memcpy(block, key, KEY);
    memcpy(state->h, IV, 64);
    state->h[0] ^= 0x01010000u ^ (KEY << 8) ^ DIGEST;
    compress(state->h, block, BLOCK, MORE_FOLLOWS);
}

/* All that is hashed after h, which has counted so many bytes. */
static edge_key finish(uint64_t h[8], uint64_t counted, const uint8_t *bytes, size_t length)
{
    uint8_t block[BLOCK];
    edge_key key;
    while (length > BLOCK) {
        counted += BLOCK;
        compress(h, bytes, counted, MORE_FOLLOWS);
        bytes += BLOCK;
        length -= BLOCK;
    }
    memcpy(block, bytes, length);
    memset(block + length, 0, BLOCK - length);
    compress(h, block, counted + length, LAST);
    key.low = h[0];
    key.high = h[1];
    return key;
}

edge_key edge_hash(const edge_hash_state *state, const uint8_t *path, size_t length)
{
    uint64_t h[8];
    memcpy(h, state->h, 64);
    return finish(h, BLOCK, path, length);
}

edge_key edge_hash_joined(const edge_hash_state *state, const uint8_t *prefix, size_t prefix_length,
                          const uint8_t *path, size_t length)
{
    uint8_t joined[2 * BLOCK]; /* what of the path shares blocks with the prefix */
    uint64_t h[8], counted = BLOCK;
    size_t taken = sizeof joined - prefix_length < length ? sizeof joined - prefix_length : length;
    memcpy(joined, prefix, prefix_length);
    memcpy(joined + prefix_length, path, taken);
    memcpy(h, state->h, 64);
    if (taken == length)
        return finish(h, counted, joined, prefix_length + length);
    for (size_t at = 0; at < sizeof joined; at += BLOCK)
        compress(h, joined + at, counted += BLOCK, MORE_FOLLOWS);
    return finish(h, counted, path + taken, length - taken);
}
