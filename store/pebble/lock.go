package pebble

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Lock keeps other processes from opening the store in a folder. It fails, as Open does, if one has it open.
func Lock(dir string) (release func() error, err error) {
	l, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, openFault(dir, err)
	}
	return l.Close, nil
}
