/* A preload library that makes one folder behave like a dying card. `tests.io.card` builds and drives it.
 *
 *   FAULTY_FOLDER   the folder (everything below it; a real path)
 *   FAULTY_CONTROL  the rules, read again whenever the file changes; outside the folder
 *   FAULTY_LOG      optional: one line for every fault that was played
 *   FAULTY_RECORD   optional: a binary log of every change, for `tests.io.power_cut`
 *   FAULTY_SEED     optional: a number that makes the choices of p= repeatable; a line "# seed N" among the
 *                   rules begins them anew
 *
 * A line "# clock SECONDS" sets the wall clock of the process ahead (or behind), from its next call on a file on.
 *
 * A rule is one line:  OPS GLOB WHAT [p=0.5] [skip=N] [count=N]
 *   OPS   comma separated: open,creat,read,pread,write,pwrite,fsync,ftruncate,rename,unlink,mkdir,fallocate
 *         or: all, reads (read,pread), writes (creat,write,pwrite,ftruncate,rename,unlink,mkdir,fallocate),
 *         changes (writes and fsync; "creat" is an open that may create)
 *   GLOB  fnmatch(3) on the path below the folder: journal.db*, *
 *   WHAT  EIO ENOSPC EROFS EACCES EDQUOT EMFILE ENOENT, HANG=SECONDS (then the call goes on), SHORT (half
 *         is written), FLIP (reads: one bit is wrong), DROP (writes and syncs: says yes and does nothing)
 *   skip and count are counted per rule from the moment the control file changed.
 *
 * Not seen: SQLite's -shm file (it is mapped), fopen(3) within libc, statvfs(3).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OP_OPEN = 1, OP_CREATE = 2, OP_READ = 4, OP_PREAD = 8, OP_WRITE = 16, OP_PWRITE = 32, OP_FSYNC = 64,
       OP_TRUNCATE = 128, OP_RENAME = 256, OP_UNLINK = 512, OP_MKDIR = 1024, OP_FALLOC = 2048 };
#define READS (OP_READ | OP_PREAD)
#define WRITES (OP_CREATE | OP_WRITE | OP_PWRITE | OP_TRUNCATE | OP_RENAME | OP_UNLINK | OP_MKDIR | OP_FALLOC)
enum { W_ERRNO, W_HANG, W_SHORT, W_FLIP, W_DROP };
enum { PASS = 0, FAIL = -1, SHORTEN = 1, FLIPBIT = 2, PRETEND = 3 };

struct rule { int ops; char glob[256]; int what, err; double seconds, p; long skip, count, seen, done; };

#define MOST_RULES 64
#define MOST_FDS 4096
static struct rule rules[MOST_RULES];
static int n_rules;
static struct timespec rules_mtime;
static off_t rules_size = -1;
static char *names[MOST_FDS]; /* path below the folder, by descriptor */
static char folder[4096], control[4096];
static size_t folder_length;
static int log_fd = -1, record_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned seed;
static volatile long clock_ahead; /* seconds that this process's wall clock is ahead */
static int ready;


static long sys_open(const char *p, int flags, int mode) { return syscall(SYS_openat, AT_FDCWD, p, flags, mode); }

static int high(int fd) { /* out of the way of programs that close low descriptors */
    if (fd < 0) return fd;
    int up = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900);
    if (up < 0) return fd;
    syscall(SYS_close, fd);
    return up;
}

__attribute__((constructor)) static void begin(void) {
    const char *d = getenv("FAULTY_FOLDER"), *c = getenv("FAULTY_CONTROL"), *l = getenv("FAULTY_LOG"),
               *r = getenv("FAULTY_RECORD");
    if (!d) return;
    if (!realpath(d, folder)) snprintf(folder, sizeof folder, "%s", d);
    folder_length = strcmp(folder, "/") ? strlen(folder) : 0;
    if (c) snprintf(control, sizeof control, "%s", c);
    if (l) log_fd = high(sys_open(l, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (r) record_fd = high(sys_open(r, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    seed = getpid() ^ time(NULL);
    if (getenv("FAULTY_SEED")) seed = atoi(getenv("FAULTY_SEED"));
    ready = 1;
}

static const char *below(const char *path, char *buffer) {
    if (!ready || !path) return NULL;
    char whole[8192];
    if (path[0] != '/') {
        char cwd[4096];
        if (!getcwd(cwd, sizeof cwd)) return NULL;
        snprintf(whole, sizeof whole, "%s/%s", cwd, path);
        path = whole;
    }
    if (strncmp(path, folder, folder_length) || (path[folder_length] != '/' && path[folder_length])) return NULL;
    snprintf(buffer, 4096, "%s", path[folder_length] ? path + folder_length + 1 : ".");
    return buffer;
}

static int ops_of(char *word) {
    static const struct { const char *name; int ops; } known[] = {
        {"open", OP_OPEN}, {"creat", OP_CREATE}, {"read", OP_READ}, {"pread", OP_PREAD}, {"write", OP_WRITE},
        {"pwrite", OP_PWRITE}, {"fsync", OP_FSYNC}, {"fdatasync", OP_FSYNC}, {"ftruncate", OP_TRUNCATE},
        {"rename", OP_RENAME}, {"unlink", OP_UNLINK}, {"mkdir", OP_MKDIR}, {"fallocate", OP_FALLOC},
        {"reads", READS}, {"writes", WRITES}, {"changes", WRITES | OP_FSYNC}, {"all", 0xffff}};
    int found = 0;
    char *save = NULL;
    for (char *w = strtok_r(word, ",", &save); w; w = strtok_r(NULL, ",", &save))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (!strcmp(w, known[i].name)) found |= known[i].ops;
    return found;
}

static int errno_of(const char *word) {
    static const struct { const char *name; int number; } known[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC},
        {"EROFS", EROFS}, {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE}, {"ENOENT", ENOENT}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(word, known[i].name)) return known[i].number;
    return EIO;
}

static void read_rules(void) {
    struct stat now;
    if (!control[0] || syscall(SYS_newfstatat, AT_FDCWD, control, &now, 0)) { n_rules = 0; rules_size = -1; return; }
    if (now.st_size == rules_size && !memcmp(&now.st_mtim, &rules_mtime, sizeof rules_mtime)) return;
    rules_size = now.st_size;
    rules_mtime = now.st_mtim;
    char text[16384];
    int fd = sys_open(control, O_RDONLY | O_CLOEXEC, 0);
    long n = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
    if (fd >= 0) syscall(SYS_close, fd);
    text[n < 0 ? 0 : n] = 0;
    n_rules = 0;
    clock_ahead = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line && n_rules < MOST_RULES; line = strtok_r(NULL, "\n", &save)) {
        char ops[256], what[64], more[3][64] = {"", "", ""};
        struct rule r = {.p = 1, .count = -1};
        sscanf(line, "# seed %u", &seed);
        long ahead;
        if (sscanf(line, "# clock %ld", &ahead) == 1) clock_ahead = ahead;
        if (line[0] == '#' || sscanf(line, "%255s %255s %63s %63s %63s %63s", ops, r.glob, what, more[0], more[1], more[2]) < 3) continue;
        r.ops = ops_of(ops);
        if (!strncmp(what, "HANG=", 5)) { r.what = W_HANG; r.seconds = atof(what + 5); }
        else if (!strcmp(what, "SHORT")) r.what = W_SHORT;
        else if (!strcmp(what, "FLIP")) r.what = W_FLIP;
        else if (!strcmp(what, "DROP")) r.what = W_DROP;
        else { r.what = W_ERRNO; r.err = errno_of(what); }
        for (int i = 0; i < 3; i++) {
            if (!strncmp(more[i], "p=", 2)) r.p = atof(more[i] + 2);
            if (!strncmp(more[i], "skip=", 5)) r.skip = atol(more[i] + 5);
            if (!strncmp(more[i], "count=", 6)) r.count = atol(more[i] + 6);
        }
        rules[n_rules++] = r;
    }
}

static int fault(int op, const char *name, const char *call) {
    if (!name) return PASS;
    double wait = 0;
    int verdict = PASS, err = 0;
    pthread_mutex_lock(&lock);
    read_rules();
    for (int i = 0; i < n_rules; i++) {
        struct rule *r = &rules[i];
        if (!(r->ops & op) || fnmatch(r->glob, name, 0)) continue;
        if (r->seen++ < r->skip || (r->count >= 0 && r->done >= r->count)) continue;
        if (r->p < 1 && rand_r(&seed) / (double)RAND_MAX >= r->p) continue;
        r->done++;
        if (r->what == W_HANG) wait = r->seconds;
        else if (r->what == W_SHORT) verdict = SHORTEN;
        else if (r->what == W_FLIP) verdict = FLIPBIT;
        else if (r->what == W_DROP) verdict = PRETEND;
        else { verdict = FAIL; err = r->err; }
        if (log_fd >= 0) {
            char line[512];
            struct timespec t;
            clock_gettime(CLOCK_REALTIME, &t);
            int n = snprintf(line, sizeof line, "%ld.%03ld %d %s %s %s\n", t.tv_sec, t.tv_nsec / 1000000, getpid(), call, name,
                             wait ? "hang" : err ? strerrorname_np(err) : "altered");
            syscall(SYS_write, log_fd, line, n);
        }
        break;
    }
    pthread_mutex_unlock(&lock);
    if (wait) { struct timespec t = {(time_t)wait, (long)((wait - (time_t)wait) * 1e9)}; nanosleep(&t, NULL); }
    if (verdict == FAIL) errno = err;
    return verdict;
}

/* one record: op, length of name, length of data, offset, name, data */
static void record(char op, const char *name, off_t offset, const void *data, size_t length) {
    if (record_fd < 0 || !name) return;
    struct { char op; unsigned char pad; unsigned short n; unsigned length; long long offset; } head =
        {op, 0, (unsigned short)strlen(name), (unsigned)length, offset};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)name, head.n}, {(void *)data, data ? length : 0}};
    syscall(SYS_writev, record_fd, parts, 3);
}

static const char *name_of(int fd) { return fd >= 0 && fd < MOST_FDS ? names[fd] : NULL; }
static void set_name(int fd, const char *name) {
    if (fd < 0 || fd >= MOST_FDS) return;
    char *old = names[fd];
    names[fd] = name ? strdup(name) : NULL;
    free(old);
}

static int opened(int dir, const char *path, int flags, int mode) {
    char buffer[4096];
    const char *name = dir == AT_FDCWD || path[0] == '/' ? below(path, buffer) : NULL;
    if (name) {
        int op = OP_OPEN | ((flags & O_CREAT) ? OP_CREATE : 0);
        struct stat st;
        int fresh = (flags & O_CREAT) && syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0);
        if (fault(op, name, "open") == FAIL) return -1;
        int fd = syscall(SYS_openat, dir, path, flags, mode);
        if (fd >= 0) {
            set_name(fd, name);
            if (fresh) record('C', name, 0, NULL, 0);
            if (flags & O_TRUNC) record('T', name, 0, NULL, 0);
        }
        return fd;
    }
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && ready) set_name(fd, NULL);
    return fd;
}
#define MODE(flags) int mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, int); va_end(a); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return opened(dir, path, flags | O_LARGEFILE, mode); }
int close(int fd) { if (ready) { if (fd == record_fd || fd == log_fd) return 0; set_name(fd, NULL); } return syscall(SYS_close, fd); }

static void flip(void *data, ssize_t n) { if (n > 0) ((unsigned char *)data)[(size_t)rand_r(&seed) % n] ^= 1 << (rand_r(&seed) & 7); }

ssize_t read(int fd, void *b, size_t n) {
    int f = fault(OP_READ, name_of(fd), "read");
    if (f == FAIL) return -1;
    ssize_t got = syscall(SYS_read, fd, b, n);
    if (f == FLIPBIT) flip(b, got);
    return got;
}
static ssize_t do_pread(int fd, void *b, size_t n, off_t at) {
    int f = fault(OP_PREAD, name_of(fd), "pread");
    if (f == FAIL) return -1;
    ssize_t got = syscall(SYS_pread64, fd, b, n, at);
    if (f == FLIPBIT) flip(b, got);
    return got;
}
ssize_t pread(int fd, void *b, size_t n, off_t at) { return do_pread(fd, b, n, at); }
ssize_t pread64(int fd, void *b, size_t n, off64_t at) { return do_pread(fd, b, n, at); }
ssize_t write(int fd, const void *b, size_t n) {
    const char *name = name_of(fd);
    int f = fault(OP_WRITE, name, "write");
    if (f == FAIL) return -1;
    if (f == PRETEND) return n;
    if (f == SHORTEN) n = n / 2 ? n / 2 : n;
    off_t at = name && record_fd >= 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
    ssize_t put = syscall(SYS_write, fd, b, n);
    if (name && put > 0) record('W', name, at, b, put);
    return put;
}
static ssize_t do_pwrite(int fd, const void *b, size_t n, off_t at) {
    const char *name = name_of(fd);
    int f = fault(OP_PWRITE, name, "pwrite");
    if (f == FAIL) return -1;
    if (f == PRETEND) return n;
    if (f == SHORTEN) n = n / 2 ? n / 2 : n;
    ssize_t put = syscall(SYS_pwrite64, fd, b, n, at);
    if (put > 0) record('W', name, at, b, put);
    return put;
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { return do_pwrite(fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { return do_pwrite(fd, b, n, at); }
static int synced(int fd, long number, const char *call) {
    const char *name = name_of(fd);
    int f = fault(OP_FSYNC, name, call);
    if (f == FAIL) { record('F', name, 0, NULL, 0); return -1; }
    if (f == PRETEND) return 0;
    int r = record_fd >= 0 && name ? 0 : syscall(number, fd); /* recording: tests.io.power_cut says what is durable */
    if (!r) record('S', name, 0, NULL, 0);
    return r;
}
int fsync(int fd) { return synced(fd, SYS_fsync, "fsync"); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync, "fdatasync"); }
static int truncated(int fd, off_t n) {
    const char *name = name_of(fd);
    int f = fault(OP_TRUNCATE, name, "ftruncate");
    if (f == FAIL) return -1;
    if (f == PRETEND) return 0;
    int r = syscall(SYS_ftruncate, fd, n);
    if (!r) record('T', name, n, NULL, 0);
    return r;
}
int ftruncate(int fd, off_t n) { return truncated(fd, n); }
int ftruncate64(int fd, off64_t n) { return truncated(fd, n); }
static int renamed(const char *a, const char *b) {
    char x[4096], y[4096];
    const char *from = below(a, x), *to = below(b, y);
    if (fault(OP_RENAME, from ? from : to, "rename") == FAIL) return -1;
    int r = syscall(SYS_renameat, AT_FDCWD, a, AT_FDCWD, b);
    if (!r && from && to) record('R', from, 0, to, strlen(to));
    return r;
}
int rename(const char *a, const char *b) { return renamed(a, b); }
int renameat(int d, const char *a, int e, const char *b) {
    if (d == AT_FDCWD && e == AT_FDCWD) return renamed(a, b);
    return syscall(SYS_renameat, d, a, e, b);
}
int unlink(const char *a) {
    char x[4096];
    const char *name = below(a, x);
    if (fault(OP_UNLINK, name, "unlink") == FAIL) return -1;
    int r = syscall(SYS_unlinkat, AT_FDCWD, a, 0);
    if (!r) record('U', name, 0, NULL, 0);
    return r;
}
static int linked(int d, const char *a, int e, const char *b, int flags) {
    char x[4096], y[4096];
    const char *from = below(a, x), *to = below(b, y);
    if (fault(OP_RENAME, to ? to : from, "link") == FAIL) return -1;
    int r = syscall(SYS_linkat, d, a, e, b, flags);
    if (!r && from && to) record('L', from, 0, to, strlen(to));
    return r;
}
int link(const char *a, const char *b) { return linked(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int d, const char *a, int e, const char *b, int flags) { return linked(d, a, e, b, flags); }
int unlinkat(int d, const char *a, int flags) {
    char x[4096];
    const char *name = d == AT_FDCWD || a[0] == '/' ? below(a, x) : NULL;
    if (fault(OP_UNLINK, name, "unlink") == FAIL) return -1;
    int r = syscall(SYS_unlinkat, d, a, flags);
    if (!r && !(flags & AT_REMOVEDIR)) record('U', name, 0, NULL, 0);
    return r;
}
int mkdir(const char *a, mode_t m) {
    char x[4096];
    const char *name = below(a, x);
    if (fault(OP_MKDIR, name, "mkdir") == FAIL) return -1;
    int r = syscall(SYS_mkdirat, AT_FDCWD, a, m);
    if (!r) record('D', name, 0, NULL, 0);
    return r;
}
static int allocated(int fd, off_t at, off_t n) {
    const char *name = name_of(fd);
    int f = fault(OP_FALLOC, name, "fallocate");
    if (f == FAIL) return errno;
    if (syscall(SYS_fallocate, fd, 0, at, n)) return errno;
    return 0;
}
int posix_fallocate(int fd, off_t at, off_t n) { return allocated(fd, at, n); }
int posix_fallocate64(int fd, off64_t at, off64_t n) { return allocated(fd, at, n); }

int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, id, at);
    if (!failed && id == CLOCK_REALTIME) at->tv_sec += clock_ahead;
    return failed;
}
