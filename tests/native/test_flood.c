/* The closed loop; its server is in the same thread. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "edge_flood.h"
#include "edge_reply.h"
#include "edge_wait.h"

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define ANSWER "HTTP/1.1 304 \r\nETag: \"abc\"\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

typedef struct {
    edge_flood *flood;
    edge_flood_figures *figures;
    int listener, fd;
} loop;

static loop loop_new(uint32_t connections, uint32_t pipeline)
{
    loop l = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .fd = -1};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    edge_flood_shape shape = {connections, pipeline, 0, 1000};
    char batch[64 * sizeof GET] = "";
    for (uint32_t i = 0; i < pipeline; i++)
        strcat(batch, GET);
    if (bind(l.listener, (struct sockaddr *)&address, sizeof address) || listen(l.listener, 128))
        abort();
    getsockname(l.listener, (struct sockaddr *)&address, &length);
    l.flood = edge_flood_new("127.0.0.1", ntohs(address.sin_port), &shape, (uint8_t *)batch, strlen(batch), 0);
    l.figures = edge_flood_look(l.flood);
    return l;
}

static void loop_free(loop *l)
{
    edge_flood_free(l->flood);
    close(l->listener);
    if (l->fd >= 0)
        close(l->fd);
}

static void run(loop *l)
{
    edge_flood_run(l->flood, edge_monotonic() + 1000000);
}

static void accepted(loop *l)
{
    if (l->fd >= 0)
        close(l->fd);
    for (int i = 0; i < 2000 && (l->fd = accept4(l->listener, NULL, NULL, 0)) < 0; i++)
        run(l);
    if (l->fd < 0)
        abort();
}

/* So many requests arrive. */
static void heard(loop *l, size_t requests)
{
    char text[4096];
    size_t left = requests * (sizeof GET - 1);
    while (left) {
        ssize_t n = recv(l->fd, text, left < sizeof text ? left : sizeof text, MSG_DONTWAIT);
        if (n > 0)
            left -= (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            abort();
        else
            run(l);
    }
}

static void say(loop *l, const char *text, size_t length)
{
    if (send(l->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
        abort();
}

static void batches_go_round_however_answers_are_cut(void)
{
    static const char text[] = ANSWER CHUNKED ANSWER;
    loop l = loop_new(1, 3);
    accepted(&l);
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        heard(&l, 3);
        say(&l, text, cut);
        run(&l);
        say(&l, text + cut, sizeof text - 1 - cut);
        for (int i = 0; i < 1000 && l.figures->latency_count < cut; i++)
            run(&l);
    }
    check(l.figures->statuses[304] == 2 * (sizeof text - 2) && l.figures->statuses[200] == sizeof text - 2
              && l.figures->latency_count == sizeof text - 2 && l.figures->open == 1,
          "batches of three go round, their answers cut at every byte");
    check(l.figures->bytes_in == (sizeof text - 1) * (sizeof text - 2)
              && l.figures->bytes_out == 3 * (sizeof GET - 1) * (sizeof text - 1),
          "bytes are counted");
    loop_free(&l);
}

static void what_goes_wrong_is_counted(void)
{
    static const struct {
        const char *text;
        unsigned error;
    } wrong[] = {
        {"SSH-2.0-x\r\n", EDGE_GARBAGE},
        {ANSWER ANSWER, EDGE_GARBAGE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", EDGE_TOO_LARGE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", EDGE_CLOSED},
        {"", EDGE_CLOSED},
    };
    loop l = loop_new(1, 1);
    int ok = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t before = l.figures->errors[wrong[i].error];
        accepted(&l);
        heard(&l, 1);
        if (*wrong[i].text)
            say(&l, wrong[i].text, strlen(wrong[i].text));
        if (wrong[i].error == EDGE_CLOSED)
            shutdown(l.fd, SHUT_WR);
        for (int n = 0; n < 1000 && l.figures->errors[wrong[i].error] == before; n++)
            run(&l);
        ok = ok && l.figures->errors[wrong[i].error] == before + 1;
    }
    check(ok, "garbage, an answer too many, large bodies and early ends are counted, each by its kind");
    accepted(&l);
    heard(&l, 1);
    say(&l, "HTTP/1.1 200 OK\r\n\r\nto the end", 29);
    shutdown(l.fd, SHUT_WR);
    accepted(&l);
    check(l.figures->statuses[200] == 1 && l.figures->errors[EDGE_CLOSED] == 2,
          "a body that ends with its connection is none of them");
    close(l.listener);
    l.listener = socket(AF_INET, SOCK_STREAM, 0);
    close(l.fd);
    l.fd = -1;
    for (int n = 0; n < 2000 && !l.figures->errors[EDGE_REFUSED]; n++)
        run(&l);
    check(l.figures->errors[EDGE_REFUSED] && !l.figures->open, "so is a server that is gone");
    loop_free(&l);
}

int main(void)
{
    batches_go_round_however_answers_are_cut();
    what_goes_wrong_is_counted();
    return check_failures != 0;
}
