/* What the compiler calls for setjmp and longjmp. A longjmp is an exception that carries the address of a pair. */
#include <stddef.h>
#include "setjmp.h"

typedef __typeof__(((jmp_buf *)0)[0][0]) buffer;

void __wasm_setjmp(void *env, unsigned label, void *invocation) {
	buffer *b = env;
	b->invocation = invocation;
	b->label = label;
}

unsigned __wasm_setjmp_test(void *env, void *invocation) {
	buffer *b = env;
	return b->label != 0 && b->invocation == invocation ? b->label : 0;
}

void __wasm_longjmp(void *env, int value) {
	buffer *b = env;
	b->thrown.env = env;
	b->thrown.value = value != 0 ? value : 1;
	__builtin_wasm_throw(1, &b->thrown);
}
