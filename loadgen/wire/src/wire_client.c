#include "wire_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVENTS 64
#define BURST 32  /* requests taken up before answers are looked at, */
#define BETWEEN 4 /* and between two of them, when many are due */
#define FOREVER (INT64_MAX / 4)
#define SLACK_NS 1000 /* how late the kernel may wake us: it is 50 us by itself */

_Static_assert(sizeof(wire_link) <= 32, "a connection at rest is small");
_Static_assert(sizeof(wire_answered) == 200, "answers have no gaps");

int64_t wire_client_clock(wire_client *client)
{
    return client->now = wire_monotonic();
}

static inline int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Reserved, not used: a page of it becomes memory when something in its range is written. */
static void *reserve(size_t bytes)
{
    void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return area == MAP_FAILED ? NULL : area;
}

wire_client *wire_client_new(uint32_t users, const wire_client_limits *limits)
{
    wire_client *client = calloc(1, sizeof *client);
    uint64_t descriptors = wire_dial_descriptors();
    if (!client)
        return NULL;
    client->limits = *limits;
    client->limits.idle_ns = earlier(limits->idle_ns, FOREVER);
    client->limits.timeout_ns = earlier(limits->timeout_ns, FOREVER);
    client->users = users;
    client->exchange_count = 1;
    client->capacity = descriptors > 4u << 20 ? 4u << 20 : (uint32_t)descriptors;
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    client->first = reserve(((size_t)users + 1) * sizeof *client->first);
    client->links = reserve(client->capacity * sizeof *client->links);
    if (wire_requests_open(&client->requests) || client->epoll < 0 || !client->first || !client->links) {
        wire_client_free(client);
        return NULL;
    }
    prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
    return client;
}

void wire_client_free(wire_client *client)
{
    for (uint32_t fd = 0; client->links && client->open && fd < client->capacity; fd++)
        if (client->links[fd].flags & WIRE_OPEN)
            wire_link_drop(client, (int)fd);
    for (uint32_t i = 1; i < client->exchange_count; i++) {
        free(client->exchanges[i].line);
        free(client->exchanges[i].body);
    }
    wire_requests_close(&client->requests);
    if (client->links)
        munmap(client->links, client->capacity * sizeof *client->links);
    if (client->secured)
        munmap(client->secured, client->capacity * sizeof *client->secured);
    if (client->first)
        munmap(client->first, ((size_t)client->users + 1) * sizeof *client->first);
    if (client->epoll >= 0)
        close(client->epoll);
    free(client->exchanges);
    free(client->answers);
    free(client->bodies);
    free(client->nodes);
    free(client->handshakes);
    free(client);
}

void wire_client_secure(wire_client *client, const void *functions, void *tls)
{
    client->tls_functions = functions;
    client->tls = tls;
    client->secured = reserve(client->capacity * sizeof *client->secured);
}

int wire_client_node(wire_client *client, const char *host, uint32_t port, const char *name)
{
    wire_node node;
    if (wire_node_parse(&node, host, port, name) || (*name && !client->secured))
        return -EINVAL;
    for (uint32_t i = 0; i < client->node_count; i++)
        if (wire_node_equal(client->nodes + i, &node))
            return (int)i;
    if (client->node_count == WIRE_NODES)
        return -ENOMEM;
    if (client->node_count == client->node_capacity) {
        uint32_t capacity = client->node_capacity ? 2 * client->node_capacity : 16;
        wire_node *nodes = realloc(client->nodes, capacity * sizeof *nodes);
        if (!nodes)
            return -ENOMEM;
        client->nodes = nodes;
        client->node_capacity = capacity;
    }
    client->nodes[client->node_count] = node;
    return (int)client->node_count++;
}

int wire_client_send(wire_client *client, int64_t token, uint32_t user, uint32_t node, int64_t due,
                     const uint8_t *request, size_t length)
{
    if (user >= client->users || node >= client->node_count || !length || length > INT32_MAX || token < 0)
        return -EINVAL;
    uint32_t made = wire_requests_add(&client->requests, token, due, request, length);
    if (!made)
        return -ENOMEM;
    wire_pending *one = client->requests.pool + made;
    one->user = user;
    one->node = (uint16_t)node;
    one->head_only = length > 5 && !memcmp(request, "HEAD ", 5);
    return 0;
}

void wire_client_cancel(wire_client *client, int64_t token)
{
    uint32_t request = wire_requests_find(&client->requests, token);
    if (!request)
        return;
    uint32_t user = client->requests.pool[request].user;
    uint16_t node = client->requests.pool[request].node;
    wire_fail(client, request, WIRE_CANCELLED);
    wire_serve(client, user, node);
}

void wire_client_leave(wire_client *client, uint32_t user)
{
    uint32_t next, each = user < client->users ? client->first[user] : 0;
    for (; each; each = next) {
        wire_link *link = client->links + each - 1;
        next = link->next;
        link->flags |= WIRE_LEAVING;
        if (!link->request)
            wire_link_drop(client, (int)each - 1);
    }
}

/* ---- time ---- */

/* Takes up some of what is due. */
static void begin(wire_client *client, int most)
{
    uint32_t request;
    while (most-- && !wire_client_full(client) && (request = wire_requests_take(&client->requests, client->now))) {
        uint32_t user = client->requests.pool[request].user;
        uint16_t node = client->requests.pool[request].node;
        wire_wait(client, request);
        wire_serve(client, user, node);
    }
}

/* Ends what has taken too long, and what has rested long enough. */
static void expire(wire_client *client)
{
    while (client->requests.first && !wire_client_full(client)) {
        uint32_t request = client->requests.first;
        wire_pending *one = client->requests.pool + request;
        uint32_t user = one->user;
        uint16_t node = one->node;
        if (client->now - one->due < client->limits.timeout_ns)
            break;
        wire_fail(client, request, WIRE_TIMEOUT);
        wire_serve(client, user, node);
    }
    while (client->resting) {
        if (client->now - client->links[client->resting - 1].rested < client->limits.idle_ns)
            break;
        wire_link_drop(client, (int)client->resting - 1);
    }
}

/* When there is something to do again, at the latest. */
static int64_t next(const wire_client *client, int64_t until)
{
    until = earlier(until, wire_requests_due(&client->requests));
    if (client->requests.first)
        until = earlier(until, client->requests.pool[client->requests.first].due + client->limits.timeout_ns);
    if (client->resting)
        until = earlier(until, client->links[client->resting - 1].rested + client->limits.idle_ns);
    return until;
}

int64_t wire_client_run(wire_client *client, int64_t until)
{
    struct epoll_event events[EVENTS];
    client->answer_count -= client->returned;
    if (client->answer_count)
        memmove(client->answers, client->answers + client->returned, client->answer_count * sizeof *client->answers);
    client->body_count = 0;
    for (;;) {
        wire_client_clock(client);
        begin(client, BURST);
        expire(client);
        if (wire_client_full(client))
            break;
        int64_t wait = next(client, until) - client->now;
        int last = client->now >= until, n = wire_epoll_wait(client->epoll, events, EVENTS, wait);
        wire_client_clock(client);
        for (int i = 0; i < n && !wire_client_full(client); i++) {
            wire_link_ready(client, events[i].data.fd, events[i].events);
            begin(client, BETWEEN); /* what is due does not wait for other users' answers */
        }
        if (last || n < 0) /* EINTR: the caller looks after signals */
            break;
    }
    client->returned = client->answer_count;
    return client->out_of_memory ? -ENOMEM : (int64_t)client->answer_count;
}

/* ---- the interface ---- */

const wire_answered *wire_client_answers(const wire_client *client)
{
    return client->answers;
}

const uint8_t *wire_client_bodies(const wire_client *client, size_t *length)
{
    *length = client->body_count;
    return client->bodies;
}

const wire_handshake *wire_client_handshakes(wire_client *client, size_t *count)
{
    *count = client->handshake_count;
    client->handshake_count = 0;
    return client->handshakes;
}

uint64_t wire_client_connections(const wire_client *client)
{
    return client->open;
}

uint64_t wire_client_opened(const wire_client *client)
{
    return client->opened;
}

size_t wire_client_bytes_per_connection(void)
{
    return sizeof(wire_link);
}
