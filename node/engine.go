package node

import (
	"ago/vm"
	"ago/vm/lua"
	"ago/vm/wasm"
)

// OpenEngine gives an engine that runs every module format, Lua texts among them. A node has one, its own unless Config
// names it.
func OpenEngine(cacheDir string) (vm.Engine, error) {
	return wasm.New(wasm.Config{CacheDir: cacheDir, Interpreters: []wasm.Interpreter{lua.Interpreter(), lua.MessagesInterpreter()}})
}
