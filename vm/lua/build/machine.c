/* The machine: one Lua state, what the host calls, and the libraries that only make sense here. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lauxlib.h"
#include "lualib.h"
#include "lstate.h"
#include "lgc.h"
#include "machine.h"

#define EXPORT(name)	__attribute__((export_name(name), used))
#define IMPORT(name)	__attribute__((import_module("ago"), import_name(name)))

long long ago_gas;

static lua_State *state;
static long long time_now;	/* what os.time() gives */
static long long gas_begin;	/* what the evaluation began with */
static uint64_t random_state = 0x9e3779b97f4a7c15u;
static ago_text printed;	/* what print wrote and nobody took yet */
static ago_text reply;	/* what the host reads */
static ago_text asked;	/* what the host is asked */
static struct { uint32_t at, n; } answer;	/* read by the host */

_Noreturn void ago_out(void) {
	__builtin_trap();
}

long long ago_now(void) { return time_now; }

/* Seconds of a processor that runs a hundred million instructions in one. */
double ago_clock(void) { return (double)(gas_begin - ago_gas) / 1e8; }

unsigned ago_random(void) {
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 0x2545f4914f6cdd1du) >> 32);
}

void ago_randomseed(unsigned seed) {
	random_state = (seed + 1ull) * 0x9e3779b97f4a7c15u;
}

/* The remainder is found bit by bit, so it takes as long as the exponents lie apart. */
double ago_fmod(double a, double b) {
	if (fabs(a) > fabs(b) * 1e9) ago_spend(300);
	return fmod(a, b);
}

void ago_text_add(lua_State *L, ago_text *t, const char *s, size_t n) {
	if (n > t->cap - t->n) {
		size_t cap = t->cap * 2 > t->n + n ? t->cap * 2 : t->n + n + 1024;
		ago_spend(cap >> 4);
		char *p = realloc(t->at, cap);
		if (p == NULL) luaL_error(L, "not enough memory");
		t->at = p;
		t->cap = cap;
	}
	memcpy(t->at + t->n, s, n);
	t->n += n;
}

/* Texts are wiped: what they held would otherwise be part of the state for ever. */
void ago_text_reset(ago_text *t) {
	if (t->cap > 16384) {
		free(t->at);
		t->at = NULL;
		t->cap = 0;
	} else if (t->n > 0) {
		memset(t->at, 0, t->n);
	}
	t->n = 0;
}

void ago_print(lua_State *L, const char *s, size_t n) {
	ago_spend(n >> 3);
	ago_text_add(L, &printed, s, n);
}

/* ---- require, without files ---- */

static int package_require(lua_State *L) {
	const char *name = luaL_checkstring(L, 1);
	lua_settop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, 2, name) != LUA_TNIL && lua_toboolean(L, -1)) return 1;
	lua_pop(L, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	if (lua_getfield(L, 3, name) == LUA_TNIL)
		return luaL_error(L, "module '%s' not found:\n\tno field package.preload['%s']", name, name);
	lua_pushvalue(L, 1);
	lua_pushliteral(L, ":preload:");
	lua_call(L, 2, 1);
	if (!lua_isnil(L, -1)) lua_setfield(L, 2, name);
	else lua_pop(L, 1);
	if (lua_getfield(L, 2, name) == LUA_TNIL) {
		lua_pushboolean(L, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, 2, name);
	}
	return 1;
}

int ago_open_package(lua_State *L) {
	lua_newtable(L);
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "path");
	lua_pushliteral(L, "");
	lua_setfield(L, -2, "cpath");
	lua_pushliteral(L, "/\n;\n?\n!\n-\n");
	lua_setfield(L, -2, "config");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_setfield(L, -2, "loaded");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_setfield(L, -2, "preload");
	lua_pushcfunction(L, package_require);
	lua_setglobal(L, "require");
	return 1;
}

/* ---- the library "machine": what a process may ask of what runs it ---- */

IMPORT("host") int ago_host(const char *name, size_t n, const char *text, size_t m, void *answer);

/* machine.time(t) makes os.time() give t. */
static int machine_time(lua_State *L) {
	time_now = luaL_checkinteger(L, 1);
	return 0;
}

/* machine.printed() takes what print wrote since the last call. */
static int machine_printed(lua_State *L) {
	lua_pushlstring(L, printed.at == NULL ? "" : printed.at, printed.n);
	ago_text_reset(&printed);
	return 1;
}

/* machine.gas() is the gas that is left. */
static int machine_gas(lua_State *L) {
	lua_pushinteger(L, ago_gas);
	return 1;
}

/* machine.host(name, value) asks the host. Values cross as JSON; in the machine for messages as they are, any number of
** them in both directions. */
static int machine_host(lua_State *L) {
	size_t n;
	const char *name = luaL_checklstring(L, 1, &n);
#ifndef AGO_MESSAGES
	lua_settop(L, 2);
#endif
	ago_spend(100);
	ago_text_reset(&asked);
#ifdef AGO_MESSAGES
	ago_values_encode(L, &asked, 2);
#else
	ago_json_encode(L, &asked, 2);
#endif
	struct { uint32_t at, n; } out = {0};
	int failed = ago_host(name, n, asked.at, asked.n, &out);
	ago_text_reset(&asked);
	if (out.at == 0) return luaL_error(L, "not enough memory");
	if (failed) {
		lua_pushlstring(L, (const char *)(uintptr_t)out.at, out.n);
		free((void *)(uintptr_t)out.at);
		return luaL_error(L, "%s", lua_tostring(L, -1));
	}
	/* The text has to outlive an error of the decoder, so it becomes a string of Lua's. */
	lua_pushlstring(L, (const char *)(uintptr_t)out.at, out.n);
	free((void *)(uintptr_t)out.at);
	const char *s = lua_tolstring(L, -1, &n);
#ifdef AGO_MESSAGES
	return ago_values_decode(L, s, n);
#else
	ago_json_decode(L, s, n);
	return 1;
#endif
}

int ago_open_machine(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"time", machine_time}, {"printed", machine_printed}, {"gas", machine_gas}, {"host", machine_host}, {NULL, NULL},
	};
	luaL_newlib(L, functions);
	return 1;
}

/* ---- what the host calls ---- */

static int panic(lua_State *L) {
	(void)L;
	__builtin_trap();
}

static int open_all(lua_State *L) {
	luaL_openlibs(L);
	luaL_requiref(L, "json", ago_open_json, 0);
	luaL_requiref(L, "base64", ago_open_base64, 0);
	luaL_requiref(L, "machine", ago_open_machine, 0);
	return 0;
}

/* What went wrong, with the way that led there. */
static int explain(lua_State *L) {
	const char *text = lua_tostring(L, 1);
	if (text == NULL) {
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) text = lua_tostring(L, -1);
		else text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	}
	luaL_traceback(L, L, text, 1);
	return 1;
}

#ifdef AGO_MESSAGES
/* Writes two values: what was thrown, and the way that led there. */
static int write_error(lua_State *L) {
	ago_text_reset(&reply);
	ago_values_encode(L, &reply, 1);
	return 0;
}

/* What went wrong, as the reply. What no message can hold is named by its kind. */
static int explain_values(lua_State *L) {
	lua_settop(L, 1);
	luaL_traceback(L, L, NULL, 1);
	lua_pushcfunction(L, write_error);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
		lua_settop(L, 2);
		lua_pushcfunction(L, write_error);
		const char *text = "";
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) text = lua_tostring(L, -1);
		else text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
		lua_pushcfunction(L, write_error);
		lua_pushstring(L, text);
		lua_pushvalue(L, 2);
		if (lua_pcall(L, 2, 0, 0) != LUA_OK) ago_text_reset(&reply);
	}
	lua_settop(L, 1);
	return 1;
}
#endif

static void say(const char *s, size_t n) {
	answer.at = (uint32_t)(uintptr_t)s;
	answer.n = n;
}

/* The error on the stack becomes the answer; the text stays on the stack until the next call. */
static void say_error(lua_State *L) {
	size_t n;
	const char *s = lua_tolstring(L, -1, &n);
	if (s == NULL) {
		s = "(error without a text)";
		n = strlen(s);
	}
	say(s, n);
}

EXPORT("ago_start") int ago_start(void) {
	ago_gas = 1000000000;
	state = lua_newstate(ago_realloc, NULL);
	if (state == NULL) return 1;
	lua_atpanic(state, panic);
	lua_pushcfunction(state, open_all);
	return lua_pcall(state, 0, 0, 0);
}

EXPORT("ago_alloc") void *ago_alloc(size_t n) {
	return malloc(n > 0 ? n : 1);
}

EXPORT("ago_release") void ago_release(void *p) {
	free(p);
}

EXPORT("ago_gas") long long *ago_gas_at(void) { return &ago_gas; }
EXPORT("ago_answer") void *ago_answer_at(void) { return &answer; }

static void begin(long long gas) {
	ago_gas = gas_begin = gas;
	lua_settop(state, 0);
	ago_text_reset(&reply);
	ago_text_reset(&printed);
}

/* Runs a text. 0: it ran. Otherwise the answer is what was wrong. */
EXPORT("ago_load") int ago_load(const char *source, size_t n, const char *name, long long gas) {
	begin(gas);
	lua_pushcfunction(state, explain);
	int status = luaL_loadbufferx(state, source, n, name, "t");
	if (status == LUA_OK) status = lua_pcall(state, 0, 0, 1);
	if (status == LUA_OK) lua_gc(state, LUA_GCCOLLECT, 0);
	else say_error(state);
	return status;
}

/* Makes all there is the beginning of every process. */
EXPORT("ago_freeze") void ago_freeze_all(void) {
	lua_settop(state, 0);
	ago_freeze(state);
}

struct call {
	const char *function;
	const char *text[2];
	size_t n[2];
	const char *before, *after;	/* of the result */
};

/* Calls a global function with values given as JSON and makes the JSON of its first result the reply. */
static int call(lua_State *L) {
	const struct call *c = lua_touserdata(L, 1);
	lua_settop(L, 0);
	if (lua_getglobal(L, c->function) == LUA_TNIL)
		return luaL_error(L, "the program defines no function %s", c->function);
#ifdef AGO_MESSAGES
	lua_call(L, ago_values_decode(L, c->text[0], c->n[0]), LUA_MULTRET);
	ago_text_reset(&reply);
	ago_values_encode(L, &reply, 1);
#else
	int args = 0;
	for (; args < 2 && c->text[args] != NULL; args++) ago_json_decode(L, c->text[args], c->n[args]);
	lua_call(L, args, 1);
	ago_text_add(L, &reply, c->before, strlen(c->before));
	ago_json_encode(L, &reply, 1);
	ago_text_add(L, &reply, c->after, strlen(c->after));
#endif
	return 0;
}

static int protected(struct call *c, long long gas) {
	lua_State *L = state;
	begin(gas);
#ifdef AGO_MESSAGES
	lua_pushcfunction(L, explain_values);
#else
	lua_pushcfunction(L, explain);
#endif
	lua_pushcfunction(L, call);
	lua_pushlightuserdata(L, c);
	int status = lua_pcall(L, 1, 0, 1);
#ifdef AGO_MESSAGES
	if (status != LUA_OK && status != LUA_ERRRUN) ago_text_reset(&reply);	/* it may be half written */
	say(reply.at, reply.n);
#else
	if (status == LUA_OK) say(reply.at, reply.n);
	else say_error(L);
#endif
	return status;
}

/* Evaluates a message. 0: the answer is what handle gave, otherwise what was wrong. */
EXPORT("ago_handle") int ago_handle(const char *message, size_t n, const char *env, size_t m, long long gas) {
	struct call c = {"handle", {message, env}, {n, m}, "{\"ok\":true,\"response\":", "}"};
	return protected(&c, gas);
}

/* Calls a global function with one value; in the machine for messages with the values of a list. The answer to an error is
** then a list, too: what was thrown, and the way that led there; it is empty where there was no memory for it. */
EXPORT("ago_call") int ago_call(const char *function, const char *value, size_t n, long long gas) {
	struct call c = {function, {value, NULL}, {n, 0}, "", ""};
	return protected(&c, gas);
}

/* What print wrote in the last call. */
EXPORT("ago_printed") void ago_printed(void) {
	say(printed.at, printed.n);
}
