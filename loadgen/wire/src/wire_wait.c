#include "wire_wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int wire_epoll_wait(int epoll, struct epoll_event *events, int most, int64_t wait)
{
    if (wait <= 0)
        return epoll_wait(epoll, events, most, 0);
#ifdef SYS_epoll_pwait2
    static int missing;
    if (!missing) {
        struct timespec time = {wait / 1000000000, wait % 1000000000};
        int n = (int)syscall(SYS_epoll_pwait2, epoll, events, most, &time, NULL, 0);
        if (n >= 0 || errno != ENOSYS)
            return n;
        missing = 1; /* Linux before 5.11 */
    }
#endif
    /* The rest of a millisecond is spent asking. */
    int64_t milliseconds = wait / 1000000;
    return epoll_wait(epoll, events, most, milliseconds > 1000 ? 1000 : (int)milliseconds);
}
