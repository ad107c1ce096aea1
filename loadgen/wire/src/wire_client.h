/* The wire of very many users: what loadgen/wire/interface.py says, as python.py does it.
 *
 * A user is 4 bytes, a connection 32 in an array indexed by its descriptor.  A request is a slot of a pool; while
 * it is on a connection it has an exchange, too, which reads its answer.  Nothing here calls back; run works until
 * its time has come, and what it found is then looked at in place.
 *
 * What follows is declared to Python as it stands. */
#ifndef WIRE_CLIENT_H
#define WIRE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t idle_ns, timeout_ns;
    uint64_t body_bytes;
} wire_client_limits;

/* loadgen.wire.interface.Answer; 200 bytes without a gap. */
typedef struct {
    int64_t token;
    uint32_t node;
    uint16_t status, error;
    int64_t due, begun, sent, head, done;
    uint64_t bytes_out, bytes_in;
    uint8_t etag[64]; /* its length comes first */
    int64_t max_age;
    uint64_t body_at, body_length;
    int32_t age;
    uint16_t weak;
    uint8_t coding, later;
    uint8_t modified[32]; /* as etag */
} wire_answered;

/* loadgen.wire.interface.Handshake. */
typedef struct {
    uint32_t node, resumed;
    int64_t took_ns;
} wire_handshake;

typedef struct wire_client wire_client;

/* NULL: no memory or no descriptor (errno). */
wire_client *wire_client_new(uint32_t users, const wire_client_limits *limits);
void wire_client_free(wire_client *client);
/* Its number; name: in its certificate, "": no TLS.  -EINVAL: not an IP address, or no port, or a long name. */
int wire_client_node(wire_client *client, const char *host, uint32_t port, const char *name);
/* TLS for nodes with a name: a wire_tls_functions and a wire_tls (wire_tls.h), which outlive the client. */
void wire_client_secure(wire_client *client, const void *functions, void *tls);
/* 0; -EINVAL: no such user or node, or no request; -ENOMEM.  The request is copied. */
int wire_client_send(wire_client *client, int64_t token, uint32_t user, uint32_t node, int64_t due,
                     const uint8_t *request, size_t length);
void wire_client_cancel(wire_client *client, int64_t token);
void wire_client_leave(wire_client *client, uint32_t user);
/* How many answers there are, or -ENOMEM. */
int64_t wire_client_run(wire_client *client, int64_t until);
/* Those, and their bodies; until the next run. */
const wire_answered *wire_client_answers(const wire_client *client);
const uint8_t *wire_client_bodies(const wire_client *client, size_t *length);
/* TLS handshakes that were completed since the last call; until the next run. */
const wire_handshake *wire_client_handshakes(wire_client *client, size_t *count);
uint64_t wire_client_connections(const wire_client *client);
uint64_t wire_client_opened(const wire_client *client);
/* Bytes that a connection at rest costs (for measurements). */
size_t wire_client_bytes_per_connection(void);

#endif
