/* Opening handshakes of WebSockets: every cut and many mutations, from memory that ends where they end; and in the loop. */
#include "check.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge_connection.h"

#define FIELDS "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" \
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define OPENING(query) "GET /.edge/socket" query " HTTP/1.1\r\n" FIELDS "Origin: http://localhost\r\n\r\n"
#define ACCEPTED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static edge_next answered(edge_answerer *answerer, const void *bytes, size_t length, edge_output *out, size_t *consumed)
{
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    edge_next next = edge_answer(answerer, exact, length, out, consumed);
    free(exact);
    return next;
}

static void handshakes_of_strangers(edge_answerer *answerer)
{
    static edge_output out;
    static const char *const queries[] = {OPENING(""), OPENING("?v=2"), OPENING("?v=2&topics=load,changed,status"),
                                          OPENING("?topics=status"), OPENING("?topics=load&v=2&x")};
    size_t consumed, length = sizeof OPENING("") - 1;
    bool waits = true, bounded = true;
    unsigned opened = 0;
    for (size_t cut = 0; cut < length; cut++)
        waits = waits && answered(answerer, OPENING(""), cut, &out, &consumed) == EDGE_NEXT_RECEIVE && !consumed;
    check(waits, "a handshake that is not whole is waited for");
    check(answered(answerer, OPENING(""), length, &out, &consumed) == EDGE_NEXT_OPEN && consumed == length
              && out.total == sizeof ACCEPTED - 1 && !memcmp(out.heads, ACCEPTED, out.total)
              && answerer->opened.topics == 3 && answerer->opened.choice == 7 && answerer->opened.is_own,
          "a whole one is accepted with the proof of RFC 6455 1.3");
    for (int i = 0; i < 200000; i++) {
        char bytes[512];
        const char *query = queries[below(5)];
        length = strlen(query);
        memcpy(bytes, query, length);
        for (unsigned mutations = below(3); mutations; mutations--)
            bytes[below((uint32_t)length)] = below(2) ? (char)below(256) : "?&=,.:;[]/+ \r\n"[below(14)];
        length -= below(2) ? below((uint32_t)length) : 0;
        answerer->secure = below(2);
        answerer->audience = (edge_audience)below(3);
        edge_next next = answered(answerer, bytes, length, &out, &consumed);
        opened += next == EDGE_NEXT_OPEN;
        bounded = bounded && consumed <= length && (next == EDGE_NEXT_OPEN) == (answerer->opened.topics != 0)
                  && !(answerer->opened.topics & ~answerer->opened.choice);
    }
    check(bounded && opened > 1000, "200,000 handshakes are answered within their bounds, %u opened", opened);
}

static int client(const struct sockaddr_in *address, const char *text)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) || send(fd, text, strlen(text), 0) < 0)
        abort();
    return fd;
}

static void openings_in_the_loop(edge_table *table)
{
    edge_limits limits = {1000, 0, 10, 75, 30, 1024, 100, 1 << 20, 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), fds[40];
    char text[512];
    bool told = true;
    bind(listener, (struct sockaddr *)&address, sizeof address);
    getsockname(listener, (struct sockaddr *)&address, &length);
    listen(listener, 128);
    edge_loop *loop = edge_loop_new(table, &limits);
    edge_loop_listen(loop, listener, 7, EDGE_LISTENER_RECOGNISES);
    edge_loop_publish(loop, EDGE_TOPIC_NODES, 1, -1, (const uint8_t *)"<nodes>", 7, 1);
    edge_loop_publish(loop, EDGE_TOPIC_WORD, 1, -1, (const uint8_t *)"<word>", 6, 1);
    edge_loop_welcome(loop, 39, EDGE_STATUS_LOCAL);
    for (int i = 0; i < 40; i++) {
        fds[i] = client(&address, OPENING("?v=2") "\x89\x80" "abcd");
        size_t wanted = i < 39 ? sizeof ACCEPTED - 1 + 13 + 2 : 0, got = 0;
        for (int turns = 0; turns < 5000 && (got < wanted || (i == 39 && !table->counters[EDGE_C_HANDOFFS])); turns++) {
            edge_loop_wait(loop, 1000);
            ssize_t n = recv(fds[i], text, sizeof text, MSG_DONTWAIT);
            got += n > 0 ? (size_t)n : 0;
        }
        told = told && got == wanted;
    }
    check(told && edge_loop_sockets(loop) == 39 && table->counters[EDGE_C_SOCKETS] == 39,
          "thirty-nine are opened, greeted, and their pings answered");
    check(edge_loop_connections(loop) == 40 && table->counters[EDGE_C_HANDOFFS] == 1, "and one is let go");
    edge_loop_drain(loop);
    edge_loop_advance(loop, 6);
    edge_loop_tick(loop);
    check(!edge_loop_sockets(loop) && !table->counters[EDGE_C_SOCKETS], "all of them end");
    edge_loop_free(loop);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
    close(listener);
}

int main(void)
{
    segment s = segment_new();
    edge_table table;
    edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block);
    segment_site(&s, &table);
    edge_answerer *answerer = calloc(1, sizeof *answerer);
    answerer->table = table;
    answerer->opens = true;
    edge_table_enter(&answerer->table);
    handshakes_of_strangers(answerer);
    edge_table_leave(&answerer->table);
    free(answerer);
    openings_in_the_loop(&table);
    free(s.base);
    return check_failures != 0;
}
