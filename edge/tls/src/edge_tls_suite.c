#include "edge_tls_suite.h"

#include <string.h>

#include <openssl/crypto.h>

static const struct {
    const char *cipher, *digest;
    uint8_t key, secret;
} known[EDGE_TLS_SUITES] = {
    [1] = {"AES-128-GCM", "SHA256", 16, 32},
    [2] = {"AES-256-GCM", "SHA384", 32, 48},
    [3] = {"ChaCha20-Poly1305", "SHA256", 32, 32},
};

static bool suite_open(edge_tls_suite *suite, unsigned number)
{
    suite->key = known[number].key;
    suite->secret = known[number].secret;
    suite->cipher = EVP_CIPHER_fetch(edge_tls_library(), known[number].cipher, NULL);
    suite->context = EVP_CIPHER_CTX_new();
    return suite->cipher && suite->context
           && EVP_CipherInit_ex2(suite->context, suite->cipher, NULL, NULL, 1, NULL)
           && edge_tls_hash_open(&suite->hash, edge_tls_library(), known[number].digest);
}

bool edge_tls_suites_open(edge_tls_suite suites[EDGE_TLS_SUITES])
{
    bool all = edge_tls_library();
    for (unsigned number = 1; all && number < EDGE_TLS_SUITES; number++)
        all = suite_open(suites + number, number);
    return all;
}

void edge_tls_suites_close(edge_tls_suite suites[EDGE_TLS_SUITES])
{
    for (unsigned number = 1; number < EDGE_TLS_SUITES; number++) {
        EVP_CIPHER_CTX_free(suites[number].context);
        EVP_CIPHER_free(suites[number].cipher);
        edge_tls_hash_close(&suites[number].hash);
    }
}

bool edge_tls_expand(const edge_tls_suite *suite, const uint8_t *secret, const char *label, uint8_t *out,
                     size_t length)
{
    return edge_tls_expand_label(&suite->hash, (edge_tls_bytes){secret, suite->secret},
                                 (edge_tls_bytes){(const uint8_t *)"tls13 ", 6},
                                 (edge_tls_bytes){(const uint8_t *)label, strlen(label)},
                                 (edge_tls_bytes){NULL, 0}, out, length);
}

bool edge_tls_aead_begin(const edge_tls_suite *suite, bool sealing, const uint8_t *key,
                         const uint8_t iv[EDGE_TLS_IV], uint64_t sequence, const uint8_t header[EDGE_TLS_HEADER])
{
    uint8_t nonce[EDGE_TLS_IV];
    int n;
    memcpy(nonce, iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[EDGE_TLS_IV - 1 - i] ^= (uint8_t)(sequence >> 8 * i);
    return EVP_CipherInit_ex2(suite->context, NULL, key, nonce, sealing, NULL)
           && EVP_CipherUpdate(suite->context, NULL, &n, header, EDGE_TLS_HEADER);
}

bool edge_tls_aead_update(const edge_tls_suite *suite, const uint8_t *in, size_t length, uint8_t *out)
{
    int n;
    return !length || EVP_CipherUpdate(suite->context, out, &n, in, (int)length);
}

bool edge_tls_aead_seal(const edge_tls_suite *suite, uint8_t tag[EDGE_TLS_TAG])
{
    uint8_t none[EDGE_TLS_TAG];
    int n;
    return EVP_CipherFinal_ex(suite->context, none, &n)
           && EVP_CIPHER_CTX_ctrl(suite->context, EVP_CTRL_AEAD_GET_TAG, EDGE_TLS_TAG, tag);
}

bool edge_tls_aead_verify(const edge_tls_suite *suite, const uint8_t tag[EDGE_TLS_TAG])
{
    uint8_t none[EDGE_TLS_TAG];
    int n;
    return EVP_CIPHER_CTX_ctrl(suite->context, EVP_CTRL_AEAD_SET_TAG, EDGE_TLS_TAG, (void *)(uintptr_t)tag)
           && EVP_CipherFinal_ex(suite->context, none, &n);
}
