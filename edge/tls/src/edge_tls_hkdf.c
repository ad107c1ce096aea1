#include "edge_tls_hkdf.h"

#include <string.h>

#define BLOCK 128 /* the longest */

bool edge_tls_hash_open(edge_tls_hash *hash, OSSL_LIB_CTX *library, const char *name)
{
    hash->digest = EVP_MD_fetch(library, name, NULL);
    hash->context = EVP_MD_CTX_new();
    if (!hash->digest || !hash->context || !EVP_DigestInit_ex2(hash->context, hash->digest, NULL))
        return false;
    hash->bytes = (uint8_t)EVP_MD_get_size(hash->digest);
    hash->block = (uint8_t)EVP_MD_get_block_size(hash->digest);
    return hash->bytes <= EDGE_TLS_SECRET && hash->block <= BLOCK;
}

void edge_tls_hash_close(edge_tls_hash *hash)
{
    EVP_MD_CTX_free(hash->context);
    EVP_MD_free(hash->digest);
}

static bool hash_two(const edge_tls_hash *hash, const uint8_t *block, edge_tls_bytes text, uint8_t *out)
{
    return EVP_DigestInit_ex2(hash->context, NULL, NULL) && EVP_DigestUpdate(hash->context, block, hash->block)
           && EVP_DigestUpdate(hash->context, text.bytes, text.length)
           && EVP_DigestFinal_ex(hash->context, out, NULL);
}

bool edge_tls_hash_of_nothing(const edge_tls_hash *hash, uint8_t *out)
{
    return EVP_DigestInit_ex2(hash->context, NULL, NULL) && EVP_DigestFinal_ex(hash->context, out, NULL);
}

/* RFC 2104, with a key that fits a block. */
static bool hmac(const edge_tls_hash *hash, edge_tls_bytes key, edge_tls_bytes text, uint8_t *out)
{
    uint8_t block[BLOCK], inner[EDGE_TLS_SECRET];
    if (key.length > hash->block)
        return false;
    memset(block, 0x36, sizeof block);
    for (size_t i = 0; i < key.length; i++)
        block[i] ^= key.bytes[i];
    bool done = hash_two(hash, block, text, inner);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    done = done && hash_two(hash, block, (edge_tls_bytes){inner, hash->bytes}, out);
    OPENSSL_cleanse(block, sizeof block);
    OPENSSL_cleanse(inner, sizeof inner);
    return done;
}

bool edge_tls_extract(const edge_tls_hash *hash, edge_tls_bytes salt, edge_tls_bytes key, uint8_t *out)
{
    return hmac(hash, salt, key, out);
}

static void append(edge_tls_bytes *info, uint8_t *to, edge_tls_bytes more)
{
    if (more.length)
        memcpy(to + info->length, more.bytes, more.length);
    info->length += more.length;
}

bool edge_tls_expand_label(const edge_tls_hash *hash, edge_tls_bytes secret, edge_tls_bytes prefix,
                           edge_tls_bytes label, edge_tls_bytes data, uint8_t *out, size_t length)
{
    /* struct { uint16 length; opaque label<7..255> = prefix + label; opaque context<0..255>; } and the block 1 */
    uint8_t text[2 + 1 + 255 + 1 + 255 + 1], block[EDGE_TLS_SECRET];
    edge_tls_bytes info = {text, 3};
    if (length > hash->bytes || prefix.length + label.length > 255 || data.length > 255)
        return false;
    text[0] = 0;
    text[1] = (uint8_t)length;
    text[2] = (uint8_t)(prefix.length + label.length);
    append(&info, text, prefix);
    append(&info, text, label);
    text[info.length++] = (uint8_t)data.length;
    append(&info, text, data);
    text[info.length++] = 1;
    bool done = hmac(hash, secret, info, block);
    if (done)
        memcpy(out, block, length);
    OPENSSL_cleanse(block, sizeof block);
    return done;
}
