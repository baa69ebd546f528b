/* Included before every source file of the machine: what replaces the parts of C's library that would make an
** evaluation depend on where it runs, and the counting of gas. */
#ifndef ago_h
#define ago_h

#define _GNU_SOURCE	/* timegm */
#include <ctype.h>
#include <stddef.h>

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

/* Letters are those of ASCII. The C library has functions for it, which are not inlined. */
#undef isalpha
#undef isdigit
#undef islower
#undef isupper
#undef isalnum
#undef isspace
#undef iscntrl
#undef isgraph
#undef ispunct
#undef isxdigit
#undef tolower
#undef toupper
#define isalpha(c)	((unsigned)((c) | 32) - 'a' < 26u)
#define isdigit(c)	((unsigned)(c) - '0' < 10u)
#define islower(c)	((unsigned)(c) - 'a' < 26u)
#define isupper(c)	((unsigned)(c) - 'A' < 26u)
#define isalnum(c)	(isalpha(c) || isdigit(c))
#define isspace(c)	((c) == ' ' || (unsigned)(c) - '\t' < 5u)
#define iscntrl(c)	((unsigned)(c) < 32u || (c) == 127)
#define isgraph(c)	((unsigned)(c) - 33 < 94u)
#define ispunct(c)	(isgraph(c) && !isalnum(c))
#define isxdigit(c)	(isdigit(c) || (unsigned)((c) | 32) - 'a' < 6u)
static inline int ago_lower(int c) { return isupper(c) ? c | 32 : c; }
static inline int ago_upper(int c) { return islower(c) ? c & 95 : c; }
#define tolower(c)	ago_lower(c)
#define toupper(c)	ago_upper(c)

/* Writes an integer in decimal and gives its length. */
int ago_integer(char *to, long long v);

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
