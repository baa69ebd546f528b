//go:build !(linux && amd64 && cgo)

package wasm

import "ago/vm"

// New refuses: this platform has no engine.
func New(Config) (vm.Engine, error) { return nil, errUnsupported }
