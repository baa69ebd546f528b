/* The parts of the machine that are not Lua's. */
#ifndef ago_machine_h
#define ago_machine_h

#include "lua.h"

void *ago_realloc(void *unused, void *p, size_t old, size_t n);

/* A text that grows. */
typedef struct {
	char *at;
	size_t n, cap;
} ago_text;

void ago_text_add(lua_State *L, ago_text *t, const char *s, size_t n);
void ago_text_reset(ago_text *t);

void ago_json_decode(lua_State *L, const char *s, size_t n);	/* pushes the value */
void ago_json_encode(lua_State *L, ago_text *to, int index);

/* In the machine for messages: values as message.c has them. */
int ago_values_decode(lua_State *L, const char *s, size_t n);	/* pushes them and gives their number */
void ago_values_encode(lua_State *L, ago_text *to, int from);	/* from an index of the stack on */

int ago_open_json(lua_State *L);
int ago_open_base64(lua_State *L);
int ago_open_package(lua_State *L);
int ago_open_machine(lua_State *L);

#endif
