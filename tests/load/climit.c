/* climit: the physical limit - a C epoll websocket server which subscribes to a
 * Redis channel and write()s one prebuilt frame to every connected socket.
 * usage: climit PORT REDIS_PORT CHANNEL MODE     MODE: w (send per conn per message)
 *   wb (messages that arrived together become one send) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#define MAXC 65536
static int fds[MAXC], nfd, pos[MAXC * 2];
static unsigned char up[MAXC * 2];
static int ep, rfd, lfd, batch;
static char rb[1 << 22], frame[1 << 22];
static size_t rl;
static void drop(int fd) {
    if (up[fd]) { int p = pos[fd]; fds[p] = fds[--nfd]; pos[fds[p]] = p; up[fd] = 0; }
    close(fd);
}
static void fan(const char *b, size_t n) {
    for (int i = 0; i < nfd; i++) {
        ssize_t r = send(fds[i], b, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r != (ssize_t)n) fprintf(stderr, "short write %zd errno %d\n", r, errno);
    }
}
static size_t put_frame(char *o, const char *p, size_t n) {
    size_t h = 2;
    o[0] = 0x81;
    if (n < 126) o[1] = n;
    else { o[1] = 126; o[2] = n >> 8; o[3] = n & 255; h = 4; }
    memcpy(o + h, p, n);
    return h + n;
}
static void redis_in(void) {
    ssize_t r = recv(rfd, rb + rl, sizeof rb - rl, MSG_DONTWAIT);
    if (r <= 0) { if (r == 0) exit(0); return; }
    rl += r;
    size_t off = 0, fl = 0;
    for (;;) { /* *3 $7 message $n chan $m payload */
        char *p = rb + off, *e = rb + rl;
        if (e - p < 4 || *p != '*') break;
        char *q = p, *arg[3];
        long len[3];
        int ok = 1, k = 0;
        q = memchr(q, '\n', e - q);
        if (!q) break;
        q++;
        for (k = 0; k < 3; k++) {
            if (q >= e) { ok = 0; break; }
            char *nl = memchr(q, '\n', e - q);
            if (!nl) { ok = 0; break; }
            if (*q == ':') { arg[k] = q; len[k] = 0; q = nl + 1; continue; }
            len[k] = atol(q + 1);
            arg[k] = nl + 1;
            if (e - arg[k] < len[k] + 2) { ok = 0; break; }
            q = arg[k] + len[k] + 2;
        }
        if (!ok) break;
        off = q - rb;
        if (len[0] == 7) {
            fl += put_frame(frame + fl, arg[2], len[2]);
            if (!batch) { fan(frame, fl); fl = 0; }
        }
    }
    if (fl) fan(frame, fl);
    memmove(rb, rb + off, rl - off);
    rl -= off;
}
int main(int c, char **v) {
    int port = atoi(v[1]), rport = atoi(v[2]), one = 1;
    batch = strchr(v[4], 'b') != 0;
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl_ = {200000, 200000};
    setrlimit(RLIMIT_NOFILE, &rl_);
    ep = epoll_create1(0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(rport)};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    rfd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(rfd, (void *)&a, sizeof a)) { perror("redis"); return 1; }
    char cmd[256];
    int n = snprintf(cmd, sizeof cmd, "*2\r\n$9\r\nSUBSCRIBE\r\n$%zu\r\n%s\r\n", strlen(v[3]), v[3]);
    if (write(rfd, cmd, n) != n) return 1;
    lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    a.sin_port = htons(port);
    if (bind(lfd, (void *)&a, sizeof a) || listen(lfd, 4096)) { perror("bind"); return 1; }
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = lfd}, evs[512];
    epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &ev);
    ev.data.fd = rfd;
    epoll_ctl(ep, EPOLL_CTL_ADD, rfd, &ev);
    for (;;) {
        int k = epoll_wait(ep, evs, 512, -1);
        for (int i = 0; i < k; i++) {
            int fd = evs[i].data.fd;
            if (fd == rfd) redis_in();
            else if (fd == lfd) {
                int s;
                while ((s = accept4(lfd, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    ev.data.fd = s;
                    ev.events = EPOLLIN;
                    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
                }
            } else {
                static char b[65536];
                ssize_t r = recv(fd, b, sizeof b - 1, MSG_DONTWAIT);
                if (r <= 0) { if (r == 0 || errno != EAGAIN) drop(fd); continue; }
                b[r] = 0;
                if (!up[fd] && strstr(b, "\r\n\r\n")) {
                    static const char *ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                    if (send(fd, ok, strlen(ok), MSG_NOSIGNAL) < 0) { drop(fd); continue; }
                    up[fd] = 1;
                    pos[fd] = nfd;
                    fds[nfd++] = fd;
                }
            }
        }
    }
}
