package builtin_test

import (
	"bytes"
	"slices"
	"testing"

	"ago/builtin"
)

func TestItemIsTheBundle(t *testing.T) {
	it, want := builtin.Item(), builtin.Draft()
	if err := it.Verify(); err != nil {
		t.Fatal("the signature of module.item does not hold:", err)
	}
	if !bytes.Equal(it.Data, want.Data) || !slices.Equal(it.Tags, want.Tags) {
		t.Fatal("module.item is not made of the sources as they are: run go run ./builtin/sign")
	}
	if it.ID() != builtin.ID() {
		t.Fatal("the id is not the item's")
	}
	if !bytes.Equal(builtin.Bundle(), builtin.Bundle()) {
		t.Fatal("the bundle differs from call to call")
	}
	if err := it.Portable(); err != nil {
		t.Fatal("other nodes may refuse the item:", err)
	}
}

func TestBlueprintNames(t *testing.T) {
	for _, name := range builtin.Blueprints() {
		text, err := builtin.Blueprint(name)
		if err != nil || len(text) == 0 {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
	}
	if _, err := builtin.Blueprint("nothing"); err == nil {
		t.Error("there is a blueprint that is not there")
	}
	if _, err := builtin.Blueprint("../lua/ao"); err == nil {
		t.Error("a name leads out of the folder")
	}
}
