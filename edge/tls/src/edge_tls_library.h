/* The library context of libcrypto that handshakes work in: its default provider, and one of ours beside it.
 *
 * Ours has one algorithm, the key schedule of TLS 1.3 (TLS13-KDF: RFC 8446 7.1).  libssl asks for it more than
 * twenty times in a handshake; the default provider then looks up a hash by its name and makes an HMAC context, ours
 * uses the hashes of the suites.  And ours sees the secrets of application traffic, which libssl otherwise says to a
 * callback for debugging alone, as lines of text. */
#ifndef EDGE_TLS_LIBRARY_H
#define EDGE_TLS_LIBRARY_H

#include "edge_tls_hkdf.h"

#define EDGE_TLS_OURS "?provider=edge" /* the property query that prefers ours */

/* What has been derived. */
typedef struct {
    uint8_t secrets[2][EDGE_TLS_SECRET]; /* of application traffic, client's and server's */
    size_t secret_bytes[2];              /* 0: not yet */
    bool refused;                        /* libssl has asked for what we do not understand */
} edge_tls_derived;

/* One for the process; NULL: there is no libcrypto that we could use. */
OSSL_LIB_CTX *edge_tls_library(void);
/* Before libssl is called, in the same thread: the hashes that it derives with from now on, and for whom. */
void edge_tls_derive_with(const edge_tls_hash *sha256, const edge_tls_hash *sha384, edge_tls_derived *derived);

#endif
