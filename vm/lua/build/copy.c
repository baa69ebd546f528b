/* Copying: a call of the engine for long blocks, words for short ones, which are nearly all. */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((aligned(1), may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
	char *d = to;
	const char *s = from;
	if (n > 256) {
		__asm__ volatile("local.get %0\n\tlocal.get %1\n\tlocal.get %2\n\tmemory.copy 0, 0" : : "r"(d), "r"(s), "r"(n) : "memory");
		return to;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8) *(word *)d = *(const word *)s;
	for (; n > 0; n--) *d++ = *s++;
	return to;
}

int memcmp(const void *a, const void *b, size_t n) {
	const unsigned char *x = a, *y = b;
	for (; n >= 8 && *(const word *)x == *(const word *)y; n -= 8, x += 8, y += 8) {}
	for (; n > 0; n--, x++, y++)
		if (*x != *y) return *x - *y;
	return 0;
}

/* Eight bytes at a time: a byte of x is zero where the one looked for is. */
void *memchr(const void *from, int c, size_t n) {
	const unsigned char *s = from;
	const uint64_t ones = 0x0101010101010101u, k = ones * (unsigned char)c;
	for (; n >= 8; n -= 8, s += 8) {
		uint64_t x = *(const word *)s ^ k;
		if ((x - ones) & ~x & (ones << 7)) break;
	}
	for (; n > 0; n--, s++)
		if (*s == (unsigned char)c) return (void *)s;
	return NULL;
}
