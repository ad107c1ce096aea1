#include "edge_date.h"

#include <string.h>

void edge_format_date(uint64_t unix_seconds, char text[EDGE_DATE_BYTES])
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    uint64_t day = unix_seconds / 86400, second = unix_seconds % 86400;
    /* Years that begin in March put the leap day last (proleptic Gregorian, 400-year eras). */
    uint64_t shifted = day + 719468, era = shifted / 146097, of_era = shifted % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153, of_month = of_year - (153 * month + 2) / 5 + 1;
    year += era * 400 + (month >= 10);
    memcpy(text, days + day % 7 * 3, 3);
    memcpy(text + 3, ", 00 ", 5);
    text[5] = (char)('0' + of_month / 10);
    text[6] = (char)('0' + of_month % 10);
    memcpy(text + 8, months + month * 3, 3);
    text[11] = ' ';
    for (int i = 15; i > 11; i--, year /= 10)
        text[i] = (char)('0' + year % 10);
    text[16] = ' ';
    uint64_t parts[3] = {second / 3600, second / 60 % 60, second % 60};
    for (int i = 0; i < 3; i++) {
        text[17 + 3 * i] = (char)('0' + parts[i] / 10);
        text[18 + 3 * i] = (char)('0' + parts[i] % 10);
        text[19 + 3 * i] = ':';
    }
    memcpy(text + 25, " GMT", 4);
}
