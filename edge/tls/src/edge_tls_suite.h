/* The three cipher suites of TLS 1.3: their AEADs and their key schedule, by libcrypto.
 *
 * Everything is fetched once (a fetch costs as much as sealing a small record); each suite has one cipher
 * context, which is given the key of whoever is served now. */
#ifndef EDGE_TLS_SUITE_H
#define EDGE_TLS_SUITE_H

#include "edge_tls.h"
#include "edge_tls_library.h"

#define EDGE_TLS_SUITES 4 /* by the low byte of their numbers; [0] is none */
#define EDGE_TLS_IV 12
#define EDGE_TLS_TAG 16
#define EDGE_TLS_KEY 32    /* the longest */

typedef struct {
    uint8_t key, secret; /* bytes */
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *context;
    edge_tls_hash hash;
} edge_tls_suite;

/* false: libcrypto does not have one of them. */
bool edge_tls_suites_open(edge_tls_suite suites[EDGE_TLS_SUITES]);
void edge_tls_suites_close(edge_tls_suite suites[EDGE_TLS_SUITES]);

/* HKDF-Expand-Label(secret, label, "", length), RFC 8446 7.1; at most one block of the hash.  false: no memory. */
bool edge_tls_expand(const edge_tls_suite *suite, const uint8_t *secret, const char *label, uint8_t *out,
                     size_t length);

/* One record's worth of AEAD, RFC 8446 5.2 and 5.3: the nonce is the IV with the sequence number in it.  A NULL
 * key goes on with the one given before. */
bool edge_tls_aead_begin(const edge_tls_suite *suite, bool sealing, const uint8_t *key,
                         const uint8_t iv[EDGE_TLS_IV], uint64_t sequence, const uint8_t header[EDGE_TLS_HEADER]);
bool edge_tls_aead_update(const edge_tls_suite *suite, const uint8_t *in, size_t length, uint8_t *out);
bool edge_tls_aead_seal(const edge_tls_suite *suite, uint8_t tag[EDGE_TLS_TAG]);
/* Whether what was updated is what was sealed. */
bool edge_tls_aead_verify(const edge_tls_suite *suite, const uint8_t tag[EDGE_TLS_TAG]);

#endif
