/* Connections of many users: where they go, and which address they come from.  As connecting.py. */
#ifndef EDGE_DIAL_H
#define EDGE_DIAL_H

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
    int loopback; /* every user comes from an address of its own: one has only some 28,000 ports */
} edge_node;

/* 0, or -1: not an IP address, or no port. */
int edge_node_parse(edge_node *node, const char *host, uint32_t port);
int edge_node_equal(const edge_node *one, const edge_node *other);
/* A non-blocking descriptor on its way to the node, or -errno. */
int edge_dial(const edge_node *node, uint32_t user);
/* Raises the limit of open descriptors as far as it goes; what it is then. */
uint64_t edge_dial_descriptors(void);

#endif
