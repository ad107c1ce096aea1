#include "edge_tls_hello.h"

#include <string.h>

/* So that a hello costs what its bytes cost. */
#define EXTENSIONS 64
#define SHARES 16

enum {
    SERVER_NAME = 0,
    MAX_FRAGMENT_LENGTH = 1,
    SUPPORTED_GROUPS = 10,
    SIGNATURE_ALGORITHMS = 13,
    ALPN = 16,
    PRE_SHARED_KEY = 41,
    SUPPORTED_VERSIONS = 43,
    KEY_SHARE = 51
};

/* ---- bytes that are taken from the front; what is not there makes all that follows fail ---- */

typedef struct {
    const uint8_t *bytes;
    size_t length;
    bool failed;
} reader;

static const uint8_t *take(reader *from, size_t count)
{
    static const uint8_t none[32];
    const uint8_t *taken = from->bytes;
    if (from->failed || from->length < count) {
        from->failed = true;
        from->length = 0;
        return none; /* as many as any caller looks at */
    }
    from->bytes += count;
    from->length -= count;
    return taken;
}

static unsigned number(reader *from, unsigned bytes)
{
    const uint8_t *taken = take(from, bytes);
    return bytes == 1 ? taken[0] : (unsigned)taken[0] << 8 | taken[1];
}

/* A vector, RFC 8446 3.4. */
static reader vector(reader *from, unsigned length_bytes)
{
    size_t length = number(from, length_bytes);
    const uint8_t *taken = take(from, length);
    return (reader){taken, from->failed ? 0 : length, from->failed};
}

/* A vector that nothing follows. */
static reader only_vector(reader from, unsigned length_bytes)
{
    reader inner = vector(&from, length_bytes);
    inner.failed |= from.length != 0;
    return inner;
}

/* Whether a list of numbers of two bytes is well formed, and has one of the wanted. */
static bool has_number(reader list, const uint16_t *wanted, unsigned count)
{
    bool found = false;
    if (list.failed || !list.length || list.length % 2)
        return false;
    while (list.length) {
        unsigned one = number(&list, 2);
        for (unsigned i = 0; i < count; i++)
            found |= one == wanted[i];
    }
    return found;
}

/* ---- the extensions ---- */

/* Whether there is a key share of one of the groups, so that no second hello is needed. */
static bool has_share(reader extension, const uint16_t *groups, unsigned count)
{
    reader shares = only_vector(extension, 2);
    bool found = false;
    unsigned seen = 0;
    while (!shares.failed && shares.length) {
        unsigned group = number(&shares, 2);
        reader share = vector(&shares, 2);
        if (shares.failed || !share.length || ++seen > SHARES)
            return false;
        for (unsigned i = 0; i < count; i++)
            found |= group == groups[i];
    }
    return found && !shares.failed;
}

static bool is_text(reader name, const char *text, size_t length)
{
    return name.length == length && !memcmp(name.bytes, text, length);
}

/* RFC 7301: http/1.1 must be among the protocols; acme-tls/1 (RFC 8737) is for Twisted. */
static bool speaks_http(reader extension)
{
    reader names = only_vector(extension, 2);
    bool found = false;
    while (!names.failed && names.length) {
        reader name = vector(&names, 1);
        if (names.failed || !name.length || is_text(name, "acme-tls/1", 10))
            return false;
        found |= is_text(name, "http/1.1", 8);
    }
    return found && !names.failed;
}

/* RFC 6066 3: one host name. */
static bool host_name(reader extension, edge_tls_hello *hello)
{
    reader entry = only_vector(extension, 2);
    unsigned kind = number(&entry, 1);
    reader name = only_vector(entry, 2);
    if (entry.failed || kind || name.failed || !name.length || name.length > EDGE_TLS_NAME)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        uint8_t c = name.bytes[i];
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
            return false;
        hello->name[i] = c;
    }
    hello->name_length = name.length;
    return true;
}

typedef struct {
    unsigned count;
    uint16_t kinds[EXTENSIONS];
    reader bodies[EXTENSIONS];
} extensions;

static bool read_extensions(reader block, extensions *all)
{
    all->count = 0;
    while (!block.failed && block.length) {
        unsigned kind = number(&block, 2);
        reader body = vector(&block, 2);
        if (block.failed || all->count == EXTENSIONS)
            return false;
        for (unsigned i = 0; i < all->count; i++)
            if (all->kinds[i] == kind || all->kinds[i] == PRE_SHARED_KEY)
                return false; /* twice, or after what must be the last */
        all->kinds[all->count] = (uint16_t)kind;
        all->bodies[all->count++] = body;
    }
    return !block.failed;
}

static const reader *extension(const extensions *all, unsigned kind)
{
    for (unsigned i = 0; i < all->count; i++)
        if (all->kinds[i] == kind)
            return all->bodies + i;
    return NULL;
}

/* ---- the message ---- */

static bool is_ours(reader message, bool hybrid, edge_tls_hello *hello)
{
    static const uint16_t tls13[] = {0x0304}, suites[] = {0x1301, 0x1302, 0x1303},
                          groups[] = {EDGE_TLS_X25519, EDGE_TLS_P256, EDGE_TLS_X25519MLKEM768};
    unsigned group_count = hybrid ? 3 : 2;
    extensions all;
    const reader *found;
    if (number(&message, 2) != 0x0303)
        return false;
    take(&message, 32);
    if (vector(&message, 1).length > 32 || !has_number(vector(&message, 2), suites, 3))
        return false;
    if (!is_text(vector(&message, 1), "\0", 1) || message.failed)
        return false;
    if (!read_extensions(only_vector(message, 2), &all) || extension(&all, MAX_FRAGMENT_LENGTH))
        return false;
    if (!(found = extension(&all, SUPPORTED_VERSIONS)) || !has_number(only_vector(*found, 1), tls13, 1))
        return false;
    if (!(found = extension(&all, SIGNATURE_ALGORITHMS)))
        return false;
    reader list = only_vector(*found, 2);
    if (list.failed || !list.length || list.length % 2)
        return false;
    if (!(found = extension(&all, SUPPORTED_GROUPS)) || !has_number(only_vector(*found, 2), groups, group_count))
        return false;
    if (!(found = extension(&all, KEY_SHARE)) || !has_share(*found, groups, group_count))
        return false;
    if ((found = extension(&all, ALPN)) && !speaks_http(*found))
        return false;
    hello->name_length = 0;
    found = extension(&all, SERVER_NAME);
    return !found || host_name(*found, hello);
}

/* Whether the first bytes of the record and of its message can be those of a hello, as far as they have come. */
static bool begins(const uint8_t *in, size_t length)
{
    size_t record = length >= EDGE_TLS_HEADER ? (size_t)in[3] << 8 | in[4] : 4, rest = record - 4;
    const uint8_t message[] = {1, 0, (uint8_t)(rest >> 8), (uint8_t)rest};
    if ((length > 0 && in[0] != 22) || (length > 1 && in[1] != 3) || record < 4 || record > EDGE_TLS_TEXT)
        return false;
    length = length < EDGE_TLS_HEADER ? 0 : length - EDGE_TLS_HEADER;
    return !memcmp(in + EDGE_TLS_HEADER, message, length < 4 ? length : 4);
}

edge_tls_recognition edge_tls_recognise(const uint8_t *in, size_t length, bool hybrid, edge_tls_hello *hello)
{
    if (!begins(in, length))
        return EDGE_TLS_LET_GO;
    if (length < EDGE_TLS_HEADER)
        return EDGE_TLS_INCOMPLETE;
    hello->consumed = EDGE_TLS_HEADER + ((size_t)in[3] << 8 | in[4]);
    if (length < hello->consumed)
        return EDGE_TLS_INCOMPLETE;
    reader message = {in + EDGE_TLS_HEADER + 4, hello->consumed - EDGE_TLS_HEADER - 4, false};
    return is_ours(message, hybrid, hello) ? EDGE_TLS_RECOGNISED : EDGE_TLS_LET_GO;
}
