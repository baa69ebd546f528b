package lua

import (
	"fmt"
	"os"
	"testing"

	"ago/vm"
)

// cacheDir holds the compiled machine, so that only the first test compiles it.
var cacheDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ago-lua")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	cacheDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func testEngine(tb testing.TB) vm.Engine {
	tb.Helper()
	e, err := New(Config{CacheDir: cacheDir})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e
}
