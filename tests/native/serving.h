/* A loop with one listener on loopback, and its clients, in one thread: for tests with sockets. */
#ifndef SERVING_H
#define SERVING_H

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "edge_connection.h"

static uint8_t ring[EDGE_LOG_HEADER + 65536] __attribute__((aligned(64)));
typedef struct {
    segment s;
    edge_table table;
    edge_loop *loop;
    int listener;
    struct sockaddr_in address;
} server;

static inline server server_new(edge_limits limits, unsigned flags)
{
    server v = {.s = segment_new()};
    socklen_t length = sizeof v.address;
    memset(worker_block, 0, sizeof worker_block);
    edge_table_open(&v.table, v.s.base, SEGMENT_BYTES, worker_block);
    segment_site(&v.s, &v.table);
    v.loop = edge_loop_new(&v.table, &limits);
    ring_new(ring, sizeof ring);
    edge_loop_log(v.loop, ring, sizeof ring, 1, -1);
    v.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    v.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bind(v.listener, (struct sockaddr *)&v.address, sizeof v.address);
    getsockname(v.listener, (struct sockaddr *)&v.address, &length);
    listen(v.listener, 128);
    edge_loop_listen(v.loop, v.listener, 7, flags);
    return v;
}

static const edge_limits roomy = {1000, 0, 10, 75, 30, 1024, 100, 1 << 20, 0};

static inline void server_free(server *v)
{
    if (v->loop)
        edge_loop_free(v->loop);
    close(v->listener);
    free(v->s.base);
}

static inline int client_new(server *v)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096, on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&v->address, sizeof v->address))
        abort();
    return fd;
}

/* Runs the loop until it has nothing to do for 20 ms. */
static inline int settle(server *v)
{
    int handoffs = 0;
    struct pollfd ready = {edge_loop_fileno(v->loop), POLLIN, 0};
    while (!handoffs && poll(&ready, 1, 20) > 0)
        handoffs = edge_loop_run(v->loop);
    return handoffs;
}

static inline size_t answer(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (length < size - 1 && (n = recv(fd, text + length, size - 1 - length, 0)) > 0)
        length += (size_t)n;
    text[length] = 0;
    return length;
}

static inline int at_end(int fd)
{
    char byte;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return recv(fd, &byte, 1, 0) == 0;
}

static inline void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        abort();
}

static inline uint64_t counter(server *v, unsigned which)
{
    return v->table.counters[which];
}

#endif
