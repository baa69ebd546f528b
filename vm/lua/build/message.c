/* Values of messages in a form of their own, so that numbers keep their kind and texts may hold any byte. Only in the
** machine for messages, where calls and questions to the host take and give several values.
**
** A value is a byte that says what it is, and what it says:
**	0 nil, 1 false, 2 true
**	3 integer: 8 bytes	4 float: 8 bytes
**	5 text: length, bytes
**	6 table: count, then a key (text) and a value each
**	7 list: count, values
** Lengths and counts are 4 bytes. The lowest byte comes first. */
#ifdef AGO_MESSAGES
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "lauxlib.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"
#include "machine.h"

#define DEPTH_MAX	100	/* of tables within each other */

enum { V_NIL, V_FALSE, V_TRUE, V_INTEGER, V_FLOAT, V_TEXT, V_TABLE, V_LIST };

typedef struct {
	const char *at, *end;
	int depth;
} reader;

static void take(lua_State *L, reader *r, void *to, size_t n) {
	if ((size_t)(r->end - r->at) < n) luaL_error(L, "the host gave a value that is not whole");
	memcpy(to, r->at, n);
	r->at += n;
}

static size_t count(lua_State *L, reader *r) {
	uint32_t n;
	take(L, r, &n, 4);
	if (n > (size_t)(r->end - r->at)) luaL_error(L, "the host gave a value that is not whole");
	return n;
}

static void text(lua_State *L, reader *r) {
	size_t n = count(L, r);
	lua_pushlstring(L, r->at, n);
	r->at += n;
}

static void value(lua_State *L, reader *r) {
	uint8_t kind;
	if (++r->depth > DEPTH_MAX + 1) luaL_error(L, "messages are nested too deeply");
	luaL_checkstack(L, 8, "message");
	take(L, r, &kind, 1);
	switch (kind) {
	case V_NIL: lua_pushnil(L); break;
	case V_FALSE: lua_pushboolean(L, 0); break;
	case V_TRUE: lua_pushboolean(L, 1); break;
	case V_INTEGER: {
		int64_t v;
		take(L, r, &v, 8);
		lua_pushinteger(L, v);
		break;
	}
	case V_FLOAT: {
		double v;
		take(L, r, &v, 8);
		lua_pushnumber(L, v);
		break;
	}
	case V_TEXT: text(L, r); break;
	case V_TABLE: {
		size_t n = count(L, r);
		lua_createtable(L, 0, n);
		for (size_t i = 0; i < n; i++) {
			uint8_t k;
			take(L, r, &k, 1);
			if (k != V_TEXT) luaL_error(L, "the host gave a key that is no text");
			text(L, r);
			value(L, r);
			lua_rawset(L, -3);
		}
		break;
	}
	case V_LIST: {
		size_t n = count(L, r);
		lua_createtable(L, n, 0);
		for (size_t i = 1; i <= n; i++) {
			value(L, r);
			lua_rawseti(L, -2, i);
		}
		break;
	}
	default: luaL_error(L, "the host gave a value of no kind");
	}
	r->depth--;
}

/* Pushes the members of a list and gives how many there are. */
int ago_values_decode(lua_State *L, const char *s, size_t n) {
	reader r = {s, s + n, 0};
	ago_spend(n);
	uint8_t kind = V_NIL;
	take(L, &r, &kind, 1);
	if (kind != V_LIST) luaL_error(L, "the host gave no list of values");
	size_t members = count(L, &r);
	luaL_checkstack(L, members + 8, "too many values");
	for (size_t i = 0; i < members; i++) value(L, &r);
	return members;
}

typedef struct {
	lua_State *L;
	ago_text *to;
	int depth;
} writer;

static void put(writer *w, int kind, const void *s, size_t n) {
	char k = kind;
	ago_text_add(w->L, w->to, &k, 1);
	ago_text_add(w->L, w->to, s, n);
}

static void put_text(writer *w, const char *s, size_t n) {
	uint32_t size = n;
	put(w, V_TEXT, &size, 4);
	ago_text_add(w->L, w->to, s, n);
}

static void encode(writer *w, const TValue *v);

/* Keys are texts; whole numbers become theirs. */
static void encode_key(writer *w, const TValue *k) {
	if (ttisstring(k)) {
		put_text(w, svalue(k), vslen(k));
	} else if (ttisinteger(k)) {
		char s[24];
		put_text(w, s, ago_integer(s, ivalue(k)));
	} else {
		luaL_error(w->L, "a message cannot have a key that is a %s", ttypename(ttnov(k)));
	}
}

/* A table whose keys are 1, 2, 3... is a list, any other one a message. */
static void encode_table(writer *w, Table *t) {
	uint32_t members = 0;
	for (unsigned i = 0; i < t->sizearray; i++) members += !ttisnil(&t->array[i]);
	for (int i = 0; i < sizenode(t); i++) members += !ttisnil(gval(gnode(t, i)));
	ago_spend(t->sizearray + sizenode(t));
	if (members > 0 && !ttisnil(luaH_getint(t, 1))) {
		uint32_t n = 1;
		while (n < members && !ttisnil(luaH_getint(t, n + 1))) n++;
		if (n == members) {
			put(w, V_LIST, &members, 4);
			for (uint32_t i = 1; i <= members; i++) encode(w, luaH_getint(t, i));
			return;
		}
	}
	put(w, V_TABLE, &members, 4);
	for (unsigned i = 0; i < t->sizearray; i++) {
		if (ttisnil(&t->array[i])) continue;
		char s[24];
		put_text(w, s, ago_integer(s, (long long)i + 1));
		encode(w, &t->array[i]);
	}
	for (int i = 0; i < sizenode(t); i++) {
		const Node *node = gnode(t, i);
		if (ttisnil(gval(node))) continue;
		encode_key(w, gkey(node));
		encode(w, gval(node));
	}
}

static void encode(writer *w, const TValue *v) {
	ago_spend(2);
	switch (ttype(v)) {
	case LUA_TNIL: put(w, V_NIL, "", 0); break;
	case LUA_TBOOLEAN: put(w, bvalue(v) ? V_TRUE : V_FALSE, "", 0); break;
	case LUA_TNUMINT: {
		int64_t n = ivalue(v);
		put(w, V_INTEGER, &n, 8);
		break;
	}
	case LUA_TNUMFLT: {
		double n = fltvalue(v);
		put(w, V_FLOAT, &n, 8);
		break;
	}
	case LUA_TSHRSTR: case LUA_TLNGSTR:
		ago_spend(vslen(v) >> 3);
		put_text(w, svalue(v), vslen(v));
		break;
	case LUA_TTABLE:
		if (++w->depth > DEPTH_MAX) luaL_error(w->L, "tables are nested too deeply, or one contains itself");
		encode_table(w, hvalue(v));
		w->depth--;
		break;
	default: luaL_error(w->L, "a message cannot hold a %s", ttypename(ttnov(v)));
	}
}

/* Writes the values from an index of the stack to its top as a list. */
void ago_values_encode(lua_State *L, ago_text *to, int from) {
	writer w = {L, to, 0};
	int top = lua_gettop(L);
	uint32_t n = top >= from ? top - from + 1 : 0;
	put(&w, V_LIST, &n, 4);
	for (int i = from; i <= top; i++) encode(&w, L->ci->func + i);
}
#endif
