/* Included before every source file of the machine: what replaces the parts of C's library that would make an
** evaluation depend on where it runs, and the counting of gas. */
#ifndef ago_h
#define ago_h

#include <stddef.h>

#define _GNU_SOURCE	/* timegm */
#define LUA_COMPAT_5_2
#define l_signalT	int

/* Gas that is left. One unit is one instruction of the virtual machine; loops in C pay by what they do. Going below
** zero is noticed at the next jump backwards, call, or ago_spend. */
extern long long ago_gas;
_Noreturn void ago_out(void);
#define ago_count(n)	((void)(ago_gas -= (long long)(n)))
#define ago_check()	((void)(__builtin_expect(ago_gas < 0, 0) ? ago_out() : (void)0))
#define ago_spend(n)	(ago_count(n), ago_check())

/* The seed of the hashes of strings is the same everywhere, so the order of pairs is. */
#define luai_makeseed()		0x616f6c75u

/* print collects its text. */
struct lua_State;
void ago_print(struct lua_State *L, const char *s, size_t n);
#define lua_writestring(s,l)		ago_print(L, (s), (l))
#define lua_writeline()			ago_print(L, "\n", 1)
#define lua_writestringerror(s,p)	((void)(s), (void)(p))

#define lua_getlocaledecpoint()		'.'

/* Random numbers come from the machine's own generator, which is part of the state. */
unsigned ago_random(void);
void ago_randomseed(unsigned seed);
#define l_rand()	((int)(ago_random() >> 1))
#define l_srand(x)	ago_randomseed(x)
#define L_RANDMAX	0x7fffffff

/* Time is what the host or the process says. */
long long ago_now(void);
double ago_clock(void);
#define l_gmtime(t,r)		gmtime_r(t,r)
#define l_localtime(t,r)	gmtime_r(t,r)

double ago_fmod(double a, double b);
#define luai_nummod(L,a,b,m)	{ (m) = ago_fmod(a,b); if ((m)*(b) < 0) (m) += (b); }

#endif
