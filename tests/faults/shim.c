/* Makes the k-th sync of a process fail with EIO, and writes down every sync: built and loaded by tests/faults/failing_sync.py.
 *
 * KEEPSIGHT_SYNC_FAILS=k  the k-th call, counted over all three kinds; it does not reach the kernel
 * KEEPSIGHT_SYNC_LOG=path one line a call: <kind> <inode> <ok|failed>
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int calls;

static void note(const char *kind, int fd, const char *outcome)
{
    const char *path = getenv("KEEPSIGHT_SYNC_LOG");
    struct stat about;
    char line[80];
    int log = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (log < 0)
        return;
    fstat(fd, &about);
    int length = snprintf(line, sizeof line, "%s %lu %s\n", kind, (unsigned long)about.st_ino, outcome);
    if (write(log, line, length) != length)
        abort();
    close(log);
}

static int sync_or_fail(const char *kind, int fd)
{
    const char *fails = getenv("KEEPSIGHT_SYNC_FAILS");
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, kind);
    if (fails && ++calls == atoi(fails)) {
        note(kind, fd, "failed");
        errno = EIO;
        return -1;
    }
    note(kind, fd, "ok");
    return real(fd);
}

int fsync(int fd) { return sync_or_fail("fsync", fd); }
int fdatasync(int fd) { return sync_or_fail("fdatasync", fd); }
int syncfs(int fd) { return sync_or_fail("syncfs", fd); }
