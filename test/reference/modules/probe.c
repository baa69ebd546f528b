// A small module of our own for the formats nobody publishes a module in any more. The text in a message's Data is a
// command with an optional number; the answer is a response as compute units expect it. What it covers is what an
// engine has to bring: state that lives on, setjmp and longjmp, growth, clocks and dates, standard streams,
// files that are not there, the environment, traps, aborts, exits, answers that are not UTF-8.
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST(name) __attribute__((import_module("env"), import_name(#name)))
#define OUT(name) __attribute__((export_name(#name), used))

#if FORMAT == 3
// This format's host takes a time as two halves; the C library we build with passes a pointer.
HOST(_gmtime_js) void host_gmtime(uint32_t lo, int32_t hi, struct tm *tm);
HOST(_localtime_js) void host_localtime(uint32_t lo, int32_t hi, struct tm *tm);
HOST(_mktime_js) int32_t host_mktime(struct tm *tm);
HOST(_tzset_js) void host_tzset(long *zone, int *light, char *std, char *dst);
HOST(emscripten_date_now) double host_now(void);
HOST(emscripten_get_now) double host_monotonic(void);
int32_t high_word(void); // second_word.c
static void to_gm(time_t t, struct tm *tm) { host_gmtime((uint32_t)t, (int32_t)((int64_t)t >> 32), tm); }
static void to_local(time_t t, struct tm *tm) { host_localtime((uint32_t)t, (int32_t)((int64_t)t >> 32), tm); }
#else
HOST(_gmtime_js) void host_gmtime(time_t *t, struct tm *tm);
HOST(_localtime_js) void host_localtime(time_t *t, struct tm *tm);
HOST(_mktime_js) int32_t host_mktime(struct tm *tm);
HOST(_tzset_js) void host_tzset(long *zone, int *light, char **names);
HOST(_emscripten_date_now) double host_now(void);
#if FORMAT == 2
HOST(emscripten_get_now) double host_monotonic(void);
#endif
static void to_gm(time_t t, struct tm *tm) { host_gmtime(&t, tm); }
static void to_local(time_t t, struct tm *tm) { host_localtime(&t, tm); }
#endif
HOST(__syscall_openat) int host_openat(int dir, const char *path, int flags, void *more);
HOST(strftime) size_t host_strftime(char *out, size_t max, const char *pattern, const struct tm *tm);

static char *text;  // the Output being made
static size_t used, room;
static char *answer;
static long counter;
static long *kept[64];
static int keptN;
static int argcAtStart;
static char argvAtStart[256];

static void put(const char *s, size_t n) {
  if (used + n + 1 > room) {
    room = (used + n + 1) * 2;
    text = realloc(text, room);
    if (!text) abort();
  }
  memcpy(text + used, s, n);
  used += n;
  text[used] = 0;
}
static void say(const char *s) { put(s, strlen(s)); }
static void sayInt(long long v) {
  char b[32];
  snprintf(b, sizeof b, "%lld", v);
  say(b);
}
static void sayFloat(double v) {
  char b[64];
  snprintf(b, sizeof b, "%.17g ", v);
  say(b);
}

// Finds the value of the first "Data":"..." of the message and undoes the common escapes.
static char *dataOf(const char *msg) {
  const char *p = strstr(msg, "\"Data\":\"");
  char *out = malloc(strlen(msg) + 1), *q = out;
  if (p) {
    for (p += 8; *p && *p != '"'; p++) {
      if (*p == '\\' && p[1]) {
        p++;
        *q++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
      } else *q++ = *p;
    }
  }
  *q = 0;
  return out;
}

// setjmp: everything called beside a setjmp goes through the host's invoke_vii, hence void f(int, int).
static jmp_buf jump;
static volatile int jumped;
__attribute__((noinline)) static void dive(int depth, int value) {
  if (depth == 0) longjmp(jump, value);
  dive(depth - 1, value);
  counter += 0;
}
static void (*diver)(int, int) = dive;
__attribute__((noinline)) static void guarded(int depth, int value) {
  jumped = setjmp(jump);
  if (jumped == 0) diver(depth, value);
}
static jmp_buf inner;
__attribute__((noinline)) static void leap(int where, int value) {
  if (where) longjmp(jump, value);
  longjmp(inner, value);
}
static void (*leaper)(int, int) = leap;
static volatile int innerValue;
__attribute__((noinline)) static void innerGuard(int where, int value) {
  innerValue = setjmp(inner);
  if (innerValue == 0) leaper(where, value);
}
static void (*innerGuarder)(int, int) = innerGuard;
__attribute__((noinline)) static void nested(int where, int value) {
  jumped = setjmp(jump);
  if (jumped == 0) innerGuarder(where, value);
}

static int recurse(int n) {
  volatile char pad[256];
  pad[n & 255] = (char)n;
  return n == 0 ? pad[0] : recurse(n - 1) + 1 + (pad[1] & 0);
}

static void dates(double at) {
  static const char *patterns[] = {"%a", "%A", "%b", "%B", "%c", "%C", "%d", "%D", "%e", "%F", "%g", "%G", "%h", "%H", "%I", "%j", "%m", "%M", "%n", "%p", "%r",
    "%R", "%S", "%t", "%T", "%u", "%U", "%V", "%w", "%W", "%x", "%X", "%y", "%Y", "%z", "%Z", "%%", "%Ec", "%EC", "%Ex", "%EX", "%Ey", "%EY", "%Od", "%Oe", "%OH",
    "%OI", "%Om", "%OM", "%OS", "%Ou", "%OU", "%OV", "%Ow", "%OW", "%Oy", "day %d of %B, %Y%%"};
  struct tm tm;
  memset(&tm, 0, sizeof tm);
  to_gm((time_t)at, &tm);
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    char b[128];
    size_t n = host_strftime(b, sizeof b, patterns[i], &tm);
    say(patterns[i]);
    say("=");
    put(b, n);
    say("|");
  }
  char small[4];
  sayInt((long long)host_strftime(small, sizeof small, "%Y-%m-%d", &tm));
}

static void fields(const struct tm *tm) {
  const int v[] = {tm->tm_sec, tm->tm_min, tm->tm_hour, tm->tm_mday, tm->tm_mon, tm->tm_year, tm->tm_wday, tm->tm_yday, tm->tm_isdst};
  for (int i = 0; i < 9; i++) {
    sayInt(v[i]);
    say(" ");
  }
}

// Does what a command says; returns what is special about the answer: 0 nothing, 1 ok is false, 2 Error is set, 3 no answer at all.
static int run(const char *cmd, double arg, const char *rest) {
#define IS(s) (strcmp(cmd, s) == 0)
  if (IS("echo")) say(rest);
  else if (IS("count")) sayInt(++counter);
  else if (IS("count-then-fail")) { counter += 1000; say("failed"); return 1; }
  else if (IS("count-then-error")) { counter += 1000; say("an error"); return 2; }
  else if (IS("count-then-trap")) { counter += 1000; __builtin_trap(); }
  else if (IS("setjmp")) { guarded((int)arg, 7); sayInt(jumped); }
  else if (IS("setjmp-loop")) { long s = 0; for (int i = 0; i < (int)arg; i++) { guarded(i % 5, i + 1); s += jumped; } sayInt(s); }
  else if (IS("longjmp-zero")) { guarded(2, 0); sayInt(jumped); }
  else if (IS("nested-inner")) { nested(0, 3); sayInt(jumped); say(" "); sayInt(innerValue); }
  else if (IS("nested-outer")) { nested(1, 4); sayInt(jumped); say(" "); sayInt(innerValue); }
  else if (IS("stale-longjmp")) { longjmp(jump, 9); }
  else if (IS("grow")) { long n = (long)arg; long *p = malloc((size_t)n); say(p ? "got" : "no memory"); if (p) { p[0] = 1; p[n / (long)sizeof(long) - 1] = 2; kept[keptN++ & 63] = p; } }
  else if (IS("grow-and-free")) { char *p = malloc((size_t)arg); say(p ? "got" : "no memory"); if (p) { memset(p, 5, (size_t)arg); free(p); } }
  else if (IS("grow-then-fail")) { char *p = malloc((size_t)arg); if (p) memset(p, 6, (size_t)arg); say("grown"); return 1; }
  else if (IS("drop")) { while (keptN > 0) free(kept[--keptN & 63]); say("dropped"); }
  else if (IS("size")) sayInt((long long)__builtin_wasm_memory_size(0));
  else if (IS("copy")) { size_t n = (size_t)arg; char *a = malloc(n), *b = malloc(n); for (size_t i = 0; i < n; i++) a[i] = (char)(i * 31); memcpy(b, a, n); unsigned s = 0; for (size_t i = 0; i < n; i++) s = s * 33 + (unsigned char)b[i]; sayInt(s); free(a); free(b); }
  else if (IS("now")) { sayFloat(host_now()); sayFloat(host_now()); }
#if FORMAT != 1
  else if (IS("monotonic")) { sayFloat(host_monotonic()); sayFloat(host_monotonic()); sayFloat(host_now()); }
#endif
  else if (IS("dates")) dates(arg);
  else if (IS("gmtime")) { struct tm tm; memset(&tm, 0, sizeof tm); to_gm((time_t)arg, &tm); fields(&tm); }
  else if (IS("localtime")) { struct tm tm; memset(&tm, 0, sizeof tm); to_local((time_t)arg, &tm); fields(&tm); }
  else if (IS("mktime")) { struct tm tm; memset(&tm, 0, sizeof tm); tm.tm_year = 126; tm.tm_mon = 10; tm.tm_mday = (int)arg; tm.tm_hour = 26; tm.tm_isdst = -1; sayInt(host_mktime(&tm)); say(" ");
#if FORMAT == 3
    sayInt(high_word()); say(" ");
#endif
    fields(&tm); }
  else if (IS("tzset")) {
    long zone = -1; int light = -1;
#if FORMAT == 3
    char a[64] = "", b[64] = ""; host_tzset(&zone, &light, a, b); sayInt(zone); say(" "); sayInt(light); say(" "); say(a); say(" "); say(b);
#else
    char *names[2] = {0, 0}; host_tzset(&zone, &light, names); sayInt(zone); say(" "); sayInt(light); say(" "); say(names[0] ? names[0] : "none"); say(" "); say(names[1] ? names[1] : "none");
#endif
  }
  else if (IS("printf")) { printf("to stdout %d %s\n", (int)arg, rest); fprintf(stderr, "to stderr\n"); fflush(stdout); say("printed"); }
  else if (IS("fopen")) { int mode[1] = {0}; sayInt(host_openat(-100, "/nothing/here", 0, mode)); }
  else if (IS("getenv")) { const char *names[] = {"USER", "LOGNAME", "PATH", "PWD", "HOME", "LANG", "_", "SHELL"}; for (int i = 0; i < 8; i++) { const char *v = getenv(names[i]); say(names[i]); say("="); say(v ? v : "(none)"); say(";"); } }
  else if (IS("argv")) { sayInt(argcAtStart); say(" "); say(argvAtStart); }
  else if (IS("math")) { double v[] = {sin(arg), cos(arg), tan(arg), exp(arg / 10), log(fabs(arg) + 1e-9), pow(1.1, arg), sqrt(arg), atan2(arg, 3), fmod(arg, 0.7), floor(arg), ceil(arg)}; for (size_t i = 0; i < sizeof v / sizeof *v; i++) sayFloat(v[i]); }
  else if (IS("nan")) { volatile double z = 0; double v[] = {z / z, -(z / z), 1 / z, -1 / z, sqrt(-1 - z), INFINITY - INFINITY}; for (int i = 0; i < 6; i++) { sayFloat(v[i]); uint64_t bits; memcpy(&bits, &v[i], 8); char b[20]; snprintf(b, sizeof b, "%016llx ", (unsigned long long)bits); say(b); } }
  else if (IS("rand")) { for (int i = 0; i < 5; i++) { sayInt(rand()); say(" "); } }
  else if (IS("int64")) { volatile int64_t a = 0x123456789abcdefLL, b = -987654321; sayInt(a * b); say(" "); sayInt(a / b); say(" "); sayInt(a % b); say(" "); sayInt(a >> 7); say(" "); sayInt((int64_t)((uint64_t)a << 9)); }
  else if (IS("work")) { uint32_t s = 1; for (long i = 0; i < (long)arg; i++) s = s * 1664525u + 1013904223u + (s >> 16); sayInt(s); }
  else if (IS("recurse")) sayInt(recurse((int)arg));
  else if (IS("unreachable")) __builtin_trap();
  else if (IS("abort")) abort();
  else if (IS("assert")) { volatile int no = 0; if (!no) abort(); }
  else if (IS("exit")) exit((int)arg);
  else if (IS("divide")) { volatile int z = 0; sayInt(100 / z); }
  else if (IS("overflow")) { volatile int a = INT32_MIN, b = -1; sayInt(a / b); }
  else if (IS("truncate")) { volatile double d = 1e300; sayInt((int)d); }
  else if (IS("out-of-bounds")) { volatile char *p = (char *)0xfffffff0u; sayInt(*p); }
  else if (IS("null-write")) { volatile int *p = 0; *p = 77; say("written"); }
  else if (IS("bad-call")) { void (*volatile f)(int, int) = (void (*)(int, int))(uintptr_t)99999; f(1, 2); }
  else if (IS("wrong-type")) { double (*volatile f)(double, double, double) = (double (*)(double, double, double))(uintptr_t)diver; sayFloat(f(1, 2, 3)); }
  else if (IS("binary")) { for (int i = 1; i < 256; i++) { char c = (char)i; if (i >= 32 && i != '"' && i != '\\') put(&c, 1); } }
  else if (IS("not-json")) { say("{"); return 3; }
  else if (IS("buffer")) say("Error: not enough memory for buffer allocation");
  else if (IS("long")) { for (long i = 0; i < (long)arg; i++) put("0123456789abcdef", 16); }
  else { say("sent: "); say(rest); }
  return 0;
}

OUT(handle) char *handle(const char *msg, const char *env) {
  char *data = dataOf(msg);
  char cmd[32] = "";
  double arg = 0;
  used = 0;
  say("");
  size_t n = strcspn(data, " ");
  if (n < sizeof cmd) {
    memcpy(cmd, data, n);
    cmd[n] = 0;
  }
  const char *rest = data[n] ? data + n + 1 : data + n;
  arg = strtod(rest, 0);
  int kind = run(cmd, arg, rest);
  free(answer);
  answer = malloc(used * 2 + 512 + strlen(env) / 1000);
  char *q = answer;
  if (kind == 3) { strcpy(answer, text); free(data); return answer; }
  q += sprintf(q, kind == 1 ? "{\"ok\":false,\"response\":\"" : kind == 2 ? "{\"ok\":true,\"response\":{\"Error\":\"" : "{\"ok\":true,\"response\":{\"Output\":\"");
  for (size_t i = 0; i < used; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\') { *q++ = '\\'; *q++ = (char)c; }
    else if (c == '\n') { *q++ = '\\'; *q++ = 'n'; }
    else if (c == '\t') { *q++ = '\\'; *q++ = 't'; }
    else *q++ = (char)c;
  }
  if (kind == 1) strcpy(q, "\"}");
  else q += sprintf(q, "\",\"Messages\":[{\"Target\":\"t\",\"Anchor\":\"00000000000000000000000000000001\",\"Tags\":[{\"name\":\"N\",\"value\":\"%ld\"}],\"Data\":\"d\"}],\"Spawns\":[],\"Assignments\":[]}}", counter);
  free(data);
  return answer;
}

int main(int argc, char **argv) {
  argcAtStart = argc;
  if (argc > 0 && argv && argv[0]) snprintf(argvAtStart, sizeof argvAtStart, "%s", argv[0]);
  return 0;
}
