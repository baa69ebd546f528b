package memory

import (
	"testing"

	"ago/store"
	"ago/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.RunStore(t, storetest.Stores{Open: func(testing.TB) store.Store { return New() }})
}

func TestBlobs(t *testing.T) {
	storetest.RunBlobs(t, storetest.BlobFolders{Open: func(testing.TB) store.Blobs { return NewBlobs() }})
}
