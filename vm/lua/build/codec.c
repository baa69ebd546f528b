/* JSON and base64, in C because every message goes through them. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lauxlib.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"
#include "machine.h"

#define DEPTH_MAX	200	/* of arrays and objects within each other */

/* ---- decoding ----
** Objects and arrays become tables, null becomes nil. A number without fraction and exponent is an integer if it fits
** 64 bits, otherwise a float. */

typedef struct {
	lua_State *L;
	const char *begin, *at, *end;
	int depth;

} reader;

static void value(reader *r);

static _Noreturn void wrong(reader *r, const char *what) {
	int line = 1, column = 1;
	for (const char *p = r->begin; p < r->at && p < r->end; p++) {
		column++;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	luaL_error(r->L, "%s at line %d col %d", what, line, column);
	__builtin_unreachable();
}

static int space(reader *r) {
	const char *p = r->at, *end = r->end;
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
	r->at = p;
	return p < end ? (unsigned char)*p : -1;
}

static unsigned hex4(reader *r) {
	unsigned v = 0;
	if (r->end - r->at < 4) wrong(r, "invalid unicode escape in string");
	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)*r->at++;
		if (c - '0' < 10) v = v * 16 + c - '0';
		else if ((c | 32) - 'a' < 6) v = v * 16 + (c | 32) - 'a' + 10;
		else wrong(r, "invalid unicode escape in string");
	}
	return v;
}

static int utf8(char *to, unsigned c) {
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = 0xC0 | c >> 6;
		to[1] = 0x80 | (c & 63);
		return 2;
	}
	if (c < 0x10000) {
		to[0] = 0xE0 | c >> 12;
		to[1] = 0x80 | (c >> 6 & 63);
		to[2] = 0x80 | (c & 63);
		return 3;
	}
	to[0] = 0xF0 | c >> 18;
	to[1] = 0x80 | (c >> 12 & 63);
	to[2] = 0x80 | (c >> 6 & 63);
	to[3] = 0x80 | (c & 63);
	return 4;
}

static int escape(reader *r, char *to) {
	if (r->at == r->end) wrong(r, "expected closing quote for string");
	char c = *r->at++;
	switch (c) {
	case '"': case '\\': case '/': to[0] = c; return 1;
	case 'b': to[0] = '\b'; return 1;
	case 'f': to[0] = '\f'; return 1;
	case 'n': to[0] = '\n'; return 1;
	case 'r': to[0] = '\r'; return 1;
	case 't': to[0] = '\t'; return 1;
	case 'u': {
		unsigned v = hex4(r);
		if (v >= 0xD800 && v < 0xDC00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
			const char *back = r->at;
			r->at += 2;
			unsigned low = hex4(r);
			if (low >= 0xDC00 && low < 0xE000) return utf8(to, 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00));
			r->at = back;
		}
		return utf8(to, v);
	}
	default: wrong(r, "invalid escape character in string");
	}
}

static void string(reader *r) {
	const char *from = ++r->at, *p = from, *end = r->end;
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 32) p++;
	if (p < end && *p == '"') {
		lua_pushlstring(r->L, from, p - from);
		r->at = p + 1;
		return;
	}
	luaL_Buffer b;
	luaL_buffinit(r->L, &b);
	for (;;) {
		luaL_addlstring(&b, from, p - from);
		r->at = p;
		if (p == end) wrong(r, "expected closing quote for string");
		if (*p == '"') break;
		if (*p != '\\') wrong(r, "control character in string");
		r->at++;
		char out[4];
		int n = escape(r, out);
		luaL_addlstring(&b, out, n);
		from = p = r->at;
		while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 32) p++;
	}
	luaL_pushresult(&b);
	r->at++;
}

static void number(reader *r) {
	const char *from = r->at, *p = from, *end = r->end;
	int negative = p < end && *p == '-', whole = 1, fits = 1;
	uint64_t v = 0;
	p += negative;
	const char *digits = p;
	for (; p < end && (unsigned)(*p - '0') < 10; p++) {
		unsigned d = *p - '0';
		if (v > (UINT64_MAX - d) / 10) fits = 0;
		else v = v * 10 + d;
	}
	if (p == digits) wrong(r, "invalid number");
	if (*digits == '0' && p - digits > 1) wrong(r, "invalid number");
	if (p < end && *p == '.') {
		whole = 0;
		const char *f = ++p;
		while (p < end && (unsigned)(*p - '0') < 10) p++;
		if (p == f) wrong(r, "invalid number");
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		whole = 0;
		p++;
		if (p < end && (*p == '+' || *p == '-')) p++;
		const char *f = p;
		while (p < end && (unsigned)(*p - '0') < 10) p++;
		if (p == f) wrong(r, "invalid number");
	}
	r->at = p;
	if (whole && fits && v <= (uint64_t)INT64_MAX + negative) {
		lua_pushinteger(r->L, negative ? (lua_Integer)(0 - v) : (lua_Integer)v);
		return;
	}
	/* The text goes on behind the number, which strtod needs to end. */
	ago_spend(40 + (p - from));
	lua_pushlstring(r->L, from, p - from);
	double d = strtod(lua_tostring(r->L, -1), NULL);
	lua_pop(r->L, 1);
	lua_pushnumber(r->L, d);
}

/* Members are gathered on the stack first, so that a table is made at its size. */
#define GATHER	32

static void array(reader *r) {
	lua_State *L = r->L;
	int base = lua_gettop(L), made = 0, n = 0;
	lua_Integer count = 0;
	r->at++;
	if (space(r) == ']') r->at++;
	else for (int more = 1; more;) {
		value(r);
		n++;
		int c = space(r);
		if (c == ',') r->at++;
		else if (c == ']') {
			r->at++;
			more = 0;
		} else wrong(r, "expected ']' or ','");
		if (n < GATHER && more) continue;
		if (!made) {
			lua_createtable(L, n, 0);
			lua_insert(L, base + 1);
			made = 1;
		}
		for (int i = n; i > 0; i--) lua_rawseti(L, base + 1, count + i);
		count += n;
		n = 0;
	}
	if (!made) lua_newtable(L);
}

static void object(reader *r) {
	lua_State *L = r->L;
	int base = lua_gettop(L), made = 0, n = 0;
	r->at++;
	if (space(r) == '}') r->at++;
	else for (int more = 1; more;) {
		if (space(r) != '"') wrong(r, "expected string for key");
		string(r);
		if (space(r) != ':') wrong(r, "expected ':' after key");
		r->at++;
		value(r);
		n++;
		int c = space(r);
		if (c == ',') r->at++;
		else if (c == '}') {
			r->at++;
			more = 0;
		} else wrong(r, "expected '}' or ','");
		if (n < GATHER && more) continue;
		if (!made) {
			lua_createtable(L, 0, n);
			lua_insert(L, base + 1);
			made = 1;
		}
		for (int i = 0; i < n; i++) {	/* in their order: of equal keys the last one counts */
			lua_pushvalue(L, base + 2 + 2 * i);
			lua_pushvalue(L, base + 3 + 2 * i);
			lua_rawset(L, base + 1);
		}
		lua_settop(L, base + 1);
		n = 0;
	}
	if (!made) lua_newtable(L);
}

static void word(reader *r, const char *w, size_t n) {
	if ((size_t)(r->end - r->at) < n || memcmp(r->at, w, n) != 0) wrong(r, "unexpected character");
	r->at += n;
}

static void value(reader *r) {
	lua_State *L = r->L;
	if (++r->depth > DEPTH_MAX) wrong(r, "arrays and objects are nested too deeply");
	luaL_checkstack(L, 2 * GATHER + 8, "JSON");
	switch (space(r)) {
	case '"': string(r); break;
	case '{': object(r); break;
	case '[': array(r); break;
	case 't': word(r, "true", 4); lua_pushboolean(L, 1); break;
	case 'f': word(r, "false", 5); lua_pushboolean(L, 0); break;
	case 'n': word(r, "null", 4); lua_pushnil(L); break;
	case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		number(r);
		break;
	case -1: wrong(r, "unexpected end of text");
	default: wrong(r, "unexpected character");
	}
	r->depth--;
}

void ago_json_decode(lua_State *L, const char *s, size_t n) {
	reader r = {L, s, s, s + n, 0};
	ago_spend(n);
	value(&r);
	if (space(&r) >= 0) wrong(&r, "trailing garbage");
}

/* ---- encoding ----
** A table with a value at 1, and an empty one, is an array; any other one an object. The members of an object are in
** the order of their keys' bytes, so that equal tables give equal texts. */

typedef struct {
	const char *key;
	size_t n;
	const TValue *value;
} member;

static member *members;	/* of the objects being written, the innermost last */
static size_t members_n, members_cap;

typedef struct {
	lua_State *L;
	ago_text *to;
	int depth;
} writer;

static void put(writer *w, const char *s, size_t n) { ago_text_add(w->L, w->to, s, n); }

static void quoted(writer *w, const char *s, size_t n) {
	static const char hex[] = "0123456789abcdef";
	put(w, "\"", 1);
	const char *from = s, *end = s + n;
	for (; s < end; s++) {
		unsigned char c = *s;
		if (c >= 32 && c != '"' && c != '\\' && c != 127) continue;
		put(w, from, s - from);
		from = s + 1;
		char out[6] = {'\\', 0, '0', '0', 0, 0};
		switch (c) {
		case '"': case '\\': out[1] = c; put(w, out, 2); break;
		case '\b': put(w, "\\b", 2); break;
		case '\f': put(w, "\\f", 2); break;
		case '\n': put(w, "\\n", 2); break;
		case '\r': put(w, "\\r", 2); break;
		case '\t': put(w, "\\t", 2); break;
		default:
			out[1] = 'u';
			out[4] = hex[c >> 4];
			out[5] = hex[c & 15];
			put(w, out, 6);
		}
	}
	put(w, from, s - from);
	put(w, "\"", 1);
}

static int compare(const void *a, const void *b) {
	const member *x = a, *y = b;
	int c = memcmp(x->key, y->key, x->n < y->n ? x->n : y->n);
	if (c != 0) return c;
	return x->n < y->n ? -1 : x->n > y->n;
}

static void gather(writer *w, const TString *key, const TValue *v) {
	if (members_n == members_cap) {
		size_t cap = members_cap * 2 + 32;
		member *p = realloc(members, cap * sizeof(member));
		if (p == NULL) luaL_error(w->L, "not enough memory");
		members = p;
		members_cap = cap;
	}
	members[members_n++] = (member){getstr(key), tsslen(key), v};
}

static void encode(writer *w, const TValue *v);

static void encode_array(writer *w, Table *t) {
	lua_Unsigned n = luaH_getn(t), have = 0;
	for (unsigned i = 0; i < t->sizearray; i++) have += !ttisnil(&t->array[i]);
	for (int i = 0; i < sizenode(t); i++) {
		const Node *node = gnode(t, i);
		if (ttisnil(gval(node))) continue;
		if (!ttisnumber(gkey(node))) luaL_error(w->L, "invalid table: mixed or invalid key types");
		have++;
	}
	ago_spend(t->sizearray + sizenode(t));
	if (have != n) luaL_error(w->L, "invalid table: sparse array");
	put(w, "[", 1);
	for (lua_Unsigned i = 1; i <= n; i++) {
		if (i > 1) put(w, ",", 1);
		encode(w, luaH_getint(t, i));
	}
	put(w, "]", 1);
}

static void encode_object(writer *w, Table *t) {
	size_t first = members_n;
	if (t->sizearray > 0)
		for (unsigned i = 0; i < t->sizearray; i++)
			if (!ttisnil(&t->array[i])) luaL_error(w->L, "invalid table: mixed or invalid key types");
	for (int i = 0; i < sizenode(t); i++) {
		const Node *node = gnode(t, i);
		if (ttisnil(gval(node))) continue;
		if (!ttisstring(gkey(node))) luaL_error(w->L, "invalid table: mixed or invalid key types");
		gather(w, tsvalue(gkey(node)), gval(node));
	}
	size_t n = members_n - first;
	ago_spend(sizenode(t) + 8 * n);
	member *m = members + first;
	if (n > 16) {
		qsort(m, n, sizeof(member), compare);
	} else for (size_t i = 1; i < n; i++) {
		member one = m[i];
		size_t k = i;
		for (; k > 0 && compare(&m[k - 1], &one) > 0; k--) m[k] = m[k - 1];
		m[k] = one;
	}
	for (size_t i = 0; i < n; i++) {
		member one = members[first + i];	/* the list may move while a member is written */
		put(w, i > 0 ? "," : "{", 1);
		quoted(w, one.key, one.n);
		put(w, ":", 1);
		encode(w, one.value);
	}
	put(w, "}", 1);
	members_n = first;
}

static int empty(Table *t) {
	for (unsigned i = 0; i < t->sizearray; i++)
		if (!ttisnil(&t->array[i])) return 0;
	for (int i = 0; i < sizenode(t); i++)
		if (!ttisnil(gval(gnode(t, i)))) return 0;
	return 1;
}

static void encode_number(writer *w, double d) {
	char s[40];
	if (d != d || d - d != 0) {
		snprintf(s, sizeof s, "%.14g", d);
		luaL_error(w->L, "unexpected number value '%s'", s);
	}
	ago_spend(60);
	/* The fewest digits, from 14 on, that give the number back. */
	for (int digits = 14; digits <= 17; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, d);
		if (strtod(s, NULL) == d) break;
	}
	put(w, s, strlen(s));
}

int ago_integer(char *to, long long v) {
	char s[24], *p = s + sizeof s;
	unsigned long long u = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;
	do *--p = '0' + u % 10;
	while ((u /= 10) > 0);
	if (v < 0) *--p = '-';
	int n = s + sizeof s - p;
	memcpy(to, p, n);
	to[n] = 0;
	return n;
}

static void encode_integer(writer *w, lua_Integer v) {
	char s[24];
	put(w, s, ago_integer(s, v));
}

static void encode(writer *w, const TValue *v) {
	ago_spend(2);
	switch (ttype(v)) {
	case LUA_TNIL: put(w, "null", 4); break;
	case LUA_TBOOLEAN:
		if (bvalue(v)) put(w, "true", 4);
		else put(w, "false", 5);
		break;
	case LUA_TNUMINT: encode_integer(w, ivalue(v)); break;
	case LUA_TNUMFLT: encode_number(w, fltvalue(v)); break;
	case LUA_TSHRSTR: case LUA_TLNGSTR:
		ago_spend(vslen(v) >> 1);
		quoted(w, svalue(v), vslen(v));
		break;
	case LUA_TTABLE: {
		Table *t = hvalue(v);
		if (++w->depth > DEPTH_MAX) luaL_error(w->L, "tables are nested too deeply, or one contains itself");
		if (!ttisnil(luaH_getint(t, 1))) encode_array(w, t);
		else if (empty(t)) put(w, "[]", 2);
		else encode_object(w, t);
		w->depth--;
		break;
	}
	default: luaL_error(w->L, "unexpected type '%s'", ttypename(ttnov(v)));
	}
}

void ago_json_encode(lua_State *L, ago_text *to, int index) {
	writer w = {L, to, 0};
	members_n = 0;
	luaL_checkany(L, index);
	const TValue *v = L->ci->func + lua_absindex(L, index);
	encode(&w, v);
	if (members_cap > 1024) {
		free(members);
		members = NULL;
		members_cap = 0;
	}
}

static int json_decode(lua_State *L) {
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	lua_settop(L, 1);
	ago_json_decode(L, s, n);
	return 1;
}

static int json_encode(lua_State *L) {
	static ago_text text;
	ago_text_reset(&text);
	ago_json_encode(L, &text, 1);
	lua_pushlstring(L, text.at, text.n);
	ago_text_reset(&text);
	return 1;
}

int ago_open_json(lua_State *L) {
	static const luaL_Reg functions[] = {{"decode", json_decode}, {"encode", json_encode}, {NULL, NULL}};
	luaL_newlib(L, functions);
	return 1;
}

/* ---- base64 ---- */

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int base64_with(lua_State *L, const char *digits, int padded) {
	size_t n;
	const unsigned char *s = (const unsigned char *)luaL_checklstring(L, 1, &n);
	luaL_Buffer b;
	ago_spend(n);
	char *p = luaL_buffinitsize(L, &b, n / 3 * 4 + 4), *at = p;
	for (; n >= 3; n -= 3, s += 3) {
		unsigned v = s[0] << 16 | s[1] << 8 | s[2];
		*at++ = digits[v >> 18];
		*at++ = digits[v >> 12 & 63];
		*at++ = digits[v >> 6 & 63];
		*at++ = digits[v & 63];
	}
	if (n > 0) {
		unsigned v = s[0] << 16 | (n > 1 ? s[1] << 8 : 0);
		*at++ = digits[v >> 18];
		*at++ = digits[v >> 12 & 63];
		if (n > 1) *at++ = digits[v >> 6 & 63];
		else if (padded) *at++ = '=';
		if (padded) *at++ = '=';
	}
	luaL_pushresultsize(&b, at - p);
	return 1;
}

static int base64_encode(lua_State *L) { return base64_with(L, standard, 1); }
static int base64_encode_url(lua_State *L) { return base64_with(L, url, 0); }

static int digit(unsigned char c) {
	if (c - 'A' < 26u) return c - 'A';
	if (c - 'a' < 26u) return c - 'a' + 26;
	if (c - '0' < 10u) return c - '0' + 52;
	if (c == '+' || c == '-') return 62;
	if (c == '/' || c == '_') return 63;
	return -1;
}

/* Both alphabets, with or without padding; line breaks and spaces are passed over. */
static int base64_decode(lua_State *L) {
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n), *end = s + n;
	luaL_Buffer b;
	ago_spend(n);
	char *p = luaL_buffinitsize(L, &b, n / 4 * 3 + 4), *at = p;
	unsigned v = 0, bits = 0;
	for (; s < end && *s != '='; s++) {
		int d = digit(*s);
		if (d < 0) {
			if (*s == '\n' || *s == '\r' || *s == ' ') continue;
			return luaL_error(L, "invalid character in base64 text");
		}
		v = v << 6 | d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*at++ = v >> bits;
		}
	}
	luaL_pushresultsize(&b, at - p);
	return 1;
}

int ago_open_base64(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"encode", base64_encode}, {"encode_url", base64_encode_url}, {"decode", base64_decode}, {NULL, NULL},
	};
	luaL_newlib(L, functions);
	return 1;
}
