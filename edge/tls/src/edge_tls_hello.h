/* Recognises the ClientHello of a client that TLS 1.3 is spoken with here, or lets it go.  Sans-IO.
 *
 * As with requests: a strict subset is recognised; everything else goes to Twisted's TLS with the bytes that were
 * read, before anything was answered.  The rules are drawn in edge/tls/hello.py, the twin. */
#ifndef EDGE_TLS_HELLO_H
#define EDGE_TLS_HELLO_H

#include "edge_tls.h"

#define EDGE_TLS_NAME 255 /* bytes of a host name */

typedef struct {
    size_t consumed;             /* bytes of the record that holds it */
    size_t name_length;
    uint8_t name[EDGE_TLS_NAME]; /* the host name, in lower case */
} edge_tls_hello;

/* hybrid: X25519MLKEM768 is spoken, too. */
edge_tls_recognition edge_tls_recognise(const uint8_t *in, size_t length, bool hybrid, edge_tls_hello *hello);

#endif
