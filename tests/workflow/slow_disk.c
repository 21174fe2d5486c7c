/* A network disk for one folder, preloaded into every process of a run.

   Below SLOW_ROOT, each look-up of a name takes SLOW_MS milliseconds, and times are multiples of
   SLOW_SECONDS seconds. Once a process has looked up a name, it sees the same size and time, or the
   same absence, for SLOW_STALE milliseconds, whatever other processes do, unless it opens or changes
   the file itself. When a process ends, it appends its number of look-ups and its command to
   SLOW_COUNTS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 65536
struct seen { unsigned long name; long until; int missing; struct stat status; };
static struct seen table[2][SLOTS]; /* of the targets of links, and of links themselves */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static long lookups;

static long number(const char *name) { const char *v = getenv(name); return v ? atol(v) : 0; }
static long now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000 + t.tv_nsec / 1000000; }

/* Return the key of a name below the root, after the time of a look-up; 0 for other names. */
static unsigned long slow(int at, const char *path) {
    char whole[2 * PATH_MAX], here[PATH_MAX];
    const char *root = getenv("SLOW_ROOT");
    if (!root || !path || (path[0] != '/' && at != AT_FDCWD)) return 0;
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else if (getcwd(here, sizeof here)) snprintf(whole, sizeof whole, "%s/%s", here, path);
    else return 0;
    size_t n = strlen(root);
    if (strncmp(whole, root, n) || (whole[n] && whole[n] != '/')) return 0;
    long ms = number("SLOW_MS");
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    int before = errno;
    nanosleep(&pause, NULL);
    errno = before;
    __sync_fetch_and_add(&lookups, 1);
    unsigned long key = 5381;
    for (const char *c = whole; *c; c++) key = key * 33 + (unsigned char)*c;
    return key | 1;
}

static void forget(unsigned long key) {
    pthread_mutex_lock(&turn);
    for (int link = 0; link < 2; link++) table[link][key % SLOTS].until = 0;
    pthread_mutex_unlock(&turn);
}

static void coarse(struct stat *status) {
    long unit = number("SLOW_SECONDS");
    if (unit && S_ISREG(status->st_mode)) {
        status->st_mtim.tv_sec -= status->st_mtim.tv_sec % unit, status->st_mtim.tv_nsec = 0;
        status->st_ctim.tv_sec -= status->st_ctim.tv_sec % unit, status->st_ctim.tv_nsec = 0;
    }
}

static int look(int at, const char *path, struct stat *status, int flags) {
    static int (*real)(int, const char *, struct stat *, int);
    if (!real) real = dlsym(RTLD_NEXT, "fstatat");
    unsigned long key = slow(at, path);
    struct seen *own = &table[!!(flags & AT_SYMLINK_NOFOLLOW)][key % SLOTS];
    if (key) {
        pthread_mutex_lock(&turn);
        int fresh = own->name == key && own->until > now(), missing = own->missing;
        if (fresh && !missing) *status = own->status;
        pthread_mutex_unlock(&turn);
        if (fresh && missing) errno = ENOENT;
        if (fresh) return -missing;
    }
    int result = real(at, path, status, flags), error = errno;
    if (!result) coarse(status);
    if (key && (!result || error == ENOENT)) {
        pthread_mutex_lock(&turn);
        *own = (struct seen){key, now() + number("SLOW_STALE"), !!result, *status};
        pthread_mutex_unlock(&turn);
    }
    errno = error;
    return result;
}

int stat(const char *path, struct stat *status) { return look(AT_FDCWD, path, status, 0); }
int lstat(const char *path, struct stat *status) { return look(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW); }
int fstatat(int at, const char *path, struct stat *status, int flags) { return look(at, path, status, flags); }
int stat64(const char *path, struct stat64 *status) { return stat(path, (struct stat *)status); }
int lstat64(const char *path, struct stat64 *status) { return lstat(path, (struct stat *)status); }
int fstatat64(int at, const char *path, struct stat64 *s, int flags) { return look(at, path, (struct stat *)s, flags); }
int fstat(int handle, struct stat *status) {
    static int (*real)(int, struct stat *);
    if (!real) real = dlsym(RTLD_NEXT, "fstat");
    int result = real(handle, status);
    if (!result) coarse(status);
    return result;
}
int fstat64(int handle, struct stat64 *status) { return fstat(handle, (struct stat *)status); }

/* Calls that change a name or open the file use the disk itself */
static void touched(int at, const char *path) { forget(slow(at, path)); }
#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define OPENS(name, first, pass, at)                                                              \
    int name(first const char *path, int flags, ...) {                                            \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, int); va_end(more);       \
        REAL(int, #name, first const char *, int, mode_t);                                        \
        touched(at, path);                                                                        \
        return real(pass path, flags, mode);                                                      \
    }
#define NONE
#define HANDLE int at,
#define PASSED at,
OPENS(open, NONE, NONE, AT_FDCWD)
OPENS(open64, NONE, NONE, AT_FDCWD)
OPENS(openat, HANDLE, PASSED, at)
OPENS(openat64, HANDLE, PASSED, at)
int rename(const char *old, const char *new) {
    REAL(int, "rename", const char *, const char *);
    touched(AT_FDCWD, old), touched(AT_FDCWD, new);
    return real(old, new);
}
int unlink(const char *path) { REAL(int, "unlink", const char *); touched(AT_FDCWD, path); return real(path); }
int mkdir(const char *path, mode_t mode) { REAL(int, "mkdir", const char *, mode_t); touched(AT_FDCWD, path); return real(path, mode); }
int symlink(const char *to, const char *path) { REAL(int, "symlink", const char *, const char *); touched(AT_FDCWD, path); return real(to, path); }

__attribute__((destructor)) static void tell(void) {
    const char *file = getenv("SLOW_COUNTS");
    FILE *counts = file ? fopen(file, "a") : NULL, *command = fopen("/proc/self/cmdline", "r");
    char words[4096] = "";
    size_t read = command ? fread(words, 1, sizeof words - 1, command) : 0;
    for (size_t i = 0; i + 1 < read; i++) if (!words[i] || words[i] == '\n') words[i] = ' ';
    if (counts) fprintf(counts, "%ld %s\n", lookups, words), fclose(counts);
}
