/* Memory of the machine: small blocks from lists by size, the rest from the C library. Lua always tells the size of
** what it frees, so small blocks need no header, and blocks of one size made one after another lie side by side:
** a message that makes little garbage touches few pages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "machine.h"

#define STEP	8
#define SMALL	512		/* bytes; larger blocks come from malloc */
#define SLAB	4096		/* bytes taken at once for the small ones of one size */

static struct list { struct list *next; } *lists[SMALL / STEP + 1];
static struct { char *at, *end; } slabs[SMALL / STEP + 1];

static void *small(size_t class) {
	struct list *b = lists[class];
	if (b != NULL) {
		lists[class] = b->next;
		return b;
	}
	size_t n = class * STEP;
	if ((size_t)(slabs[class].end - slabs[class].at) < n) {
		char *p = malloc(SLAB);
		if (p == NULL) return NULL;
		slabs[class].at = p;
		slabs[class].end = p + SLAB;
	}
	char *p = slabs[class].at;
	slabs[class].at += n;
	return p;
}

static void drop(void *p, size_t class) {
	struct list *b = p;
	b->next = lists[class];
	lists[class] = b;
}

#define class_of(n)	(((n) + STEP - 1) / STEP)

void *ago_realloc(void *unused, void *p, size_t old, size_t n) {
	(void)unused;
	if (p == NULL) {
		if (n == 0) return NULL;
		void *q = n <= SMALL ? small(class_of(n)) : malloc(n);
		if (q != NULL) ago_count(2 + (n >> 5));
		return q;
	}
	if (n == 0) {
		if (old <= SMALL) drop(p, class_of(old));
		else free(p);
		return NULL;
	}
	if (old > SMALL && n > SMALL) {
		void *q = realloc(p, n);
		if (q != NULL) ago_count(2 + (n >> 5));
		return q;
	}
	if (old <= SMALL && n <= SMALL && class_of(old) == class_of(n)) return p;
	ago_count(2 + (n >> 5));
	void *q = n <= SMALL ? small(class_of(n)) : malloc(n);
	if (q == NULL) return n <= old ? p : NULL;	/* shrinking cannot fail */
	memcpy(q, p, old < n ? old : n);
	if (old <= SMALL) drop(p, class_of(old));
	else free(p);
	return q;
}
