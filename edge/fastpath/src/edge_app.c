#include "edge_app.h"

#define IN_NAMES 64 /* bytes of a name that is compared with others; longer ones are none of them */

/* ---- MessagePack, as much of it as the protocol has ---- */

static uint8_t *write_big(uint8_t *to, uint64_t number, unsigned bytes)
{
    while (bytes--)
        *to++ = (uint8_t)(number >> 8 * bytes);
    return to;
}

static uint8_t *write_uint(uint8_t *to, uint64_t number)
{
    if (number < 0x80) {
        *to++ = (uint8_t)number;
        return to;
    }
    const unsigned power = number <= UINT8_MAX ? 0 : number <= UINT16_MAX ? 1 : number <= UINT32_MAX ? 2 : 3;
    *to++ = (uint8_t)(0xcc + power);
    return write_big(to, number, 1u << power);
}

static uint8_t *write_bin_head(uint8_t *to, size_t length)
{
    const unsigned power = length <= UINT8_MAX ? 0 : 1; /* heads are shorter than 64 KiB */
    *to++ = (uint8_t)(0xc4 + power);
    return write_big(to, length, 1u << power);
}

static uint8_t *write_bin(uint8_t *to, edge_span span)
{
    to = write_bin_head(to, span.length);
    if (span.length)
        memcpy(to, span.bytes, span.length);
    return to + span.length;
}

/* The frame around an array that was written four bytes behind its begin: its bytes. */
static size_t framed(uint8_t *begin, const uint8_t *end)
{
    write_big(begin, (uint64_t)(end - begin) - 4, 4);
    return (size_t)(end - begin);
}

typedef struct {
    const uint8_t *at, *end;
} reader;

static bool read_big(reader *from, unsigned bytes, uint64_t *number)
{
    if ((size_t)(from->end - from->at) < bytes)
        return false;
    for (*number = 0; bytes--; from->at++)
        *number = *number << 8 | *from->at;
    return true;
}

static bool read_uint(reader *from, uint64_t *number)
{
    if (from->at == from->end)
        return false;
    const uint8_t kind = *from->at++;
    *number = kind;
    if (kind < 0x80)
        return true;
    return kind >= 0xcc && kind <= 0xcf && read_big(from, 1u << (kind - 0xcc), number);
}

static bool read_array(reader *from, uint64_t *count)
{
    if (from->at == from->end)
        return false;
    const uint8_t kind = *from->at++;
    *count = kind & 0x0f;
    if (kind >> 4 == 9)
        return true;
    return (kind == 0xdc || kind == 0xdd) && read_big(from, kind == 0xdc ? 2 : 4, count);
}

static bool read_bin(reader *from, edge_span *span)
{
    uint64_t length;
    if (from->at == from->end)
        return false;
    const uint8_t kind = *from->at++;
    if (kind < 0xc4 || kind > 0xc6 || !read_big(from, 1u << (kind - 0xc4), &length)
        || length > (uint64_t)(from->end - from->at))
        return false;
    *span = (edge_span){from->at, (size_t)length};
    from->at += length;
    return true;
}

static bool read_flag(reader *from, bool *flag)
{
    if (from->at == from->end || (*from->at != 0xc2 && *from->at != 0xc3))
        return false;
    *flag = *from->at++ == 0xc3;
    return true;
}

/* ---- questions ---- */

/* Whether a name, in lower case, is one of a list, or begins or ends with one of it. */
typedef enum { WHOLE, BEGIN, END } fit;

static bool is_in(const char *list, const uint8_t *name, size_t length, fit how)
{
    for (size_t size; (size = strlen(list)); list += size + 1)
        if (size <= length && (how != WHOLE || size == length)
            && !memcmp(name + (how == END ? length - size : 0), list, size))
            return true;
    return false;
}

#define IS(span, text) ((span).length == sizeof(text) - 1 && !memcmp((span).bytes, text, sizeof(text) - 1))

static bool may_say(const edge_app_rules *rules, edge_span name)
{
    return !memchr(name.bytes, '_', name.length) && !is_in(rules->names, name.bytes, name.length, WHOLE)
           && !is_in(rules->prefixes, name.bytes, name.length, BEGIN)
           && !is_in(rules->suffixes, name.bytes, name.length, END);
}

static void to_lower(uint8_t *to, edge_span name)
{
    for (size_t i = 0; i < name.length; i++)
        to[i] = (uint8_t)(name.bytes[i] >= 'A' && name.bytes[i] <= 'Z' ? name.bytes[i] | 0x20 : name.bytes[i]);
}

/* The fields that pass, as pairs; NULL: one of them makes the question another path's than the relay's. */
static uint8_t *write_fields(uint8_t *to, edge_span lines, const edge_app_rules *rules)
{
    const uint8_t *at = lines.bytes, *end = at + lines.length;
    uint8_t *head = to;
    unsigned count = 0;
    edge_span name, value;
    to += 3;
    while (at < end) {
        if (edge_field_next(&at, end, &name, &value) != EDGE_RECOGNISED)
            return NULL;
        uint8_t *begin = to;
        *to++ = 0x92;
        to = write_bin_head(to, name.length);
        to_lower(to, name);
        const edge_span lower = {to, name.length};
        to += name.length;
        if (IS(lower, "via") || IS(lower, "edge-timing")) /* they say something to the node itself */
            return NULL;
        if (may_say(rules, lower)) {
            to = write_bin(to, value);
            count++;
        } else {
            to = begin;
        }
    }
    *head = 0xdc;
    write_big(head + 1, count, 2);
    return to;
}

size_t edge_app_ask(uint8_t *to, const edge_app_question *question, const edge_app_rules *rules)
{
    uint8_t *p = to + 4;
    const edge_span method = question->method == EDGE_HEAD ? (edge_span){EDGE_LITERAL("HEAD")}
                                                           : (edge_span){EDGE_LITERAL("GET")};
    *p++ = 0x90 | 14;
    *p++ = 1;
    p = write_uint(p, question->number);
    p = write_bin(p, method);
    p = write_bin(p, question->target);
    p = write_fields(p, question->fields, rules);
    if (!p)
        return 0;
    p = write_bin(p, question->host);
    *p++ = question->secure ? 0xc3 : 0xc2;
    p = write_bin(p, question->peer);
    p = write_bin(p, question->at);
    p = write_bin_head(p, 0); /* the body: nothing, and nothing follows */
    *p++ = 0xc2;
    *p++ = 0;
    p = write_uint(p, question->deadline_ms);
    *p++ = 0xc0; /* for one visitor */
    return framed(to, p);
}

size_t edge_app_credit(uint8_t *to, uint64_t number, uint64_t size)
{
    uint8_t *p = to + 4;
    *p++ = 0x93;
    *p++ = EDGE_APP_CREDIT;
    return framed(to, write_uint(write_uint(p, number), size));
}

size_t edge_app_cancel(uint8_t *to, uint64_t number)
{
    uint8_t *p = to + 4;
    *p++ = 0x93;
    *p++ = EDGE_APP_CANCEL;
    return framed(to, write_bin(write_uint(p, number), (edge_span){EDGE_LITERAL("it is over")}));
}

/* ---- what applications say ---- */

/* An array of pairs, looked through; *fields: its elements. */
static bool read_fields(reader *from, edge_span *fields, unsigned *count)
{
    uint64_t pairs, two;
    size_t size = 0;
    edge_span name, value;
    if (!read_array(from, &pairs) || pairs > EDGE_APP_FIELDS)
        return false;
    fields->bytes = from->at;
    *count = (unsigned)pairs;
    for (; pairs; pairs--) {
        if (!read_array(from, &two) || two != 2 || !read_bin(from, &name) || !read_bin(from, &value))
            return false;
        size += name.length + value.length;
    }
    fields->length = (size_t)(from->at - fields->bytes);
    return size <= EDGE_APP_FIELDS_BYTES;
}

#define MOST_NUMBER (((uint64_t)1 << 53) - 1)

static bool read_number(reader *from, uint64_t *number)
{
    return read_uint(from, number) && *number && *number <= MOST_NUMBER;
}

static bool read_length(reader *from, uint64_t *length)
{
    if (from->at < from->end && *from->at == 0xc0) {
        from->at++;
        *length = EDGE_APP_UNKNOWN;
        return true;
    }
    return read_uint(from, length) && *length <= MOST_NUMBER;
}

static bool read_body(reader *from, edge_app_message *message)
{
    return read_bin(from, &message->body) && message->body.length <= EDGE_APP_WINDOW && read_flag(from, &message->more);
}

static bool read_answer(reader *from, edge_app_message *message)
{
    uint64_t status;
    if (!read_number(from, &message->number) || !read_uint(from, &status) || status < 100 || status > 599
        || status == 101)
        return false;
    message->status = (unsigned)status;
    return read_fields(from, &message->fields, &message->field_count) && read_length(from, &message->length)
           && read_body(from, message);
}

edge_app_kind edge_app_read(const uint8_t *array, size_t length, edge_app_message *message)
{
    static const uint8_t known[13] = {[EDGE_APP_ANSWER] = 6, [EDGE_APP_DATA] = 4, [EDGE_APP_CREDIT] = 2,
                                      [EDGE_APP_CANCEL] = 2, [EDGE_APP_READY] = 2};
    reader from = {array, array + length};
    uint64_t elements, kind;
    edge_span reason;
    unsigned trailers;
    bool good = false;
    *message = (edge_app_message){.number = 0};
    if (!read_array(&from, &elements) || !elements || !read_uint(&from, &kind))
        return EDGE_APP_MALFORMED;
    elements--;
    switch (kind) {
    case EDGE_APP_ANSWER:
        good = elements >= known[kind] && read_answer(&from, message);
        break;
    case EDGE_APP_DATA:
        good = elements >= known[kind] && read_number(&from, &message->number) && read_body(&from, message)
               && read_fields(&from, &message->fields, &trailers);
        break;
    case EDGE_APP_CREDIT:
        good = elements >= known[kind] && read_number(&from, &message->number) && read_uint(&from, &message->size);
        break;
    case EDGE_APP_CANCEL:
        good = elements >= known[kind] && read_number(&from, &message->number) && read_bin(&from, &reason) && reason.length <= 8192;
        break;
    case EDGE_APP_READY:
        good = elements >= known[kind] && read_uint(&from, &message->number) && read_number(&from, &message->size);
        break;
    case EDGE_APP_CHANGED:
    case EDGE_APP_DRAIN:
        good = true;
        break;
    case 1: case 7: case 10: case 11: case 12: /* from the wrong side, or of WebSockets, of which there are none here */
        break;
    default:
        return EDGE_APP_NOTHING;
    }
    const bool over = elements > known[kind] || from.at == from.end; /* later versions may have more of them */
    return good && (over || kind == EDGE_APP_CHANGED || kind == EDGE_APP_DRAIN) ? (edge_app_kind)kind : EDGE_APP_MALFORMED;
}

/* ---- heads ---- */

#define PUT(out, text) edge_put(out, EDGE_LITERAL(text))

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

/* What frames a message, which each connection has its own of. */
static const char of_connection[] = "connection\0content-length\0http2-settings\0keep-alive\0proxy-connection\0te\0"
                                    "transfer-encoding\0upgrade\0";
/* What ends with this hop besides, in final answers (edge/cache/policy.py HOP_BY_HOP). */
static const char of_hop[] = "proxy-authenticate\0proxy-authentication-info\0proxy-authorization\0trailer\0"
                             "cache-group-invalidation\0";
/* What Connection cannot make disappear: an answer without it would mean something else. */
static const char stays[] = "cache-control\0cdn-cache-control\0content-encoding\0content-range\0content-type\0"
                            "set-cookie\0vary\0";

static bool is_listed(const char *list, edge_span name)
{
    uint8_t lower[IN_NAMES];
    if (name.length > sizeof lower)
        return false;
    to_lower(lower, name);
    return is_in(list, lower, name.length, WHOLE);
}

typedef struct {
    reader pairs;
    edge_span name, value;
} walk;

static bool next_field(walk *fields)
{
    uint64_t two;
    return fields->pairs.at < fields->pairs.end && read_array(&fields->pairs, &two) && read_bin(&fields->pairs, &fields->name)
           && read_bin(&fields->pairs, &fields->value);
}

static walk walk_of(const edge_app_message *answer)
{
    return (walk){.pairs = {answer->fields.bytes, answer->fields.bytes + answer->fields.length}};
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

#define NAMED 16 /* options of Connection that are looked for; an application has no business to send it at all */

/* The fields that lines of Connection name; more than NAMED: -1. */
static int named_by_connection(const edge_app_message *answer, edge_span named[NAMED])
{
    int count = 0;
    for (walk fields = walk_of(answer); next_field(&fields);) {
        edge_span rest = fields.value, member;
        if (!is_listed("connection\0", fields.name))
            continue;
        while (edge_list_next(&rest, &member)) {
            if (!member.length || is_listed(of_connection, member) || is_listed("close\0", member)
                || is_listed(stays, member))
                continue;
            if (count == NAMED)
                return -1;
            named[count++] = member;
        }
    }
    return count;
}

static bool is_token(edge_span name)
{
    const uint8_t *at = name.bytes;
    static const uint8_t end[] = ":\r\n";
    uint8_t line[IN_NAMES + 3];
    edge_span found, value;
    if (!name.length || name.length > IN_NAMES) { /* longer ones, byte by byte in pieces */
        for (size_t i = 0; name.length > IN_NAMES && i < name.length; i += IN_NAMES)
            if (!is_token((edge_span){name.bytes + i, name.length - i < IN_NAMES ? name.length - i : IN_NAMES}))
                return false;
        return name.length > 0;
    }
    memcpy(line, name.bytes, name.length);
    memcpy(line + name.length, end, 3);
    at = line;
    return edge_field_next(&at, line + name.length + 3, &found, &value) == EDGE_RECOGNISED && found.length == name.length;
}

/* The lines of the fields that pass; *has_date: Date is among them.  false: one is none. */
static bool put_fields(edge_output *out, const edge_app_message *answer, const edge_head_context *context, bool final,
                       bool *has_date)
{
    edge_span named[NAMED];
    const int count = named_by_connection(answer, named);
    if (count < 0)
        return false;
    for (walk fields = walk_of(answer); next_field(&fields);) {
        bool dropped = is_listed(of_connection, fields.name) || (final && is_listed(of_hop, fields.name))
                       || (final && context->hsts_length && is_listed("strict-transport-security\0", fields.name));
        for (int i = 0; i < count && !dropped; i++)
            dropped = is_same_name(fields.name, named[i]);
        if (dropped)
            continue;
        const uint8_t *end = fields.value.bytes + fields.value.length;
        if (!is_token(fields.name) || edge_value_end(fields.value.bytes, end) != end)
            return false;
        if (is_listed("date\0", fields.name))
            *has_date = true;
        edge_put(out, fields.name.bytes, fields.name.length);
        PUT(out, ": ");
        edge_put(out, fields.value.bytes, fields.value.length);
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

/* Whether a head of 200 has a line Content-Type: text/html. */
static bool is_page(const edge_app_message *answer)
{
    static const char kind[] = "text/html";
    for (walk fields = walk_of(answer); answer->status == 200 && next_field(&fields);)
        if (is_listed("content-type\0", fields.name) && fields.value.length >= sizeof kind - 1
            && edge_equal_nocase((edge_span){fields.value.bytes, sizeof kind - 1}, kind, sizeof kind - 1))
            return true;
    return false;
}

bool edge_app_is_of_events(const edge_app_message *answer)
{
    static const char kind[] = "event-stream";
    for (walk fields = walk_of(answer); next_field(&fields);)
        for (size_t i = 0; is_listed("content-type\0", fields.name) && i + sizeof kind - 1 <= fields.value.length; i++)
            if (edge_equal_nocase((edge_span){fields.value.bytes + i, sizeof kind - 1}, kind, sizeof kind - 1))
                return true;
    return false;
}

bool edge_app_head(edge_output *out, const edge_app_message *answer, const edge_head_context *context, bool bodiless,
                   bool *chunked)
{
    const size_t begin = out->used;
    const bool final = answer->status >= 200;
    bool has_date = false;
    *chunked = false;
    put_status_line(out, answer->status);
    const size_t date_at = out->used;
    if (!put_fields(out, answer, context, final, &has_date)) {
        out->used = begin;
        return false;
    }
    if (!final) {
        PUT(out, "\r\n");
        edge_piece_since(out, begin);
        return true;
    }
    if (!has_date) { /* before the others */
        static const size_t line = 6 + EDGE_DATE_BYTES + 2;
        memmove(out->heads + date_at + line, out->heads + date_at, out->used - date_at);
        memcpy(out->heads + date_at, "Date: ", 6);
        memcpy(out->heads + date_at + 6, context->date, EDGE_DATE_BYTES);
        memcpy(out->heads + date_at + 6 + EDGE_DATE_BYTES, "\r\n", 2);
        out->used += line;
    }
    PUT(out, "Cache-Status: edge; fwd=bypass\r\n");
    if (answer->length != EDGE_APP_UNKNOWN) {
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
