/* What the C library imports from a host. There is no host and nothing to write to. */
#include <stdint.h>

#define BADF	8

int32_t __imported_wasi_snapshot_preview1_fd_close(int32_t fd) {
	(void)fd;
	return BADF;
}

int32_t __imported_wasi_snapshot_preview1_fd_seek(int32_t fd, int64_t offset, int32_t whence, int32_t at) {
	(void)fd; (void)offset; (void)whence; (void)at;
	return BADF;
}

int32_t __imported_wasi_snapshot_preview1_fd_write(int32_t fd, int32_t from, int32_t n, int32_t written) {
	(void)fd; (void)from; (void)n; (void)written;
	return BADF;
}
