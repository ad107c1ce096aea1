#include "wire_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KEPT_BYTES (64 * 1024) /* more is given back when an answer has ended */

int wire_grow(uint8_t **bytes, size_t *capacity, size_t used, size_t more)
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

uint32_t wire_exchange_new(wire_client *client, const wire_pending *one)
{
    uint32_t number = client->exchange_free;
    if (number) {
        client->exchange_free = client->exchanges[number].free;
    } else {
        size_t capacity = client->exchange_capacity * sizeof *client->exchanges, before = capacity;
        uint8_t *bytes = (uint8_t *)client->exchanges;
        if (!wire_grow(&bytes, &capacity, client->exchange_count * sizeof *client->exchanges,
                       sizeof *client->exchanges))
            return 0;
        memset(bytes + before, 0, capacity - before);
        client->exchanges = (wire_exchange *)(void *)bytes;
        client->exchange_capacity = (uint32_t)(capacity / sizeof *client->exchanges);
        number = client->exchange_count++;
    }
    wire_reply_begin(&client->exchanges[number].reply, client->limits.body_bytes, one->head_only);
    client->exchanges[number].line_length = client->exchanges[number].body_length = 0;
    return number;
}

void wire_exchange_free(wire_client *client, uint32_t number)
{
    wire_exchange *exchange = client->exchanges + number;
    if (exchange->body_capacity > KEPT_BYTES) {
        free(exchange->body);
        exchange->body = NULL;
        exchange->body_capacity = 0;
    }
    exchange->free = client->exchange_free;
    client->exchange_free = number;
}

void wire_finish(wire_client *client, uint32_t request, unsigned error)
{
    wire_pending *one = request_of(client, request);
    size_t capacity = client->answer_capacity * sizeof *client->answers;
    uint8_t *bytes = (uint8_t *)client->answers;
    if (wire_grow(&bytes, &capacity, client->answer_count * sizeof *client->answers, sizeof *client->answers)) {
        client->answers = (wire_answered *)(void *)bytes;
        client->answer_capacity = capacity / sizeof *client->answers;
        wire_answered *answer = client->answers + client->answer_count++;
        *answer = (wire_answered){
            .token = one->token, .node = one->node, .error = (uint16_t)error, .due = one->due, .begun = one->begun,
            .sent = one->sent, .head = one->head, .done = wire_client_clock(client), .bytes_out = one->bytes_out,
            .bytes_in = one->bytes_in, .max_age = -1, .body_at = client->body_count,
        };
        if (one->exchange) {
            const wire_reply *reply = &client->exchanges[one->exchange].reply;
            answer->status = reply->status;
            answer->max_age = wire_reply_max_age(reply);
            answer->etag[0] = reply->etag_length;
            memcpy(answer->etag + 1, reply->etag, reply->etag_length);
            answer->age = (int32_t)reply->age;
            answer->weak = reply->weak;
            answer->coding = reply->coding;
            answer->later = reply->later;
            answer->modified[0] = reply->modified_length;
            memcpy(answer->modified + 1, reply->modified, reply->modified_length);
        }
    } else {
        client->out_of_memory = 1;
    }
    if (one->exchange)
        wire_exchange_free(client, one->exchange);
    wire_requests_end(&client->requests, request);
}

static void answered(wire_client *client, uint32_t request, int usable)
{
    wire_pending *one = request_of(client, request);
    wire_exchange *exchange = client->exchanges + one->exchange;
    wire_link *link = client->links + one->fd;
    size_t at = client->body_count, earlier = exchange->body_length, length = (size_t)exchange->reply.body_bytes;
    uint16_t node = one->node;
    uint32_t user = one->user;
    int fd = one->fd;
    if (earlier) {
        if (!wire_grow(&client->bodies, &client->body_capacity, at, earlier)) {
            client->out_of_memory = 1;
            wire_fail(client, request, WIRE_TOO_LARGE);
            return;
        }
        memcpy(client->bodies + at, exchange->body, earlier);
    }
    wire_finish(client, request, WIRE_OK);
    if (!client->out_of_memory)
        client->answers[client->answer_count - 1].body_length = length;
    client->body_count = at + length;
    link->flags |= WIRE_USED;
    wire_link_rest(client, fd);
    if (!usable || (link->flags & WIRE_LEAVING && !wire_waits(client, user, node)))
        wire_link_drop(client, fd);
}

/* A piece of the body: behind what earlier calls brought; else at once to where bodies are handed over. */
static int body_piece(wire_client *client, wire_exchange *exchange, size_t *fresh, edge_span piece)
{
    if (exchange->body_length) {
        if (!wire_grow(&exchange->body, &exchange->body_capacity, exchange->body_length, piece.length))
            return 0;
        memcpy(exchange->body + exchange->body_length, piece.bytes, piece.length);
        exchange->body_length += piece.length;
        return 1;
    }
    if (!wire_grow(&client->bodies, &client->body_capacity, client->body_count + *fresh, piece.length))
        return 0;
    memcpy(client->bodies + client->body_count + *fresh, piece.bytes, piece.length);
    *fresh += piece.length;
    return 1;
}

/* What has come so far is kept: the body, and the beginning of a line. */
static int keep(wire_client *client, wire_exchange *exchange, size_t fresh, edge_span line)
{
    edge_span body = {client->bodies + client->body_count, fresh};
    exchange->line_length = line.length;
    if (line.length) {
        if (!wire_grow(&exchange->line, &exchange->line_capacity, 0, line.length))
            return 0;
        memcpy(exchange->line, line.bytes, line.length);
    }
    if (fresh) {
        if (!wire_grow(&exchange->body, &exchange->body_capacity, 0, fresh))
            return 0;
        memcpy(exchange->body, body.bytes, fresh);
        exchange->body_length = fresh;
    }
    return 1;
}

int wire_link_read(wire_client *client, uint32_t request)
{
    wire_pending *one = request_of(client, request);
    wire_exchange *exchange = client->exchanges + one->exchange;
    size_t fresh = 0;
    ssize_t n;
    int more;
    if (exchange->line_length)
        memcpy(client->input, exchange->line, exchange->line_length);
    n = wire_link_receive(client, one->fd, client->input + exchange->line_length, WIRE_INPUT_BYTES, &more);
    wire_link_count(client, request, n, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    wire_client_clock(client);
    if (n <= 0) {
        if (n == 0 && wire_reply_ended(&exchange->reply))
            answered(client, request, 0);
        else
            wire_link_broken(client, request);
        return 0;
    }
    client->links[one->fd].flags |= WIRE_CONNECTED;
    if (!one->head)
        one->head = client->now;
    edge_span in = {client->input, exchange->line_length + (size_t)n}, piece;
    for (;;) {
        switch (wire_reply_read(&exchange->reply, &in, &piece)) {
        case WIRE_REPLY_BODY:
            if (body_piece(client, exchange, &fresh, piece))
                continue;
            client->out_of_memory = 1;
            wire_fail(client, request, WIRE_TOO_LARGE);
            return 0;
        case WIRE_REPLY_MORE:
            if (keep(client, exchange, fresh, in))
                return more;
            client->out_of_memory = 1;
            wire_fail(client, request, WIRE_TOO_LARGE);
            return 0;
        case WIRE_REPLY_DONE:
            if (in.length && exchange->reply.counted) {
                wire_fail(client, request, WIRE_LONGER);
                return 0;
            }
            /* Bytes after the answer belong to none: the connection cannot be trusted. */
            answered(client, request, !exchange->reply.closing && !in.length && one->offset == one->length);
            return 0;
        case WIRE_REPLY_GARBAGE:
            wire_fail(client, request, WIRE_GARBAGE);
            return 0;
        default:
            wire_fail(client, request, WIRE_TOO_LARGE);
            return 0;
        }
    }
}

