package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ago/fault"
	"ago/message"
	"ago/store"
	"ago/store/postgres"
	"ago/store/postgres/pgtest"
)

func set(t testing.TB, s store.Store, pairs ...string) {
	t.Helper()
	b := &store.Batch{}
	for i := 0; i < len(pairs); i += 2 {
		b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
}

func rows(t testing.TB, s store.Store) string {
	t.Helper()
	var got []string
	for p, err := range s.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p.Key)+"="+string(p.Value))
	}
	return strings.Join(got, " ")
}

func TestNodesShareOnlyTheSharedTables(t *testing.T) {
	url := pgtest.Shared(t).Database(t)
	var wg sync.WaitGroup
	nodes := make([]*postgres.Store, 4)
	for i := range nodes { // all make the tables at once
		wg.Go(func() {
			s, err := postgres.Open(context.Background(), postgres.Options{URL: url, Name: fmt.Sprint(i), Shared: []byte("M")})
			if err != nil {
				t.Error(err)
				return
			}
			nodes[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, s := range nodes {
		defer s.Close()
	}
	a, b := nodes[0], nodes[1]
	set(t, a, "A", "1", "M1", "common", "Z", "3")
	set(t, b, "A", "2")
	if got := rows(t, a); got != "A=1 M1=common Z=3" {
		t.Errorf("the first has %s", got)
	}
	if got := rows(t, b); got != "A=2 M1=common" {
		t.Errorf("the second has %s", got)
	}
	all := &store.Batch{}
	all.DeleteRange([]byte("A"), []byte("Y"))
	if err := b.Apply(all, true); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, a) + rows(t, b); got != "A=1 Z=3" {
		t.Errorf("after a deletion they have %s", got)
	}
	id, _, err := a.SharedBlobs().Put(t.Context(), strings.NewReader("common"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Blobs().Open(id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a shared blob is one of a node: %v", err)
	}
	if f, err := b.SharedBlobs().Open(id); err != nil || f.Size() != 6 {
		t.Errorf("a shared blob is not there for others: %v", err)
	}
}

func TestAnEarlierOwnerOfASpaceChangesNothing(t *testing.T) {
	url := pgtest.Shared(t).Database(t)
	first := open(t, postgres.Options{URL: url, Name: "a"})
	set(t, first, "k", "1")
	id, _, err := first.Blobs().Put(t.Context(), strings.NewReader("blob"))
	if err != nil {
		t.Fatal(err)
	}
	second := open(t, postgres.Options{URL: url, Name: "a"})
	b := &store.Batch{}
	b.Set([]byte("k"), []byte("2"))
	_, _, putErr := first.Blobs().Put(t.Context(), strings.NewReader("another"))
	for name, err := range map[string]error{"Apply": first.Apply(b, true), "Put": putErr, "Delete": first.Blobs().Delete(id), "Fault": first.Fault()} {
		if !errors.Is(err, postgres.ErrTaken) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := rows(t, first) + rows(t, second); got != "k=1k=1" {
		t.Errorf("the rows are %s", got)
	}
	if _, err := second.Blobs().Open(id); err != nil {
		t.Errorf("the blob: %v", err)
	}
	if _, err := second.Blobs().Open(message.HashOf([]byte("another"))); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a blob of one without the space is there: %v", err)
	}
	set(t, second, "k", "2")
}

// More scans than there are connections, each of which is longer than a page and asks for rows meanwhile: nothing waits for
// itself.
func TestScansAndLookupsDoNotWaitForEachOther(t *testing.T) {
	s := open(t, postgres.Options{URL: pgtest.Shared(t).Database(t), Connections: 2})
	b := &store.Batch{}
	const n = 700
	for i := range n {
		b.Set(binary.BigEndian.AppendUint16([]byte{'k'}, uint16(i)), []byte("v"))
	}
	if err := s.Apply(b, true); err != nil {
		t.Fatal(err)
	}
	var seen atomic.Int64
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for p, err := range s.Scan([]byte("k"), []byte("l"), w%2 == 0) {
				if err != nil {
					t.Error(err)
					return
				}
				if seen.Add(1)%100 == 0 {
					if _, err := s.Get(p.Key); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if seen.Load() != 6*n {
		t.Errorf("%d rows were seen, want %d", seen.Load(), 6*n)
	}
}

// A restart of the server is a delay, for those who wait at that moment and for those who come later.
func TestARestartOfTheServerIsADelay(t *testing.T) {
	server := pgtest.Start(t)
	s := open(t, postgres.Options{URL: server.Database(t)})
	var stop atomic.Bool
	var last [3]atomic.Int64
	var wg sync.WaitGroup
	for w := range last {
		wg.Go(func() {
			for i := int64(1); !stop.Load(); i++ {
				b := &store.Batch{}
				b.Set([]byte{'w', byte(w)}, binary.BigEndian.AppendUint64(nil, uint64(i)))
				if err := s.Apply(b, i%2 == 0); err != nil {
					t.Error(err)
					return
				}
				last[w].Store(i)
			}
		})
	}
	for last[0].Load() < 5 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	server.Kill()
	server.Restart(t)
	for at := last[0].Load(); last[0].Load() < at+5 && !t.Failed(); {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	for w := range last {
		if v, err := s.Get([]byte{'w', byte(w)}); err != nil || binary.BigEndian.Uint64(v) != uint64(last[w].Load()) {
			t.Errorf("writer %d: %x, %v, want %d", w, v, err, last[w].Load())
		}
	}
}

func TestOpeningSaysWhatToDo(t *testing.T) {
	server := pgtest.Shared(t)
	url := server.Database(t)
	newer := server.Database(t)
	open(t, postgres.Options{URL: newer}).Close()
	server.Exec(t, newer, `update ago_schema set version = 99`)
	reader := server.Database(t)
	server.Exec(t, reader, `create role reader login; revoke create on schema public from public`)
	as := func(user, address string) string { return strings.Replace(address, "postgres@", user+"@", 1) }
	for name, test := range map[string]struct {
		url, code, hint string
	}{
		"no address":            {"postgres://%zz", "settings-malformed", "postgres://USER"},
		"nobody there":          {"postgres://127.0.0.1:1/x?sslmode=disable", "database-unreachable", "runs"},
		"no such database":      {strings.Replace(url, "?", "0?", 1), "database-refused", "createdb"},
		"no such user":          {as("stranger", url), "database-refused", "password"},
		"no right to write":     {as("reader", reader), "database-refused", "grant"},
		"tables from later":     {newer, "store-format", "release"},
		"acknowledges too soon": {url + "&synchronous_commit=off", "settings-malformed", "synchronous_commit"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := postgres.Open(t.Context(), postgres.Options{URL: test.url, Patience: time.Millisecond})
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if fault.CodeOf(err) != test.code || !strings.Contains(fault.HintOf(err), test.hint) {
				t.Errorf("%v (%s), hint %q", err, fault.CodeOf(err), fault.HintOf(err))
			}
		})
	}
}
