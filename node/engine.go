package node

import (
	"ago/vm"
	"ago/vm/lua"
	"ago/vm/wasm"
)

// openEngine gives the one engine of a node: it runs every module format, Lua texts among them.
func openEngine(cacheDir string) (vm.Engine, error) {
	return wasm.New(wasm.Config{CacheDir: cacheDir, Interpreters: []wasm.Interpreter{lua.Interpreter()}})
}
