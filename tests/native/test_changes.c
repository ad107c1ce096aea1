/* What has changed since a state: examples, and that no history and no state makes it read or write beyond. */
#include "check.h"

#define HISTORY "aaaaaa5.bbbbbb1\naaaaaa1.bbbbbb\naaaaaa5 /x\nbbbbbb1 /y\naaaaaa3 /z\n"

/* The answer, in guarded memory of exactly the size that it may take; NULL: nothing has changed. */
static char *since(const char *history, size_t length, const char *asked, size_t asked_length, char *text)
{
    static uint8_t nothing[EDGE_HISTORY_BYTES + 2];
    uint8_t *before = guarded(history, length), *question = guarded(asked, asked_length);
    uint8_t *room = guarded(nothing, length + 2);
    uint8_t *end = edge_changes_since((edge_span){before, length}, (edge_span){question, asked_length},
                                      (edge_span){question, 0}, room);
    if (end) {
        memcpy(text, room, (size_t)(end - room));
        text[end - room] = 0;
    }
    unguard(before, length);
    unguard(question, asked_length);
    unguard(room, length + 2);
    return end ? text : NULL;
}

static void test_examples(void)
{
    static const struct {
        const char *asked, *answer;
    } examples[] = {
        {"aaaaaa5.bbbbbb1", NULL},
        {"aaaaaa4.bbbbbb1", "aaaaaa5.bbbbbb1\n/x\n"},
        {"aaaaaa5", "aaaaaa5.bbbbbb1\n/y\n"},
        {"aaaaaa1", "aaaaaa5.bbbbbb1\n/x\n/y\n/z\n"},
        {"aaaaaa6.bbbbbb1", "?\n"},
        {"aaaaaa5.bbbbbb1.cccccc1", "?\n"},
        {"bbbbbb1", "?\n"},
        {"bbbbbb1.aaaaaa5", "?\n"},
        {"aaaaaa", "?\n"},
        {"", "?\n"},
    };
    char text[EDGE_HISTORY_BYTES + 3];
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const char *asked = examples[i].asked, *answer = examples[i].answer;
        char *told = since(HISTORY, sizeof HISTORY - 1, asked, strlen(asked), text);
        check(told && answer ? !strcmp(told, answer) : !told && !answer, "since \"%s\" it is told what has changed", asked);
    }
}

static void test_the_query_names_a_state(void)
{
    edge_span asked;
    const char target[] = "/.edge/changes?since=abc&~etag=x", none[] = "/.edge/changes?x&since=abc";
    check(edge_changes_asked((edge_span){(const uint8_t *)target, sizeof target - 1}, &asked) && asked.length == 3
              && !memcmp(asked.bytes, "abc", 3),
          "the state is found in the query");
    check(!edge_changes_asked((edge_span){(const uint8_t *)none, sizeof none - 1}, &asked),
          "it is the first parameter, or none");
}

static void test_nothing_is_read_or_written_beyond(void)
{
    static const char pieces[][12] = {"aaaaaa5", "bbbbbb", "\n", ".", " ", "/x", "zzzzzzzzzzz", "-", "?", "\0", "cccccc-1", "."};
    char history[600], asked[200], text[EDGE_HISTORY_BYTES + 3];
    unsigned told = 0;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        size_t length = 0, asked_length = 0;
        for (int i = rand() % 40; i > 0; i--) {
            const char *piece = pieces[(unsigned)rand() % (sizeof pieces / sizeof *pieces)];
            size_t size = *piece ? strlen(piece) : 1;
            memcpy(history + length, piece, size);
            length += size;
        }
        for (int i = rand() % 10; i > 0; i--) {
            const char *piece = pieces[(unsigned)rand() % (sizeof pieces / sizeof *pieces)];
            size_t size = *piece ? strlen(piece) : 1;
            memcpy(asked + asked_length, piece, size);
            asked_length += size;
        }
        if (round & 1) { /* one that may be answered */
            memcpy(history, HISTORY, sizeof HISTORY - 1);
            length = length > sizeof HISTORY - 1 ? length : sizeof HISTORY - 1;
        }
        told += since(history, length, asked, asked_length, text) != NULL;
    }
    check(told > 0, "random histories and states are answered within their bytes");
}

int main(void)
{
    test_examples();
    test_the_query_names_a_state();
    test_nothing_is_read_or_written_beyond();
    return check_failures != 0;
}
