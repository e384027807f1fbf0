/* The one loop that Python is too slow for: send the same bytes to many sockets.
 *
 * Built by the package (an optional extension) or by `make`, loaded with ctypes; without it the same
 * loop runs in Python. It never waits: what a socket does not take at once is reported back. */
#include <errno.h>
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* cells[slot] is a descriptor, or -1 for "not by this way". Places (indices into slots) that did not
 * take everything go to short_at, with the bytes taken (-1: broken) in taken. Returns their count. */
int fanout_send(const int *cells, const int *slots, int count, const char *data, long size,
                int *short_at, long *taken) {
    int shorts = 0;
    for (int i = 0; i < count; i++) {
        int fd = cells[slots[i]];
        long sent = 0;
        if (fd >= 0) {
            do sent = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
            while (sent < 0 && errno == EINTR);
            if (sent == size) continue;
            if (sent < 0) sent = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
        }
        short_at[shorts] = i;
        taken[shorts++] = sent;
    }
    return shorts;
}
