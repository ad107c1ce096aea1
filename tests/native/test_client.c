/* The wire over real loopback sockets; its server is in the same thread and does what it is told. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "wire_link.h"

#define MILLISECOND 1000000
#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define NOT_MODIFIED "HTTP/1.1 304 \r\nETag: \"abc\"\r\nCache-Control: max-age=60\r\n\r\n"

typedef struct {
    wire_client *client;
    int listener, node;
    struct sockaddr_in address;
    int64_t token;
} wire;

static const wire_client_limits roomy = {INT64_MAX, INT64_MAX, 1 << 20};

static wire wire_new(wire_client_limits limits)
{
    wire w = {.client = wire_client_new(100, &limits)};
    socklen_t length = sizeof w.address;
    w.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    w.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(w.listener, (struct sockaddr *)&w.address, sizeof w.address) || listen(w.listener, 128))
        abort();
    getsockname(w.listener, (struct sockaddr *)&w.address, &length);
    w.node = wire_client_node(w.client, "127.0.0.1", ntohs(w.address.sin_port), "");
    return w;
}

static void wire_free(wire *w)
{
    wire_client_free(w->client);
    if (w->listener >= 0)
        close(w->listener);
}

static int64_t ask(wire *w, uint32_t user)
{
    if (wire_client_send(w->client, w->token, user, (uint32_t)w->node, 0, (const uint8_t *)GET, sizeof GET - 1))
        abort();
    return w->token++;
}

/* One round; the answer at *index*, which must be there. */
static int64_t run(wire *w)
{
    return wire_client_run(w->client, wire_client_clock(w->client) + MILLISECOND);
}

static wire_answered answer(wire *w)
{
    for (int i = 0; i < 1000; i++)
        if (run(w) == 1)
            return wire_client_answers(w->client)[0];
    return (wire_answered){.error = 99};
}

static int accepted(wire *w)
{
    for (int i = 0; i < 1000; i++) {
        int fd = accept4(w->listener, NULL, NULL, 0);
        if (fd >= 0)
            return fd;
        run(w);
    }
    abort();
}

static void hear(int fd)
{
    char text[4096];
    if (recv(fd, text, sizeof text, 0) <= 0)
        abort();
}

static void say(int fd, const char *text, size_t length)
{
    if (send(fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
        abort();
}

static void answers_come_whole_however_they_come(void)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nETag: \"abc\"\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n";
    wire w = wire_new(roomy);
    size_t length;
    int64_t token = ask(&w, 1);
    run(&w);
    int fd = accepted(&w), ok = 1;
    hear(fd);
    for (size_t i = 0; i + 1 < sizeof text - 1; i++) {
        say(fd, text + i, 1);
        ok = ok && run(&w) == 0;
    }
    say(fd, text + sizeof text - 2, 1);
    wire_answered a = answer(&w);
    const uint8_t *bodies = wire_client_bodies(w.client, &length);
    check(ok && !a.error && a.status == 200 && a.token == token && a.body_length == 11 && a.body_at == 0 && length == 11
              && !memcmp(bodies, "hello world", 11),
          "an answer that comes byte by byte is one answer");
    check(a.bytes_in == sizeof text - 1 && a.bytes_out == sizeof GET - 1 && a.etag[0] == 3 && a.sent >= a.begun
              && a.head >= a.sent && a.done > a.head,
          "its times and sizes are told");
    for (int i = 0; i < 100; i++) {
        ask(&w, 1);
        run(&w);
        hear(fd);
        say(fd, NOT_MODIFIED, sizeof NOT_MODIFIED - 1);
        a = answer(&w);
        ok = ok && a.status == 304 && a.max_age == 60 && !a.body_length;
    }
    check(ok && wire_client_opened(w.client) == 1 && wire_client_connections(w.client) == 1,
          "a hundred more go over the same connection");
    close(fd);
    wire_free(&w);
}

static void six_connections_and_then_they_wait(void)
{
    wire w = wire_new(roomy);
    int fds[6], ok = 1;
    for (int i = 0; i < 9; i++)
        ask(&w, 7);
    for (int i = 0; i < 6; i++)
        hear(fds[i] = accepted(&w));
    check(wire_client_connections(w.client) == 6, "one user opens six connections to a node");
    say(fds[3], NOT_MODIFIED, sizeof NOT_MODIFIED - 1);
    ok = ok && answer(&w).token == 3;
    hear(fds[3]);
    wire_client_cancel(w.client, 7);
    ok = ok && answer(&w).error == WIRE_CANCELLED;
    close(fds[3]);
    fds[3] = accepted(&w); /* it had been used before: once more, on a new connection */
    hear(fds[3]);
    close(fds[3]);
    wire_answered a = answer(&w);
    check(ok && a.token == 6 && a.error == WIRE_CLOSED, "who waits goes in order; closing before the answer is an error");
    int fd = accepted(&w);
    hear(fd);
    wire_client_leave(w.client, 7);
    say(fd, NOT_MODIFIED, sizeof NOT_MODIFIED - 1);
    check(answer(&w).token == 8 && wire_client_connections(w.client) == 5,
          "the place of a connection that broke is taken again; who leaves keeps what is on its way");
    for (int i = 0; i < 6; i++)
        if (i != 3)
            close(fds[i]);
    close(fd);
    wire_free(&w);
}

static void a_connection_closed_at_rest_is_replaced(void)
{
    wire w = wire_new(roomy);
    ask(&w, 1);
    int fd = accepted(&w);
    hear(fd);
    say(fd, NOT_MODIFIED, sizeof NOT_MODIFIED - 1);
    answer(&w);
    close(fd);
    ask(&w, 1); /* taken up before epoll tells of the end */
    fd = accepted(&w);
    hear(fd);
    say(fd, NOT_MODIFIED, sizeof NOT_MODIFIED - 1);
    wire_answered a = answer(&w);
    check(!a.error && a.status == 304 && wire_client_opened(w.client) == 2,
          "a request on a connection that was closed at rest goes again on a new one");
    close(fd);
    fd = -1;
    for (int i = 0; i < 1000 && wire_client_connections(w.client); i++)
        run(&w);
    check(!wire_client_connections(w.client), "a connection that the server closes at rest is closed");
    wire_free(&w);
}

static void time_runs_out(void)
{
    wire w = wire_new((wire_client_limits){20 * MILLISECOND, 20 * MILLISECOND, 1 << 20});
    for (int i = 0; i < 8; i++)
        wire_client_send(w.client, i, 1, 0, wire_client_clock(w.client), (const uint8_t *)GET, sizeof GET - 1);
    int timeouts = 0;
    for (int i = 0; i < 1000 && timeouts < 8; i++) {
        int64_t n = run(&w);
        for (int64_t j = 0; j < n; j++)
            timeouts += wire_client_answers(w.client)[j].error == WIRE_TIMEOUT;
    }
    check(timeouts == 8, "requests without an answer end, on a connection or waiting for one");
    for (int i = 0; i < 12; i++) {
        int fd = accept4(w.listener, NULL, NULL, 0);
        if (fd >= 0)
            close(fd);
    }
    wire_client_send(w.client, 9, 1, 0, wire_client_clock(w.client), (const uint8_t *)GET, sizeof GET - 1);
    int fd = accepted(&w);
    hear(fd);
    say(fd, NOT_MODIFIED, sizeof NOT_MODIFIED - 1);
    wire_answered a = answer(&w);
    for (int i = 0; i < 1000 && wire_client_connections(w.client); i++)
        run(&w);
    check(!a.error && !wire_client_connections(w.client), "a connection that has rested for long is closed");
    close(fd);
    close(w.listener);
    w.listener = -1;
    wire_client_send(w.client, 10, 1, 0, wire_client_clock(w.client), (const uint8_t *)GET, sizeof GET - 1);
    check(answer(&w).error == WIRE_REFUSED, "where nobody listens there is no connection");
    wire_free(&w);
}

static void many_bodies_end_a_run(void)
{
    static char big[(1 << 20) + 100];
    wire w = wire_new(roomy);
    int length = snprintf(big, 100, "HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n", 1 << 20), answers = 0, most = 0;
    uint64_t total = 0;
    ask(&w, 1);
    int fd = accepted(&w);
    for (int i = 0; i < 20; i++) {
        size_t sent = 0, whole = (size_t)length + (1 << 20);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        hear(fd);
        while (sent < whole || answers <= i) {
            ssize_t n = sent < whole ? send(fd, big + sent, whole - sent, MSG_NOSIGNAL) : 0;
            sent += n > 0 ? (size_t)n : 0;
            size_t bodies;
            int got = (int)run(&w);
            wire_client_bodies(w.client, &bodies);
            answers += got;
            total += bodies;
            most = got > most ? got : most;
        }
        ask(&w, 1);
        while (recv(fd, big + length, 1, MSG_PEEK) < 0)
            run(&w);
    }
    check(answers == 20 && total == 20u << 20, "bodies of a megabyte come whole");
    close(fd);
    wire_free(&w);
}

static void requests_are_taken_in_the_order_in_which_they_are_due(void)
{
    wire_requests requests;
    unsigned seed = 1, ok = 1, count = 50000;
    int64_t last = 0;
    wire_requests_open(&requests);
    for (unsigned i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        wire_requests_add(&requests, i, seed >> 12, (const uint8_t *)GET, 1 + i % 20);
    }
    for (unsigned i = 0; i < count; i += 10)
        wire_requests_end(&requests, wire_requests_find(&requests, i));
    check(!wire_requests_find(&requests, 10) && wire_requests_find(&requests, 11), "an ended request is not found");
    unsigned taken = 0;
    uint32_t request;
    while ((request = wire_requests_take(&requests, INT64_MAX))) {
        wire_pending *one = requests.pool + request;
        ok = ok && one->due >= last && one->token % 10;
        last = one->due;
        one->state = WIRE_SENT;
        taken++;
        if (taken % 3 == 0)
            wire_requests_end(&requests, request);
    }
    check(ok && taken == count - count / 10, "50,000 requests are taken in order, without the ended ones");
    uint32_t late = wire_requests_add(&requests, 1 << 30, 5, (const uint8_t *)GET, 1);
    wire_requests_take(&requests, INT64_MAX);
    ok = 1;
    for (uint32_t i = requests.first, next; (next = requests.pool[i].later); i = next)
        ok = ok && requests.pool[i].due <= requests.pool[next].due && requests.pool[next].earlier == i;
    check(ok && late, "deadlines are in order, also of one that was sent late");
    uint32_t used = requests.used;
    while (requests.first) {
        requests.pool[requests.first].state = WIRE_SENT;
        wire_requests_end(&requests, requests.first);
    }
    for (unsigned i = 0; i < count; i++)
        wire_requests_add(&requests, i, 0, (const uint8_t *)GET, 20);
    check(requests.used <= used + 1 && requests.count == count, "slots are used again");
    wire_requests_close(&requests);
}

int main(void)
{
    answers_come_whole_however_they_come();
    six_connections_and_then_they_wait();
    a_connection_closed_at_rest_is_replaced();
    time_runs_out();
    many_bodies_end_a_run();
    requests_are_taken_in_the_order_in_which_they_are_due();
    return check_failures != 0;
}
