#include "edge_request.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Character classes. */
#define TOKEN 1  /* tchar, RFC 9110 5.6.2 */
#define QUERY 2  /* what browsers send in a query: URL Standard, query percent-encode set */
#define HOST 4   /* ALPHA / DIGIT / "." / "-" */
#define TAG 8    /* base64url */
#define DIGIT 16
#define HEX 32   /* HEXDIG / ":" / ".", RFC 3986 3.2.2: inside an IP-literal */

#define BASE64 64

static uint8_t classes[256];

__attribute__((constructor)) static void classes_fill(void)
{
    for (int c = 0; c < 256; c++) {
        int digit = c >= '0' && c <= '9', alpha = (c | 32) >= 'a' && (c | 32) <= 'z' && c < 128;
        uint8_t class = 0;
        if (digit || alpha || (c && c < 128 && strchr("!#$%&'*+-.^_`|~", c)))
            class |= TOKEN;
        if (c > ' ' && c < 0x7f && !strchr("\"#<>", c))
            class |= QUERY;
        if (digit || alpha || c == '.' || c == '-')
            class |= HOST;
        if (digit || alpha || c == '-' || c == '_')
            class |= TAG;
        if (digit)
            class |= DIGIT;
        if (digit || c == ':' || c == '.' || (alpha && (c | 32) <= 'f'))
            class |= HEX;
        if (digit || alpha || c == '+' || c == '/')
            class |= BASE64;
        classes[c] = class;
    }
}

static inline bool is(uint8_t c, unsigned class)
{
    return classes[c] & class;
}

bool edge_list_next(edge_span *rest, edge_span *member)
{
    const uint8_t *p = rest->bytes, *end;
    if (!p)
        return false;
    end = p + rest->length;
    const uint8_t *comma = memchr(p, ',', rest->length);
    const uint8_t *stop = comma ? comma : end;
    rest->bytes = comma ? comma + 1 : NULL;
    rest->length = comma ? (size_t)(end - comma - 1) : 0;
    while (p < stop && (*p == ' ' || *p == '\t'))
        p++;
    while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    member->bytes = p;
    member->length = (size_t)(stop - p);
    return true;
}

static inline const uint8_t *value_end(const uint8_t *p, const uint8_t *end)
{
    for (;;) {
#ifdef __SSE2__
        while (end - p >= 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
            __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
            int mask = _mm_movemask_epi8(_mm_or_si128(low, del));
            if (mask) {
                p += __builtin_ctz((unsigned)mask);
                break;
            }
            p += 16;
        }
#endif
        while (p < end && *p >= 0x20 && *p != 0x7f)
            p++;
        if (p < end && *p == '\t') {
            p++;
            continue;
        }
        return p;
    }
}

static inline const uint8_t *token_end(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= 4 && is(p[0], TOKEN) && is(p[1], TOKEN) && is(p[2], TOKEN) && is(p[3], TOKEN))
        p += 4;
    while (p < end && is(*p, TOKEN))
        p++;
    return p;
}

static inline edge_recognition field_next(const uint8_t **at, const uint8_t *end, edge_span *name,
                                          edge_span *value)
{
    const uint8_t *p = *at;
    name->bytes = p;
    p = token_end(p, end);
    if (p == end)
        return EDGE_INCOMPLETE;
    name->length = (size_t)(p - name->bytes);
    if (!name->length || *p++ != ':')
        return EDGE_LET_GO;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    value->bytes = p;
    p = value_end(p, end);
    if (end - p < 2)
        return p == end || *p == '\r' ? EDGE_INCOMPLETE : EDGE_LET_GO;
    if (p[0] != '\r' || p[1] != '\n')
        return EDGE_LET_GO;
    value->length = (size_t)(p - value->bytes);
    while (value->length && (value->bytes[value->length - 1] == ' ' || value->bytes[value->length - 1] == '\t'))
        value->length--;
    *at = p + 2;
    return EDGE_RECOGNISED;
}

const uint8_t *edge_token_end(const uint8_t *p, const uint8_t *end)
{
    return token_end(p, end);
}

const uint8_t *edge_value_end(const uint8_t *p, const uint8_t *end)
{
    return value_end(p, end);
}

edge_recognition edge_field_next(const uint8_t **at, const uint8_t *end, edge_span *name, edge_span *value)
{
    return field_next(at, end, name, value);
}

/* uri-host and port, RFC 9110 7.2, without percent-encoding. */
static bool host_is_plain(edge_span host)
{
    const uint8_t *p = host.bytes, *end = p + host.length;
    if (p < end && *p == '[') {
        const uint8_t *begin = ++p;
        while (p < end && is(*p, HEX))
            p++;
        if (p == begin || p == end || *p++ != ']')
            return false;
    } else {
        const uint8_t *begin = p;
        while (p < end && is(*p, HOST))
            p++;
        if (p == begin)
            return false;
    }
    if (p == end)
        return true;
    if (*p++ != ':' || p == end || end - p > 5)
        return false;
    while (p < end && is(*p, DIGIT))
        p++;
    return p == end;
}

/* Accept-Encoding without weights: the plain tokens gzip, br and zstd count, unknown ones do not, and
 * what has q-values or special meaning is let go. */
static bool codings_of(edge_span value, unsigned *codings)
{
    edge_span rest = value, member;
    *codings = EDGE_BIT(EDGE_IDENTITY);
    while (edge_list_next(&rest, &member)) {
        for (size_t i = 0; i < member.length; i++)
            if (!is(member.bytes[i], TOKEN))
                return false;
        if (EDGE_IS(member, "br"))
            *codings |= EDGE_BIT(EDGE_BR);
        else if (EDGE_IS(member, "gzip"))
            *codings |= EDGE_BIT(EDGE_GZIP);
        else if (EDGE_IS(member, "zstd"))
            *codings |= EDGE_BIT(EDGE_ZSTD);
        else if (!member.length || EDGE_IS(member, "*") || EDGE_IS(member, "identity")
                 || EDGE_IS(member, "x-gzip"))
            return false;
    }
    return true;
}

/* Splits path and query, finds ~etag=TAG as the last parameter.  false: outside the subset. */
static bool target_split(edge_request *request)
{
    edge_span target = request->target;
    const uint8_t *mark = memchr(target.bytes, '?', target.length), *end = target.bytes + target.length;
    static const char name[] = "~etag=";
    const size_t name_length = sizeof name - 1;
    request->path = request->exact = target;
    if (!mark)
        return true;
    request->path.length = (size_t)(mark - target.bytes);
    for (const uint8_t *p = mark + 1; p < end; p++)
        if (!is(*p, QUERY))
            return false;
    const uint8_t *last = end;
    while (last > mark + 1 && last[-1] != '&')
        last--;
    if ((size_t)(end - last) <= name_length || memcmp(last, name, name_length))
        return true;
    edge_span tag = {last + name_length, (size_t)(end - last) - name_length};
    if (tag.length > 64)
        return true;
    for (size_t i = 0; i < tag.length; i++)
        if (!is(tag.bytes[i], TAG))
            return true;
    request->tag = tag;
    request->exact.length = (size_t)(last - 1 - target.bytes);
    return true;
}

/* Whether the bytes begin with text, or may once there are more of them. */
static edge_recognition begins_with(const uint8_t *in, size_t length, const char *text, size_t text_length)
{
    if (memcmp(in, text, length < text_length ? length : text_length))
        return EDGE_LET_GO;
    return length < text_length ? EDGE_INCOMPLETE : EDGE_RECOGNISED;
}

/* What opens WebSockets, and nothing else. */
static bool is_feed(edge_span target)
{
    static const char feed[] = "/.edge/socket";
    const size_t length = sizeof feed - 1;
    return target.length >= length && !memcmp(target.bytes, feed, length)
           && (target.length == length || target.bytes[length] == '?');
}

/* The request line; *at moves behind it. */
static edge_recognition request_line(const uint8_t **at, const uint8_t *end, edge_request *request)
{
    static const char get[] = "GET /", head[] = "HEAD /", version[] = " HTTP/1.1\r\n";
    static const char revalidate[] = "POST /.edge/revalidate HTTP/1.1\r\n";
    const uint8_t *p = *at;
    size_t length = (size_t)(end - p);
    edge_recognition known;
    if ((known = begins_with(p, length, get, sizeof get - 1)) != EDGE_LET_GO) {
        request->method = EDGE_GET;
        p += 4;
    } else if ((known = begins_with(p, length, head, sizeof head - 1)) != EDGE_LET_GO) {
        request->method = EDGE_HEAD;
        p += 5;
    } else if ((known = begins_with(p, length, revalidate, sizeof revalidate - 1)) != EDGE_LET_GO) {
        request->method = EDGE_REVALIDATE;
        p += 5;
    }
    if (known != EDGE_RECOGNISED)
        return known;
    request->target.bytes = p;
    while (p < end && *p > 0x20 && *p < 0x7f)
        p++;
    request->target.length = (size_t)(p - request->target.bytes);
    if (request->method == EDGE_GET && is_feed(request->target))
        request->method = EDGE_OPEN;
    known = begins_with(p, (size_t)(end - p), version, sizeof version - 1);
    if (known == EDGE_RECOGNISED)
        *at = p + sizeof version - 1;
    return known;
}

typedef struct {
    unsigned hosts, connections, none_matches, accepts, codings, origins, lengths; /* lines of each */
    unsigned upgrades, keys, versions;
    bool modified_since;
    edge_span content_type;
    uint64_t content_length;
} fields_seen;

/* Whether a list is that of one who wants another protocol, and says nothing else of the connection. */
static bool wants_upgrade(edge_span value)
{
    edge_span rest = value, member;
    bool upgrade = false;
    while (edge_list_next(&rest, &member)) {
        if (EDGE_IS(member, "upgrade"))
            upgrade = true;
        else if (!EDGE_IS(member, "keep-alive"))
            return false;
    }
    return upgrade;
}

/* 16 bytes in base64. */
static bool is_key(edge_span value)
{
    if (value.length != 24 || value.bytes[22] != '=' || value.bytes[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is(value.bytes[i], BASE64))
            return false;
    return true;
}

/* Notes one field.  false: outside the subset. */
static bool field(edge_span name, edge_span value, edge_request *request, fields_seen *seen)
{
    switch (name.length) {
    case 2:
        return !EDGE_IS(name, "te");
    case 3:
        request->apart |= EDGE_IS(name, "via");
        return true;
    case 4:
        if (!EDGE_IS(name, "host"))
            return true;
        request->host = value;
        return !seen->hosts++ && host_is_plain(value);
    case 5:
        return !EDGE_IS(name, "range");
    case 6:
        if (EDGE_IS(name, "accept")) {
            request->accept = value;
            return !seen->accepts++;
        }
        if (EDGE_IS(name, "origin")) {
            request->origin = value;
            return !seen->origins++;
        }
        return !EDGE_IS(name, "expect");
    case 7:
        if (EDGE_IS(name, "referer"))
            request->referer = value;
        if (EDGE_IS(name, "upgrade"))
            return request->method == EDGE_OPEN && !seen->upgrades++ && EDGE_IS(value, "websocket");
        return !EDGE_IS(name, "trailer");
    case 8:
        return !EDGE_IS(name, "if-match") && !EDGE_IS(name, "if-range");
    case 9:
        if (EDGE_IS(name, "forwarded"))
            request->forwarded = value;
        return true;
    case 10:
        if (EDGE_IS(name, "user-agent"))
            request->user_agent = value;
        if (!EDGE_IS(name, "connection"))
            return true;
        if (request->method == EDGE_OPEN)
            return !seen->connections++ && wants_upgrade(value);
        if (EDGE_IS(value, "close"))
            request->close = true;
        else if (!EDGE_IS(value, "keep-alive"))
            return false;
        return !seen->connections++;
    case 11:
        request->apart |= EDGE_IS(name, "edge-timing");
        return true;
    case 12:
        if (!EDGE_IS(name, "content-type") || request->method != EDGE_REVALIDATE)
            return true;
        if (seen->content_type.bytes)
            return false;
        seen->content_type = value;
        return true;
    case 13:
        request->apart |= EDGE_IS(name, "authorization");
        if (!EDGE_IS(name, "if-none-match"))
            return true;
        request->none_match = value;
        return !seen->none_matches++;
    case 14:
        if (EDGE_IS(name, "http2-settings"))
            return false;
        if (!EDGE_IS(name, "content-length"))
            return true;
        if (request->method != EDGE_REVALIDATE || seen->lengths++ || !value.length || value.length > 7)
            return false;
        for (size_t i = 0; i < value.length; i++) {
            if (!is(value.bytes[i], DIGIT))
                return false;
            seen->content_length = seen->content_length * 10 + (value.bytes[i] - '0');
        }
        return seen->content_length <= EDGE_BODY_LIMIT;
    case 15:
        if (EDGE_IS(name, "x-forwarded-for")) {
            request->forwarded_for = value;
            request->forwarded_fors++;
        }
        if (!EDGE_IS(name, "accept-encoding"))
            return true;
        return !seen->codings++ && codings_of(value, &request->codings);
    case 16:
        if (EDGE_IS(name, "x-forwarded-host"))
            request->forwarded_host = value;
        return !EDGE_IS(name, "content-encoding");
    case 17:
        if (EDGE_IS(name, "if-modified-since"))
            seen->modified_since = true;
        if (request->method == EDGE_OPEN && EDGE_IS(name, "sec-websocket-key")) {
            request->key = value.bytes;
            return !seen->keys++ && is_key(value);
        }
        return !EDGE_IS(name, "transfer-encoding");
    case 19:
        return !EDGE_IS(name, "if-unmodified-since");
    case 21:
        return request->method != EDGE_OPEN || !EDGE_IS(name, "sec-websocket-version")
               || (!seen->versions++ && value.length == 2 && !memcmp(value.bytes, "13", 2));
    case 22:
        return !EDGE_IS(name, "x-http-method-override");
    default:
        return true;
    }
}

/* "text/plain", alone or with parameters. */
static bool type_is_plain(edge_span type)
{
    edge_span essence = type;
    const uint8_t *semicolon;
    if (!type.bytes)
        return true;
    semicolon = memchr(type.bytes, ';', type.length);
    if (semicolon)
        essence.length = (size_t)(semicolon - type.bytes);
    while (essence.length && (essence.bytes[essence.length - 1] == ' ' || essence.bytes[essence.length - 1] == '\t'))
        essence.length--;
    return EDGE_IS(essence, "text/plain");
}

/* What the request is once its whole head is here; p: the byte after it. */
static edge_recognition finish(const uint8_t *in, const uint8_t *p, size_t length, edge_request *request,
                               const fields_seen *seen)
{
    size_t head = (size_t)(p - in);
    if (head > EDGE_HEAD_LIMIT || !seen->hosts)
        return EDGE_LET_GO;
    request->consumed = head;
    if (request->method == EDGE_OPEN)
        return seen->upgrades && seen->connections && seen->keys && seen->versions && !seen->none_matches
                       && !seen->modified_since && target_split(request)
                   ? EDGE_RECOGNISED
                   : EDGE_LET_GO;
    if (request->method != EDGE_REVALIDATE)
        return (!seen->modified_since || request->none_match.bytes) && target_split(request) ? EDGE_RECOGNISED
                                                                                             : EDGE_LET_GO;
    if (!seen->lengths || !type_is_plain(seen->content_type) || request->none_match.bytes
        || seen->modified_since)
        return EDGE_LET_GO;
    if (length - head < seen->content_length)
        return EDGE_INCOMPLETE;
    request->path = request->exact = request->target;
    request->body.bytes = p;
    request->body.length = seen->content_length;
    request->consumed += seen->content_length;
    return EDGE_RECOGNISED;
}

edge_recognition edge_recognise(const uint8_t *in, size_t length, edge_request *request)
{
    const uint8_t *end = in + length, *p = in;
    const edge_recognition incomplete = length >= EDGE_HEAD_LIMIT ? EDGE_LET_GO : EDGE_INCOMPLETE;
    edge_recognition known;
    fields_seen seen;
    memset(request, 0, sizeof *request);
    memset(&seen, 0, sizeof seen);
    request->codings = EDGE_BIT(EDGE_IDENTITY);
    known = request_line(&p, end, request);
    if (known != EDGE_RECOGNISED)
        return known == EDGE_INCOMPLETE ? incomplete : known;
    for (int fields = 0;; fields++) {
        edge_span name, value;
        if (p == end)
            return incomplete;
        if (*p == '\r') {
            if (p + 1 == end)
                return incomplete;
            return p[1] == '\n' ? finish(in, p + 2, length, request, &seen) : EDGE_LET_GO;
        }
        if (fields == EDGE_FIELD_LIMIT)
            return EDGE_LET_GO;
        known = field_next(&p, end, &name, &value);
        if (known != EDGE_RECOGNISED)
            return known == EDGE_INCOMPLETE ? incomplete : known;
        if (!field(name, value, request, &seen))
            return EDGE_LET_GO;
    }
}
