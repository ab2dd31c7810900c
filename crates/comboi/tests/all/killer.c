/* Preloaded into the program under test: kills the process with SIGKILL at the Nth change of the file system's
 * names, before it (KILL_WHEN=before) or after it (KILL_WHEN=after). With KILL_AT=0 it only counts, into KILL_COUNT. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int calls;

/* Files on their way into the lake are nobody's: only what is written for good counts. */
static int due(const char *path) {
    const char *at = getenv("KILL_AT");
    if (!at || !path || strstr(path, "/scratch/") || strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/tmp/.tmp", 9) != 0) return 0;
    return atomic_fetch_add(&calls, 1) + 1 == atoi(at);
}

static void die(const char *when, int now) {
    const char *wanted = getenv("KILL_WHEN");
    if (now && wanted && strcmp(wanted, when) == 0) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("KILL_COUNT");
    if (!path) return;
    FILE *file = fopen(path, "w");
    if (file) {
        fprintf(file, "%d", atomic_load(&calls));
        fclose(file);
    }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define AROUND(path, call)          \
    do {                            \
        int now = due(path);        \
        die("before", now);         \
        int result = (call);        \
        die("after", now);          \
        return result;              \
    } while (0)

int link(const char *a, const char *b) { AROUND(b, REAL(link)(a, b)); }
int linkat(int d, const char *a, int e, const char *b, int f) { AROUND(b, REAL(linkat)(d, a, e, b, f)); }
int rename(const char *a, const char *b) { AROUND(b, REAL(rename)(a, b)); }
int renameat(int d, const char *a, int e, const char *b) { AROUND(b, REAL(renameat)(d, a, e, b)); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { AROUND(b, REAL(renameat2)(d, a, e, b, f)); }
int unlink(const char *a) { AROUND(a, REAL(unlink)(a)); }
int unlinkat(int d, const char *a, int f) {
    /* A folder is removed with what is in it by names below open folders. */
    char link[64], path[4096];
    ssize_t length = 0;
    if (d >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", d);
        length = readlink(link, path, sizeof path / 2);
    }
    if (length > 0) snprintf(path + length, sizeof path - length, "/%s", a);
    AROUND(length > 0 ? path : a, REAL(unlinkat)(d, a, f));
}
int mkdir(const char *a, mode_t m) { AROUND(a, REAL(mkdir)(a, m)); }

static mode_t mode_of(int flags, va_list rest) { return flags & O_CREAT ? va_arg(rest, mode_t) : 0; }

#define OPEN(name)                                                       \
    int name(const char *path, int flags, ...) {                         \
        va_list rest;                                                    \
        va_start(rest, flags);                                           \
        mode_t mode = mode_of(flags, rest);                              \
        va_end(rest);                                                    \
        if (!(flags & O_CREAT)) return REAL(name)(path, flags, mode);    \
        AROUND(path, REAL(name)(path, flags, mode));                      \
    }
#define OPENAT(name)                                                     \
    int name(int folder, const char *path, int flags, ...) {             \
        va_list rest;                                                    \
        va_start(rest, flags);                                           \
        mode_t mode = mode_of(flags, rest);                              \
        va_end(rest);                                                    \
        if (!(flags & O_CREAT)) return REAL(name)(folder, path, flags, mode); \
        AROUND(path, REAL(name)(folder, path, flags, mode));              \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
