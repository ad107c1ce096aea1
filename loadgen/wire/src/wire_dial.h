/* Connections of many users: where they go, and which address they come from.  As connecting.py. */
#ifndef WIRE_DIAL_H
#define WIRE_DIAL_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length;
    char name[256]; /* over TLS, and this is in its certificate; "": in the clear */
    int loopback; /* every user comes from an address of its own: one has only some 28,000 ports */
} wire_node;

/* 0, or -1: not an IP address, or no port, or a name that is too long. */
int wire_node_parse(wire_node *node, const char *host, uint32_t port, const char *name);
int wire_node_equal(const wire_node *one, const wire_node *other);
/* A non-blocking descriptor on its way to the node, or -errno. */
int wire_dial(const wire_node *node, uint32_t user);
/* Raises the limit of open descriptors as far as it goes; what it is then. */
uint64_t wire_dial_descriptors(void);

#endif
