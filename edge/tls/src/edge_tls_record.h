/* The record layer of a detached connection, RFC 8446 section 5: bytes and a state in, bytes out.  Sans-IO.
 *
 *     23 | 3 3 | length | AEAD( content | type | zeros ) | tag
 *
 * Nothing is acted upon that has not been verified.  After the handshake a client may send application data,
 * alerts and KeyUpdates, and nothing else; what carries nothing comes at most 32 times in a row. */
#ifndef EDGE_TLS_RECORD_H
#define EDGE_TLS_RECORD_H

#include "edge_tls_state.h"

#define EDGE_TLS_REKEY (1u << 23)    /* records under one key; AES-GCM allows 2^24.5, RFC 8446 5.5 */

/* Of the inner and outer types, RFC 8446 B.1. */
enum { EDGE_TLS_TYPE_CCS = 20, EDGE_TLS_TYPE_ALERT, EDGE_TLS_TYPE_HANDSHAKE, EDGE_TLS_TYPE_DATA };

/* As edge_tls_functions tells them. */
void edge_tls_open(const edge_tls_suite *suites, edge_tls_cell *cell, const uint8_t *in, size_t length,
                   uint8_t *out, edge_tls_opened *opened);
size_t edge_tls_seal(const edge_tls_suite *suites, edge_tls_cell *cell, const struct iovec *pieces, size_t skip,
                     size_t length, uint8_t *out);
size_t edge_tls_alert(const edge_tls_suite *suites, edge_tls_cell *cell, int description, uint8_t *out);

/* The inner type of one whole record, whose content of *written bytes is in out (room: the record's length); -1: it
 * is not what was sealed, and then out is zeros.  Moves the sequence number on; new_key: the suite's context holds
 * another key. */
int edge_tls_open_record(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction, bool new_key,
                         const uint8_t *record, size_t length, uint8_t *out, size_t *written);

static inline size_t edge_tls_record_length(const uint8_t *header)
{
    return (size_t)header[3] << 8 | header[4];
}

#endif
