/* The compiler turns setjmp and longjmp into exceptions and calls to the three functions in setjmp.c. */
#ifndef ago_setjmp_h
#define ago_setjmp_h

typedef struct {
	void *invocation;
	unsigned label;
	struct { void *env; int value; } thrown;
} jmp_buf[1];

int setjmp(jmp_buf) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf, int);

#endif
