/* HKDF as TLS 1.3 uses it, RFC 8446 7.1 over RFC 5869: one block of the hash at most, and no memory is taken.
 *
 * A hash has one context, used for whoever is served now. */
#ifndef EDGE_TLS_HKDF_H
#define EDGE_TLS_HKDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define EDGE_TLS_SECRET 48 /* the longest */

typedef struct {
    uint8_t bytes, block; /* of what it gives, and of what it takes at once */
    EVP_MD *digest;
    EVP_MD_CTX *context;
} edge_tls_hash;

typedef struct {
    const uint8_t *bytes;
    size_t length;
} edge_tls_bytes;

/* false: libcrypto does not have it. */
bool edge_tls_hash_open(edge_tls_hash *hash, OSSL_LIB_CTX *library, const char *name);
void edge_tls_hash_close(edge_tls_hash *hash);
bool edge_tls_hash_of_nothing(const edge_tls_hash *hash, uint8_t *out);

/* HKDF-Extract(salt, key): hash->bytes of them. */
bool edge_tls_extract(const edge_tls_hash *hash, edge_tls_bytes salt, edge_tls_bytes key, uint8_t *out);
/* HKDF-Expand-Label(secret, prefix label, data, length).  false: it is none of TLS 1.3's. */
bool edge_tls_expand_label(const edge_tls_hash *hash, edge_tls_bytes secret, edge_tls_bytes prefix,
                           edge_tls_bytes label, edge_tls_bytes data, uint8_t *out, size_t length);

#endif
