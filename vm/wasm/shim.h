// The few entry points of the wasmtime C interface that this package uses, declared by hand, and the functions
// built on them. Declaring them here needs no header of another module and reaches the settings and the unchecked
// calls that the Go binding does not offer. The layouts are those of wasmtime 39.
#ifndef AGO_WASM_SHIM_H
#define AGO_WASM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_engine_t wasm_engine_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_linker wasmtime_linker_t;
typedef struct wasmtime_instance_pre wasmtime_instance_pre_t;

typedef struct { uint64_t store_id; void *priv; } ago_func;
typedef struct { uint64_t store_id; size_t priv; } ago_wtinstance;
typedef struct { struct { uint64_t store_id; uint32_t priv1; } head; uint32_t priv2; } ago_memory;
typedef ago_memory ago_table;
typedef struct { uint64_t store_id; uint32_t priv1, priv2, priv3; } ago_global;

enum { AGO_ARGS_MAX = 16, AGO_GATE_SIZE = 1 << 16 };

// One imported function: which one it is, and how its arguments lie in the raw slots.
typedef struct {
	uint32_t index;
	uint32_t nparams;
	uint32_t narrow;       // bit i: parameter i is 32 bits wide
	uint32_t nresults;
	bool result_narrow;
	char *module, *name;
} ago_import;

typedef struct {
	wasm_engine_t *engine;
	wasmtime_module_t *module;
	wasmtime_linker_t *linker;
	wasmtime_instance_pre_t *pre;
	ago_import *imports;
	size_t nimports;
} ago_module;

typedef struct {
	wasmtime_store_t *store;
	wasmtime_context_t *ctx;
	ago_wtinstance instance;
	ago_memory memory;
	ago_table table;
	bool has_table;
	uintptr_t handle;
	uint8_t *base;          // of the linear memory, as of the last look
	uint64_t size;          // bytes
	uint8_t *gate;          // the page that the module reads to be stoppable
} ago_instance;

// How a call ended.
enum { AGO_OK = 0, AGO_TRAP = 1, AGO_ERROR = 2 };

typedef struct {
	int kind;
	int code;      // trap code, -1 if the trap was made by the host or has none
	uint64_t value;
	char *message; // owned by the caller, set unless kind is AGO_OK
} ago_result;

char *ago_engine_new(uint64_t reservation, uint64_t stack, wasm_engine_t **out);
void ago_engine_delete(wasm_engine_t *engine);

char *ago_compile(wasm_engine_t *engine, const uint8_t *bytes, size_t len, uint8_t **out, size_t *out_len);
void ago_free_compiled(uint8_t *bytes, size_t len);
char *ago_load(wasm_engine_t *engine, const char *path, const uint8_t *bytes, size_t len, ago_module **out);
void ago_unload(ago_module *m);

char *ago_instantiate(ago_module *m, uintptr_t handle, const char *memory, const char *table, const char *gate, int64_t memory_max, ago_instance **out);
// ago_gate closes the gate of an instance or opens it, at any time and from any thread. It answers 0 or an errno.
int ago_gate(ago_instance *i, bool closed);
void ago_drop(ago_instance *i);
bool ago_table_func(ago_instance *i, uint64_t index, ago_func *out);
bool ago_export_func(ago_instance *i, const char *name, size_t len, ago_func *out);
bool ago_export_global(ago_instance *i, const char *name, size_t len, ago_global *out);
uint64_t ago_global_get(ago_instance *i, ago_global g);
char *ago_global_set(ago_instance *i, ago_global g, uint64_t v);
void ago_look(ago_instance *i);
bool ago_grow(ago_instance *i, uint64_t pages);
void ago_call(ago_instance *i, ago_func f, const uint64_t *args, uint32_t nargs, ago_result *out);
void ago_call3(ago_instance *i, ago_func f, uint32_t nargs, uint64_t a, uint64_t b, uint64_t c, ago_result *out);

#endif
