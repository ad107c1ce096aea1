/* Keyed BLAKE2b-128 of a path (RFC 7693): the identity of a table entry.
 *
 * The key fills one block whose compression is the same for every path of a segment, so it is done
 * once; a path of up to 128 bytes then costs one compression. */
#ifndef EDGE_HASH_H
#define EDGE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t h[8];
} edge_hash_state;

typedef struct {
    uint64_t low, high; /* the 16 hash bytes, little-endian */
} edge_key;

void edge_hash_prepare(edge_hash_state *state, const uint8_t key[16]);
/* length >= 1; state is not changed. */
edge_key edge_hash(const edge_hash_state *state, const uint8_t *path, size_t length);
/* Of a prefix of at most 255 bytes and a path, one behind the other. */
edge_key edge_hash_joined(const edge_hash_state *state, const uint8_t *prefix, size_t prefix_length,
                          const uint8_t *path, size_t length);

#endif
