//go:build !(linux && amd64 && cgo)

package wasm

import (
	"errors"

	"ago/vm"
)

var errUnsupported = errors.New("wasm: the engine runs on linux/amd64 with cgo only; build there, or send evaluation to a node that does")

// New refuses: this platform has no engine.
func New(Config) (vm.Engine, error) { return nil, errUnsupported }
