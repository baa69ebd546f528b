"""Renames imports and exports of a module to the names a format's host knows: rename.py FORMAT IN OUT.

Format 1 is linked with one-letter names; format 3 comes from a newer toolchain than the one probe.c is built with,
which calls two functions otherwise."""
import sys

IMPORTS = {
    '1': {'__syscall_dup3': 'w', '__syscall_fcntl64': 'd', '__syscall_ioctl': 'z', '__syscall_lstat64': 'r', '__syscall_openat': 'g',
          '__syscall_renameat': 's', '__syscall_rmdir': 't', '__syscall_unlinkat': 'e', '_emscripten_date_now': 'a',
          '_emscripten_get_now_is_monotonic': 'A', '_emscripten_throw_longjmp': 'p', '_gmtime_js': 'B', '_localtime_js': 'C', '_mktime_js': 'i',
          '_tzset_js': 'j', 'abort': 'D', 'emscripten_memcpy_big': 'k', 'emscripten_resize_heap': 'q', 'environ_get': 'u',
          'environ_sizes_get': 'v', 'exit': 'l', 'proc_exit': 'l', 'fd_close': 'c', 'fd_read': 'y', 'fd_seek': 'o', 'fd_write': 'f', 'getTempRet0': 'h',
          'invoke_vii': 'x', 'setTempRet0': 'b', 'strftime': 'n', 'system': 'm'},
    '2': {},
    '3': {'_emscripten_date_now': 'emscripten_date_now', 'emscripten_memcpy_big': 'emscripten_memcpy_js'},
}
EXPORTS = {
    '1': {'memory': 'E', '__wasm_call_ctors': 'F', 'handle': 'G', 'main': 'H', '__indirect_function_table': 'I', 'malloc': 'J', '__errno_location': 'K',
          'setThrew': 'L', 'stackSave': 'M', 'stackRestore': 'N', 'stackAlloc': 'O'},
    '2': {}, '3': {},
}


def read(b, i):
    r = s = 0
    while True:
        r |= (b[i] & 127) << s
        s += 7
        i += 1
        if not b[i - 1] & 128:
            return r, i


def leb(n):
    out = bytearray()
    while True:
        out.append((n & 127) | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


def name(b, i):
    n, i = read(b, i)
    return b[i:i + n].decode(), i + n


def text(s):
    return leb(len(s)) + s.encode()


def limits(b, i):
    flags = b[i]
    _, j = read(b, i + 1)
    if flags & 1:
        _, j = read(b, j)
    return j


def imports(b, fmt):
    n, i = read(b, 0)
    out = bytearray(leb(n))
    for _ in range(n):
        module, i = name(b, i)
        field, i = name(b, i)
        kind = b[i]
        j = i + 1
        if kind == 0:
            _, j = read(b, j)
        elif kind == 1:
            j = limits(b, j + 1)
        elif kind == 2:
            j = limits(b, j)
        else:
            j += 2
        to = IMPORTS[fmt].get(field, field)
        print(f'  import {module}.{field} -> {to}')
        if fmt == '1' and to == field:
            raise SystemExit(f'format 1 has no {field}')
        out += text('a' if fmt == '1' else module) + text(to) + b[i:j]
        i = j
    return bytes(out)


def exports(b, fmt):
    n, i = read(b, 0)
    items = []
    for _ in range(n):
        field, i = name(b, i)
        j = i + 1
        _, j = read(b, j)
        to = EXPORTS[fmt].get(field, field)
        if fmt != '1' or to != field:
            items.append(text(to) + b[i:j])
        i = j
    return leb(len(items)) + b''.join(items)


fmt, source, target = sys.argv[1:4]
wasm = open(source, 'rb').read()
out = bytearray(wasm[:8])
i = 8
while i < len(wasm):
    section = wasm[i]
    n, i = read(wasm, i + 1)
    body = wasm[i:i + n]
    i += n
    if section == 0:
        continue
    if section == 2:
        body = imports(body, fmt)
    elif section == 7:
        body = exports(body, fmt)
    out += bytes([section]) + leb(len(body)) + body
open(target, 'wb').write(out)
