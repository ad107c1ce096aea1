/* TLS 1.3 as a client, as the wire calls it: through pointers, so that it links with no OpenSSL itself.
 *
 * wire_tls_client.c is behind them, in a module of its own. */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Settings, and the sessions that are kept for users. */
typedef struct wire_tls wire_tls;
/* One connection. */
typedef struct wire_tls_link wire_tls_link;

typedef enum { WIRE_TLS_DONE, WIRE_TLS_RECEIVE, WIRE_TLS_SEND, WIRE_TLS_FAILED } wire_tls_progress;

typedef struct {
    /* On a descriptor that is connected, or on its way; NULL: no memory.  name: of the server, in its certificate. */
    wire_tls_link *(*begin)(wire_tls *tls, int fd, uint32_t user, uint16_t node, const char *name);
    /* Goes on with the handshake; RECEIVE, SEND: what it waits for. */
    wire_tls_progress (*shake)(wire_tls_link *link);
    /* Why it has failed: a number of loadgen.wire.interface. */
    unsigned (*failure)(const wire_tls_link *link);
    int (*resumed)(const wire_tls_link *link);
    /* As recv and send, on a descriptor that does not block.  more: call again, no event will tell. */
    ssize_t (*receive)(wire_tls_link *link, uint8_t *bytes, size_t length, int *more);
    ssize_t (*send)(wire_tls_link *link, const uint8_t *bytes, size_t length);
    /* Adds the bytes on the descriptor since the last call. */
    void (*count)(wire_tls_link *link, uint64_t *in, uint64_t *out);
    /* With a goodbye, if there is somebody to hear it; the descriptor stays open. */
    void (*end)(wire_tls_link *link);
} wire_tls_functions;

#endif
