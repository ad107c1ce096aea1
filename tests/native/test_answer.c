/* Answers from a table: selection, conditions, composition, and hostile bytes. */
#include "check.h"

#define HOST "Host: example.org\r\n"
#define DATE "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"

typedef struct {
    segment s;
    edge_answerer *answerer;
    edge_output *out;
    char text[1 << 16];
    size_t length, consumed;
    edge_next next;
} bench;

static bench *bench_new(void)
{
    bench *b = calloc(1, sizeof *b);
    b->s = segment_new();
    b->answerer = calloc(1, sizeof *b->answerer);
    b->out = calloc(1, sizeof *b->out);
    edge_table_open(&b->answerer->table, b->s.base, SEGMENT_BYTES, worker_block);
    segment_site(&b->s, &b->answerer->table);
    edge_answerer_date(b->answerer, 1700000000);
    return b;
}

static void bench_free(bench *b)
{
    free(b->s.base);
    free(b->answerer);
    free(b->out);
    free(b);
}

static void ask(bench *b, const char *bytes, size_t length)
{
    uint8_t *copy = guarded(bytes, length);
    b->next = edge_answer(b->answerer, copy, length, b->out, &b->consumed);
    b->length = 0;
    for (int i = 0; i < b->out->count && b->length + b->out->pieces[i].iov_len < sizeof b->text; i++) {
        memcpy(b->text + b->length, b->out->pieces[i].iov_base, b->out->pieces[i].iov_len);
        b->length += b->out->pieces[i].iov_len;
    }
    b->text[b->length] = 0;
    unguard(copy, length);
}

/* An answer of an application with a record behind its body, drawn in edge/cache/record.py. */
static void put_answer(bench *b, const char *name, const char *etag, uint32_t fresh_seconds)
{
    static const char lines[] = "Content-Type: a/b\r\n", body[] = "hello";
    uint8_t block[256] = {0}, record[64] = {sizeof lines - 1};
    uint16_t lengths[2] = {(uint16_t)strlen(name), (uint16_t)strlen(etag)};
    edge_table *table = &b->answerer->table;
    uint32_t date = 1700000000, born = edge_ticks_of(table->now_ms) - 7 * EDGE_TICKS_PER_SECOND;
    edge_slot slot = {.state = EDGE_SLOT_ANSWER, .variants = 1 | EDGE_OWN_ETAG, .length = sizeof body - 1};
    edge_key key = edge_hash(&table->hash, (const uint8_t *)name, strlen(name));
    memcpy(block, body, slot.length);
    memcpy(block + slot.length, &date, 4);
    memcpy(block + slot.length + EDGE_RECORD_LENGTHS, lengths, 4);
    memcpy(block + slot.length + EDGE_RECORD_BORN, &born, 4);
    memcpy(block + slot.length + EDGE_RECORD_BYTES, name, lengths[0]);
    memcpy(block + slot.length + EDGE_RECORD_BYTES + lengths[0], etag, lengths[1]);
    memcpy(record + 4, lines, sizeof lines - 1);
    memcpy(slot.key, &key, 16);
    memcpy(slot.etag, "hash-of-the-body", 16);
    slot.body = (uint32_t)(segment_block(&b->s, block, sizeof block) / 64);
    slot.head = (uint32_t)(segment_block(&b->s, record, 4 + sizeof lines - 1) / 64);
    slot.modified = edge_ticks_of(table->now_ms) + fresh_seconds * EDGE_TICKS_PER_SECOND;
    uint64_t at = key.low & table->slot_mask;
    while (table->slots[at].state != EDGE_SLOT_EMPTY)
        at = (at + 1) & table->slot_mask;
    edge_slot_store(segment_slots(&b->s) + at, &slot);
}

/* A redirect with this line Location; lines: of so many bytes besides. */
static void put_redirect(bench *b, const char *path, unsigned status, const char *location, size_t lines)
{
    static uint8_t record[4 + EDGE_LINES_LIMIT + 256];
    edge_table *table = &b->answerer->table;
    edge_slot slot = {.state = EDGE_SLOT_REDIRECT, .variants = 1, .modified = status};
    edge_key key = edge_hash(&table->hash, (const uint8_t *)path, strlen(path));
    uint16_t lengths[2] = {(uint16_t)lines, (uint16_t)strlen(location)};
    memset(record + 4, 'x', lines);
    memcpy(record, lengths, 4);
    memcpy(record + 4 + lines, location, lengths[1]);
    memcpy(slot.key, &key, 16);
    slot.head = (uint32_t)(segment_block(&b->s, record, 4 + lines + lengths[1]) / 64);
    uint64_t at = key.low & table->slot_mask;
    while (table->slots[at].state != EDGE_SLOT_EMPTY)
        at = (at + 1) & table->slot_mask;
    edge_slot_store(segment_slots(&b->s) + at, &slot);
}

static void redirects_are_composed_within_bounds(void)
{
    bench *b = bench_new();
    static char request[8192];
    static const char *let_go[] = {"/status", "/empty", "/one", "/long"};
    put_redirect(b, "/to", 302, "Location: /a#b?c\r\n", 0);
    put_redirect(b, "/status", 200, "Location: /a\r\n", 0);
    put_redirect(b, "/empty", 301, "", 0);
    put_redirect(b, "/one", 301, "L", 0);
    put_redirect(b, "/long", 301, "Location: /a\r\n", EDGE_LINES_LIMIT - 4);
    int used = sprintf(request, "GET /to?x=%%41 HTTP/1.1\r\n" HOST "\r\n");
    ask(b, request, (size_t)used);
    check(strstr(b->text, "HTTP/1.1 302 Found\r\n" DATE) == b->text && strstr(b->text, "Location: /a?x=%41#b?c\r\n"),
          "a query stands before the fragment");
    for (size_t i = 0; i < sizeof let_go / sizeof *let_go; i++) {
        used = sprintf(request, "GET %s HTTP/1.1\r\n" HOST "\r\n", let_go[i]);
        ask(b, request, (size_t)used);
        check(b->next == EDGE_NEXT_HAND_OFF && !b->length, "GET %s is let go", let_go[i]);
    }
    used = sprintf(request, "GET /to?%07900d HTTP/1.1\r\n" HOST "\r\n", 0);
    ask(b, request, (size_t)used);
    check(b->next == EDGE_NEXT_RECEIVE && strlen(b->text) > 7900, "a long query is passed on");
    bench_free(b);
}

static void answers_of_applications_are_sent_with_their_age(void)
{
    bench *b = bench_new();
    static const char whole[] = "HTTP/1.1 200 OK\r\n" DATE "Age: 7\r\nETag: W/\"v\"\r\nContent-Type: a/b\r\n"
                                "Content-Length: 5\r\n\r\nhello";
    static const char get[] = "GET /app?x=%41 HTTP/1.1\r\n" HOST "\r\n";
    static const char known[] = "GET /app?x=%41 HTTP/1.1\r\n" HOST "If-None-Match: \"v\"\r\n\r\n";
    static const char other[] = "GET /app?x=%42 HTTP/1.1\r\n" HOST "\r\n";
    static const char over[] = "GET /over HTTP/1.1\r\n" HOST "\r\n";
    b->answerer->table.now_ms = 5000;
    memset(worker_block, 0, sizeof worker_block);
    put_answer(b, "/app?x=%41", "W/\"v\"", 60);
    put_answer(b, "/over", "\"v\"", 0);
    ask(b, get, sizeof get - 1);
    check(!strcmp(b->text, whole), "an answer is composed with its own date, age and ETag");
    ask(b, known, sizeof known - 1);
    check(!strncmp(b->text, "HTTP/1.1 304 \r\n", 15), "its own ETag confirms it");
    ask(b, other, sizeof other - 1);
    check(b->next == EDGE_NEXT_HAND_OFF, "another query is another answer");
    ask(b, over, sizeof over - 1);
    check(b->next == EDGE_NEXT_HAND_OFF, "one that is over is let go");
    unsigned hits = 0;
    for (size_t i = EDGE_OFFSET_HITS; i < sizeof worker_block; i++)
        hits += worker_block[i];
    check(hits == 1, "what was sent is marked, once");
    bench_free(b);
}

static void answers_are_composed_to_the_byte(void)
{
    bench *b = bench_new();
    static const char ok[] =
        "HTTP/1.1 200 OK\r\n" DATE "ETag: \"brotli---etag-16\"\r\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
        "Content-Length: 2\r\nContent-Type: text/html; charset=utf-8\r\nVary: Accept-Encoding\r\n"
        "Cache-Control: no-cache\r\nAccept-Ranges: bytes\r\n\r\nbr";
    static const char not_modified[] = "HTTP/1.1 304 \r\n" DATE "ETag: \"identity-etag-16\"\r\n"
                                       "Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n\r\n";
    static const char get[] = "GET /a.html HTTP/1.1\r\n" HOST "Accept-Encoding: gzip, br\r\n\r\n";
    static const char conditional[] =
        "GET /a.html HTTP/1.1\r\n" HOST "If-None-Match: \"x,y\" ,W/\"identity-etag-16\"\r\n\r\n";
    static const char tag[] = "GET /a.html?v=1&~etag=identity-etag-16 HTTP/1.1\r\n" HOST "\r\n";
    static const char head[] = "HEAD /a.html HTTP/1.1\r\n" HOST "Accept-Encoding: br\r\n\r\n";
    ask(b, get, sizeof get - 1);
    check(b->next == EDGE_NEXT_RECEIVE && !strcmp(b->text, ok), "200 is composed to the byte");
    ask(b, head, sizeof head - 1);
    check(b->length == sizeof ok - 3 && !memcmp(b->text, ok, b->length), "HEAD gets the same head");
    ask(b, conditional, sizeof conditional - 1);
    check(!strcmp(b->text, not_modified), "304 is composed to the byte, for a weak tag in a list too");
    ask(b, tag, sizeof tag - 1);
    check(!strcmp(b->text, not_modified), "the validator in the query counts as If-None-Match");
    bench_free(b);
}

static void images_are_chosen_by_explicit_accept(void)
{
    static const struct {
        const char *accept, *body;
    } cases[] = {{"image/avif,image/webp,*/*;q=0.8", "avif"},
                 {"*/*", "jpeg bytes"},
                 {"image/*", "jpeg bytes"},
                 {"image/webp", "jpeg bytes"},
                 {"image/avif;q=0.5", NULL}};
    bench *b = bench_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[200];
        int used = sprintf(request, "GET /i.jpg HTTP/1.1\r\n" HOST "Accept: %s\r\n\r\n", cases[i].accept);
        ask(b, request, (size_t)used);
        if (cases[i].body)
            check(strstr(b->text, cases[i].body) != NULL, "Accept: %s gets %s", cases[i].accept, cases[i].body);
        else
            check(b->next == EDGE_NEXT_HAND_OFF, "Accept: %s is let go", cases[i].accept);
    }
    bench_free(b);
}

static void misses_and_templates_are_let_go(void)
{
    static const char *paths[] = {"/nothing", "/.edge/revalidate", "/a.html/", "/A.html", "/%61.html"};
    bench *b = bench_new();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char request[200];
        int used = sprintf(request, "GET %s HTTP/1.1\r\n" HOST "\r\n", paths[i]);
        ask(b, request, (size_t)used);
        check(b->next == EDGE_NEXT_HAND_OFF && !b->consumed && !b->length, "GET %s is let go", paths[i]);
    }
    bench_free(b);
}

static void pipelined_requests_are_answered_in_order(void)
{
    static const char one[] = "GET /a.html HTTP/1.1\r\n" HOST "\r\n", last[] = "GET /nothing HTTP/1.1\r\n" HOST "\r\n";
    bench *b = bench_new();
    char many[8192];
    size_t used = 0;
    for (int i = 0; i < 100; i++, used += sizeof one - 1)
        memcpy(many + used, one, sizeof one - 1);
    ask(b, many, used);
    check(b->next == EDGE_NEXT_ANSWER && b->consumed == 64 * (sizeof one - 1), "64 requests are answered at once");
    memcpy(many + 3 * (sizeof one - 1), last, sizeof last - 1);
    ask(b, many, used);
    check(b->next == EDGE_NEXT_HAND_OFF && b->consumed == 3 * (sizeof one - 1),
          "requests before one that is let go are answered first");
    bench_free(b);
}

static void closing_and_draining(void)
{
    static const char close[] = "GET /a.html HTTP/1.1\r\n" HOST "Connection: close\r\n\r\nGET / HTTP/1.1\r\n";
    static const char keep[] = "GET /a.html HTTP/1.1\r\n" HOST "\r\n";
    bench *b = bench_new();
    ask(b, close, sizeof close - 1);
    check(b->next == EDGE_NEXT_CLOSE && strstr(b->text, "Connection: close\r\n"), "Connection: close closes");
    check(b->consumed == sizeof close - 17, "and nothing after it is read");
    b->answerer->draining = true;
    ask(b, keep, sizeof keep - 1);
    check(b->next == EDGE_NEXT_CLOSE && strstr(b->text, "Connection: close\r\n"), "draining closes every connection");
    bench_free(b);
}

static void origins_are_allowed_exactly(void)
{
    static const char good[] = "GET /a.html HTTP/1.1\r\n" HOST "Origin: http://n2.example\r\n\r\n";
    static const char bad[] = "GET /a.html HTTP/1.1\r\n" HOST "Origin: http://n2.example.evil\r\n\r\n";
    static const char line[] = "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n\r\n";
    bench *b = bench_new();
    edge_answerer_allow(b->answerer, 0, "http://n2.example", 17);
    ask(b, good, sizeof good - 1);
    check(strstr(b->text, line) != NULL, "an allowed origin is told so");
    ask(b, bad, sizeof bad - 1);
    check(b->length && !strstr(b->text, line), "another one is not");
    edge_answerer_allow_none(b->answerer, 0);
    ask(b, good, sizeof good - 1);
    check(b->length && !strstr(b->text, line), "nor is it any more when none is allowed");
    bench_free(b);
}

static void long_lines_fill_the_output(void)
{
    static char lines[EDGE_LINES_LIMIT + 1];
    static const char request[] = "GET /long HTTP/1.1\r\n" HOST "\r\n";
    bench *b = bench_new();
    char many[64 * sizeof request];
    size_t used = 0;
    memset(lines, 'x', EDGE_LINES_LIMIT);
    memcpy(lines, "X: ", 3);
    memcpy(lines + EDGE_LINES_LIMIT - 2, "\r\n", 2);
    segment_put(&b->s, &b->answerer->table, "/long", 0, 1, "long-----etag-16", "", lines, "", EDGE_SLOT_LIVE);
    for (int i = 0; i < 64; i++, used += sizeof request - 1)
        memcpy(many + used, request, sizeof request - 1);
    ask(b, many, used);
    size_t first = b->consumed;
    check(b->next == EDGE_NEXT_ANSWER && first && first < used, "heads that fill their buffer are sent before more");
    check(b->out->used <= EDGE_HEADS_BYTES && b->out->used > EDGE_HEADS_BYTES / 2, "and stay within it");
    while (b->next == EDGE_NEXT_ANSWER) {
        ask(b, many + first, used - first);
        first += b->consumed;
    }
    check(b->next == EDGE_NEXT_RECEIVE && first == used, "the rest is answered by the following calls");
    bench_free(b);
}

static void revalidation_lists_what_is_stale(void)
{
    static const char body[] = "identity-etag-16 /a.html\n\"brotli---etag-16\" /a.html?x=1\r\nW/\"other----etag-16\" /a.html\n"
                               "short /a.html\njpeg-----etag-16 /gone\navif-----etag-16 /i.jpg";
    bench *b = bench_new();
    char request[1024];
    edge_header *header = (edge_header *)(void *)b->s.base;
    header->sequence = 12345;
    int used = sprintf(request, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n%s",
                       sizeof body - 1, body);
    ask(b, request, (size_t)used);
    check(!strcmp(b->text, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 35\r\nContent-Type: application/json\r\n\r\n"
                           "{\"v\":1,\"seq\":12345,\"stale\":[2,3,4]}"),
          "a revalidation is answered to the byte");
    ask(b, request, (size_t)used - 1);
    check(b->next == EDGE_NEXT_RECEIVE && !b->consumed, "a partial body waits");
    used = sprintf(request, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nabc /\t");
    ask(b, request, (size_t)used);
    check(b->next == EDGE_NEXT_HAND_OFF, "a malformed line is let go");
    used = sprintf(request, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    ask(b, request, (size_t)used);
    check(strstr(b->text, "\"stale\":[]") != NULL, "no validators, none stale");
    char *many = malloc(1 << 17);
    for (int lines = 1000; lines <= 1001; lines++) {
        size_t length = 0;
        char *text = many + sprintf(many, "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", lines * 5);
        for (; length < (size_t)lines * 5; length += 5)
            memcpy(text + length, "x /a\n", 5);
        ask(b, many, (size_t)(text - many) + length);
        check(b->next == (lines == 1000 ? EDGE_NEXT_RECEIVE : EDGE_NEXT_HAND_OFF), "%d validators", lines);
    }
    free(many);
    bench_free(b);
}

static void dates_are_right(void)
{
    static const struct {
        uint64_t at;
        const char *text;
    } cases[] = {{0, "Thu, 01 Jan 1970 00:00:00 GMT"},          {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
                 {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},  {4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
                 {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"}, {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[EDGE_DATE_BYTES + 1] = "";
        edge_format_date(cases[i].at, text);
        check(!strcmp(text, cases[i].text), "%s", cases[i].text);
    }
}

/* Mutated requests never fault, and never get more consumed than there is. */
static void hostile_bytes_stay_calm(void)
{
    static const char *seeds[] = {
        "GET /a.html HTTP/1.1\r\n" HOST "If-None-Match: W/\"a\", \"identity-etag-16\"\r\nAccept: image/avif\r\n\r\n",
        "POST /.edge/revalidate HTTP/1.1\r\n" HOST "Content-Length: 24\r\n\r\nidentity-etag-16 /a.html",
        "HEAD /i.jpg?a&~etag=avif-----etag-16 HTTP/1.1\r\n" HOST "Accept: image/avif, x\r\nOrigin: x\r\n\r\n"};
    bench *b = bench_new();
    int ok = 1;
    srand(2);
    for (int i = 0; i < 200000; i++) {
        char request[512];
        size_t length = 0;
        for (int part = rand() % 3; part >= 0; part--) {
            const char *seed = seeds[rand() % 3];
            memcpy(request + length, seed, strlen(seed));
            length += strlen(seed);
            if (length > 340)
                break;
        }
        for (int flips = rand() % 4; flips > 0; flips--) {
            static const char odd[] = "\r\n \t:,\"?/&\0\x7f\xff" "9";
            request[(size_t)rand() % length] = rand() % 2 ? odd[(size_t)rand() % (sizeof odd - 1)] : (char)rand();
        }
        if (rand() % 2)
            length = (size_t)rand() % length + 1;
        b->next = edge_answer(b->answerer, (uint8_t *)request, length, b->out, &b->consumed);
        ok = ok && b->consumed <= length && (b->consumed || !b->out->total);
    }
    check(ok, "200,000 mutated inputs are answered, awaited or let go");
    bench_free(b);
}

int main(void)
{
    answers_of_applications_are_sent_with_their_age();
    redirects_are_composed_within_bounds();
    answers_are_composed_to_the_byte();
    images_are_chosen_by_explicit_accept();
    misses_and_templates_are_let_go();
    pipelined_requests_are_answered_in_order();
    closing_and_draining();
    origins_are_allowed_exactly();
    long_lines_fill_the_output();
    revalidation_lists_what_is_stale();
    dates_are_right();
    hostile_bytes_stay_calm();
    return check_failures != 0;
}
