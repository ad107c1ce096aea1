#include "edge_passed.h"

#define PUT(out, text) edge_put(out, EDGE_LITERAL(text))

/* ---- what visitors say ---- */

static uint32_t letter(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? 1u << (c - 'a') : 1u << 31;
}

void edge_passed_open(edge_passed_rules *rules, const char *names, const char *prefixes, const char *suffixes)
{
    *rules = (edge_passed_rules){.names = names, .prefixes = prefixes, .suffixes = suffixes};
    for (size_t size; (size = strlen(names)); names += size + 1)
        rules->starts[size < 64 ? size : 64] |= letter((uint8_t)*names);
    for (; *prefixes; prefixes += strlen(prefixes) + 1)
        rules->prefix_starts |= letter((uint8_t)*prefixes);
}

/* Whether a name, in lower case, is one of a list, or begins or ends with one of it. */
typedef enum { WHOLE, BEGIN, END } fit;

static bool is_in(const char *list, edge_span name, fit how)
{
    for (size_t size; (size = strlen(list)); list += size + 1)
        if (size <= name.length && (how != WHOLE || size == name.length)
            && !memcmp(name.bytes + (how == END ? name.length - size : 0), list, size))
            return true;
    return false;
}

static bool may_say(const edge_passed_rules *rules, edge_span name)
{
    const uint32_t first = letter(*name.bytes);
    return !memchr(name.bytes, '_', name.length)
           && !(rules->starts[name.length < 64 ? name.length : 64] & first && is_in(rules->names, name, WHOLE))
           && !(rules->prefix_starts & first && is_in(rules->prefixes, name, BEGIN))
           && !is_in(rules->suffixes, name, END);
}

edge_recognition edge_passed_next(edge_span *lines, const edge_passed_rules *rules, uint8_t *lower, edge_span *name,
                                  edge_span *value)
{
    const uint8_t *at = lines->bytes, *end = at + lines->length;
    while (at < end) {
        if (edge_field_next(&at, end, name, value) != EDGE_RECOGNISED)
            return EDGE_LET_GO;
        for (size_t i = 0; i < name->length; i++)
            lower[i] = (uint8_t)(name->bytes[i] >= 'A' && name->bytes[i] <= 'Z' ? name->bytes[i] | 0x20 : name->bytes[i]);
        if (EDGE_IS(*name, "via") || EDGE_IS(*name, "edge-timing")) /* they say something to the node itself */
            return EDGE_LET_GO;
        if (may_say(rules, (edge_span){lower, name->length})) {
            *lines = (edge_span){at, (size_t)(end - at)};
            return EDGE_RECOGNISED;
        }
    }
    lines->length = 0;
    return EDGE_INCOMPLETE;
}

/* ---- heads of answers ---- */

/* edge/http/errors.py REASONS */
static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 508: return "Loop Detected";
    case 103: return "Early Hints";
    default: return "";
    }
}

bool edge_quoted_list_next(edge_span *rest, edge_span *member)
{
    const uint8_t *p = rest->bytes, *end = p + rest->length;
    bool quoted = false;
    if (!p || !memchr(p, '"', rest->length))
        return edge_list_next(rest, member);
    for (; p < end && (quoted || *p != ','); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (quoted && *p == '\\' && p + 1 < end)
            p++;
    }
    edge_span one = {rest->bytes, (size_t)(p - rest->bytes)};
    *rest = p < end ? (edge_span){p + 1, (size_t)(end - p - 1)} : (edge_span){NULL, 0};
    while (one.length && (*one.bytes == ' ' || *one.bytes == '\t'))
        one.bytes++, one.length--;
    while (one.length && (one.bytes[one.length - 1] == ' ' || one.bytes[one.length - 1] == '\t'))
        one.length--;
    *member = one;
    return true;
}

/* What becomes of a field with that name. */
typedef enum {
    PASSES,
    FRAMES,     /* what frames a message, which each connection has its own of */
    ENDS_HERE,  /* with this hop besides, in final answers: edge/cache/policy.py HOP_BY_HOP */
    STAYS,      /* whatever Connection says: an answer without it would mean something else */
    IS_HSTS,
    IS_DATE
} fate;

static fate fate_of(edge_span name)
{
    switch (name.length) {
    case 2:
        return EDGE_IS(name, "te") ? FRAMES : PASSES;
    case 4:
        return EDGE_IS(name, "date") ? IS_DATE : EDGE_IS(name, "vary") ? STAYS : PASSES;
    case 7:
        return EDGE_IS(name, "upgrade") ? FRAMES : EDGE_IS(name, "trailer") ? ENDS_HERE : PASSES;
    case 10:
        if (EDGE_IS(name, "set-cookie"))
            return STAYS;
        return EDGE_IS(name, "connection") || EDGE_IS(name, "keep-alive") ? FRAMES : PASSES;
    case 12:
        return EDGE_IS(name, "content-type") ? STAYS : PASSES;
    case 13:
        return EDGE_IS(name, "cache-control") || EDGE_IS(name, "content-range") ? STAYS : PASSES;
    case 14:
        return EDGE_IS(name, "content-length") || EDGE_IS(name, "http2-settings") ? FRAMES : PASSES;
    case 16:
        return EDGE_IS(name, "proxy-connection")   ? FRAMES
               : EDGE_IS(name, "content-encoding") ? STAYS
                                                   : PASSES;
    case 17:
        return EDGE_IS(name, "transfer-encoding")   ? FRAMES
               : EDGE_IS(name, "cdn-cache-control") ? STAYS
                                                    : PASSES;
    case 18:
        return EDGE_IS(name, "proxy-authenticate") ? ENDS_HERE : PASSES;
    case 19:
        return EDGE_IS(name, "proxy-authorization") ? ENDS_HERE : PASSES;
    case 24:
        return EDGE_IS(name, "cache-group-invalidation") ? ENDS_HERE : PASSES;
    case 25:
        return EDGE_IS(name, "proxy-authentication-info")   ? ENDS_HERE
               : EDGE_IS(name, "strict-transport-security") ? IS_HSTS
                                                            : PASSES;
    default:
        return PASSES;
    }
}

static bool is_token(edge_span name)
{
    return name.length && edge_token_end(name.bytes, name.bytes + name.length) == name.bytes + name.length;
}

static bool is_same_name(edge_span one, edge_span other)
{
    if (one.length != other.length)
        return false;
    for (size_t i = 0; i < one.length; i++) {
        uint8_t a = one.bytes[i], b = other.bytes[i];
        a = (uint8_t)(a >= 'A' && a <= 'Z' ? a | 0x20 : a);
        b = (uint8_t)(b >= 'A' && b <= 'Z' ? b | 0x20 : b);
        if (a != b)
            return false;
    }
    return true;
}

/* Notes which fields lines of Connection name. */
static void note_named(const edge_passed *answer, bool named[EDGE_PASSED_FIELDS])
{
    for (unsigned i = 0; i < answer->count; i++) {
        edge_span rest = answer->fields[i].value, member;
        if (answer->fields[i].name.length != 10 || !EDGE_IS(answer->fields[i].name, "connection"))
            continue;
        while (edge_quoted_list_next(&rest, &member)) {
            const fate of = is_token(member) ? fate_of(member) : PASSES;
            if (!member.length || EDGE_IS(member, "close") || of == FRAMES || of == STAYS)
                continue;
            for (unsigned j = 0; j < answer->count; j++)
                named[j] = named[j] || is_same_name(answer->fields[j].name, member);
        }
    }
}

/* The lines of the fields that pass; *has_date: Date is among them.  false: one is none. */
static bool put_fields(edge_output *out, const edge_passed *answer, const edge_head_context *context, bool *has_date)
{
    bool named[EDGE_PASSED_FIELDS] = {false};
    const bool final = answer->status >= 200;
    note_named(answer, named);
    for (const edge_field *field = answer->fields; field < answer->fields + answer->count; field++) {
        const edge_span name = field->name, value = field->value;
        const bool token = is_token(name);
        const fate of = token ? fate_of(name) : PASSES;
        if (of == FRAMES || (final && of == ENDS_HERE) || (final && of == IS_HSTS && context->hsts_length)
            || named[field - answer->fields])
            continue;
        if (!token || edge_value_end(value.bytes, value.bytes + value.length) != value.bytes + value.length)
            return false;
        *has_date = *has_date || of == IS_DATE;
        edge_put(out, name.bytes, name.length);
        PUT(out, ": ");
        edge_put(out, value.bytes, value.length);
        PUT(out, "\r\n");
    }
    return true;
}

static void put_status_line(edge_output *out, unsigned status)
{
    const char *reason = reason_of(status);
    PUT(out, "HTTP/1.1 ");
    edge_put_number(out, status);
    PUT(out, " ");
    edge_put(out, (const uint8_t *)reason, strlen(reason));
    PUT(out, "\r\n");
}

static bool has_type(const edge_field *field)
{
    return field->name.length == 12 && EDGE_IS(field->name, "content-type");
}

/* Whether a head of 200 has a line Content-Type: text/html. */
static bool is_page(const edge_passed *answer)
{
    static const char kind[] = "text/html";
    for (unsigned i = 0; answer->status == 200 && i < answer->count; i++) {
        const edge_span value = answer->fields[i].value;
        if (has_type(answer->fields + i) && value.length >= sizeof kind - 1
            && edge_equal_nocase((edge_span){value.bytes, sizeof kind - 1}, kind, sizeof kind - 1))
            return true;
    }
    return false;
}

bool edge_passed_is_of_events(const edge_passed *answer)
{
    static const char kind[] = "event-stream";
    for (unsigned i = 0; i < answer->count; i++) {
        const edge_span value = answer->fields[i].value;
        for (size_t at = 0; has_type(answer->fields + i) && at + sizeof kind - 1 <= value.length; at++)
            if (edge_equal_nocase((edge_span){value.bytes + at, sizeof kind - 1}, kind, sizeof kind - 1))
                return true;
    }
    return false;
}

bool edge_passed_head(edge_output *out, const edge_passed *answer, const edge_head_context *context, bool bodiless,
                      bool *chunked)
{
    static const size_t date_line = 6 + EDGE_DATE_BYTES + 2;
    const size_t begin = out->used;
    bool has_date = false;
    *chunked = false;
    put_status_line(out, answer->status);
    const size_t date_at = out->used;
    if (!put_fields(out, answer, context, &has_date)) {
        out->used = begin;
        return false;
    }
    if (answer->status < 200) {
        PUT(out, "\r\n");
        edge_piece_since(out, begin);
        return true;
    }
    if (!has_date) { /* before the others */
        memmove(out->heads + date_at + date_line, out->heads + date_at, out->used - date_at);
        memcpy(out->heads + date_at, "Date: ", 6);
        memcpy(out->heads + date_at + 6, context->date, EDGE_DATE_BYTES);
        memcpy(out->heads + date_at + 6 + EDGE_DATE_BYTES, "\r\n", 2);
        out->used += date_line;
    }
    PUT(out, "Cache-Status: edge; fwd=bypass\r\n");
    if (answer->length != EDGE_UNKNOWN) {
        if (answer->status != 204) {
            PUT(out, "Content-Length: ");
            edge_put_number(out, answer->length);
            PUT(out, "\r\n");
        }
    } else if (!bodiless) {
        *chunked = true;
        PUT(out, "Transfer-Encoding: chunked\r\n");
    }
    if (context->close)
        PUT(out, "Connection: close\r\n");
    if (answer->status != 304)
        edge_put(out, context->hsts, context->hsts_length);
    if (context->speculation_length && is_page(answer))
        edge_put(out, context->speculation, context->speculation_length);
    PUT(out, "\r\n");
    edge_piece_since(out, begin);
    return true;
}
