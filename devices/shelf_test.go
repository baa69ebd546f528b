package devices_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// shelf is a store of contents in memory, found by id and by linked path.
type shelf struct {
	mu   sync.Mutex
	byID map[message.ID]message.Value
	link map[string]message.ID
}

func newShelf() *shelf {
	return &shelf{byID: map[message.ID]message.Value{}, link: map[string]message.ID{}}
}

func (s *shelf) Read(_ context.Context, path string) (message.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, linked := s.link[path]
	if !linked {
		var err error
		if id, err = message.ParseID(path); err != nil {
			return nil, fault.New(fault.NotFound, "absent", "%s", path)
		}
	}
	if v, ok := s.byID[id]; ok {
		return v, nil
	}
	return nil, fault.New(fault.NotFound, "absent", "%s", path)
}

func (s *shelf) Write(_ context.Context, v message.Value) (message.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch v := v.(type) {
	case message.Message:
		s.byID[v.UnsignedID()], s.byID[v.SignedID()] = v, v
		return v.SignedID(), nil
	case message.List:
		s.byID[v.ID()] = v
		return v.ID(), nil
	}
	id := message.HashOf([]byte(v.(message.Bytes)))
	s.byID[id] = v
	return id, nil
}

func (s *shelf) Link(_ context.Context, path string, to message.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link[path] = to
	return nil
}

func (s *shelf) List(_ context.Context, path string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.link)) {
		if rest, ok := strings.CutPrefix(name, path+"/"); ok {
			out = append(out, rest)
		}
	}
	return out, nil
}

func (s *shelf) Match(_ context.Context, want message.Message) ([]message.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]message.ID{}
	for _, v := range s.byID {
		m, ok := v.(message.Message)
		all := ok
		for key, value := range want.All() {
			has, there := m.Get(key)
			all = all && there && message.Equal(has, value)
		}
		if all {
			found[m.SignedID().String()] = m.SignedID()
		}
	}
	var out []message.ID
	for _, text := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[text])
	}
	return out, nil
}

func (s *shelf) Local() device.Contents { return s }
