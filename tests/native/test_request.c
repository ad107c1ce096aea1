/* The recogniser: what it takes, what it lets go, and that it never looks beyond what it has. */
#include "check.h"

#define HOST "Host: example.org\r\n"

typedef struct {
    edge_recognition known;
    const char *request;
} example;

static const example examples[] = {
    {EDGE_RECOGNISED, "GET / HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_RECOGNISED, "HEAD /a HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_RECOGNISED, "GET /a?b=c&d HTTP/1.1\r\nhost:[::1]:8080\r\nX:\t y\tz \r\n\r\n"},
    {EDGE_RECOGNISED, "GET /a HTTP/1.1\r\n" HOST "Connection: Close\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n"},
    {EDGE_RECOGNISED, "GET /a HTTP/1.1\r\n" HOST "If-Modified-Since: x\r\nIf-None-Match: *\r\n\r\n"},
    {EDGE_RECOGNISED, "GET /a HTTP/1.1\r\n" HOST "X: caf\xc3\xa9\r\n\r\n"},
    {EDGE_RECOGNISED, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Type: text/plain ; a=b\r\n\r\nabc"},
    {EDGE_LET_GO, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Type: text/html\r\nContent-Length: 0\r\n\r\n"},
    {EDGE_LET_GO, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"},
    {EDGE_LET_GO, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: 131073\r\n\r\n"},
    {EDGE_LET_GO, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\na"},
    {EDGE_LET_GO, "POST /other HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "PUT / HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "get / HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.0\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET / http/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET  / HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET http://example.org/ HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_RECOGNISED, "GET /a?b=%41%fF HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_RECOGNISED, "GET /a?b=%4 HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_RECOGNISED, "GET /a?b=%4g HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET /\x80 HTTP/1.1\r\n" HOST "\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\nHost: a:\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Range: bytes=0-1\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "If-Range: x\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "If-Match: *\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "If-Unmodified-Since: x\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "If-Modified-Since: x\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "TE: trailers\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Connection: close, x\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Accept-Encoding: br;q=1\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Accept-Encoding: *\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "Accept-Encoding: br,,gzip\r\n\r\n"},
    {EDGE_LET_GO, "GET / HTTP/1.1\r\n" HOST "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n\r\n"},
};

static edge_recognition recognise(const char *bytes, size_t length, edge_request *request)
{
    uint8_t *copy = guarded(bytes, length);
    edge_recognition known = edge_recognise(copy, length, request);
    unguard(copy, length);
    return known;
}

/* What the whole is, any part of it is as well, or incomplete. */
static void each_example_whole_and_cut_anywhere(void)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const example *e = examples + i;
        size_t length = strlen(e->request);
        edge_request request;
        int ok = recognise(e->request, length, &request) == e->known;
        if (e->known == EDGE_RECOGNISED)
            ok = ok && request.consumed == length;
        for (size_t cut = 0; cut < length; cut++) {
            edge_recognition part = recognise(e->request, cut, &request);
            ok = ok && (part == EDGE_INCOMPLETE || (part == EDGE_LET_GO && e->known == EDGE_LET_GO));
        }
        check(ok, "request example %zu is recognised or not, whole and cut at every byte", i);
    }
}

static void what_follows_a_request_is_left_alone(void)
{
    static const char two[] = "GET /a HTTP/1.1\r\n" HOST "\r\nGARBAGE \0\r\n";
    edge_request request;
    check(recognise(two, sizeof two - 1, &request) == EDGE_RECOGNISED && request.consumed == 38
              && request.path.length == 2,
          "bytes after a request are left alone");
}

static void a_long_head_is_let_go(void)
{
    char head[EDGE_HEAD_LIMIT + 200];
    edge_request request;
    int used = sprintf(head, "GET / HTTP/1.1\r\n" HOST "X: ");
    memset(head + used, 'a', EDGE_HEAD_LIMIT);
    check(recognise(head, EDGE_HEAD_LIMIT, &request) == EDGE_LET_GO, "a head of 8 KiB without end is let go");
    check(recognise(head, EDGE_HEAD_LIMIT - 1, &request) == EDGE_INCOMPLETE, "one byte less still waits");
    memcpy(head + EDGE_HEAD_LIMIT, "\r\n\r\n", 4);
    check(recognise(head, EDGE_HEAD_LIMIT + 4, &request) == EDGE_LET_GO, "a whole head over 8 KiB is let go");
}

static void many_fields_are_let_go(void)
{
    char head[EDGE_HEAD_LIMIT];
    edge_request request;
    int used = sprintf(head, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 1; i < EDGE_FIELD_LIMIT; i++)
        used += sprintf(head + used, "X: %d\r\n", i);
    int last = sprintf(head + used, "\r\n");
    check(recognise(head, (size_t)(used + last), &request) == EDGE_RECOGNISED, "64 fields are recognised");
    used += sprintf(head + used, "X: y\r\n\r\n");
    check(recognise(head, (size_t)used, &request) == EDGE_LET_GO, "65 fields are let go");
}

static void the_validator_is_the_last_parameter(void)
{
    static const struct {
        const char *query, *tag;
    } cases[] = {{"~etag=abc", "abc"}, {"a=b&~etag=a-_9", "a-_9"}, {"~etag=abc&x", NULL}, {"~etag=", NULL},
                 {"x~etag=abc", NULL}, {"~etag=a.b", NULL},         {"~etag=a&~etag=b", "b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char head[200];
        edge_request request;
        int used = sprintf(head, "GET /p?%s HTTP/1.1\r\n" HOST "\r\n", cases[i].query);
        int ok = recognise(head, (size_t)used, &request) == EDGE_RECOGNISED && request.path.length == 2;
        size_t expected = cases[i].tag ? strlen(cases[i].tag) : 0;
        check(ok && request.tag.length == expected, "the validator in ?%s is found or not", cases[i].query);
    }
}

int main(void)
{
    each_example_whole_and_cut_anywhere();
    what_follows_a_request_is_left_alone();
    a_long_head_is_let_go();
    many_fields_are_let_go();
    the_validator_is_the_last_parameter();
    return check_failures != 0;
}
