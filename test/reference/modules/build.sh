#!/bin/sh
# Builds the modules of this folder from probe.c. Needs Debian's emscripten (3.1.6 was used) and python3.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() { # FORMAT options...
  n=$1; shift
  emcc probe.c -DFORMAT="$n" -O1 -g0 -Wall -Wno-unused-function -sWASM_BIGINT=0 -sALLOW_MEMORY_GROWTH=1 -sINITIAL_MEMORY=6291456 \
    -sSUPPORT_LONGJMP=emscripten -sERROR_ON_UNDEFINED_SYMBOLS=0 -sEXIT_RUNTIME=0 \
    -sEXPORTED_FUNCTIONS=_handle,_main,_malloc,_free,_setThrew,___errno_location,_fflush,_emscripten_builtin_memalign,_sbrk "$@" \
    -o "$work/probe$n.js"
  python3 rename.py "$n" "$work/probe$n.wasm" "probe$n.wasm"
}
build 1 -sASSERTIONS=0 -sMAXIMUM_MEMORY=2147483648
build 2 -sASSERTIONS=1 -sMAXIMUM_MEMORY=524288000
build 3 second_word.c -sASSERTIONS=1 -sMAXIMUM_MEMORY=2147483648
sha256sum probe1.wasm probe2.wasm probe3.wasm
