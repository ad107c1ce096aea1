/* A handshake: libssl works in memory, is fed one record at a time, and then lets go.
 *
 * When it has succeeded, the secrets of application traffic (which our provider sees, edge_tls_library.h) become a
 * sealed state, and the SSL object is freed: 46 to 54 kB become 144 to 208 bytes.  Before that the keys are proved:
 * the last session ticket that libssl has sealed must open with them.  Bytes after the client's Finished are not
 * libssl's: it never sees them. */
#ifndef EDGE_TLS_HANDSHAKE_H
#define EDGE_TLS_HANDSHAKE_H

#include "edge_tls_context.h"
#include "edge_tls_state.h"

/* Of one worker. */
struct edge_tls {
    edge_tls_suite suites[EDGE_TLS_SUITES];
    edge_tls_slab slabs[EDGE_TLS_SUITES];
    edge_tls_tickets tickets;
    const char *groups;
    bool hybrid;         /* X25519MLKEM768 is among them */
    bool spoil;          /* tests only: derive wrong keys, as a libssl that we do not understand would make us */
    uint64_t unproved;   /* handshakes whose keys opened nothing; after the first all hellos are let go */
    bool unowned;        /* to be freed with the last state */
};

edge_tls_handshake *edge_tls_begin(edge_tls *tls, edge_tls_context *context, const uint8_t *in, size_t length);
edge_tls_progress edge_tls_step(edge_tls_handshake *handshake, const uint8_t *in, size_t length,
                                edge_tls_outcome *outcome);
void edge_tls_end(edge_tls_handshake *handshake);

#endif
