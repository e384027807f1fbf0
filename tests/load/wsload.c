/* wsload - a cheap single-threaded epoll WebSocket fan-out load generator.
 *
 * Opens N WebSocket connections, optionally sends one subscribe frame on each,
 * receives server frames, and measures counts, rate, delivery latency (from a
 * timestamp inside the payload), per-message spread, the server's CPU time and
 * its memory.  It can publish the messages itself (Redis PUBLISH or HTTP POST),
 * open loop at a fixed rate or closed loop with a window of outstanding
 * messages (which is how "saturated" is measured without a growing backlog).
 *
 * Build:  cc -O2 -DNO_ZLIB -o wsload wsload.c (with zlib, for --deflate: without -DNO_ZLIB, with -lz)
 * Usage:  ./wsload --help
 *
 * Payload convention: somewhere in the text `"t":<ns>` (CLOCK_MONOTONIC, or
 * CLOCK_REALTIME with --clock real) and optionally directly after it
 * `,"s":<sequence>`.  Frames without the key are counted as "other".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifndef NO_ZLIB
#include <zlib.h>
#endif

enum { S_NEW, S_CONNECTING, S_HANDSHAKE, S_OPEN, S_DEAD };

typedef struct {
    int fd, idx;
    uint8_t state, ready;
    uint32_t blen, bcap;      /* leftover bytes of a partial frame */
    uint64_t nframes;         /* timed data frames in the measured window */
    int64_t lastseq;
    unsigned char *buf;
    void *z;
} conn_t;

/* ---- options ---- */
static const char *o_host = "127.0.0.1", *o_path = "/", *o_sub, *o_tkey = "\"t\":";
static const char *o_pubchan, *o_pubpath, *o_tag = "", *o_subproto;
static const char *o_pubprefix = "", *o_ready, *o_again;
static char epoch[64];
static char o_headers[16384];
static int o_port = 8000, o_n = 100, o_inflight = 128, o_sio, o_deflate, o_sample = 1;
static int o_pubport, o_pubmode, o_size = 120, o_coalesce_us, o_idle, o_srcips;
static int o_pubconns = 1, o_rcvbuf;
static double o_settle = 1.0, o_duration = 10.0, o_rate, o_timeout = 60, o_quiet = 2.0, o_warm = 0;
static long o_count, o_window = 8, o_expect;
static clockid_t o_clock = CLOCK_MONOTONIC;
static int o_pids[64], o_npids;
static char o_pubheaders[8192];

/* ---- state ---- */
static conn_t *C;
static int ep, n_open, n_dead, n_hs, n_started, n_ready;
static uint64_t st_appings, st_recovered;
static int measuring;
static uint64_t st_frames, st_bytes, st_other, st_other_bytes, st_errors, st_pings, st_closes,
    st_eof, st_dups, st_recvs, st_deflated, st_wrongseq;
static char first_error[256];
static int64_t t_first, t_last, t_now, t_meas0;
#define SUB 6
#define NB (64 << SUB)
static uint64_t hist[NB], hist_n;
static int64_t hist_max;
static double hist_sum;
static int64_t *m_first, *m_last;
static uint32_t *m_cnt;
static long m_cap, pub_sent, pub_done, pub_acked;
static int64_t pub_late_max;
static uint32_t target_conns;

static int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(o_clock, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
static void err1(const char *fmt, ...) {
    st_errors++;
    if (!first_error[0]) {
        va_list ap;
        __builtin_va_start(ap, fmt);
        vsnprintf(first_error, sizeof first_error, fmt, ap);
        __builtin_va_end(ap);
    }
}
static int hidx(int64_t v) {
    if (v < (1 << SUB)) return v < 0 ? 0 : (int)v;
    int e = 63 - __builtin_clzll((uint64_t)v);
    int i = ((e - SUB + 1) << SUB) + (int)((v >> (e - SUB)) & ((1 << SUB) - 1));
    return i < NB ? i : NB - 1;
}
static double hval(int i) {
    if (i < (1 << SUB)) return i;
    int e = (i >> SUB) + SUB - 1, m = i & ((1 << SUB) - 1);
    return (double)(((int64_t)1 << e) + ((int64_t)m << (e - SUB)) + ((int64_t)1 << (e - SUB)) / 2);
}
static double hpct(double p) {
    if (!hist_n) return -1;
    uint64_t want = (uint64_t)(p / 100.0 * hist_n), c = 0;
    if (want >= hist_n) want = hist_n - 1;
    for (int i = 0; i < NB; i++) {
        c += hist[i];
        if (c > want) return hval(i);
    }
    return hist_max;
}
static void kill_conn(conn_t *c) {
    if (c->state == S_DEAD) return;
    if (c->ready) { n_ready--; c->ready = 0; }
    if (c->state == S_OPEN) n_open--;
    else if (c->state != S_NEW) n_hs--;
    c->state = S_DEAD;
    n_dead++;
    close(c->fd);
    free(c->buf);
    c->buf = NULL;
    c->blen = c->bcap = 0;
}
static int send_all(conn_t *c, const void *p, size_t n) {
    while (n) {
        ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
        if (r < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) { usleep(200); continue; }
            err1("send: %s", strerror(errno));
            return -1;
        }
        p = (const char *)p + r;
        n -= r;
    }
    return 0;
}
static int send_frame(conn_t *c, int op, const unsigned char *p, size_t n) {
    unsigned char h[14 + 65536];
    size_t hl = 0;
    if (n > 65535) return -1;
    h[hl++] = 0x80 | op;
    if (n < 126) h[hl++] = 0x80 | n;
    else { h[hl++] = 0x80 | 126; h[hl++] = n >> 8; h[hl++] = n & 255; }
    uint32_t m = 0x5a3c96e1u ^ (uint32_t)c->idx;
    unsigned char mk[4];
    memcpy(mk, &m, 4);
    memcpy(h + hl, mk, 4);
    hl += 4;
    for (size_t i = 0; i < n; i++) h[hl + i] = p[i] ^ mk[i & 3];
    return send_all(c, h, hl + n);
}
/* first %d is replaced by the connection's index */
static size_t subst(char *out, size_t cap, const char *tpl, long v) {
    const char *q = strstr(tpl, "%d");
    if (!q) return snprintf(out, cap, "%s", tpl);
    return snprintf(out, cap, "%.*s%ld%s", (int)(q - tpl), tpl, v, q + 2);
}
static void start_conn(conn_t *c) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) { err1("socket: %s", strerror(errno)); c->state = S_DEAD; n_dead++; n_started++; return; }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (o_rcvbuf) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &o_rcvbuf, sizeof o_rcvbuf);
    int nsrc = o_srcips ? o_srcips : (o_n + 24999) / 25000;
    if (nsrc > 1) {
        struct sockaddr_in s = {.sin_family = AF_INET};
        setsockopt(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
        s.sin_addr.s_addr = htonl(0x7f000001u + c->idx % nsrc);
        if (bind(fd, (void *)&s, sizeof s) < 0) err1("bind: %s", strerror(errno));
    }
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(o_port)};
    inet_pton(AF_INET, o_host, &a.sin_addr);
    c->fd = fd;
    c->state = S_CONNECTING;
    n_hs++;
    n_started++;
    int r = connect(fd, (void *)&a, sizeof a);
    if (r < 0 && errno != EINPROGRESS) { err1("connect: %s", strerror(errno)); kill_conn(c); return; }
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}
static void send_upgrade(conn_t *c) {
    char b[20480], path[4096];
    subst(path, sizeof path, o_path, c->idx);
    char hdr[16384];
    subst(hdr, sizeof hdr, o_headers, c->idx);
    int n = snprintf(b, sizeof b,
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s%s%s\r\n",
        path, o_host, o_port, o_subproto ? "Sec-WebSocket-Protocol: " : "", o_subproto ? o_subproto : "",
        o_subproto ? "\r\n" : "",
        o_deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "", hdr);
    c->state = S_HANDSHAKE;
    if (send_all(c, b, n) < 0) kill_conn(c);
}
static void opened(conn_t *c) {
    c->state = S_OPEN;
    n_hs--;
    n_open++;
    if (!o_ready) { c->ready = 1; n_ready++; }
    if (o_sub && !o_sio) {
        char b[8192], t[8192];
        const char *e = strstr(o_sub, "%e"); /* the epoch that the first subscription was told */
        if (e) snprintf(t, sizeof t, "%.*s%s%s", (int)(e - o_sub), o_sub, epoch, e + 2);
        else snprintf(t, sizeof t, "%s", o_sub);
        size_t n = subst(b, sizeof b, t, c->idx);
        if (send_frame(c, 1, (unsigned char *)b, n) < 0) kill_conn(c);
    }
}
static inline int64_t parse_int(const unsigned char **pp, const unsigned char *e) {
    const unsigned char *p = *pp;
    int64_t v = 0;
    while (p < e && (*p == ' ')) p++;
    while (p < e && *p >= '0' && *p <= '9') v = v * 10 + (*p++ - '0');
    *pp = p;
    return v;
}
static size_t tkl;
static void on_timed(conn_t *c, int64_t t, int64_t seq, size_t plen) {
    if (!measuring) return;
    st_frames++;
    st_bytes += plen;
    if (!t_first) t_first = t_now;
    t_last = t_now;
    if (t > 0) {
        int64_t d = t_now - t;
        hist[hidx(d)]++;
        hist_n++;
        hist_sum += d;
        if (d > hist_max) hist_max = d;
    }
    if (seq < 0) seq = (int64_t)c->nframes;
    else {
        if (seq <= c->lastseq) st_dups++;
        else if (seq != c->lastseq + 1) st_wrongseq++;
        c->lastseq = seq;
    }
    c->nframes++;
    if (seq < m_cap) {
        if (!m_cnt[seq]) m_first[seq] = t_now;
        m_last[seq] = t_now;
        if (++m_cnt[seq] == target_conns) pub_done++;
    }
}
static void on_payload(conn_t *c, int op, int rsv1, const unsigned char *p, size_t n) {
#ifndef NO_ZLIB
    static unsigned char zb[1 << 20];
    if (rsv1) {
        st_deflated++;
        if (c->idx % o_sample) { on_timed(c, 0, -1, n); return; }
        if (!c->z) { c->z = calloc(1, sizeof(z_stream)); inflateInit2((z_stream *)c->z, -15); }
        z_stream *z = c->z;
        static unsigned char in[1 << 20];
        memcpy(in, p, n);
        memcpy(in + n, "\x00\x00\xff\xff", 4);
        z->next_in = in; z->avail_in = n + 4; z->next_out = zb; z->avail_out = sizeof zb;
        inflate(z, Z_SYNC_FLUSH);
        p = zb;
        n = sizeof zb - z->avail_out;
    }
#endif
    if (o_sio && n) {
        if (p[0] == '0') { send_frame(c, 1, (unsigned char *)"40", 2); return; }
        if (p[0] == '2' && n == 1) { send_frame(c, 1, (unsigned char *)"3", 1); return; }
        if (p[0] == '4' && n > 1 && p[1] == '0') {
            if (o_sub) { char b[8192]; size_t k = subst(b, sizeof b, o_sub, c->idx); send_frame(c, 1, (unsigned char *)b, k); }
            return;
        }
    }
    if (n == 2 && p[0] == '{' && p[1] == '}') { st_appings++; send_frame(c, 1, (unsigned char *)"{}", 2); return; }
    if (!c->ready && o_ready && memmem(p, n, o_ready, strlen(o_ready))) {
        c->ready = 1;
        n_ready++;
        if (memmem(p, n, "\"recovered\":true", 16)) st_recovered++;
        const unsigned char *q = memmem(p, n, "\"epoch\":\"", 9);
        if (q && !epoch[0]) for (size_t i = 0; i < sizeof epoch - 1 && q + 9 + i < p + n && q[9 + i] != '"'; i++) epoch[i] = q[9 + i];
        return;
    }
    size_t look = n < 512 ? n : 512;
    const unsigned char *q = memmem(p, look, o_tkey, tkl);
    if (!q) { st_other++; st_other_bytes += n; return; }
    const unsigned char *e = p + n;
    q += tkl;
    int64_t t = parse_int(&q, e), s = -1;
    while (q < e && (*q == ',' || *q == ' ')) q++;
    if (e - q > 5 && *q == '"' && q[1] == 's' && q[2] == '"' && q[3] == ':') { q += 4; s = parse_int(&q, e); }
    else if (e - q > 7 && *q == '\\' && q[2] == 's' && q[4] == '"' && q[5] == ':') { q += 6; s = parse_int(&q, e); }
    on_timed(c, t, s, n);
}
/* parse as many whole frames as there are; returns bytes consumed, -1 = close */
static ssize_t parse(conn_t *c, const unsigned char *b, size_t n) {
    size_t off = 0;
    while (n - off >= 2) {
        const unsigned char *h = b + off;
        int op = h[0] & 15, rsv1 = h[0] & 0x40;
        size_t hl = 2;
        uint64_t pl = h[1] & 127;
        if (h[1] & 0x80) { err1("masked server frame"); return -1; }
        if (pl == 126) { if (n - off < 4) break; pl = (h[2] << 8) | h[3]; hl = 4; }
        else if (pl == 127) {
            if (n - off < 10) break;
            pl = 0;
            for (int i = 2; i < 10; i++) pl = pl << 8 | h[i];
            hl = 10;
        }
        if (n - off < hl + pl) break;
        const unsigned char *p = h + hl;
        if (op == 1 || op == 2 || op == 0) on_payload(c, op, rsv1, p, pl);
        else if (op == 9) { st_pings++; send_frame(c, 10, p, pl); }
        else if (op == 8) {
            st_closes++;
            if (measuring || 1) err1("close frame code %d: %.*s", pl >= 2 ? (p[0] << 8 | p[1]) : 0, pl > 2 ? (int)(pl - 2) : 0, pl > 2 ? (char *)p + 2 : "");
            return -1;
        }
        off += hl + pl;
    }
    return off;
}
static void stash(conn_t *c, const unsigned char *p, size_t n) {
    if (n > c->bcap) {
        size_t cap = n < 512 ? 512 : n * 2;
        c->buf = realloc(c->buf, cap);
        c->bcap = cap;
    }
    memmove(c->buf, p, n);
    c->blen = n;
}
static unsigned char RB[1 << 20];
static void on_readable(conn_t *c) {
    for (;;) {
        if (c->state == S_DEAD) return;
        size_t pre = c->blen;
        if (pre) memcpy(RB, c->buf, pre);
        size_t room = sizeof RB - pre;
        if (room > 262144) room = 262144;
        ssize_t r = recv(c->fd, RB + pre, room, 0);
        st_recvs++;
        if (r < 0) {
            if (errno == EAGAIN) return;
            if (errno == EINTR) continue;
            err1("recv: %s", strerror(errno));
            kill_conn(c);
            return;
        }
        if (r == 0) { st_eof++; err1("eof in state %d", c->state); kill_conn(c); return; }
        size_t n = pre + r, off = 0;
        c->blen = 0;
        if (c->state == S_HANDSHAKE) {
            unsigned char *e = memmem(RB, n, "\r\n\r\n", 4);
            if (!e) { stash(c, RB, n); if ((size_t)r < room) return; continue; }
            if (n < 12 || memcmp(RB, "HTTP/1.1 101", 12)) {
                RB[n < sizeof RB ? n : sizeof RB - 1] = 0;
                char *nl = strchr((char *)RB, '\r');
                err1("handshake: %.*s", nl ? (int)(nl - (char *)RB) : 80, RB);
                kill_conn(c);
                return;
            }
            if (!o_deflate && memmem(RB, e - RB, "permessage-deflate", 18)) err1("deflate accepted though not offered");
            off = e + 4 - RB;
            opened(c);
            if (c->state == S_DEAD) return;
        }
        ssize_t k = parse(c, RB + off, n - off);
        if (k < 0) { kill_conn(c); return; }
        off += k;
        if (off < n) stash(c, RB + off, n - off);
        if ((size_t)r < room) return; /* edge-triggered: short read = drained */
    }
}
/* ---- server process figures ---- */
static double rd_cpu(void) { /* seconds on CPU of all threads of all pids */
    double s = 0;
    for (int i = 0; i < o_npids; i++) {
        char p[300];
        snprintf(p, sizeof p, "/proc/%d/task", o_pids[i]);
        DIR *d = opendir(p);
        if (!d) continue;
        struct dirent *e;
        while ((e = readdir(d))) {
            if (!isdigit((unsigned char)e->d_name[0])) continue;
            snprintf(p, sizeof p, "/proc/%d/task/%.20s/schedstat", o_pids[i], e->d_name);
            FILE *f = fopen(p, "r");
            unsigned long long ns;
            if (f) { if (fscanf(f, "%llu", &ns) == 1) s += ns / 1e9; fclose(f); }
        }
        closedir(d);
    }
    return s;
}
static void rd_ticks(double *ut, double *st) { /* utime / stime from /proc/pid/stat */
    *ut = *st = 0;
    for (int i = 0; i < o_npids; i++) {
        char p[64], b[2048];
        snprintf(p, sizeof p, "/proc/%d/stat", o_pids[i]);
        FILE *f = fopen(p, "r");
        if (!f) continue;
        size_t n = fread(b, 1, sizeof b - 1, f);
        fclose(f);
        b[n] = 0;
        char *q = strrchr(b, ')');
        unsigned long u, s;
        if (q && sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s) == 2) {
            *ut += u / (double)sysconf(_SC_CLK_TCK);
            *st += s / (double)sysconf(_SC_CLK_TCK);
        }
    }
}
static long rd_rss(void) { /* KiB */
    long s = 0;
    for (int i = 0; i < o_npids; i++) {
        char p[64], l[256];
        long v;
        snprintf(p, sizeof p, "/proc/%d/status", o_pids[i]);
        FILE *f = fopen(p, "r");
        if (!f) continue;
        while (fgets(l, sizeof l, f)) if (sscanf(l, "VmRSS: %ld", &v) == 1) s += v;
        fclose(f);
    }
    return s;
}
static double self_cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6 + r.ru_stime.tv_sec + r.ru_stime.tv_usec / 1e6;
}
/* ---- publisher ---- */
static int pubfd[64], pubbusy[64];
static void pub_connect(void) {
    if (!o_pubmode) return;
    for (int i = 0; i < o_pubconns; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(o_pubport)};
        inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
        pubfd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(pubfd[i], (void *)&a, sizeof a) < 0) { perror("publisher connect"); exit(2); }
        int one = 1;
        setsockopt(pubfd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(pubfd[i], F_SETFL, O_NONBLOCK);
    }
}
static void pub_drain(void) {
    char b[65536];
    for (int i = 0; i < o_pubconns; i++) {
        ssize_t r;
        while ((r = recv(pubfd[i], b, sizeof b - 1, 0)) > 0) {
            b[r] = 0;
            if (o_pubmode == 2) {
                for (char *q = b; (q = strstr(q, "HTTP/1.1 ")); q += 9) {
                    pub_acked++;
                    pubbusy[i] = 0;
                    if (q[9] != '2') err1("publish: %.12s", q);
                }
            } else
                for (ssize_t k = 0; k < r; k++) { if (b[k] == ':') pub_acked++; else if (b[k] == '-') err1("publish: %.60s", b + k); }
        }
        if (r == 0) err1("publisher connection closed");
    }
}
static void pub_write(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t r = send(fd, p, n, MSG_NOSIGNAL);
        if (r < 0) { if (errno == EAGAIN) { pub_drain(); usleep(50); continue; } err1("publish: %s", strerror(errno)); return; }
        p += r;
        n -= r;
    }
}
static char pad[65536];
static int pub_one(long seq, int64_t t) {
    char pl[70000], b[80000];
    int which = 0;
    if (o_pubmode == 2) { /* one request in flight per connection */
        for (which = 0; which < o_pubconns && pubbusy[which]; which++) ;
        if (which == o_pubconns) return 0;
        pubbusy[which] = 1;
    }
    static long place; /* of the publication in its channel, over warm-up and measurement */
    char pre[512];
    subst(pre, sizeof pre, o_pubprefix, place + 1);
    int n = snprintf(pl, sizeof pl, "%s{\"t\":%lld,\"s\":%ld,\"k\":\"view\",\"id\":4711,\"p\":\"", pre, (long long)t, seq);
    int padn = o_size + (int)strlen(pre) - n - 2;
    if (padn < 0) padn = 0;
    memcpy(pl + n, pad, padn);
    n += padn;
    pl[n++] = '"';
    pl[n++] = '}';
    pl[n] = 0;
    int k;
    if (o_pubmode == 1)
        k = snprintf(b, sizeof b, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", strlen(o_pubchan), o_pubchan, n, pl);
    else
        k = snprintf(b, sizeof b, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
                     o_pubpath, o_pubport, n, o_pubheaders, pl);
    place++;
    pub_write(pubfd[which], b, k);
    return 1;
}
static void usage(void) {
    fprintf(stderr,
"wsload [options]\n"
" --port P --host A --path /p   target (a %%d in path, header or --sub is replaced by the connection index)\n"
" --n N               connections (default 100)\n"
" --header 'K: V'     extra request header, repeatable;  --subproto NAME\n"
" --sub TEXT          text frame sent once after open\n"
" --ready TEXT        a connection counts once a frame with this text came (its subscribe reply); %%e in --sub: its epoch\n"
" --again TEXT        after --settle drop all connections at once and connect anew with this --sub; the storm is measured\n"
" --pub-prefix TEXT   written before each payload; %%d is the number of the publication\n"
" --sio               Socket.IO v4 over Engine.IO websocket (answers 0{..} with 40, 2 with 3)\n"
" --deflate           offer permessage-deflate (latency from every --sample'th connection)\n"
" --inflight K        parallel handshakes (128)     --src-ips K  spread over 127.0.0.1..K\n"
" --settle S          wait after the last open before measuring (1.0)\n"
" --duration S        measured time (10)            --timeout S  connect phase limit (60)\n"
" --expect K          stop early when every connection has K frames\n"
" --quiet S           stop early when nothing came for S s after the first frame (2.0)\n"
" --idle              measure only memory of the idle connections\n"
" --coalesce-us U     sleep U us before each epoll_wait (cheaper generator, blurs latency)\n"
" --clock mono|real   clock of the payload's timestamp;  --tkey TEXT (default \"t\":)\n"
" --pid P[,P..]       server process(es): CPU and VmRSS\n"
" --pub redis:PORT:CHANNEL | http:PORT:/path   publish from this process\n"
"   --pub-rate R      messages/s (0 = closed loop: as fast as --pub-window allows)\n"
"   --pub-window W    closed loop: messages not yet received by all connections (8)\n"
"   --pub-count M     stop after M messages (0 = until --duration)\n"
"   --pub-conns K     publisher connections (http: requests in flight)  --pub-header 'K: V'\n"
"   --warm S          publish S seconds (closed loop/at the rate) before counting\n"
"   --size B          payload bytes (120)\n"
" --tag TEXT          copied to the output\n");
    exit(1);
}
static int64_t next_pub;
static int pump_pub(int64_t end) {
    int timeout_us = 100000;
    if (!o_pubmode) return timeout_us;
    pub_drain();
    if (o_rate > 0) {
        int64_t iv = (int64_t)(1e9 / o_rate), t = now_ns();
        while (t >= next_pub && t < end && (!o_count || pub_sent < o_count) && pub_sent < m_cap) {
            int64_t late = t - next_pub;
            if (late > pub_late_max) pub_late_max = late;
            if (!pub_one(pub_sent, t)) break;
            pub_sent++;
            next_pub += iv;
            t = now_ns();
        }
        int64_t d = (next_pub - t) / 1000;
        if (d < timeout_us) timeout_us = d < 0 ? 0 : (int)d;
    } else {
        while (pub_sent - pub_done < o_window && (!o_count || pub_sent < o_count) && pub_sent < m_cap && now_ns() < end) {
            if (!pub_one(pub_sent, now_ns())) break;
            pub_sent++;
        }
        timeout_us = 1000;
    }
    return timeout_us;
}
static void loop_once(int timeout_us) {
    struct epoll_event ev[1024];
    struct timespec ts = {timeout_us / 1000000, (timeout_us % 1000000) * 1000L};
    if (o_coalesce_us && measuring) usleep(o_coalesce_us);
    int k = epoll_pwait2(ep, ev, 1024, &ts, NULL);
    if (k <= 0) return;
    t_now = now_ns();
    for (int i = 0; i < k; i++) {
        conn_t *c = ev[i].data.ptr;
        if (!(i & 15)) t_now = now_ns();
        if (c->state == S_DEAD) continue;
        if (c->state == S_CONNECTING) {
            if (ev[i].events & (EPOLLERR | EPOLLHUP)) {
                int e = 0;
                socklen_t l = sizeof e;
                getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
                err1("connect: %s", strerror(e));
                kill_conn(c);
                continue;
            }
            if (ev[i].events & EPOLLOUT) {
                struct epoll_event e2 = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.ptr = c};
                epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e2);
                send_upgrade(c);
            }
            continue;
        }
        if (ev[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) on_readable(c);
    }
}
static int cmpd(const void *a, const void *b) {
    double x = *(double *)a, y = *(double *)b;
    return x < y ? -1 : x > y;
}
int main(int argc, char **argv) {
    static struct option lo[] = {
        {"port", 1, 0, 'p'}, {"host", 1, 0, 1}, {"path", 1, 0, 2}, {"n", 1, 0, 'n'}, {"header", 1, 0, 3},
        {"sub", 1, 0, 4}, {"sio", 0, 0, 5}, {"deflate", 0, 0, 6}, {"inflight", 1, 0, 7}, {"settle", 1, 0, 8},
        {"duration", 1, 0, 9}, {"timeout", 1, 0, 10}, {"expect", 1, 0, 11}, {"quiet", 1, 0, 12}, {"idle", 0, 0, 13},
        {"coalesce-us", 1, 0, 14}, {"clock", 1, 0, 15}, {"tkey", 1, 0, 16}, {"pid", 1, 0, 17}, {"pub", 1, 0, 18},
        {"pub-rate", 1, 0, 19}, {"pub-window", 1, 0, 20}, {"pub-count", 1, 0, 21}, {"size", 1, 0, 22}, {"tag", 1, 0, 23},
        {"src-ips", 1, 0, 24}, {"sample", 1, 0, 25}, {"subproto", 1, 0, 26}, {"pub-conns", 1, 0, 27}, {"pub-header", 1, 0, 28},
        {"warm", 1, 0, 29}, {"rcvbuf", 1, 0, 30}, {"ready", 1, 0, 31}, {"again", 1, 0, 32}, {"pub-prefix", 1, 0, 33}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    int ch;
    while ((ch = getopt_long(argc, argv, "p:n:h", lo, NULL)) != -1) switch (ch) {
        case 'p': o_port = atoi(optarg); break;
        case 'n': o_n = atoi(optarg); break;
        case 1: o_host = optarg; break;
        case 2: o_path = optarg; break;
        case 3: strncat(o_headers, optarg, sizeof o_headers - strlen(o_headers) - 3); strcat(o_headers, "\r\n"); break;
        case 4: o_sub = optarg; break;
        case 5: o_sio = 1; break;
        case 6: o_deflate = 1; break;
        case 7: o_inflight = atoi(optarg); break;
        case 8: o_settle = atof(optarg); break;
        case 9: o_duration = atof(optarg); break;
        case 10: o_timeout = atof(optarg); break;
        case 11: o_expect = atol(optarg); break;
        case 12: o_quiet = atof(optarg); break;
        case 13: o_idle = 1; break;
        case 14: o_coalesce_us = atoi(optarg); break;
        case 15: o_clock = strcmp(optarg, "real") ? CLOCK_MONOTONIC : CLOCK_REALTIME; break;
        case 16: o_tkey = optarg; break;
        case 17: for (char *t = strtok(optarg, ", "); t && o_npids < 64; t = strtok(NULL, ", ")) o_pids[o_npids++] = atoi(t); break;
        case 18:
            if (!strncmp(optarg, "redis:", 6)) { o_pubmode = 1; o_pubport = atoi(optarg + 6); o_pubchan = strchr(optarg + 6, ':'); if (!o_pubchan) usage(); o_pubchan++; }
            else if (!strncmp(optarg, "http:", 5)) { o_pubmode = 2; o_pubport = atoi(optarg + 5); o_pubpath = strchr(optarg + 5, '/'); if (!o_pubpath) usage(); }
            else usage();
            break;
        case 19: o_rate = atof(optarg); break;
        case 20: o_window = atol(optarg); break;
        case 21: o_count = atol(optarg); break;
        case 22: o_size = atoi(optarg); break;
        case 23: o_tag = optarg; break;
        case 24: o_srcips = atoi(optarg); break;
        case 25: o_sample = atoi(optarg); if (o_sample < 1) o_sample = 1; break;
        case 26: o_subproto = optarg; break;
        case 27: o_pubconns = atoi(optarg); if (o_pubconns > 64) o_pubconns = 64; break;
        case 28: strncat(o_pubheaders, optarg, sizeof o_pubheaders - strlen(o_pubheaders) - 3); strcat(o_pubheaders, "\r\n"); break;
        case 29: o_warm = atof(optarg); break;
        case 30: o_rcvbuf = atoi(optarg); break;
        case 31: o_ready = optarg; break;
        case 32: o_again = optarg; break;
        case 33: o_pubprefix = optarg; break;
        default: usage();
    }
    signal(SIGPIPE, SIG_IGN);
    tkl = strlen(o_tkey);
    memset(pad, 'x', sizeof pad - 1);
    if (o_size > 60000) o_size = 60000;
    struct rlimit rl = {o_n + 4096, o_n + 4096}, cur;
    getrlimit(RLIMIT_NOFILE, &cur);
    if (cur.rlim_cur < rl.rlim_cur) {
        if (rl.rlim_max < cur.rlim_max) rl.rlim_max = cur.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &rl) < 0) { rl.rlim_cur = rl.rlim_max = cur.rlim_max; setrlimit(RLIMIT_NOFILE, &rl); fprintf(stderr, "warning: RLIMIT_NOFILE stays %ld\n", (long)cur.rlim_max); }
    }
    C = calloc(o_n, sizeof *C);
    for (int i = 0; i < o_n; i++) { C[i].idx = i; C[i].lastseq = -1; C[i].fd = -1; }
    m_cap = 1 << 20;
    m_first = calloc(m_cap, 8);
    m_last = calloc(m_cap, 8);
    m_cnt = calloc(m_cap, 4);
    ep = epoll_create1(EPOLL_CLOEXEC);
    long rss0 = rd_rss();
    double conncpu0 = rd_cpu();
    int64_t t0 = now_ns(), lim = t0 + (int64_t)(o_timeout * 1e9);
    int next = 0;
    while ((n_ready + n_dead < o_n) && now_ns() < lim) {
        while (next < o_n && next - n_ready - n_dead < o_inflight) start_conn(&C[next++]);
        loop_once(10000);
    }
    double conn_s = (now_ns() - t0) / 1e9, conncpu = rd_cpu() - conncpu0;
    int connected = n_ready;
    fprintf(stderr, "READY %d\n", connected);
    int64_t e = now_ns() + (int64_t)(o_settle * 1e9);
    while (now_ns() < e) loop_once(20000);
    long rss1 = rd_rss();
    double again_s = 0, again_cpu = 0;
    int again = 0;
    if (o_again && n_open) { /* the recovery storm */
        for (int i = 0; i < o_n; i++) if (C[i].state == S_OPEN) { kill_conn(&C[i]); C[i].state = S_NEW; C[i].lastseq = -1; }
        n_dead = next = 0;
        o_sub = o_again;
        double c0 = rd_cpu();
        int64_t s0 = now_ns();
        lim = s0 + (int64_t)(o_timeout * 1e9);
        while ((n_ready + n_dead < o_n) && now_ns() < lim) {
            while (next < o_n && next - n_ready - n_dead < o_inflight) start_conn(&C[next++]);
            loop_once(10000);
        }
        again_s = (now_ns() - s0) / 1e9;
        again_cpu = rd_cpu() - c0;
        again = n_ready;
    }
    double dt = 0, cpu = 0, ut = 0, stt = 0, gcpu = 0;
    if (!o_idle && n_open) {
        pub_connect();
        target_conns = n_open;
        measuring = 1;
        if (o_warm > 0 && o_pubmode) { /* same traffic, not counted */
            long keep = o_count;
            o_count = 0;
            next_pub = now_ns();
            int64_t wend = now_ns() + (int64_t)(o_warm * 1e9), hard = wend + 5000000000LL;
            while (now_ns() < wend || (pub_done < pub_sent && now_ns() < hard)) loop_once(pump_pub(wend));
            o_count = keep;
            memset(m_first, 0, m_cap * 8); memset(m_last, 0, m_cap * 8); memset(m_cnt, 0, m_cap * 4);
            memset(hist, 0, sizeof hist);
            hist_n = 0; hist_max = 0; hist_sum = 0; pub_sent = pub_done = pub_acked = 0; pub_late_max = 0;
            st_frames = st_bytes = st_other = st_recvs = st_pings = st_dups = st_wrongseq = st_deflated = 0;
            t_first = t_last = 0;
            for (int i = 0; i < o_n; i++) { C[i].nframes = 0; C[i].lastseq = -1; }
            target_conns = n_open;
        }
        double u0, s0, u1, s1;
        rd_ticks(&u0, &s0);
        double c0 = rd_cpu(), g0 = self_cpu();
        t_meas0 = next_pub = now_ns();
        int64_t stop_pub = t_meas0 + (int64_t)(o_duration * 1e9), hard = stop_pub + 10000000000LL;
        if (!o_pubmode) hard = stop_pub;
        for (;;) {
            int to = pump_pub(stop_pub);
            loop_once(to);
            int64_t t = now_ns();
            if (!n_open || t >= hard) break;
            if (o_pubmode) {
                int over = t >= stop_pub || (o_count && pub_sent >= o_count);
                if (over && pub_done >= pub_sent) break;
                if (over && t - (t_last ? t_last : t_meas0) > (int64_t)(o_quiet * 1e9)) break;
                if (!over && t_last && t - t_last > 5000000000LL) { err1("stalled: sent %ld complete %ld", pub_sent, pub_done); break; }
                if (!over && !t_last && t - t_meas0 > 5000000000LL) { err1("no frame came"); break; }
            } else {
                if (o_expect && st_frames >= (uint64_t)o_expect * target_conns) break;
                if (t_first && t - t_last > (int64_t)(o_quiet * 1e9)) break;
            }
        }
        int64_t tend = t_last ? t_last : now_ns();
        cpu = rd_cpu() - c0;
        gcpu = self_cpu() - g0;
        rd_ticks(&u1, &s1);
        ut = u1 - u0;
        stt = s1 - s0;
        dt = (tend - t_meas0) / 1e9;
        if (!o_pubmode && t_first) dt = (t_last - t_first) / 1e9;
    }
    long rss2 = rd_rss();
    double *sp = calloc(m_cap, sizeof *sp);
    long ns = 0, complete = 0;
    for (long i = 0; i < m_cap; i++) if (m_cnt[i]) {
        sp[ns++] = (m_last[i] - m_first[i]) / 1e3;
        if (m_cnt[i] >= target_conns) complete++;
    }
    qsort(sp, ns, sizeof *sp, cmpd);
    long expected = o_pubmode ? pub_sent * (long)target_conns : o_expect * (long)target_conns;
    printf("{\"tag\":\"%s\",\"n\":%d,\"connected\":%d,\"still_open\":%d,\"connect_s\":%.3f,\"connect_rate\":%.0f,\"connect_cpu_us_per_conn\":%.1f,"
           "\"frames\":%llu,\"bytes\":%llu,\"other_frames\":%llu,\"secs\":%.4f,\"frames_per_s\":%.0f,"
           "\"messages\":%ld,\"complete\":%ld,\"published\":%ld,\"lost\":%ld,\"dups\":%llu,\"gaps\":%llu,"
           "\"lat_us\":{\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},"
           "\"spread_us\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},"
           "\"srv_cpu_s\":%.4f,\"srv_cpu_us_per_frame\":%.4f,\"srv_user_s\":%.2f,\"srv_sys_s\":%.2f,\"srv_cpu_pct\":%.1f,"
           "\"gen_cpu_s\":%.3f,\"gen_cpu_pct\":%.1f,\"recvs\":%llu,\"pub_late_max_us\":%.0f,"
           "\"rss_kib\":{\"before\":%ld,\"connected\":%ld,\"after\":%ld,\"per_conn\":%.2f},"
           "\"again\":{\"ready\":%d,\"recovered\":%llu,\"secs\":%.3f,\"cpu_s\":%.3f},\"app_pings\":%llu,"
           "\"pings\":%llu,\"closes\":%llu,\"eofs\":%llu,\"deflated\":%llu,\"errors\":%llu,\"first_error\":\"",
           o_tag, o_n, connected, n_open, conn_s, connected / (conn_s > 0 ? conn_s : 1), connected ? conncpu * 1e6 / connected : 0,
           (unsigned long long)st_frames, (unsigned long long)st_bytes, (unsigned long long)st_other, dt, dt > 0 ? st_frames / dt : 0,
           ns, complete, pub_sent, expected ? expected - (long)st_frames : 0, (unsigned long long)st_dups, (unsigned long long)st_wrongseq,
           hist_n ? hist_sum / hist_n / 1e3 : -1, hpct(50) / 1e3, hpct(90) / 1e3, hpct(99) / 1e3, hpct(99.9) / 1e3, hist_max / 1e3,
           ns ? sp[ns / 2] : -1, ns ? sp[(long)(ns * 0.99)] : -1, ns ? sp[ns - 1] : -1,
           cpu, st_frames ? cpu * 1e6 / st_frames : 0, ut, stt, dt > 0 ? 100 * cpu / dt : 0,
           gcpu, dt > 0 ? 100 * gcpu / dt : 0, (unsigned long long)st_recvs, pub_late_max / 1e3,
           rss0, rss1, rss2, connected ? (double)(rss1 - rss0) / connected : 0,
           again, (unsigned long long)st_recovered, again_s, again_cpu, (unsigned long long)st_appings,
           (unsigned long long)st_pings, (unsigned long long)st_closes, (unsigned long long)st_eof, (unsigned long long)st_deflated,
           (unsigned long long)st_errors);
    for (char *q = first_error; *q; q++) if (*q == '"' || *q == '\\') printf("\\%c", *q); else if ((unsigned char)*q >= 32) putchar(*q);
    printf("\"}\n");
    return connected == o_n ? 0 : 3;
}
