#include "edge_flood.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edge_dial.h"
#include "edge_reply.h"
#include "edge_wait.h"

#define EVENTS 256
#define INPUT_BYTES (256 * 1024)
#define AGAIN_NS 100000000 /* after which a connection that failed opens again */

typedef struct {
    edge_reply reply;
    uint8_t *line; /* that has not ended */
    uint32_t line_length;
    uint32_t unanswered;
    size_t offset; /* of the batch: what is not sent yet */
    int64_t since; /* sent; not open: closed */
    int fd;        /* -1: not open */
    uint8_t connected, writing;
} edge_loop_link;

struct edge_flood {
    edge_flood_figures figures;
    edge_flood_shape shape;
    edge_node node;
    int epoll, head_only;
    uint32_t closed; /* how many are not open */
    uint8_t *batch;
    size_t length;
    int64_t now;
    edge_loop_link *links;
    uint8_t input[EDGE_REPLY_HEAD_BYTES + INPUT_BYTES];
};

static void watch(edge_flood *flood, int operation, edge_loop_link *link)
{
    struct epoll_event event = {
        .events = EPOLLIN | (link->writing ? (uint32_t)EPOLLOUT : 0),
        .data.u32 = (uint32_t)(link - flood->links),
    };
    epoll_ctl(flood->epoll, operation, link->fd, &event);
}

static void link_close(edge_flood *flood, edge_loop_link *link, unsigned error)
{
    if (error)
        flood->figures.errors[error]++;
    if (link->fd >= 0) {
        close(link->fd);
        flood->figures.open--;
    }
    link->fd = -1;
    link->since = error ? flood->now : flood->now - AGAIN_NS;
    flood->closed++;
}

static void link_write(edge_flood *flood, edge_loop_link *link)
{
    ssize_t n;
    do
        n = send(link->fd, flood->batch + link->offset, flood->length - link->offset, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        link_close(flood, link, link->connected ? EDGE_CLOSED : EDGE_REFUSED);
        return;
    }
    if (n > 0) {
        link->connected = 1;
        link->offset += (size_t)n;
        flood->figures.bytes_out += (uint64_t)n;
    }
    if ((link->offset < flood->length) != link->writing) {
        link->writing = !link->writing;
        watch(flood, EPOLL_CTL_MOD, link);
    }
}

static void batch_begin(edge_flood *flood, edge_loop_link *link)
{
    link->unanswered = flood->shape.pipeline;
    link->offset = 0;
    link->since = flood->now;
    link_write(flood, link);
}

static void link_open(edge_flood *flood, edge_loop_link *link)
{
    flood->closed--;
    link->connected = link->writing = 0;
    link->line_length = 0;
    link->fd = edge_dial(&flood->node, flood->shape.first + (uint32_t)(link - flood->links));
    if (link->fd < 0) {
        link->fd = -1;
        link_close(flood, link, EDGE_REFUSED);
        return;
    }
    flood->figures.open++;
    edge_reply_begin(&link->reply, flood->shape.body_bytes, flood->head_only);
    watch(flood, EPOLL_CTL_ADD, link);
    batch_begin(flood, link);
}

/* One answer is whole.  0: the connection is closed. */
static int answered(edge_flood *flood, edge_loop_link *link)
{
    flood->figures.statuses[link->reply.status]++;
    link->unanswered--;
    if (link->reply.closing) {
        link_close(flood, link, EDGE_OK);
        return 0;
    }
    edge_reply_begin(&link->reply, flood->shape.body_bytes, flood->head_only);
    return 1;
}

static void batch_end(edge_flood *flood, edge_loop_link *link)
{
    int64_t microseconds = (flood->now - link->since + 500) / 1000;
    if (flood->figures.latency_count < EDGE_FLOOD_LATENCIES)
        flood->figures.latencies[flood->figures.latency_count++] =
            microseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)microseconds;
    batch_begin(flood, link);
}

static void link_read(edge_flood *flood, edge_loop_link *link)
{
    size_t kept = link->line_length;
    ssize_t n;
    if (kept)
        memcpy(flood->input, link->line, kept);
    do
        n = recv(link->fd, flood->input + kept, INPUT_BYTES, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    flood->now = edge_monotonic();
    if (n <= 0) {
        if (n == 0 && edge_reply_ended(&link->reply))
            answered(flood, link);
        else
            link_close(flood, link, link->connected ? EDGE_CLOSED : EDGE_REFUSED);
        return;
    }
    flood->figures.bytes_in += (uint64_t)n;
    edge_span in = {flood->input, kept + (size_t)n}, body;
    link->line_length = 0;
    for (;;) {
        switch (edge_reply_read(&link->reply, &in, &body)) {
        case EDGE_REPLY_BODY:
            continue;
        case EDGE_REPLY_DONE:
            if (!answered(flood, link))
                return;
            if (link->unanswered)
                continue;
            if (in.length || link->offset < flood->length)
                link_close(flood, link, EDGE_GARBAGE); /* more answers than requests */
            else
                batch_end(flood, link);
            return;
        case EDGE_REPLY_MORE:
            if (in.length && !link->line && !(link->line = malloc(EDGE_REPLY_HEAD_BYTES))) {
                link_close(flood, link, EDGE_TOO_LARGE);
                return;
            }
            link->line_length = (uint32_t)in.length;
            if (in.length)
                memcpy(link->line, in.bytes, in.length);
            return;
        case EDGE_REPLY_GARBAGE:
            link_close(flood, link, EDGE_GARBAGE);
            return;
        default:
            link_close(flood, link, EDGE_TOO_LARGE);
            return;
        }
    }
}

/* Opens again what was closed for long enough. */
static void reopen(edge_flood *flood)
{
    for (uint32_t i = 0, closed = flood->closed; closed && i < flood->shape.connections; i++) {
        if (flood->links[i].fd >= 0)
            continue;
        closed--;
        if (flood->now - flood->links[i].since >= AGAIN_NS)
            link_open(flood, flood->links + i);
    }
}

edge_flood *edge_flood_new(const char *host, uint32_t port, const edge_flood_shape *shape, const uint8_t *batch,
                           size_t length, int head_only)
{
    edge_flood *flood = calloc(1, sizeof *flood);
    if (!flood)
        return NULL;
    flood->shape = *shape;
    flood->head_only = head_only;
    flood->length = length;
    flood->epoll = epoll_create1(EPOLL_CLOEXEC);
    flood->batch = malloc(length);
    flood->links = calloc(shape->connections, sizeof *flood->links);
    int unknown = edge_node_parse(&flood->node, host, port);
    if (flood->epoll < 0 || !flood->batch || !flood->links || unknown) {
        edge_flood_free(flood);
        if (unknown)
            errno = EINVAL;
        return NULL;
    }
    memcpy(flood->batch, batch, length);
    edge_dial_descriptors();
    flood->now = edge_monotonic();
    flood->closed = shape->connections;
    for (uint32_t i = 0; i < shape->connections; i++) {
        flood->links[i].fd = -1;
        flood->links[i].since = flood->now - AGAIN_NS;
    }
    return flood;
}

void edge_flood_free(edge_flood *flood)
{
    for (uint32_t i = 0; flood->links && i < flood->shape.connections; i++) {
        if (flood->links[i].fd >= 0)
            close(flood->links[i].fd);
        free(flood->links[i].line);
    }
    if (flood->epoll >= 0)
        close(flood->epoll);
    free(flood->links);
    free(flood->batch);
    free(flood);
}

void edge_flood_run(edge_flood *flood, int64_t until)
{
    struct epoll_event events[EVENTS];
    /* A batch of events brings at most so many latencies. */
    while (flood->figures.latency_count <= EDGE_FLOOD_LATENCIES - EVENTS && (flood->now = edge_monotonic()) < until) {
        if (flood->closed)
            reopen(flood);
        int64_t wait = until - flood->now;
        if (flood->closed && wait > AGAIN_NS / 10)
            wait = AGAIN_NS / 10;
        int n = edge_epoll_wait(flood->epoll, events, EVENTS, wait);
        if (n < 0)
            return; /* EINTR: the caller looks after signals */
        for (int i = 0; i < n; i++) {
            edge_loop_link *link = flood->links + events[i].data.u32;
            if (link->fd >= 0 && events[i].events & ~(uint32_t)EPOLLOUT)
                link_read(flood, link);
            if (link->fd >= 0 && link->writing && events[i].events & EPOLLOUT)
                link_write(flood, link);
        }
    }
}

edge_flood_figures *edge_flood_look(edge_flood *flood)
{
    return &flood->figures;
}
