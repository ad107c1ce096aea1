#include "edge_head.h"

#define PUT(out, text) edge_put(out, EDGE_LITERAL(text))

static void put_date(edge_output *out, const char *date)
{
    edge_put(out, (const uint8_t *)date, EDGE_DATE_BYTES);
}

static void put_length(edge_output *out, uint64_t length)
{
    PUT(out, "Content-Length: ");
    edge_put_number(out, length);
    PUT(out, "\r\n");
}

static void put_age(edge_output *out, const edge_entry *entry)
{
    PUT(out, "\r\nAge: ");
    edge_put_number(out, entry->age);
}

static void put_etag(edge_output *out, const edge_entry *entry)
{
    PUT(out, "\r\nETag: \"");
    edge_put(out, entry->etag, EDGE_ETAG_BYTES);
    PUT(out, "\"\r\n");
}

/* The application's own, if it has one, told apart by the coding. */
static void put_answer_etag(edge_output *out, const edge_entry *entry)
{
    if (!entry->own_etag) {
        put_etag(out, entry);
        return;
    }
    const char *suffix = edge_own_suffix(entry, entry->variant);
    PUT(out, "\r\nETag: ");
    edge_put(out, entry->own_etag, entry->own_length - 1u);
    edge_put(out, (const uint8_t *)suffix, strlen(suffix));
    PUT(out, "\"\r\n");
}

/* Whether the head is that of a page: 200, with a line Content-Type: text/html, whatever the case of its name. */
static bool is_page(const uint8_t *head, size_t length)
{
    static const char line[] = "\r\ncontent-type: text/html";
    const size_t wanted = sizeof line - 1;
    if (length < 12 || memcmp(head + 9, "200", 3))
        return false;
    for (size_t at = 12; at + wanted <= length; at++) {
        size_t same = 0;
        while (same < wanted && (head[at + same] | (line[same] >= 'a' ? 0x20 : 0)) == line[same])
            same++;
        if (same == wanted)
            return true;
    }
    return false;
}

/* The lines of an answer, whose last one is that of a hit: edge/cache/status.py. */
static void put_answer_lines(edge_output *out, const edge_head_context *context, const edge_entry *entry)
{
    static const char hit[] = "Cache-Status: edge; hit\r\n";
    size_t length = entry->length_200;
    if (context->cached && length >= sizeof hit - 1
        && !memcmp(entry->lines_200 + length - (sizeof hit - 1), hit, sizeof hit - 1))
        length -= sizeof hit - 1;
    edge_put(out, entry->lines_200, length);
    if (length < entry->length_200)
        edge_put(out, (const uint8_t *)context->cached, strlen(context->cached));
}

/* The last lines; the head that began at out->heads + begin becomes a piece. */
static void finish(edge_output *out, const edge_head_context *context, size_t begin, bool small)
{
    if (context->close)
        PUT(out, "Connection: close\r\n");
    if (!small)
        edge_put(out, context->hsts, context->hsts_length);
    if (context->speculation_length && is_page(out->heads + begin, out->used - begin))
        edge_put(out, context->speculation, context->speculation_length);
    PUT(out, "\r\n");
    edge_piece_since(out, begin);
}

void edge_head_200(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                   const char *modified)
{
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 200 OK\r\nDate: ");
    put_date(out, context->date);
    put_etag(out, entry);
    PUT(out, "Last-Modified: ");
    put_date(out, modified);
    PUT(out, "\r\n");
    put_length(out, entry->length);
    edge_put(out, entry->lines_200, entry->length_200);
    if (context->readable) /* all of its lines, which a 304 has no use for */
        PUT(out, "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n");
    if (context->state) {
        PUT(out, "Edge-State: ");
        edge_put(out, context->state, context->state_length);
        PUT(out, "\r\n");
    }
    finish(out, context, begin, false);
}

void edge_head_answer_200(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                          const char *date)
{
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 200 OK\r\nDate: ");
    put_date(out, date);
    put_age(out, entry);
    put_answer_etag(out, entry);
    put_answer_lines(out, context, entry);
    if (context->readable)
        PUT(out, "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n");
    put_length(out, entry->length);
    finish(out, context, begin, false);
}

void edge_head_answer_304(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                          const char *date)
{
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 304 \r\nDate: ");
    put_date(out, date);
    put_age(out, entry);
    put_answer_etag(out, entry);
    edge_put(out, entry->lines_304, entry->length_304);
    if (context->readable)
        PUT(out, "Access-Control-Allow-Origin: *\r\n");
    finish(out, context, begin, true);
}

void edge_head_304(edge_output *out, const edge_head_context *context, const edge_entry *entry)
{
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 304 \r\nDate: ");
    put_date(out, context->date);
    put_etag(out, entry);
    edge_put(out, entry->lines_304, entry->length_304);
    if (context->readable)
        PUT(out, "Access-Control-Allow-Origin: *\r\n");
    finish(out, context, begin, true);
}

void edge_head_plain(edge_output *out, const edge_head_context *context, const edge_entry *template,
                     size_t length)
{
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 200 OK\r\nDate: ");
    put_date(out, context->date);
    PUT(out, "\r\n");
    put_length(out, length);
    edge_put(out, template->lines_200, template->length_200);
    if (context->readable)
        PUT(out, "Access-Control-Allow-Origin: *\r\n");
    finish(out, context, begin, false);
}

static const struct {
    unsigned status;
    const char *name;
} leading[] = {
    {301, "301 Moved Permanently"},  {302, "302 Found"},
    {303, "303 See Other"},          {307, "307 Temporary Redirect"},
    {308, "308 Permanent Redirect"},
};

static const char *name_of(unsigned status)
{
    for (size_t i = 0; i < sizeof leading / sizeof *leading; i++)
        if (leading[i].status == status)
            return leading[i].name;
    return NULL;
}

void edge_head_101(edge_output *out, const uint8_t *proof, size_t length)
{
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: ");
    edge_put(out, proof, length);
    PUT(out, "\r\n\r\n");
    edge_piece_since(out, begin);
}

bool edge_head_leads(unsigned status)
{
    return name_of(status) != NULL;
}

size_t edge_head_redirect(edge_output *out, const edge_head_context *context, const edge_entry *entry,
                        const uint8_t *query, size_t query_length, bool with_body)
{
    static const char why[] = ": The resource is at the address that Location names.\n";
    const char *name = name_of(entry->modified);
    const size_t length = strlen(name), line = entry->length_304 - 2; /* without its CRLF */
    const uint8_t *hash = memchr(entry->lines_304, '#', line);
    const size_t before = hash ? (size_t)(hash - entry->lines_304) : line;
    const bool passes = query && !memchr(entry->lines_304, '?', before);
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 ");
    edge_put(out, (const uint8_t *)name, length);
    PUT(out, "\r\nDate: ");
    put_date(out, context->date);
    PUT(out, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    put_length(out, length + sizeof why - 1);
    edge_put(out, entry->lines_304, before);
    if (passes) {
        PUT(out, "?");
        edge_put(out, query, query_length);
    }
    edge_put(out, entry->lines_304 + before, line - before);
    PUT(out, "\r\n");
    edge_put(out, entry->lines_200, entry->length_200);
    if (context->readable)
        PUT(out, "Access-Control-Allow-Origin: *\r\n");
    finish(out, context, begin, false);
    if (!with_body)
        return 0;
    begin = out->used;
    edge_put(out, (const uint8_t *)name, length);
    PUT(out, why);
    edge_piece_since(out, begin);
    return out->used - begin;
}

size_t edge_head_408(edge_output *out, const edge_head_context *context)
{
    static const char body[] = "408 Request Timeout: The request did not arrive in time.\n";
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 408 Request Timeout\r\nDate: ");
    put_date(out, context->date);
    PUT(out, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    put_length(out, sizeof body - 1);
    finish(out, context, begin, false);
    begin = out->used;
    PUT(out, body);
    edge_piece_since(out, begin);
    return sizeof body - 1;
}

size_t edge_head_429(edge_output *out, const edge_head_context *context, uint64_t seconds, bool with_body)
{
    static const char body[] = "429 Too Many Requests: More requests than this address may make; try again later.\n";
    size_t begin = out->used;
    PUT(out, "HTTP/1.1 429 Too Many Requests\r\nDate: ");
    put_date(out, context->date);
    PUT(out, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    put_length(out, sizeof body - 1);
    PUT(out, "Retry-After: ");
    edge_put_number(out, seconds);
    PUT(out, "\r\n");
    finish(out, context, begin, false);
    if (with_body) {
        begin = out->used;
        PUT(out, body);
        edge_piece_since(out, begin);
    }
    return sizeof body - 1;
}
