#include "wire_link.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- waiting ---- */

static size_t queue_of(uint32_t user, uint16_t node)
{
    return ((user ^ (uint32_t)node << 20) * 2654435761u >> 16) & (WIRE_QUEUES - 1);
}

/* The request of the user to the node that has waited longest; 0: none. */
static uint32_t queue_find(wire_client *client, uint32_t user, uint16_t node)
{
    uint32_t request = client->queues[queue_of(user, node)].first;
    while (request && (request_of(client, request)->user != user || request_of(client, request)->node != node))
        request = request_of(client, request)->next;
    return request;
}

void wire_wait(wire_client *client, uint32_t request)
{
    wire_pending *one = request_of(client, request);
    size_t queue = queue_of(one->user, one->node);
    one->state = WIRE_WAITING;
    one->next = 0;
    if (client->queues[queue].first)
        request_of(client, client->queues[queue].last)->next = request;
    else
        client->queues[queue].first = request;
    client->queues[queue].last = request;
    client->waiting++;
}

static void queue_take(wire_client *client, uint32_t request)
{
    const wire_pending *one = request_of(client, request);
    size_t queue = queue_of(one->user, one->node);
    uint32_t before = 0, *place = &client->queues[queue].first;
    while (*place != request) {
        before = *place;
        place = &request_of(client, before)->next;
    }
    *place = one->next;
    if (client->queues[queue].last == request)
        client->queues[queue].last = before;
    client->waiting--;
}

int wire_waits(wire_client *client, uint32_t user, uint16_t node)
{
    return client->waiting && queue_find(client, user, node);
}

void wire_fail(wire_client *client, uint32_t request, unsigned error)
{
    wire_pending *one = request_of(client, request);
    if (one->state == WIRE_WAITING)
        queue_take(client, request);
    else if (one->fd >= 0)
        wire_link_drop(client, one->fd);
    wire_finish(client, request, error);
}

/* ---- connections ---- */

static void rest_end(wire_client *client, wire_link *link)
{
    *(link->older ? &client->links[link->older - 1].newer : &client->resting) = link->newer;
    *(link->newer ? &client->links[link->newer - 1].older : &client->resting_last) = link->older;
    link->older = link->newer = 0;
}

void wire_link_rest(wire_client *client, int fd)
{
    wire_link *link = client->links + fd;
    link->request = 0;
    link->rested = client->now;
    link->older = client->resting_last;
    *(link->older ? &client->links[link->older - 1].newer : &client->resting) = (uint32_t)fd + 1;
    client->resting_last = (uint32_t)fd + 1;
}

void wire_link_drop(wire_client *client, int fd)
{
    wire_link *link = client->links + fd;
    uint32_t *place = client->first + link->user;
    if (!link->request)
        rest_end(client, link);
    else
        request_of(client, link->request)->fd = -1;
    while (*place != (uint32_t)fd + 1)
        place = &client->links[*place - 1].next;
    *place = link->next;
    memset(link, 0, sizeof *link);
    client->open--;
    if (client->secured && client->secured[fd].tls) {
        client->tls_functions->end(client->secured[fd].tls);
        client->secured[fd] = (wire_secured){NULL, 0};
    }
    close(fd);
}

static wire_tls_link *tls_of(const wire_client *client, int fd)
{
    return client->secured ? client->secured[fd].tls : NULL;
}

ssize_t wire_link_receive(wire_client *client, int fd, uint8_t *bytes, size_t length, int *more)
{
    wire_tls_link *tls = tls_of(client, fd);
    ssize_t n;
    if (tls)
        return client->tls_functions->receive(tls, bytes, length, more);
    *more = 0;
    do
        n = recv(fd, bytes, length, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

static ssize_t link_send(wire_client *client, int fd, const uint8_t *bytes, size_t length)
{
    wire_tls_link *tls = tls_of(client, fd);
    ssize_t n;
    if (tls)
        return client->tls_functions->send(tls, bytes, length);
    do
        n = send(fd, bytes, length, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

void wire_link_count(wire_client *client, uint32_t request, ssize_t in, ssize_t out)
{
    wire_pending *one = request_of(client, request);
    wire_tls_link *tls = tls_of(client, one->fd);
    if (tls) {
        client->tls_functions->count(tls, &one->bytes_in, &one->bytes_out);
    } else {
        one->bytes_in += in > 0 ? (uint64_t)in : 0;
        one->bytes_out += out > 0 ? (uint64_t)out : 0;
    }
}

static int watch(wire_client *client, int operation, int fd, int writing)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLRDHUP | (writing ? (uint32_t)EPOLLOUT : 0),
        .data.fd = fd,
    };
    return epoll_ctl(client->epoll, operation, fd, &event);
}

static void start_anew(wire_client *client, uint32_t request);

/* A connection that the server has closed while it rested is noticed like this:
 * nothing has been answered, so the request goes once more, on a new connection (RFC 9112 9.3.1). */
void wire_link_broken(wire_client *client, uint32_t request)
{
    wire_pending *one = request_of(client, request);
    unsigned flags = client->links[one->fd].flags;
    if (!(flags & WIRE_USED) || one->head || one->retried) {
        wire_fail(client, request, flags & WIRE_CONNECTED ? WIRE_CLOSED : WIRE_REFUSED);
        return;
    }
    one->retried = 1;
    wire_link_drop(client, one->fd);
    wire_exchange_free(client, one->exchange);
    one->exchange = 0;
    start_anew(client, request);
}

static void link_watch(wire_client *client, int fd, int writing)
{
    wire_link *link = client->links + fd;
    if (writing != !!(link->flags & WIRE_WRITING)) {
        link->flags ^= WIRE_WRITING;
        watch(client, EPOLL_CTL_MOD, fd, writing);
    }
}

static void link_write(wire_client *client, uint32_t request)
{
    wire_pending *one = request_of(client, request);
    wire_link *link = client->links + one->fd;
    ssize_t n;
    /* Of a TLS record, one after the other; of a socket, as much as it takes. */
    while ((n = link_send(client, one->fd, one->bytes + one->offset, one->length - one->offset)) > 0) {
        link->flags |= WIRE_CONNECTED;
        wire_link_count(client, request, 0, n);
        one->offset += (uint32_t)n;
        if (one->offset == one->length)
            break;
    }
    if (n < 0 && errno != EAGAIN) {
        wire_link_broken(client, request);
        return;
    }
    int writing = one->offset < one->length;
    if (!writing)
        one->sent = wire_client_clock(client);
    link_watch(client, one->fd, writing);
}

/* 0: no memory. */
static int handshake_add(wire_client *client, const wire_pending *one, int64_t since)
{
    size_t capacity = client->handshake_capacity * sizeof *client->handshakes;
    size_t used = client->handshake_count * sizeof *client->handshakes;
    uint8_t *bytes = (uint8_t *)client->handshakes;
    if (!wire_grow(&bytes, &capacity, used, sizeof *client->handshakes))
        return 0;
    client->handshakes = (wire_handshake *)(void *)bytes;
    client->handshake_capacity = capacity / sizeof *client->handshakes;
    client->handshakes[client->handshake_count++] = (wire_handshake){
        .node = one->node,
        .resumed = (uint32_t)client->tls_functions->resumed(tls_of(client, one->fd)),
        .took_ns = wire_client_clock(client) - since,
    };
    return 1;
}

/* Goes on with the TLS handshake; the request is sent when it is over. */
static void link_shake(wire_client *client, uint32_t request)
{
    wire_pending *one = request_of(client, request);
    wire_link *link = client->links + one->fd;
    wire_secured *secured = client->secured + one->fd;
    wire_tls_progress progress = client->tls_functions->shake(secured->tls);
    uint64_t before = one->bytes_out;
    wire_link_count(client, request, 0, 0);
    if (!secured->since && one->bytes_out > before) {
        link->flags |= WIRE_CONNECTED;
        secured->since = wire_client_clock(client);
    }
    if (progress == WIRE_TLS_FAILED) {
        int connected = link->flags & WIRE_CONNECTED;
        wire_fail(client, request, connected ? client->tls_functions->failure(secured->tls) : WIRE_REFUSED);
    } else if (progress == WIRE_TLS_DONE) {
        link->flags &= (uint8_t)~WIRE_SHAKING;
        client->out_of_memory |= !handshake_add(client, one, secured->since);
        link_write(client, request);
    } else {
        link_watch(client, one->fd, progress == WIRE_TLS_SEND);
    }
}

static void start(wire_client *client, uint32_t request, int fd)
{
    wire_pending *one = request_of(client, request);
    one->fd = fd;
    one->offset = 0;
    client->links[fd].request = request;
    one->exchange = wire_exchange_new(client, one);
    if (one->exchange) {
        (client->links[fd].flags & WIRE_SHAKING ? link_shake : link_write)(client, request);
    } else {
        client->out_of_memory = 1;
        wire_fail(client, request, WIRE_REFUSED);
    }
}

/* A new connection; where no descriptor is left for it, that of the one that has rested for longest. */
static int dial(wire_client *client, const wire_pending *one)
{
    int fd = wire_dial(client->nodes + one->node, one->user);
    while ((fd == -EMFILE || fd == -ENFILE) && client->resting) {
        wire_link_drop(client, (int)client->resting - 1);
        fd = wire_dial(client->nodes + one->node, one->user);
    }
    return fd;
}

static void start_anew(wire_client *client, uint32_t request)
{
    wire_pending *one = request_of(client, request);
    int fd = dial(client, one);
    if (fd >= 0 && ((uint32_t)fd >= client->capacity || watch(client, EPOLL_CTL_ADD, fd, 0))) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        wire_fail(client, request, WIRE_REFUSED);
        return;
    }
    client->links[fd] = (wire_link){
        .user = one->user, .node = one->node, .next = client->first[one->user], .flags = WIRE_OPEN, .request = request,
    };
    client->first[one->user] = (uint32_t)fd + 1;
    client->open++;
    client->opened++;
    if (*client->nodes[one->node].name) {
        const char *name = client->nodes[one->node].name;
        client->links[fd].flags |= WIRE_SHAKING;
        client->secured[fd].tls = client->tls_functions->begin(client->tls, fd, one->user, one->node, name);
        if (!client->secured[fd].tls) {
            client->out_of_memory = 1;
            one->fd = fd;
            wire_fail(client, request, WIRE_REFUSED);
            return;
        }
    }
    start(client, request, fd);
}

enum { NONE_RESTS = -1, NO_PLACE = -2 };

/* The descriptor of the connection at rest that was used last; or one may be opened, or not even that. */
static int link_choose(const wire_client *client, uint32_t user, uint16_t node)
{
    int chosen = NONE_RESTS, count = 0;
    for (uint32_t each = client->first[user]; each; each = client->links[each - 1].next) {
        const wire_link *link = client->links + each - 1;
        if (link->node != node)
            continue;
        count++;
        if (!link->request && (chosen < 0 || link->rested > client->links[chosen].rested))
            chosen = (int)each - 1;
    }
    return chosen < 0 && count >= WIRE_CONNECTIONS_EACH ? NO_PLACE : chosen;
}

void wire_serve(wire_client *client, uint32_t user, uint16_t node)
{
    uint32_t request;
    while (client->waiting && (request = queue_find(client, user, node))) {
        wire_pending *one = request_of(client, request);
        int fd = link_choose(client, user, node);
        if (fd == NO_PLACE)
            return;
        queue_take(client, request);
        one->state = WIRE_SENT;
        if (client->now - one->due >= client->limits.timeout_ns) {
            wire_fail(client, request, WIRE_TIMEOUT);
        } else if (fd == NONE_RESTS) {
            start_anew(client, request);
        } else {
            rest_end(client, client->links + fd);
            start(client, request, fd);
        }
    }
}

/* ---- events ---- */

void wire_link_ready(wire_client *client, int fd, uint32_t events)
{
    wire_link *link = client->links + fd;
    uint32_t request = link->request, user = link->user;
    uint16_t node = link->node;
    uint8_t byte;
    int more;
    if (!(link->flags & WIRE_OPEN))
        return;
    if (!request) {
        /* Closed by the server, or bytes that nobody has asked for; or a descriptor that means another
         * connection since epoll spoke of it; or a TLS ticket, which comes late. */
        if (wire_link_receive(client, fd, &byte, 1, &more) >= 0 || errno != EAGAIN)
            wire_link_drop(client, fd);
        return;
    }
    if (link->flags & WIRE_SHAKING) {
        link_shake(client, request);
    } else {
        if (events & ~(uint32_t)EPOLLOUT)
            while (wire_link_read(client, request) && link->request == request)
                ;
        if (events & EPOLLOUT && link->request == request && link->flags & WIRE_WRITING)
            link_write(client, request);
    }
    if (link->request != request)
        wire_serve(client, user, node);
}
