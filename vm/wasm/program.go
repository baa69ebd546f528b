//go:build linux && amd64 && cgo

package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"ago/vm"
	"ago/vm/wasm/rewrite"
)

// program is a module compiled for one format in one variant.
type program struct {
	native *native
	info   rewrite.Info
	abi    *abi
	hosts  []hostFunc
	args   []string
	hash   [32]byte // of the module as published
	base   *base
	shared bool // the code belongs to an interpreter, the first state is mapped
}

// variant says which rewrites a program has besides those that all have.
type variant struct {
	hash   [32]byte
	format string
	gas    bool
}

// building is a program that is being made, or was: one attempt, however many ask.
type building struct {
	done chan struct{}
	p    *program
	err  error
}

// program gives the compiled module, compiling it once.
func (e *engine) program(ctx context.Context, m vm.Module, gas bool) (*program, error) {
	a := e.abiOf(m.Format)
	if a == nil {
		return nil, fmt.Errorf("%w: %q", vm.ErrFormat, m.Format)
	}
	v := variant{sha256.Sum256(m.Bytes), m.Format, (gas || a.metered) && a.interpreter == nil}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, vm.ErrClosed
	}
	b := e.programs[v]
	if b == nil {
		b = &building{done: make(chan struct{})}
		e.programs[v] = b
		go func() {
			e.compiling <- struct{}{}
			b.p, b.err = e.build(m.Bytes, v, a)
			<-e.compiling
			if b.err != nil && !errors.Is(b.err, vm.ErrModule) {
				// What is wrong with the module stays wrong; what is wrong with this machine may pass.
				e.mu.Lock()
				delete(e.programs, v)
				e.mu.Unlock()
			}
			close(b.done)
		}()
	}
	e.mu.Unlock()
	select {
	case <-b.done:
		return b.p, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// abiOf is the format of that name, nil if there is none.
func (e *engine) abiOf(format string) *abi {
	if a := abis[format]; a != nil {
		return a
	}
	return e.formats[format]
}

func (e *engine) build(module []byte, v variant, a *abi) (*program, error) {
	if a.interpreter != nil {
		return e.buildInterpreted(module, v, a)
	}
	p := &program{abi: a, hash: v.hash, args: e.programArgs}
	rewritten, info, err := rewrite.Rewrite(module, rewrite.Options{Gas: v.gas, NativeEH: true, TranslateEH: true, ExportGlobals: true, Poll: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", vm.ErrModule, err)
	}
	p.info = info
	if p.native, err = e.code(rewritten, v); err != nil {
		return nil, err
	}
	for _, im := range p.native.imports {
		p.hosts = append(p.hosts, hostFor(a, im))
	}
	m, err := e.launch(p, -1)
	if err != nil {
		p.native.unload()
		return nil, err
	}
	defer m.drop()
	p.base, err = newBase(e.scanner, m)
	return p, err
}

// code gives the native code of a rewritten module, from the cache if it is there.
func (e *engine) code(rewritten []byte, v variant) (*native, error) {
	if e.cacheDir == "" {
		return e.compiled(rewritten, "")
	}
	key := sha256.New()
	fmt.Fprintf(key, "%x %t %s %s\n", sha256.Sum256(rewritten), v.gas, rewrite.Version, e.codeVersion)
	path := filepath.Join(e.cacheDir, hex.EncodeToString(key.Sum(nil))+".wasmtime")
	if n, err := load(e.native, path, nil); err == nil {
		return n, nil
	}
	return e.compiled(rewritten, path)
}

// compiled compiles a module and loads it, from the file if it could be written: a mapped file is shared, and dropped
// under pressure.
func (e *engine) compiled(rewritten []byte, path string) (*native, error) {
	code, err := compile(e.native, rewritten)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", vm.ErrModule, err)
	}
	if path != "" && writeFile(path, code) != nil {
		path = "" // a full disk must not stop evaluation
	}
	n, err := load(e.native, path, code)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", vm.ErrModule, err)
	}
	return n, nil
}

// newFile begins the name of a file that is being written.
const newFile = ".new-"

// writeFile writes a file that is either whole or not there.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), newFile+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ownFolder makes the cache folder and refuses one that others could have written to: what lies in it is executed.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := st.Sys().(*syscall.Stat_t)
	if !st.IsDir() || st.Mode().Perm()&0o022 != 0 || ok && int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("wasm: cache folder %s belongs to others or may be written by them; give it mode 0700 or name another", dir)
	}
	// What a write that was cut off has left.
	left, _ := filepath.Glob(filepath.Join(dir, newFile+"*"))
	for _, f := range left {
		if st, err := os.Stat(f); err == nil && time.Since(st.ModTime()) > time.Hour {
			os.Remove(f)
		}
	}
	return nil
}

// cpuIdentity tells machines apart whose native code differs.
var cpuIdentity = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	var id []byte
	for _, field := range []string{"vendor_id", "cpu family", "model", "stepping", "flags"} {
		id = append(id, firstLine(b, field)...)
	}
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:8])
})
