#include "edge_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_BYTES (64 * 1024) /* more is given back when an answer has ended */

static inline edge_pending *request_of(edge_client *client, uint32_t request)
{
    return client->requests.pool + request;
}

/* ---- memory ---- */

int edge_grow(uint8_t **bytes, size_t *capacity, size_t used, size_t more)
{
    size_t wanted = *capacity ? *capacity : 4096;
    if (used + more <= *capacity)
        return 1;
    while (wanted < used + more)
        wanted *= 2;
    uint8_t *larger = realloc(*bytes, wanted);
    if (!larger)
        return 0;
    *bytes = larger;
    *capacity = wanted;
    return 1;
}

static uint32_t exchange_new(edge_client *client, const edge_pending *one)
{
    uint32_t number = client->exchange_free;
    if (number) {
        client->exchange_free = client->exchanges[number].free;
    } else {
        size_t capacity = client->exchange_capacity * sizeof *client->exchanges, before = capacity;
        uint8_t *bytes = (uint8_t *)client->exchanges;
        if (!edge_grow(&bytes, &capacity, client->exchange_count * sizeof *client->exchanges,
                       sizeof *client->exchanges))
            return 0;
        memset(bytes + before, 0, capacity - before);
        client->exchanges = (edge_exchange *)(void *)bytes;
        client->exchange_capacity = (uint32_t)(capacity / sizeof *client->exchanges);
        number = client->exchange_count++;
    }
    edge_reply_begin(&client->exchanges[number].reply, client->limits.body_bytes, one->head_only);
    client->exchanges[number].line_length = client->exchanges[number].body_length = 0;
    return number;
}

static void exchange_free(edge_client *client, uint32_t number)
{
    edge_exchange *exchange = client->exchanges + number;
    if (exchange->body_capacity > KEPT_BYTES) {
        free(exchange->body);
        exchange->body = NULL;
        exchange->body_capacity = 0;
    }
    exchange->free = client->exchange_free;
    client->exchange_free = number;
}

/* ---- ends ---- */

void edge_finish(edge_client *client, uint32_t request, unsigned error)
{
    edge_pending *one = request_of(client, request);
    size_t capacity = client->answer_capacity * sizeof *client->answers;
    uint8_t *bytes = (uint8_t *)client->answers;
    if (edge_grow(&bytes, &capacity, client->answer_count * sizeof *client->answers, sizeof *client->answers)) {
        client->answers = (edge_answered *)(void *)bytes;
        client->answer_capacity = capacity / sizeof *client->answers;
        edge_answered *answer = client->answers + client->answer_count++;
        *answer = (edge_answered){
            .token = one->token, .node = one->node, .error = (uint16_t)error, .due = one->due, .begun = one->begun,
            .sent = one->sent, .head = one->head, .done = edge_client_clock(client), .bytes_out = one->bytes_out,
            .bytes_in = one->bytes_in, .max_age = -1, .body_at = client->body_count,
        };
        if (one->exchange) {
            const edge_reply *reply = &client->exchanges[one->exchange].reply;
            answer->status = reply->status;
            answer->max_age = edge_reply_max_age(reply);
            answer->etag[0] = reply->etag_length;
            memcpy(answer->etag + 1, reply->etag, reply->etag_length);
        }
    } else {
        client->out_of_memory = 1;
    }
    if (one->exchange)
        exchange_free(client, one->exchange);
    edge_requests_end(&client->requests, request);
}

static uint32_t *queue_find(edge_client *client, uint32_t *link, uint32_t user, uint16_t node)
{
    while (*link && (request_of(client, *link)->user != user || request_of(client, *link)->node != node))
        link = &request_of(client, *link)->next;
    return link;
}

static size_t queue_of(uint32_t user, uint16_t node)
{
    return ((user ^ (uint32_t)node << 20) * 2654435761u >> 16) & (EDGE_QUEUES - 1);
}

void edge_wait(edge_client *client, uint32_t request)
{
    edge_pending *one = request_of(client, request);
    size_t queue = queue_of(one->user, one->node);
    one->state = EDGE_WAITING;
    one->next = 0;
    if (client->queues[queue].first)
        request_of(client, client->queues[queue].last)->next = request;
    else
        client->queues[queue].first = request;
    client->queues[queue].last = request;
    client->waiting++;
}

/* Takes the request that *link names out of its queue. */
static uint32_t queue_take(edge_client *client, size_t queue, uint32_t *link)
{
    uint32_t request = *link, before = 0;
    for (uint32_t each = client->queues[queue].first; each != request; each = request_of(client, each)->next)
        before = each;
    *link = request_of(client, request)->next;
    if (client->queues[queue].last == request)
        client->queues[queue].last = before;
    client->waiting--;
    return request;
}

void edge_fail(edge_client *client, uint32_t request, unsigned error)
{
    edge_pending *one = request_of(client, request);
    if (one->state == EDGE_WAITING) {
        size_t queue = queue_of(one->user, one->node);
        uint32_t *link = &client->queues[queue].first;
        while (*link != request)
            link = &request_of(client, *link)->next;
        queue_take(client, queue, link);
    } else if (one->fd >= 0) {
        edge_link_drop(client, one->fd);
    }
    edge_finish(client, request, error);
}

/* ---- connections ---- */

static void rest_end(edge_client *client, edge_link *link)
{
    *(link->older ? &client->links[link->older - 1].newer : &client->resting) = link->newer;
    *(link->newer ? &client->links[link->newer - 1].older : &client->resting_last) = link->older;
    link->older = link->newer = 0;
}

static void rest_begin(edge_client *client, int fd)
{
    edge_link *link = client->links + fd;
    link->request = 0;
    link->rested = client->now;
    link->older = client->resting_last;
    *(link->older ? &client->links[link->older - 1].newer : &client->resting) = (uint32_t)fd + 1;
    client->resting_last = (uint32_t)fd + 1;
}

void edge_link_drop(edge_client *client, int fd)
{
    edge_link *link = client->links + fd;
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
    close(fd);
}

static int watch(edge_client *client, int operation, int fd, int writing)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLRDHUP | (writing ? (uint32_t)EPOLLOUT : 0),
        .data.fd = fd,
    };
    return epoll_ctl(client->epoll, operation, fd, &event);
}

static void start_anew(edge_client *client, uint32_t request);

/* No more bytes can come or go.  A connection that the server has closed while it rested is noticed like this:
 * nothing has been answered, so the request goes once more, on a new connection (RFC 9112 9.3.1). */
static void broken(edge_client *client, uint32_t request)
{
    edge_pending *one = request_of(client, request);
    unsigned flags = client->links[one->fd].flags;
    if (!(flags & EDGE_USED) || one->bytes_in || one->retried) {
        edge_fail(client, request, flags & EDGE_CONNECTED ? EDGE_CLOSED : EDGE_REFUSED);
        return;
    }
    one->retried = 1;
    edge_link_drop(client, one->fd);
    exchange_free(client, one->exchange);
    one->exchange = 0;
    start_anew(client, request);
}

static void link_write(edge_client *client, uint32_t request)
{
    edge_pending *one = request_of(client, request);
    edge_link *link = client->links + one->fd;
    ssize_t n;
    do
        n = send(one->fd, one->bytes + one->offset, one->length - one->offset, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        broken(client, request);
        return;
    }
    if (n > 0) {
        link->flags |= EDGE_CONNECTED;
        one->bytes_out += (uint64_t)n;
        one->offset += (uint32_t)n;
    }
    int writing = one->offset < one->length;
    if (!writing)
        one->sent = edge_client_clock(client);
    if (writing != !!(link->flags & EDGE_WRITING)) {
        link->flags ^= EDGE_WRITING;
        watch(client, EPOLL_CTL_MOD, one->fd, writing);
    }
}

static void start(edge_client *client, uint32_t request, int fd)
{
    edge_pending *one = request_of(client, request);
    one->exchange = exchange_new(client, one);
    if (!one->exchange) {
        client->out_of_memory = 1;
        edge_fail(client, request, EDGE_REFUSED);
        return;
    }
    one->fd = fd;
    one->offset = 0;
    client->links[fd].request = request;
    link_write(client, request);
}

static void start_anew(edge_client *client, uint32_t request)
{
    edge_pending *one = request_of(client, request);
    int fd = edge_dial(client->nodes + one->node, one->user);
    if (fd >= 0 && ((uint32_t)fd >= client->capacity || watch(client, EPOLL_CTL_ADD, fd, 0))) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        edge_fail(client, request, EDGE_REFUSED);
        return;
    }
    client->links[fd] = (edge_link){
        .user = one->user, .node = one->node, .next = client->first[one->user], .flags = EDGE_OPEN, .request = request,
    };
    client->first[one->user] = (uint32_t)fd + 1;
    client->open++;
    client->opened++;
    start(client, request, fd);
}

/* The connection at rest that was used last: its descriptor; -1: none, but one may be opened; -2: nor that. */
static int link_choose(const edge_client *client, uint32_t user, uint16_t node)
{
    int chosen = -1, count = 0;
    for (uint32_t each = client->first[user]; each; each = client->links[each - 1].next) {
        const edge_link *link = client->links + each - 1;
        if (link->node != node)
            continue;
        count++;
        if (!link->request && (chosen < 0 || link->rested > client->links[chosen].rested))
            chosen = (int)each - 1;
    }
    return chosen < 0 && count >= EDGE_CONNECTIONS_EACH ? -2 : chosen;
}

void edge_serve(edge_client *client, uint32_t user, uint16_t node)
{
    size_t queue = queue_of(user, node);
    while (client->waiting) {
        uint32_t *place = queue_find(client, &client->queues[queue].first, user, node);
        int fd = *place ? link_choose(client, user, node) : -2;
        if (fd == -2)
            return;
        uint32_t request = queue_take(client, queue, place);
        edge_pending *one = request_of(client, request);
        one->state = EDGE_SENT;
        if (client->now - one->due >= client->limits.timeout_ns) {
            edge_fail(client, request, EDGE_TIMEOUT);
        } else if (fd < 0) {
            start_anew(client, request);
        } else {
            rest_end(client, client->links + fd);
            start(client, request, fd);
        }
    }
}

/* ---- answers ---- */

static void answered(edge_client *client, uint32_t request, int usable)
{
    edge_pending *one = request_of(client, request);
    edge_exchange *exchange = client->exchanges + one->exchange;
    edge_link *link = client->links + one->fd;
    size_t at = client->body_count, earlier = exchange->body_length, length = (size_t)exchange->reply.body_bytes;
    uint16_t node = one->node;
    uint32_t user = one->user;
    int fd = one->fd;
    if (earlier) {
        if (!edge_grow(&client->bodies, &client->body_capacity, at, earlier)) {
            client->out_of_memory = 1;
            edge_fail(client, request, EDGE_TOO_LARGE);
            return;
        }
        memcpy(client->bodies + at, exchange->body, earlier);
    }
    edge_finish(client, request, EDGE_OK);
    if (!client->out_of_memory)
        client->answers[client->answer_count - 1].body_length = length;
    client->body_count = at + length;
    link->flags |= EDGE_USED;
    rest_begin(client, fd);
    size_t queue = queue_of(user, node);
    int waited_for = client->waiting && *queue_find(client, &client->queues[queue].first, user, node);
    if (!usable || (link->flags & EDGE_LEAVING && !waited_for))
        edge_link_drop(client, fd);
}

/* A piece of the body: behind what earlier calls brought; else at once to where bodies are handed over. */
static int body_piece(edge_client *client, edge_exchange *exchange, size_t *fresh, edge_span piece)
{
    if (exchange->body_length) {
        if (!edge_grow(&exchange->body, &exchange->body_capacity, exchange->body_length, piece.length))
            return 0;
        memcpy(exchange->body + exchange->body_length, piece.bytes, piece.length);
        exchange->body_length += piece.length;
        return 1;
    }
    if (!edge_grow(&client->bodies, &client->body_capacity, client->body_count + *fresh, piece.length))
        return 0;
    memcpy(client->bodies + client->body_count + *fresh, piece.bytes, piece.length);
    *fresh += piece.length;
    return 1;
}

/* What has come so far is kept: the body, and the beginning of a line. */
static int keep(edge_client *client, edge_exchange *exchange, size_t fresh, edge_span line)
{
    edge_span body = {client->bodies + client->body_count, fresh};
    exchange->line_length = line.length;
    if (line.length) {
        if (!edge_grow(&exchange->line, &exchange->line_capacity, 0, line.length))
            return 0;
        memcpy(exchange->line, line.bytes, line.length);
    }
    if (fresh) {
        if (!edge_grow(&exchange->body, &exchange->body_capacity, 0, fresh))
            return 0;
        memcpy(exchange->body, body.bytes, fresh);
        exchange->body_length = fresh;
    }
    return 1;
}

static void link_read(edge_client *client, uint32_t request)
{
    edge_pending *one = request_of(client, request);
    edge_exchange *exchange = client->exchanges + one->exchange;
    size_t fresh = 0;
    ssize_t n;
    if (exchange->line_length)
        memcpy(client->input, exchange->line, exchange->line_length);
    do
        n = recv(one->fd, client->input + exchange->line_length, EDGE_INPUT_BYTES, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    edge_client_clock(client);
    if (n <= 0) {
        if (n == 0 && edge_reply_ended(&exchange->reply))
            answered(client, request, 0);
        else
            broken(client, request);
        return;
    }
    client->links[one->fd].flags |= EDGE_CONNECTED;
    if (!one->head)
        one->head = client->now;
    one->bytes_in += (uint64_t)n;
    edge_span in = {client->input, exchange->line_length + (size_t)n}, piece;
    for (;;) {
        switch (edge_reply_read(&exchange->reply, &in, &piece)) {
        case EDGE_REPLY_BODY:
            if (body_piece(client, exchange, &fresh, piece))
                continue;
            client->out_of_memory = 1;
            edge_fail(client, request, EDGE_TOO_LARGE);
            return;
        case EDGE_REPLY_MORE:
            if (keep(client, exchange, fresh, in))
                return;
            client->out_of_memory = 1;
            edge_fail(client, request, EDGE_TOO_LARGE);
            return;
        case EDGE_REPLY_DONE:
            /* Bytes after the answer belong to none: the connection cannot be trusted. */
            answered(client, request, !exchange->reply.closing && !in.length && one->offset == one->length);
            return;
        case EDGE_REPLY_GARBAGE:
            edge_fail(client, request, EDGE_GARBAGE);
            return;
        default:
            edge_fail(client, request, EDGE_TOO_LARGE);
            return;
        }
    }
}

void edge_link_ready(edge_client *client, int fd, uint32_t events)
{
    edge_link *link = client->links + fd;
    uint32_t request = link->request, user = link->user;
    uint16_t node = link->node;
    uint8_t byte;
    if (!(link->flags & EDGE_OPEN))
        return;
    if (!request) {
        /* Closed by the server, or bytes that nobody has asked for; or a descriptor that means another
         * connection since epoll spoke of it. */
        if (recv(fd, &byte, 1, 0) >= 0 || errno != EAGAIN)
            edge_link_drop(client, fd);
        return;
    }
    if (events & ~(uint32_t)EPOLLOUT)
        link_read(client, request);
    if (events & EPOLLOUT && link->request == request && link->flags & EDGE_WRITING)
        link_write(client, request);
    if (link->request != request)
        edge_serve(client, user, node);
}
