/* Stands between the server and the system calls on which durability rests: an LD_PRELOAD library that records them in
 * their order, makes one of them fail, and moves the clock.
 *
 * SHIM_ROOT  the folder whose files count
 * SHIM_SYNC_MICROSECONDS  how much longer each fsync takes, as on a real disk, so that commits meet
 * SHIM_LOG   the file to write, one line per event, fields separated by tabs
 * SHIM_DATA  the file for what is written; calls are made one after the other then, and a line that ends a call says
 *            of which file: "inode", of a write "inode:at:length:where in SHIM_DATA", of a truncation "inode:length"
 * SHIM_CONTROL  a file of 512 bytes that the test writes while the server runs, `struct control` below
 *
 *   B  7  fsync   /data/blobs/sha256/ab          a call begins, on thread 7
 *   E  7  fsync   /data/blobs/sha256/ab          it has ended well (one that failed is E! and the errno)
 *   B  7  rename  /data/tmp/7-3   /data/blobs/sha256/ab/ab12….x
 *   B  9  write   /data/keeper.db-wal  mark-000012,mark-000013    the marks in what is written
 *   B  8  send    53412   HTTP/1.1 201 Created   the peer's port and the first line
 *
 * "a ended before b began" is thus "the line E a comes before the line B b": each line is one write to a file
 * opened with O_APPEND, which the kernel puts in order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE 5000
#define MARK "mark-"
/* mark-000012-000012: its number is there twice, for in a page of the database one piece of an older state may
 * stand right before a piece of another, and "mark-00001" before a 2 is no mark. */
#define DIGITS 6
#define SHORT_MARK (sizeof MARK - 1 + DIGITS)
#define WHOLE_MARK (SHORT_MARK + 1 + DIGITS)

/* What the test asks for, and what became of it. */
struct control {
    int64_t countdown; /* the call that fails: 1 is the next one, 0 none, -1 each */
    int64_t error;     /* its errno; SHORT: a write that does half of its work */
    int64_t failed;    /* calls that have failed */
    int64_t clock;     /* seconds by which the wall clock is wrong */
    char what[400];    /* the last one that failed: call and path */
};
#define SHORT (-1)

static int log_file = -1, data_file = -1;
static char root[1024];
static long sync_microseconds;
static struct control *control;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("SHIM_LOG"), *folder = getenv("SHIM_ROOT"), *wait = getenv("SHIM_SYNC_MICROSECONDS");
    const char *data = getenv("SHIM_DATA"), *asked = getenv("SHIM_CONTROL");
    int kept = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    if (folder) snprintf(root, sizeof root, "%s", folder);
    sync_microseconds = wait ? atol(wait) : 0;
    if (log) log_file = (int)syscall(SYS_openat, AT_FDCWD, log, kept, 0600);
    if (data) data_file = (int)syscall(SYS_openat, AT_FDCWD, data, kept, 0600);
    if (asked) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, asked, O_RDWR | O_CLOEXEC, 0);
        control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (control == MAP_FAILED) abort();
        close(file);
    }
}

/* Whether this call is the one that fails; its errno is set then. */
static int fails(const char *call, const char *path) {
    int64_t left = control ? __atomic_load_n(&control->countdown, __ATOMIC_SEQ_CST) : 0;
    do {
        if (left == 0) return 0;
    } while (left > 0 && !__atomic_compare_exchange_n(&control->countdown, &left, left - 1, 0, __ATOMIC_SEQ_CST,
                                                      __ATOMIC_SEQ_CST));
    if (left > 1) return 0;
    if (control->error == SHORT && strcmp(call, "write") != 0) return 0;
    snprintf(control->what, sizeof control->what, "%s %s", call, path);
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = (int)control->error;
    return 1;
}

/* One call after the other, so that their order in the log is the one in which they were carried out. */
static void enter(void) {
    if (data_file >= 0) pthread_mutex_lock(&turn);
}

static void leave(void) {
    int kept = errno;
    if (data_file >= 0) pthread_mutex_unlock(&turn);
    errno = kept;
}

static void line(const char *phase, const char *call, const char *first, const char *second) {
    if (log_file < 0) return;
    int kept = errno;
    char text[LINE];
    long thread = syscall(SYS_gettid);
    int length = snprintf(text, sizeof text, "%s\t%ld\t%s\t%s\t%s\n", phase, thread, call, first, second);
    if (length >= (int)sizeof text) length = sizeof text - 1, text[length - 1] = '\n';
    if (syscall(SYS_write, log_file, text, length) != length) abort();
    errno = kept;
}

static void ended(long result, const char *call, const char *first, const char *second) {
    char failed[32];
    snprintf(failed, sizeof failed, "E!%d", errno);
    line(result < 0 ? failed : "E", call, first, second);
}

static int counts(const char *path) {
    size_t length = strlen(root);
    return length && strncmp(path, root, length) == 0 && (path[length] == 0 || path[length] == '/');
}

/* The number of a file, for the log. */
static void name_file(int descriptor, char *text, size_t size) {
    struct stat facts;
    int kept = errno;
    text[0] = 0;
    if (data_file >= 0 && descriptor >= 0 && fstat(descriptor, &facts) == 0)
        snprintf(text, size, "%llu", (unsigned long long)facts.st_ino);
    errno = kept;
}

/* Keeps what a write has written, which began there. */
static void keep_data(int descriptor, const struct iovec *parts, ssize_t length, off_t at, char *text, size_t size) {
    if (data_file < 0 || length <= 0) return;
    int kept = errno;
    char file[32];
    name_file(descriptor, file, sizeof file);
    off_t where = lseek(data_file, 0, SEEK_END);
    snprintf(text, size, "%s:%lld:%zd:%lld", file, (long long)at, length, (long long)where);
    for (int i = 0; length > 0; i++) {
        ssize_t part = (ssize_t)parts[i].iov_len < length ? (ssize_t)parts[i].iov_len : length;
        if (syscall(SYS_write, data_file, parts[i].iov_base, part) != part) abort();
        length -= part;
    }
    errno = kept;
}

/* The path of a descriptor, if it is a file that counts. */
static int path_of(int descriptor, char *path, size_t size) {
    char link[64];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = root[0] ? readlink(link, path, size - 1) : -1;
    errno = kept;
    if (length < 0) return 0;
    path[length] = 0;
    return counts(path);
}

/* The marks in some bytes, separated by commas. */
static void find_marks(const struct iovec *parts, int count, char *found, size_t size) {
    size_t used = 0;
    found[0] = 0;
    for (int i = 0; i < count; i++) {
        const char *at = parts[i].iov_base, *end = at + parts[i].iov_len;
        while ((at = memmem(at, end - at, MARK, strlen(MARK))) && end - at >= (long)WHOLE_MARK) {
            const char *number = at + strlen(MARK);
            if (number[DIGITS] == '-' && memcmp(number, number + DIGITS + 1, DIGITS) == 0) {
                if (used + SHORT_MARK + 2 > size) abort();
                used += snprintf(found + used, size - used, "%s%.*s", used ? "," : "", (int)SHORT_MARK, at);
            }
            at = number;
        }
    }
}

/* The peer's port and the first line, if these bytes go to a socket and begin an answer. */
static void note_answer(int descriptor, const struct iovec *parts, int count) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int kept = errno;
    if (log_file >= 0 && count > 0 && parts[0].iov_len > 5 && memcmp(parts[0].iov_base, "HTTP/", 5) == 0
        && getpeername(descriptor, (struct sockaddr *)&peer, &size) == 0) {
        char port[16], first[64];
        in_port_t number = peer.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&peer)->sin6_port
                                                      : ((struct sockaddr_in *)&peer)->sin_port;
        snprintf(port, sizeof port, "%u", ntohs(number));
        const char *start = parts[0].iov_base, *end = memchr(start, '\r', parts[0].iov_len);
        snprintf(first, sizeof first, "%.*s", end ? (int)(end - start) : 5, start);
        line("B", "send", port, first);
    }
    errno = kept;
}

#define NEXT(type, name, ...)                                                                                          \
    static type (*next)(__VA_ARGS__);                                                                                  \
    if (!next) next = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* A write of any kind: to a file that counts, or of an answer to a socket. `call` writes, `half` the half of it. */
#define WRITE(descriptor, parts, count, at, call, half)                                                                \
    do {                                                                                                               \
        char path[1100], marks[3500];                                                                                  \
        int is_ours = path_of(descriptor, path, sizeof path);                                                          \
        if (!is_ours) {                                                                                                \
            note_answer(descriptor, parts, count);                                                                     \
            return call;                                                                                               \
        }                                                                                                              \
        enter();                                                                                                       \
        find_marks(parts, count, marks, sizeof marks);                                                                 \
        line("B", "write", path, marks);                                                                               \
        off_t begin = data_file < 0 ? 0 : at;                                                                          \
        int is_failing = fails("write", path);                                                                         \
        ssize_t result = !is_failing ? call : control->error == SHORT ? half : -1;                                     \
        keep_data(descriptor, parts, result, begin, marks, sizeof marks);                                              \
        ended(result, "write", path, marks);                                                                           \
        leave();                                                                                                       \
        return result;                                                                                                 \
    } while (0)

#define ONE(buffer, size) (&(struct iovec){(void *)(buffer), size})
#define HERE(descriptor) lseek(descriptor, 0, SEEK_CUR)
#define HALF(size) (((size) + 1) / 2)

ssize_t write(int descriptor, const void *buffer, size_t size) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    WRITE(descriptor, ONE(buffer, size), 1, HERE(descriptor), next(descriptor, buffer, size),
          next(descriptor, buffer, HALF(size)));
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    WRITE(descriptor, parts, count, HERE(descriptor), next(descriptor, parts, count),
          next(descriptor, ONE(parts[0].iov_base, HALF(parts[0].iov_len)), 1));
}

#define PWRITE(name)                                                                                                   \
    ssize_t name(int descriptor, const void *buffer, size_t size, off_t at) {                                          \
        NEXT(ssize_t, #name, int, const void *, size_t, off_t);                                                        \
        WRITE(descriptor, ONE(buffer, size), 1, at, next(descriptor, buffer, size, at),                                \
              next(descriptor, buffer, HALF(size), at));                                                               \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PWRITEV(name)                                                                                                  \
    ssize_t name(int descriptor, const struct iovec *parts, int count, off_t at) {                                     \
        NEXT(ssize_t, #name, int, const struct iovec *, int, off_t);                                                   \
        WRITE(descriptor, parts, count, at, next(descriptor, parts, count, at),                                        \
              next(descriptor, ONE(parts[0].iov_base, HALF(parts[0].iov_len)), 1, at));                                \
    }
PWRITEV(pwritev)
PWRITEV(pwritev64)

ssize_t send(int descriptor, const void *buffer, size_t size, int flags) {
    NEXT(ssize_t, "send", int, const void *, size_t, int);
    note_answer(descriptor, ONE(buffer, size), 1);
    return next(descriptor, buffer, size, flags);
}

ssize_t sendto(int descriptor, const void *buffer, size_t size, int flags, const struct sockaddr *to, socklen_t long_) {
    NEXT(ssize_t, "sendto", int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    note_answer(descriptor, ONE(buffer, size), 1);
    return next(descriptor, buffer, size, flags, to, long_);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    NEXT(ssize_t, "sendmsg", int, const struct msghdr *, int);
    note_answer(descriptor, message->msg_iov, (int)message->msg_iovlen);
    return next(descriptor, message, flags);
}

#define SYNC(name)                                                                                                     \
    int name(int descriptor) {                                                                                         \
        NEXT(int, #name, int);                                                                                         \
        char path[1100], file[32];                                                                                     \
        if (!path_of(descriptor, path, sizeof path)) return next(descriptor);                                          \
        enter();                                                                                                       \
        line("B", "fsync", path, "");                                                                                  \
        if (sync_microseconds) nanosleep(&(struct timespec){0, sync_microseconds * 1000}, NULL);                       \
        int result = fails("fsync", path) ? -1 : next(descriptor);                                                     \
        name_file(descriptor, file, sizeof file);                                                                      \
        ended(result, "fsync", path, file);                                                                            \
        leave();                                                                                                       \
        return result;                                                                                                 \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name)                                                                                                 \
    int name(int descriptor, off_t length) {                                                                           \
        NEXT(int, #name, int, off_t);                                                                                  \
        char path[1100], file[32], facts[64];                                                                          \
        if (!path_of(descriptor, path, sizeof path)) return next(descriptor, length);                                  \
        enter();                                                                                                       \
        line("B", "truncate", path, "");                                                                               \
        int result = fails("truncate", path) ? -1 : next(descriptor, length);                                          \
        name_file(descriptor, file, sizeof file);                                                                      \
        snprintf(facts, sizeof facts, "%s:%lld", file, (long long)length);                                             \
        ended(result, "truncate", path, facts);                                                                        \
        leave();                                                                                                       \
        return result;                                                                                                 \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/* Names: relative ones would not be recognised, and the server uses none. */
#define NAMES(call, from, to, done)                                                                                    \
    do {                                                                                                               \
        if (!counts(from) && !counts(to)) return done;                                                                 \
        enter();                                                                                                       \
        line("B", call, from, to);                                                                                     \
        int result = fails(call, from) ? -1 : done;                                                                    \
        ended(result, call, from, to);                                                                                 \
        leave();                                                                                                       \
        return result;                                                                                                 \
    } while (0)

int rename(const char *from, const char *to) {
    NEXT(int, "rename", const char *, const char *);
    NAMES("rename", from, to, next(from, to));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    NEXT(int, "renameat", int, const char *, int, const char *);
    NAMES("rename", from, to, next(from_folder, from, to_folder, to));
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags) {
    NEXT(int, "renameat2", int, const char *, int, const char *, unsigned int);
    NAMES("rename", from, to, next(from_folder, from, to_folder, to, flags));
}

int link(const char *from, const char *to) {
    NEXT(int, "link", const char *, const char *);
    NAMES("link", from, to, next(from, to));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    NEXT(int, "linkat", int, const char *, int, const char *, int);
    NAMES("link", from, to, next(from_folder, from, to_folder, to, flags));
}

int unlink(const char *path) {
    NEXT(int, "unlink", const char *);
    NAMES("unlink", path, "", next(path));
}

int unlinkat(int folder, const char *path, int flags) {
    NEXT(int, "unlinkat", int, const char *, int);
    NAMES("unlink", path, "", next(folder, path, flags));
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        NEXT(int, #name, const char *, int, mode_t);                                                                   \
        MODE(flags, mode)                                                                                              \
        char file[32];                                                                                                 \
        if (!counts(path) || !(flags & (O_CREAT | O_TRUNC))) return next(path, flags, mode);                           \
        enter();                                                                                                       \
        line("B", "open", path, "");                                                                                   \
        int result = fails("open", path) ? -1 : next(path, flags, mode);                                               \
        name_file(result, file, sizeof file);                                                                          \
        ended(result, "open", path, file);                                                                             \
        leave();                                                                                                       \
        return result;                                                                                                 \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...) {                                                           \
        NEXT(int, #name, int, const char *, int, mode_t);                                                              \
        MODE(flags, mode)                                                                                              \
        char file[32];                                                                                                 \
        if (!counts(path) || !(flags & (O_CREAT | O_TRUNC))) return next(folder, path, flags, mode);                   \
        enter();                                                                                                       \
        line("B", "open", path, "");                                                                                   \
        int result = fails("open", path) ? -1 : next(folder, path, flags, mode);                                       \
        name_file(result, file, sizeof file);                                                                          \
        ended(result, "open", path, file);                                                                             \
        leave();                                                                                                       \
        return result;                                                                                                 \
    }
OPENAT(openat)
OPENAT(openat64)

/* The wall clock as the test wants it. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    NEXT(int, "clock_gettime", clockid_t, struct timespec *);
    int result = next(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && control) now->tv_sec += control->clock;
    return result;
}
