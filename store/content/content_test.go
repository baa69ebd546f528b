package content_test

import (
	"path/filepath"
	"sync"
	"testing"

	"ago/commitment"
	"ago/device"
	"ago/store"
	"ago/store/content"
	"ago/store/content/contenttest"
	"ago/store/file"
	"ago/store/memory"
	"ago/store/pebble"
)

// key signs in tests.
var key = sync.OnceValue(func() *commitment.Key {
	k, err := commitment.NewAgent().Open("../../commitment/testdata/wallet.json")
	if err != nil {
		panic(err)
	}
	return k
})

func TestInMemory(t *testing.T) {
	contenttest.Run(t, contenttest.Contents{Key: key(), Open: func(testing.TB) device.Contents {
		return content.New(content.Options{Tables: memory.New(), Blobs: memory.NewBlobs()})
	}})
}

func TestOnDisk(t *testing.T) {
	type opened struct {
		dir    string
		tables store.Store
	}
	places := map[device.Contents]opened{}
	open := func(t testing.TB, dir string) device.Contents {
		tables, err := pebble.Open(pebble.Options{Dir: filepath.Join(dir, "tables")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tables.Close() })
		blobs, err := file.Open(filepath.Join(dir, "blobs"))
		if err != nil {
			t.Fatal(err)
		}
		c := content.New(content.Options{Tables: tables, Blobs: blobs, Memory: -1})
		places[c] = opened{dir, tables}
		return c
	}
	contenttest.Run(t, contenttest.Contents{
		Key:  key(),
		Open: func(t testing.TB) device.Contents { return open(t, t.TempDir()) },
		Reopen: func(t testing.TB, c device.Contents) device.Contents {
			at := places[c]
			if err := at.tables.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, at.dir)
		},
	})
}
