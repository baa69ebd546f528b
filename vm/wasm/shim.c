//go:build linux && amd64 && cgo

#include "shim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct wasm_config_t wasm_config_t;
typedef struct wasm_trap_t wasm_trap_t;
typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_valtype_t wasm_valtype_t;
typedef struct wasm_importtype_t wasm_importtype_t;
typedef struct wasm_externtype_t wasm_externtype_t;
typedef struct wasm_globaltype_t wasm_globaltype_t;
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasmtime_caller wasmtime_caller_t;

typedef struct { size_t size; char *data; } byte_vec;
typedef struct { size_t size; wasm_importtype_t **data; } importtype_vec;
typedef struct { size_t size; wasm_valtype_t **data; } valtype_vec;

// A raw slot is wide enough for a vector; only its first eight bytes are used here.
typedef struct { uint64_t v; uint64_t pad; } raw;

typedef struct {
	uint8_t kind;
	union { ago_func func; ago_global global; ago_memory memory; void *other; } of;
} extern_t;

typedef struct {
	uint8_t kind;
	union { int32_t i32; int64_t i64; float f32; double f64; uint8_t v128[16]; ago_func func; struct { uint64_t a; void *b; void *c; } wide; } of;
} val_t;

enum { KIND_FUNC = 0, KIND_GLOBAL = 1, KIND_TABLE = 2, KIND_MEMORY = 3 };
enum { VAL_I32 = 0, VAL_I64 = 1, VAL_F32 = 2, VAL_F64 = 3, VAL_FUNCREF = 5 };
enum { OPT_SPEED = 1 };

typedef wasm_trap_t *(*unchecked_callback)(void *env, wasmtime_caller_t *caller, raw *slots, size_t n);

wasm_config_t *wasm_config_new(void);
wasm_engine_t *wasm_engine_new_with_config(wasm_config_t *);
void wasm_engine_delete(wasm_engine_t *);
void wasmtime_config_wasm_exceptions_set(wasm_config_t *, bool);
void wasmtime_config_wasm_function_references_set(wasm_config_t *, bool);
void wasmtime_config_wasm_gc_set(wasm_config_t *, bool);
void wasmtime_config_wasm_memory64_set(wasm_config_t *, bool);
void wasmtime_config_wasm_threads_set(wasm_config_t *, bool);
void wasmtime_config_wasm_relaxed_simd_set(wasm_config_t *, bool);
void wasmtime_config_consume_fuel_set(wasm_config_t *, bool);
void wasmtime_config_cranelift_nan_canonicalization_set(wasm_config_t *, bool);
void wasmtime_config_cranelift_opt_level_set(wasm_config_t *, uint8_t);
void wasmtime_config_cranelift_flag_set(wasm_config_t *, const char *, const char *);
void wasmtime_config_memory_reservation_set(wasm_config_t *, uint64_t);
void wasmtime_config_memory_init_cow_set(wasm_config_t *, bool);
void wasmtime_config_max_wasm_stack_set(wasm_config_t *, size_t);
void wasmtime_config_native_unwind_info_set(wasm_config_t *, bool);

void wasm_byte_vec_delete(byte_vec *);
void wasmtime_error_message(const wasmtime_error_t *, byte_vec *);
void wasmtime_error_delete(wasmtime_error_t *);

wasmtime_error_t *wasmtime_module_new(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
void wasmtime_module_delete(wasmtime_module_t *);
wasmtime_error_t *wasmtime_module_serialize(wasmtime_module_t *, byte_vec *);
wasmtime_error_t *wasmtime_module_deserialize(wasm_engine_t *, const uint8_t *, size_t, wasmtime_module_t **);
wasmtime_error_t *wasmtime_module_deserialize_file(wasm_engine_t *, const char *, wasmtime_module_t **);
void wasmtime_module_imports(const wasmtime_module_t *, importtype_vec *);
void wasm_importtype_vec_delete(importtype_vec *);
const byte_vec *wasm_importtype_module(const wasm_importtype_t *);
const byte_vec *wasm_importtype_name(const wasm_importtype_t *);
const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *);
const wasm_functype_t *wasm_externtype_as_functype_const(const wasm_externtype_t *);
const valtype_vec *wasm_functype_params(const wasm_functype_t *);
const valtype_vec *wasm_functype_results(const wasm_functype_t *);
uint8_t wasm_valtype_kind(const wasm_valtype_t *);

wasmtime_linker_t *wasmtime_linker_new(wasm_engine_t *);
void wasmtime_linker_delete(wasmtime_linker_t *);
void wasmtime_linker_allow_shadowing(wasmtime_linker_t *, bool);
wasmtime_error_t *wasmtime_linker_define_func_unchecked(wasmtime_linker_t *, const char *, size_t, const char *, size_t,
	const wasm_functype_t *, unchecked_callback, void *, void (*)(void *));
wasmtime_error_t *wasmtime_linker_instantiate_pre(const wasmtime_linker_t *, const wasmtime_module_t *, wasmtime_instance_pre_t **);
void wasmtime_instance_pre_delete(wasmtime_instance_pre_t *);
wasmtime_error_t *wasmtime_instance_pre_instantiate(const wasmtime_instance_pre_t *, wasmtime_context_t *, ago_wtinstance *, wasm_trap_t **);
bool wasmtime_instance_export_get(wasmtime_context_t *, const ago_wtinstance *, const char *, size_t, extern_t *);

wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *, void (*)(void *));
void wasmtime_store_delete(wasmtime_store_t *);
wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
void wasmtime_store_limiter(wasmtime_store_t *, int64_t, int64_t, int64_t, int64_t, int64_t);
void *wasmtime_context_get_data(const wasmtime_context_t *);
wasmtime_context_t *wasmtime_caller_context(wasmtime_caller_t *);

wasmtime_error_t *wasmtime_func_call_unchecked(wasmtime_context_t *, const ago_func *, raw *, size_t, wasm_trap_t **);
void wasmtime_global_get(wasmtime_context_t *, const ago_global *, val_t *);
wasmtime_error_t *wasmtime_global_set(wasmtime_context_t *, const ago_global *, const val_t *);
bool wasmtime_table_get(wasmtime_context_t *, const ago_table *, uint64_t, val_t *);
uint8_t *wasmtime_memory_data(const wasmtime_context_t *, const ago_memory *);
size_t wasmtime_memory_data_size(const wasmtime_context_t *, const ago_memory *);
wasmtime_error_t *wasmtime_memory_grow(wasmtime_context_t *, const ago_memory *, uint64_t, uint64_t *);

wasm_trap_t *wasmtime_trap_new(const char *, size_t);
bool wasmtime_trap_code(const wasm_trap_t *, uint8_t *);
void wasm_trap_message(const wasm_trap_t *, byte_vec *);
void wasm_trap_delete(wasm_trap_t *);

// Go: runs the host function and answers 0, or 1 to end the call with a trap.
extern int agoHost(uintptr_t handle, uint32_t index, uint64_t *slots, uint32_t n);

static char *copy_text(const char *p, size_t n) {
	char *s = malloc(n + 1);
	memcpy(s, p, n);
	s[n] = 0;
	return s;
}

static char *take_error(wasmtime_error_t *e) {
	byte_vec v;
	wasmtime_error_message(e, &v);
	char *s = copy_text(v.data, v.size);
	wasm_byte_vec_delete(&v);
	wasmtime_error_delete(e);
	return s;
}

static char *take_trap(wasm_trap_t *t, int *code) {
	byte_vec v;
	uint8_t c;
	*code = wasmtime_trap_code(t, &c) ? c : -1;
	wasm_trap_message(t, &v);
	char *s = copy_text(v.data, v.size);
	wasm_byte_vec_delete(&v);
	wasm_trap_delete(t);
	return s;
}

char *ago_engine_new(uint64_t reservation, uint64_t stack, wasm_engine_t **out) {
	wasm_config_t *c = wasm_config_new();
	wasmtime_config_wasm_memory64_set(c, true);
	wasmtime_config_wasm_function_references_set(c, true);
	wasmtime_config_wasm_gc_set(c, true);
	wasmtime_config_wasm_exceptions_set(c, true);
	wasmtime_config_wasm_threads_set(c, false);
	wasmtime_config_wasm_relaxed_simd_set(c, false);
	wasmtime_config_consume_fuel_set(c, false);
	wasmtime_config_cranelift_nan_canonicalization_set(c, false);
	wasmtime_config_cranelift_opt_level_set(c, OPT_SPEED);
	wasmtime_config_memory_reservation_set(c, reservation);
	wasmtime_config_memory_init_cow_set(c, true);
	wasmtime_config_max_wasm_stack_set(c, stack);
	wasmtime_config_native_unwind_info_set(c, false);
	// Bounds checks that hold against speculation as well cost a fifth on 64-bit memories. They guard against programs
	// that measure time; these have no clock, no threads and no way to say anything before they end.
	wasmtime_config_cranelift_flag_set(c, "enable_heap_access_spectre_mitigation", "false");
	wasmtime_config_cranelift_flag_set(c, "enable_table_access_spectre_mitigation", "false");
	*out = wasm_engine_new_with_config(c);
	return *out ? NULL : copy_text("the engine's settings do not fit together", 41);
}

void ago_engine_delete(wasm_engine_t *engine) { wasm_engine_delete(engine); }

char *ago_compile(wasm_engine_t *engine, const uint8_t *bytes, size_t len, uint8_t **out, size_t *out_len) {
	wasmtime_module_t *m = NULL;
	wasmtime_error_t *e = wasmtime_module_new(engine, bytes, len, &m);
	if (e) return take_error(e);
	byte_vec v;
	e = wasmtime_module_serialize(m, &v);
	wasmtime_module_delete(m);
	if (e) return take_error(e);
	*out = (uint8_t *)v.data;
	*out_len = v.size;
	return NULL;
}

void ago_free_compiled(uint8_t *bytes, size_t len) {
	byte_vec v = {len, (char *)bytes};
	wasm_byte_vec_delete(&v);
}

static wasm_trap_t *on_import(void *env, wasmtime_caller_t *caller, raw *slots, size_t n) {
	ago_import *im = env;
	ago_instance *i = wasmtime_context_get_data(wasmtime_caller_context(caller));
	uint64_t args[AGO_ARGS_MAX];
	(void)n;
	args[0] = 0;
	for (uint32_t k = 0; k < im->nparams; k++)
		args[k] = (im->narrow >> k & 1) ? (uint32_t)slots[k].v : slots[k].v;
	ago_look(i);
	if (agoHost(i->handle, im->index, args, im->nparams)) return wasmtime_trap_new("host", 4);
	if (im->nresults) slots[0].v = im->result_narrow ? (uint32_t)args[0] : args[0];
	return NULL;
}

char *ago_load(wasm_engine_t *engine, const char *path, const uint8_t *bytes, size_t len, ago_module **out) {
	wasmtime_module_t *module = NULL;
	wasmtime_error_t *e = path ? wasmtime_module_deserialize_file(engine, path, &module)
	                           : wasmtime_module_deserialize(engine, bytes, len, &module);
	if (e) return take_error(e);
	ago_module *m = calloc(1, sizeof *m);
	m->engine = engine;
	m->module = module;
	m->linker = wasmtime_linker_new(engine);
	// A module may name one import twice.
	wasmtime_linker_allow_shadowing(m->linker, true);
	importtype_vec v;
	wasmtime_module_imports(module, &v);
	m->nimports = v.size;
	m->imports = calloc(v.size ? v.size : 1, sizeof *m->imports);
	char *err = NULL;
	for (size_t k = 0; k < v.size; k++) {
		ago_import *im = &m->imports[k];
		const byte_vec *mod = wasm_importtype_module(v.data[k]), *name = wasm_importtype_name(v.data[k]);
		const wasm_functype_t *ft = wasm_externtype_as_functype_const(wasm_importtype_type(v.data[k]));
		im->index = k;
		im->module = copy_text(mod->data, mod->size);
		im->name = copy_text(name->data, name->size);
		if (err) continue;
		if (!ft) {
			err = copy_text("the module imports something other than a function", 50);
			continue;
		}
		const valtype_vec *ps = wasm_functype_params(ft), *rs = wasm_functype_results(ft);
		if (ps->size > AGO_ARGS_MAX || rs->size > 1) {
			err = copy_text("an imported function has too many arguments or results", 54);
			continue;
		}
		im->nparams = ps->size;
		im->nresults = rs->size;
		for (size_t p = 0; p < ps->size; p++) {
			uint8_t kind = wasm_valtype_kind(ps->data[p]);
			if (kind == VAL_I32 || kind == VAL_F32) im->narrow |= 1u << p;
		}
		if (rs->size) {
			uint8_t kind = wasm_valtype_kind(rs->data[0]);
			im->result_narrow = kind == VAL_I32 || kind == VAL_F32;
		}
		e = wasmtime_linker_define_func_unchecked(m->linker, mod->data, mod->size, name->data, name->size, ft, on_import, im, NULL);
		if (e) err = take_error(e);
	}
	wasm_importtype_vec_delete(&v);
	if (!err) {
		e = wasmtime_linker_instantiate_pre(m->linker, module, &m->pre);
		if (e) err = take_error(e);
	}
	if (err) {
		ago_unload(m);
		return err;
	}
	*out = m;
	return NULL;
}

void ago_unload(ago_module *m) {
	if (m->pre) wasmtime_instance_pre_delete(m->pre);
	wasmtime_linker_delete(m->linker);
	wasmtime_module_delete(m->module);
	for (size_t k = 0; k < m->nimports; k++) {
		free(m->imports[k].module);
		free(m->imports[k].name);
	}
	free(m->imports);
	free(m);
}

char *ago_instantiate(ago_module *m, uintptr_t handle, const char *memory, const char *table, const char *gate, int64_t memory_max, ago_instance **out) {
	ago_instance *i = calloc(1, sizeof *i);
	wasm_trap_t *trap = NULL;
	int code;
	i->handle = handle;
	i->store = wasmtime_store_new(m->engine, i, NULL);
	i->ctx = wasmtime_store_context(i->store);
	wasmtime_store_limiter(i->store, memory_max, -1, 1, -1, -1);
	wasmtime_error_t *e = wasmtime_instance_pre_instantiate(m->pre, i->ctx, &i->instance, &trap);
	char *err = e ? take_error(e) : trap ? take_trap(trap, &code) : NULL;
	if (!err) {
		extern_t x;
		if (wasmtime_instance_export_get(i->ctx, &i->instance, memory, strlen(memory), &x) && x.kind == KIND_MEMORY) i->memory = x.of.memory;
		else err = copy_text("the module exports no memory", 28);
		if (wasmtime_instance_export_get(i->ctx, &i->instance, table, strlen(table), &x) && x.kind == KIND_TABLE) {
			i->table = x.of.memory;
			i->has_table = true;
		}
		if (!err && wasmtime_instance_export_get(i->ctx, &i->instance, gate, strlen(gate), &x) && x.kind == KIND_MEMORY) i->gate = wasmtime_memory_data(i->ctx, &x.of.memory);
		else if (!err) err = copy_text("the rewritten module exports no gate", 36);
	}
	if (err) {
		ago_drop(i);
		return err;
	}
	ago_look(i);
	*out = i;
	return NULL;
}

int ago_gate(ago_instance *i, bool closed) {
	return mprotect(i->gate, AGO_GATE_SIZE, closed ? PROT_NONE : PROT_READ | PROT_WRITE) ? errno : 0;
}

void ago_drop(ago_instance *i) {
	wasmtime_store_delete(i->store);
	free(i);
}

bool ago_table_func(ago_instance *i, uint64_t index, ago_func *out) {
	val_t v;
	if (!i->has_table || !wasmtime_table_get(i->ctx, &i->table, index, &v) || v.kind != VAL_FUNCREF || !v.of.func.store_id) return false;
	*out = v.of.func;
	return true;
}

bool ago_export_func(ago_instance *i, const char *name, size_t len, ago_func *out) {
	extern_t x;
	if (!wasmtime_instance_export_get(i->ctx, &i->instance, name, len, &x) || x.kind != KIND_FUNC) return false;
	*out = x.of.func;
	return true;
}

bool ago_export_global(ago_instance *i, const char *name, size_t len, ago_global *out) {
	extern_t x;
	if (!wasmtime_instance_export_get(i->ctx, &i->instance, name, len, &x) || x.kind != KIND_GLOBAL) return false;
	*out = x.of.global;
	return true;
}

uint64_t ago_global_get(ago_instance *i, ago_global g) {
	val_t v;
	uint64_t bits = 0;
	memset(&v, 0, sizeof v);
	wasmtime_global_get(i->ctx, &g, &v);
	memcpy(&bits, &v.of, v.kind == VAL_I32 || v.kind == VAL_F32 ? 4 : 8);
	return bits;
}

char *ago_global_set(ago_instance *i, ago_global g, uint64_t bits) {
	val_t v;
	memset(&v, 0, sizeof v);
	wasmtime_global_get(i->ctx, &g, &v);
	memcpy(&v.of, &bits, v.kind == VAL_I32 || v.kind == VAL_F32 ? 4 : 8);
	wasmtime_error_t *e = wasmtime_global_set(i->ctx, &g, &v);
	return e ? take_error(e) : NULL;
}

void ago_look(ago_instance *i) {
	i->base = wasmtime_memory_data(i->ctx, &i->memory);
	i->size = wasmtime_memory_data_size(i->ctx, &i->memory);
}

bool ago_grow(ago_instance *i, uint64_t pages) {
	uint64_t before;
	wasmtime_error_t *e = wasmtime_memory_grow(i->ctx, &i->memory, pages, &before);
	if (e) wasmtime_error_delete(e);
	ago_look(i);
	return e == NULL;
}

void ago_call(ago_instance *i, ago_func f, const uint64_t *args, uint32_t nargs, ago_result *out) {
	raw slots[AGO_ARGS_MAX];
	wasm_trap_t *trap = NULL;
	slots[0].v = 0;
	for (uint32_t k = 0; k < nargs; k++) slots[k].v = args[k];
	wasmtime_error_t *e = wasmtime_func_call_unchecked(i->ctx, &f, slots, nargs ? nargs : 1, &trap);
	out->kind = AGO_OK;
	out->code = -1;
	out->value = slots[0].v;
	out->message = NULL;
	if (e) {
		// A trap made by a host function reaches nested callers as an error.
		out->kind = AGO_ERROR;
		out->message = take_error(e);
	} else if (trap) {
		out->kind = AGO_TRAP;
		out->message = take_trap(trap, &out->code);
	}
	ago_look(i);
}

void ago_call3(ago_instance *i, ago_func f, uint32_t nargs, uint64_t a, uint64_t b, uint64_t c, ago_result *out) {
	uint64_t args[3] = {a, b, c};
	ago_call(i, f, args, nargs, out);
}
