/* The epoll loop over real loopback sockets, in one thread: its clock is moved by hand. */
#include "serving.h"

#include <errno.h>
#include <sys/wait.h>

#include "edge_lines.h"

#define HOST "Host: example.org\r\n"
#define GET "GET /a.html HTTP/1.1\r\n" HOST "\r\n"
static const char timeout_lines[] = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 57\r\n"
                                    "Connection: close\r\n\r\n"
                                    "408 Request Timeout: The request did not arrive in time.\n";

static char lines[EDGE_LINE_MOST + 4096];

static void requests_are_answered_and_connections_rest(void)
{
    server v = server_new(roomy, EDGE_LISTENER_RECOGNISES);
    char text[4096];
    int fd = client_new(&v);
    say(fd, GET);
    settle(&v);
    check(answer(fd, text, sizeof text) && strstr(text, "<p>identity</p>"), "a request is answered");
    check(edge_loop_memory(v.loop) <= 48, "the connection at rest holds at most 32 bytes, and its address for the log");
    say(fd, "GET /a.html HT");
    settle(&v);
    check(!answer(fd, text, sizeof text), "half a request waits");
    say(fd, "TP/1.1\r\n" HOST "\r\n" GET);
    settle(&v);
    answer(fd, text, sizeof text);
    char *second = strstr(text + 1, "HTTP/1.1 200");
    check(second && strstr(second, "<p>identity</p>"), "its second half and one more are answered");
    check(counter(&v, EDGE_C_REQUESTS) == 3 && counter(&v, EDGE_C_CONNECTIONS) == 1, "and counted");
    edge_log_ring *log = &edge_loop_answerer(v.loop)->log;
    uint64_t damaged = 0;
    size_t length = edge_log_lines(log, EDGE_LINES_COMMON, 0, (uint8_t *)lines, sizeof lines, &damaged);
    check(log->header->written == 3 && !damaged && length && !strncmp(lines, "127.0.0.1 - - [", 15), "the log has the peer");
    close(fd);
    settle(&v);
    check(edge_loop_connections(v.loop) == 0 && edge_loop_memory(v.loop) == 0, "a closed connection is forgotten");
    server_free(&v);
}

static void deadlines_close(void)
{
    server v = server_new(roomy, EDGE_LISTENER_RECOGNISES);
    char text[4096];
    int idle = client_new(&v), slow = client_new(&v);
    say(slow, "GET / HTTP/1.1\r\n");
    settle(&v);
    edge_loop_advance(v.loop, 6);
    say(slow, "X: y\r\n");
    settle(&v);
    edge_loop_tick(v.loop);
    check(edge_loop_connections(v.loop) == 2, "within its time a slow head is awaited");
    edge_loop_advance(v.loop, 5);
    edge_loop_tick(v.loop);
    answer(slow, text, sizeof text);
    check(!strncmp(text, "HTTP/1.1 408 Request Timeout\r\nDate: ", 36) && strstr(text, timeout_lines),
          "bytes do not reset the deadline of a head: 408");
    check(at_end(slow), "and our side is closed");
    edge_loop_advance(v.loop, 3);
    edge_loop_tick(v.loop);
    check(edge_loop_connections(v.loop) == 1, "a lingering connection ends by itself");
    edge_loop_advance(v.loop, 70);
    edge_loop_tick(v.loop);
    check(edge_loop_connections(v.loop) == 0 && at_end(idle), "an idle one is closed");
    check(counter(&v, EDGE_C_TIMEOUTS_HEAD) == 1 && counter(&v, EDGE_C_TIMEOUTS_IDLE) == 1, "both are counted");
    close(idle);
    close(slow);
    server_free(&v);
}

static void slow_readers_are_buffered_then_cut(void)
{
    server v = server_new(roomy, EDGE_LISTENER_RECOGNISES);
    static char many[sizeof GET * 3000], text[8 << 20];
    int fd = client_new(&v), small = 4096;
    size_t length = 0, got = 0, asked = 0;
    static char body[200000];
    memset(body, 'b', sizeof body - 1);
    segment_put(&v.s, &v.table, "/big", 0, 1, "big------etag-16", body, "X: y\r\n", "", EDGE_SLOT_LIVE);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (int i = 0; i < 20; i++, asked++)
        length += (size_t)sprintf(many + length, "GET /big HTTP/1.1\r\n" HOST "\r\n");
    say(fd, many);
    settle(&v);
    check(edge_loop_memory(v.loop) > 48, "an answer that is not taken is kept");
    for (int i = 0; i < 20000 && got < asked * (sizeof body - 1); i++) {
        got += answer(fd, text, sizeof text);
        settle(&v);
    }
    check(got > asked * (sizeof body - 1), "a slow reader gets everything in the end");
    check(edge_loop_memory(v.loop) <= 48, "and then nothing is kept");
    say(fd, many);
    settle(&v);
    edge_loop_advance(v.loop, 31);
    edge_loop_tick(v.loop);
    check(edge_loop_connections(v.loop) == 0 && counter(&v, EDGE_C_TIMEOUTS_WRITE) == 1, "one that takes nothing is cut");
    close(fd);
    edge_limits tight = roomy;
    tight.pending_bytes = 1000;
    server_free(&v);
    v = server_new(tight, EDGE_LISTENER_RECOGNISES);
    segment_put(&v.s, &v.table, "/big", 0, 1, "big------etag-16", body, "X: y\r\n", "", EDGE_SLOT_LIVE);
    fd = client_new(&v);
    say(fd, many);
    settle(&v);
    check(edge_loop_connections(v.loop) == 0, "over the limit of pending bytes it is cut at once");
    close(fd);
    server_free(&v);
}

static void what_is_not_recognised_moves_and_returns(void)
{
    server v = server_new(roomy, EDGE_LISTENER_RECOGNISES);
    char text[4096];
    int fd = client_new(&v);
    say(fd, GET "POST /x HTTP/1.1\r\n");
    check(settle(&v) == 1, "an unknown request is handed off");
    const edge_handoff *handoff = edge_loop_handoffs(v.loop);
    int theirs = handoff->fd;
    check(handoff->listener == 7 && handoff->length == 18 && !memcmp(handoff->data, "POST /x HTTP/1.1\r\n", 18),
          "with the bytes read so far");
    edge_loop_taken(v.loop);
    check(answer(fd, text, sizeof text) && strstr(text, "200 OK"), "after the earlier answer");
    check(edge_loop_connections(v.loop) == 1, "it still counts");
    edge_loop_advance(v.loop, 1000);
    edge_loop_tick(v.loop);
    check(!at_end(fd), "but has no deadline here");
    check(edge_loop_adopt(v.loop, theirs, 0, NULL, 0, NULL) == 0, "it can come back");
    check(edge_loop_adopt(v.loop, theirs, 0, NULL, 0, NULL) == -EINVAL, "only once");
    say(fd, GET);
    settle(&v);
    check(answer(fd, text, sizeof text) && strstr(text, "200 OK"), "and is answered again");
    say(fd, "X");
    settle(&v);
    edge_loop_taken(v.loop);
    edge_loop_release(v.loop, theirs);
    check(edge_loop_connections(v.loop) == 0, "a released connection no longer counts");
    close(theirs);
    close(fd);
    server_free(&v);
    v = server_new(roomy, 0);
    fd = client_new(&v);
    check(settle(&v) == 1 && edge_loop_handoffs(v.loop)->length == 0, "a listener may hand off everything at once");
    close(edge_loop_handoffs(v.loop)->fd);
    close(fd);
    server_free(&v);
}

static void limits_refuse(void)
{
    edge_limits limits = roomy;
    limits.connections = 4;
    limits.connections_per_address = 2;
    server v = server_new(limits, EDGE_LISTENER_RECOGNISES);
    int fds[4];
    for (int i = 0; i < 3; i++)
        fds[i] = client_new(&v);
    settle(&v);
    check(edge_loop_connections(v.loop) == 2 && at_end(fds[2]), "the third connection of an address is closed");
    check(counter(&v, EDGE_C_REFUSED_ADDRESS) == 1, "and counted");
    close(fds[0]);
    settle(&v);
    fds[3] = client_new(&v);
    settle(&v);
    check(edge_loop_connections(v.loop) == 2 && !at_end(fds[3]), "a place that became free is given again");
    for (int i = 1; i < 4; i++)
        close(fds[i]);
    server_free(&v);
    limits.connections_per_address = 1000;
    v = server_new(limits, EDGE_LISTENER_RECOGNISES);
    for (int i = 0; i < 4; i++)
        fds[i] = client_new(&v);
    settle(&v);
    check(edge_loop_connections(v.loop) == 2, "one address leaves half of them to others");
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    server_free(&v);
    limits.connections = 3;
    limits.connections_per_address = 0;
    v = server_new(limits, EDGE_LISTENER_RECOGNISES);
    for (int i = 0; i < 4; i++)
        fds[i] = client_new(&v);
    settle(&v);
    check(edge_loop_connections(v.loop) == 3 && counter(&v, EDGE_C_REFUSED_TOTAL) == 1, "so is the total limited");
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    server_free(&v);
}

static void draining_finishes_and_closes(void)
{
    server v = server_new(roomy, EDGE_LISTENER_RECOGNISES);
    char text[4096];
    int idle = client_new(&v), busy = client_new(&v), queued;
    say(busy, "GET /a.html ");
    settle(&v);
    queued = client_new(&v);
    say(queued, GET);
    edge_loop_drain(v.loop);
    check(at_end(idle), "draining closes idle connections");
    check(answer(queued, text, sizeof text) && strstr(text, "Connection: close"), "who had connected is answered");
    say(busy, "HTTP/1.1\r\n" HOST "\r\n");
    settle(&v);
    check(answer(busy, text, sizeof text) && strstr(text, "Connection: close"), "what had begun is finished");
    check(edge_loop_connections(v.loop) == 0, "then nothing is left");
    close(idle);
    close(busy);
    close(queued);
    server_free(&v);
}

static void peers_are_counted_through_growth(void)
{
    edge_peers peers;
    static uint32_t index[5000];
    int ok = edge_peers_open(&peers, 42) == 0;
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++) {
            struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = i * 2654435761u};
            uint32_t got = edge_peers_enter(&peers, (struct sockaddr *)&address);
            ok = ok && got && (!round || got == index[i]) && peers.peers[got].count == (uint32_t)round + 1;
            index[i] = got;
        }
    check(ok, "5,000 addresses keep their index and count");
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++)
            edge_peers_leave(&peers, index[i]);
    struct sockaddr_in6 one = {.sin6_family = AF_INET6}, two = one;
    inet_pton(AF_INET6, "2001:db8:1:2::1", &one.sin6_addr);
    inet_pton(AF_INET6, "2001:db8:1:2:ffff::9", &two.sin6_addr);
    check(edge_peers_enter(&peers, (struct sockaddr *)&one) == edge_peers_enter(&peers, (struct sockaddr *)&two)
              && peers.used <= 5001,
          "an IPv6 /64 is one peer, and places of peers that left are used again");
    for (unsigned prefix = 16; prefix <= 128; prefix++) {
        peers.prefix = prefix;
        two = one;
        two.sin6_addr.s6_addr[(prefix - 1) / 8] ^= (uint8_t)(0x80 >> (prefix - 1) % 8); /* the last that counts */
        const uint32_t first = edge_peers_enter(&peers, (struct sockaddr *)&one);
        ok = ok && first != edge_peers_enter(&peers, (struct sockaddr *)&two);
        two = one;
        if (prefix < 128)
            two.sin6_addr.s6_addr[prefix / 8] ^= (uint8_t)(0x80 >> prefix % 8); /* the first that does not */
        ok = ok && first == edge_peers_enter(&peers, (struct sockaddr *)&two);
    }
    check(ok, "or as many bits as an operator has said");
    edge_peers_close(&peers);
}

/* In these builds alone: what production assumes is checked here. */
static void transitions_that_are_not_drawn_end_the_process(void)
{
    int status;
    pid_t child = fork();
    if (!child) {
        close(STDERR_FILENO);
        edge_connection_check(EDGE_CONN_LINGER, EDGE_CONN_IDLE);
        _exit(0);
    }
    check(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
          "a connection that lingers never serves again");
}

int main(void)
{
    transitions_that_are_not_drawn_end_the_process();
    requests_are_answered_and_connections_rest();
    deadlines_close();
    slow_readers_are_buffered_then_cut();
    what_is_not_recognised_moves_and_returns();
    limits_refuse();
    draining_finishes_and_closes();
    peers_are_counted_through_growth();
    return check_failures != 0;
}
