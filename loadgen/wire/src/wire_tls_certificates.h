/* Certificates of servers, each kept once for all connections on which it was shown.
 *
 * libssl parses the chain of each connection anew, some 5 KiB of many small pieces, and keeps it for as long as the
 * connection and its sessions.  A million users who all see the same chain would have it a million times. */
#ifndef WIRE_TLS_CERTIFICATES_H
#define WIRE_TLS_CERTIFICATES_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_TLS_CERTIFICATES 64 /* of all nodes, and of those that they had before; of more the oldest are dropped */

typedef struct {
    X509 *certificate;
    uint8_t *der; /* as it was shown */
    int length;
} wire_tls_certificate;

typedef struct {
    wire_tls_certificate all[WIRE_TLS_CERTIFICATES];
    unsigned count, next; /* next: the place that is taken next, once all are */
} wire_tls_certificates;

/* Verifies a chain as libssl would, as SSL_CTX_set_cert_verify_callback wants it, with a wire_tls_certificates behind
 * the argument.  What libssl has parsed is given back for what is known of the same bytes. */
int wire_tls_certificates_verify(X509_STORE_CTX *verification, void *certificates);
void wire_tls_certificates_close(wire_tls_certificates *certificates);

#endif
