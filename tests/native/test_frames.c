/* Frames of WebSockets: every length, cut and mask, from memory that ends where they end; and pushes of the loop. */
#include "check.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge_connection.h"

#define STATE "k3Jx9aF"

static size_t frame(uint8_t *to, uint8_t kind, const uint8_t *payload, size_t length)
{
    static const uint8_t key[4] = {0x80, 1, 0xff, 0};
    to[0] = kind;
    to[1] = (uint8_t)(0x80 | length);
    memcpy(to + 2, key, 4);
    for (size_t i = 0; i < length; i++)
        to[6 + i] = payload[i] ^ key[i % 4];
    return 6 + length;
}

static edge_next answered(edge_answerer *answerer, edge_frames *frames, const uint8_t *bytes, size_t length,
                          edge_output *out, size_t *consumed)
{
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    edge_next next = edge_frames_answer(answerer, frames, 7, exact, length, out, consumed);
    free(exact);
    return next;
}

static void frames_of_strangers(edge_answerer *answerer)
{
    static edge_output out;
    uint8_t bytes[512];
    size_t consumed, length;
    bool bounded = true, whole = true;
    edge_frames frames = {0};
    length = frame(bytes, 0x82, (const uint8_t *)"\x01\x07" STATE, 9);
    for (size_t cut = 0; cut <= length; cut++) {
        edge_next next = answered(answerer, &frames, bytes, cut, &out, &consumed);
        whole = whole && next == EDGE_NEXT_RECEIVE && consumed == (cut == length ? length : 0);
    }
    check(whole && out.total == 4 && !memcmp(out.heads, "\x82\x02\x81\x07", 4), "a question is answered when it is whole");
    for (int i = 0; i < 200000; i++) {
        frames = (edge_frames){.second = below(2) * 7, .count = (uint16_t)below(101), .closing = !below(4)};
        length = 0;
        while (length < 200 && below(6)) {
            size_t size = below(4) ? below(20) : below(126);
            uint8_t payload[126], kind = "\x82\x82\x88\x89\x8a\x81\x02"[below(7)];
            for (size_t at = 0; at < size; at++)
                payload[at] = (uint8_t)below(below(2) ? 4 : 256);
            length += frame(bytes + length, kind, payload, size);
            if (!below(8))
                bytes[below((uint32_t)length)] = (uint8_t)below(256);
        }
        length -= below((uint32_t)length + 1) / 8;
        edge_next next = answered(answerer, &frames, bytes, length, &out, &consumed);
        bounded = bounded && consumed <= length && out.total <= EDGE_HEADS_BYTES && next <= EDGE_NEXT_CLOSE
                  && frames.count <= EDGE_FRAMES_PER_SECOND;
    }
    check(bounded, "200,000 streams of frames are answered within their bounds");
}

/* One WebSocket that the loop has adopted; the other end. */
static int adopted(edge_loop *loop, int listener, const struct sockaddr *address, socklen_t length)
{
    edge_socket_state state = {.is_socket = true, .topics = 3, .choice = 3};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)listener;
    if (connect(fd, address, length) || send(fd, "X", 1, 0) != 1)
        abort();
    while (!edge_loop_wait(loop, 1000))
        ;
    int theirs = edge_loop_handoffs(loop)->fd;
    edge_loop_taken(loop);
    if (edge_loop_adopt(loop, theirs, 0, NULL, 0, &state))
        abort();
    return fd;
}

static void pushes(segment *s, edge_table *table)
{
    edge_limits limits = {1000, 0, 10, 75, 30, 1024, 100, 1 << 20, 0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), fds[40];
    char text[64];
    bool told = true;
    (void)s;
    bind(listener, (struct sockaddr *)&address, sizeof address);
    getsockname(listener, (struct sockaddr *)&address, &length);
    listen(listener, 128);
    edge_loop *loop = edge_loop_new(table, &limits);
    edge_loop_listen(loop, listener, 7, EDGE_LISTENER_RECOGNISES);
    for (int i = 0; i < 40; i++)
        fds[i] = adopted(loop, listener, (struct sockaddr *)&address, length);
    check(edge_loop_sockets(loop) == 40 && table->counters[EDGE_C_SOCKETS] == 40, "forty WebSockets rest");
    edge_loop_publish(loop, 0, 1, -1, (const uint8_t *)"load", 4, 1);
    edge_loop_publish(loop, 1, 1, -1, (const uint8_t *)"news", 4, 1);
    for (int left = (int)edge_loop_push_all(loop, 3, 7), i = 0; left; i += 2) {
        close(fds[i]);
        fds[i] = -1;
        edge_loop_wait(loop, 0);
        left = (int)edge_loop_push_all(loop, 0, 7);
    }
    for (int i = 0; i < 40; i++)
        if (fds[i] >= 0)
            told = told && recv(fds[i], text, sizeof text, MSG_DONTWAIT) == 8 && !memcmp(text, "loadnews", 8);
    check(told, "all that stay are told, once, while others go");
    check(edge_loop_publish(loop, EDGE_TOPICS, 1, -1, NULL, 0, 1) < 0 && edge_loop_publish(loop, 0, 1, 1, NULL, 0, 1) < 0,
          "there are no other topics and sites");
    edge_loop_drain(loop);
    edge_loop_advance(loop, 6);
    edge_loop_tick(loop);
    check(!edge_loop_sockets(loop) && !table->counters[EDGE_C_SOCKETS], "who does not say goodbye is given up");
    edge_loop_free(loop);
    for (int i = 0; i < 40; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    close(listener);
}

int main(void)
{
    segment s = segment_new();
    edge_table table;
    edge_table_open(&table, s.base, SEGMENT_BYTES, worker_block);
    segment_site(&s, &table);
    segment_put(&s, &table, "/.edge/changes", 0, 1, "state----etag-16",
                STATE "\nk3Jx98\nk3Jx9aF /index.html\nk3Jx9a4 /app.js\n", "X: y\r\n", "", EDGE_SLOT_LIVE);
    edge_answerer *answerer = calloc(1, sizeof *answerer);
    answerer->table = table;
    edge_table_enter(&answerer->table);
    frames_of_strangers(answerer);
    edge_table_leave(&answerer->table);
    free(answerer);
    pushes(&s, &table);
    free(s.base);
    return check_failures != 0;
}
