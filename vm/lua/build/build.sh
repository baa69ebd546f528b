#!/bin/sh
# Builds lua53.wasm and messages.wasm from Debian's source package of Lua 5.3, lua53.patch and the files beside this script,
# and prints the record of the build. Usage: build.sh [OUT]; without the name of a folder the committed files and their
# record are replaced.
# Needs clang-19, lld-19, libclang-rt-19-dev-wasm32, wasi-libc, patch; and apt with access to Debian's archive, or the
# source archive in the folder named by LUA_SOURCE.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/..}
source=lua5.3_5.3.6.orig.tar.gz
source_sum=fc5fd69bb8736323f026672b1b7235da613d7177e72558893a0bdcd320466d60

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

if [ -n "${LUA_SOURCE:-}" ] && [ -f "$LUA_SOURCE/$source" ]; then
	cp "$LUA_SOURCE/$source" .
else
	mkdir -p lists/partial cache/archives/partial
	# the sources come from where this machine has its packages from
	mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" > sources.list
	printf 'Dir::Etc::SourceList "%s/sources.list";\nDir::Etc::SourceParts "-";\nDir::State::Lists "%s/lists";\nDir::Cache "%s/cache";\nAPT::Sandbox::User "root";\n' \
		"$tmp" "$tmp" "$tmp" > apt.conf
	APT_CONFIG=$tmp/apt.conf apt-get update -qq >&2
	APT_CONFIG=$tmp/apt.conf apt-get source --download-only -qq lua5.3=5.3.6-2 >&2
fi
echo "$source_sum  $source" | sha256sum -c --quiet - >&2

tar xf "$source"
mv lua-5.3.6/src src
(cd src && patch -s -p1 < "$here/lua53.patch")
cp "$here"/*.c "$here"/*.h "$here"/*.s src/
cd src

# Paths do not reach the result: everything is compiled from within one folder, and names are stripped.
flags="--target=wasm32-wasi -O2 -I. -include ago.h -mbulk-memory -msign-ext -mnontrapping-fptoint -fno-strict-aliasing -w"
exceptions="-mexception-handling -mllvm -wasm-enable-sjlj"
lua="lapi lcode lctype ldebug lfunc lgc llex lmem lobject lopcodes lparser lstate lstring ltable ltm lvm lzio
	lauxlib lbaselib lbitlib lcorolib ldblib lmathlib loslib lstrlib ltablib lutf8lib linit"
own="codec libc machine memory"
objects=
for f in $lua $own ldo setjmp copy tag; do objects="$objects $f.o"; done
link() {
	wasm-ld-19 -m wasm32 --no-entry --gc-sections --stack-first -z stack-size=1048576 --max-memory=1073741824 --strip-all \
		$1 /usr/lib/wasm32-wasi/crt1-reactor.o -L/usr/lib/wasm32-wasi -lc \
		"$(clang-19 -print-resource-dir)/lib/wasi/libclang_rt.builtins-wasm32.a" --export=_initialize -o "$2"
}
for f in $lua $own; do clang-19 $flags -c $f.c -o $f.o; done
for f in ldo setjmp; do clang-19 $flags $exceptions -c $f.c -o $f.o; done
clang-19 $flags -fno-builtin -c copy.c -o copy.o
clang-19 --target=wasm32-wasi -mexception-handling -c tag.s -o tag.o
link "$objects" lua53.wasm

# The machine for messages differs in what crosses to the host and back.
for f in machine message; do clang-19 $flags -DAGO_MESSAGES -c $f.c -o $f.o; done
link "$objects message.o" messages.wasm

cp lua53.wasm messages.wasm "$out"
record() {
	echo "result    $(sha256sum < lua53.wasm | cut -d' ' -f1)  lua53.wasm"
	echo "result    $(sha256sum < messages.wasm | cut -d' ' -f1)  messages.wasm"
	echo "source    $source_sum  $source (Debian lua5.3 5.3.6-2)"
	for f in lua53.patch ago.h machine.h setjmp.h codec.c copy.c libc.c machine.c memory.c message.c setjmp.c tag.s build.sh; do
		echo "input     $(sha256sum < "$here/$f" | cut -d' ' -f1)  $f"
	done
	dpkg-query -W -f 'package   ${Package} ${Version}\n' clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc
	echo "flags     $flags"
}
[ $# -gt 0 ] || record > "$here/../lua53.record"
record
