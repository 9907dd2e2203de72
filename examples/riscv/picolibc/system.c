// What picolibc wants of its environment, by the system calls of RISC-V Linux.

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static long system_call(long number, long a, long b, long c, long d, long e) {
    register long a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a3 asm("a3") = d, a4 asm("a4") = e;
    register long a7 asm("a7") = number;
    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory");
    if ((unsigned long)a0 < -4095ul) return a0;
    errno = (int)-a0;
    return -1;
}

char **environ;

void _exit(int code) {
    for (;;) system_call(94, code, 0, 0, 0, 0);
}

ssize_t read(int fd, void *to, size_t count) { return system_call(63, fd, (long)to, (long)count, 0, 0); }

ssize_t write(int fd, const void *from, size_t count) { return system_call(64, fd, (long)from, (long)count, 0, 0); }

int close(int fd) { return (int)system_call(57, fd, 0, 0, 0, 0); }

int open(const char *path, int flags, ...) {
    // The flags of Linux, which are not picolibc's.
    long linux_flags = flags & O_ACCMODE;
    if (flags & O_CREAT) linux_flags |= 0100;
    if (flags & O_EXCL) linux_flags |= 0200;
    if (flags & O_TRUNC) linux_flags |= 01000;
    if (flags & O_APPEND) linux_flags |= 02000;
    return (int)system_call(56, -100, (long)path, linux_flags, 0644, 0);
}

off_t lseek(int fd, off_t offset, int whence) {
    int64_t position = 0;
    long failed = system_call(62, fd, (long)((int64_t)offset >> 32), (long)offset, (long)&position, whence);
    return failed ? -1 : (off_t)position;
}

void *sbrk(ptrdiff_t size) {
    static uintptr_t now;
    if (!now) now = (uintptr_t)system_call(214, 0, 0, 0, 0, 0);
    uintptr_t before = now;
    uintptr_t after = (uintptr_t)system_call(214, (long)(before + (uintptr_t)size), 0, 0, 0, 0);
    if (after != before + (uintptr_t)size) {
        errno = ENOMEM;
        return (void *)-1;
    }
    now = after;
    return (void *)before;
}

// Standard streams: a line is written at a time.

static char line[256];
static size_t line_length;

static int flush(FILE *file) {
    (void)file;
    for (size_t done = 0; done < line_length;) {
        ssize_t count = write(1, line + done, line_length - done);
        if (count < 0) break;
        done += (size_t)count;
    }
    line_length = 0;
    return 0;
}

static int put(char c, FILE *file) {
    line[line_length++] = c;
    if (c == '\n' || line_length == sizeof line) flush(file);
    return (unsigned char)c;
}

static int put_error(char c, FILE *file) {
    (void)file;
    write(2, &c, 1);
    return (unsigned char)c;
}

static int get(FILE *file) {
    static char buffer[512];
    static ssize_t length, at;
    if (at == length) {
        flush(file);
        length = read(0, buffer, sizeof buffer);
        at = 0;
        if (length <= 0) {
            length = 0;
            return EOF;
        }
    }
    return (unsigned char)buffer[at++];
}

static FILE input = FDEV_SETUP_STREAM(NULL, get, NULL, _FDEV_SETUP_READ);
static FILE output = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE);
static FILE error = FDEV_SETUP_STREAM(put_error, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &input;
FILE *const stdout = &output;
FILE *const stderr = &error;

__attribute__((destructor)) static void flush_at_exit(void) { flush(&output); }
