package node

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"ago/fault"
	"ago/message"
	"ago/slotlog"
	"ago/slotlog/local"
	shared "ago/slotlog/postgres"
	"ago/store"
	"ago/store/file"
	"ago/store/memory"
	"ago/store/pebble"
	"ago/store/postgres"
)

// Database says that the data is kept in PostgreSQL instead of a folder. Nodes on one database share the order of messages:
// each may schedule every process, and the one that does so shuts the others out for that moment.
type Database struct {
	URL         string // postgres://user:password@host:port/database; "" keeps the data in the folder or in memory
	ReadURL     string // of a replica, for reading old slots; "" reads all from URL
	Name        string // of this unit's part of the database: two units on one need different ones
	Connections int    // that change or look something up, at most; 0: 16
	Scans       int    // that read long lists, at most; 0: as many
}

// itemLog is an order of messages that keeps their bytes, too.
type itemLog interface {
	slotlog.Log
	PutItem(ctx context.Context, b *store.Batch, id message.ID, raw []byte) error
	Item(ctx context.Context, id message.ID) ([]byte, error)
	OpenItem(ctx context.Context, id message.ID) (store.Blob, error)
}

// data is where a unit keeps what it has.
type data struct {
	store store.Store
	blobs store.Blobs
	log   itemLog
}

// openData opens the database if there is one, else the folder; without either the data is in memory.
func openData(ctx context.Context, dir string, db Database, log *slog.Logger) (data, error) {
	if db.URL != "" {
		return openDatabase(ctx, db, log)
	}
	var d data
	if dir == "" {
		d.store, d.blobs = memory.New(), memory.NewBlobs()
	} else {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return d, fault.New(fault.Malformed, "data-unwritable", "the data folder cannot be made: %v", err).WithHint("name one that can be written with --data")
		}
		s, err := pebble.Open(pebble.Options{Dir: filepath.Join(dir, tablesDir), Log: log})
		if err != nil {
			return d, err
		}
		d.store = s
		if d.blobs, err = file.Open(filepath.Join(dir, blobsDir)); err != nil {
			return d, err // the caller closes the store
		}
	}
	d.log = local.New(d.store, d.blobs)
	return d, nil
}

// sharedTables are the same for all nodes on a database: messages, where they are, and what the nodes have to agree in.
// Everything else follows from the log, and each node has its own.
var sharedTables = []byte{store.TableItems, store.TablePlaces, store.TableCommon}

func openDatabase(ctx context.Context, db Database, log *slog.Logger) (data, error) {
	s, err := postgres.Open(ctx, postgres.Options{
		URL: db.URL, ReadURL: db.ReadURL, Name: db.Name, Shared: sharedTables, Connections: db.Connections, Scans: db.Scans, Log: log,
	})
	if err != nil {
		return data{}, err
	}
	l, err := shared.Open(ctx, s, s.SharedBlobs())
	if err != nil {
		return data{}, errors.Join(err, s.Close())
	}
	return data{s, s.Blobs(), l}, nil
}
