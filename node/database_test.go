package node

import (
	"context"
	"testing"

	"ago/client"
	"ago/commitment"
	"ago/fault"
	"ago/store/postgres/pgtest"
)

// A compute unit keeps results in a database and has them after a restart without its folder, and without the scheduler.
func TestAnEvaluatorKeepsItsResultsInADatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.Shared(t).Database(t)
	n := startNetwork(t, nil)
	m := newMeddler(t, n)
	id := n.send(t, "count")
	want, err := n.client.Result(context.Background(), n.process, id)
	if err != nil {
		t.Fatal(err)
	}
	asked := int64(0)
	for range 2 {
		e, err := StartEvaluator(EvaluatorConfig{Dir: t.TempDir(), Database: Database{URL: url, Name: "cu"}, CacheDir: modulesCache, Gateway: m.URL, SU: m.URL})
		if err != nil {
			t.Fatal(err)
		}
		before := m.asked.Load()
		r, err := (&client.Network{CU: e.URL()}).Result(context.Background(), n.process, id)
		if err != nil || string(r.JSON) != string(want.JSON) {
			t.Errorf("%s, %v, want %s", r.JSON, err, want.JSON)
		}
		asked = m.asked.Load() - before
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if asked != 0 {
		t.Errorf("the scheduler was asked %d times for a result that is stored", asked)
	}
}

// The scheduler of the processes is one for all nodes on a database.
func TestADatabaseHasOneScheduler(t *testing.T) {
	t.Parallel()
	db := Database{URL: pgtest.Shared(t).Database(t), Name: "a"}
	key := func(seed byte) *commitment.Key {
		k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, append(make([]byte, 31), seed))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	start := func(name string, k *commitment.Key, dir string) error {
		db.Name = name
		n, err := Start(context.Background(), Config{Dir: dir, Database: db, Key: k, CacheDir: modulesCache})
		if err != nil {
			return err
		}
		return n.Close()
	}
	if err := start("a", nil, ""); fault.CodeOf(err) != "settings-malformed" || fault.HintOf(err) == "" {
		t.Errorf("without a key and a folder for one: %v", err)
	}
	for name, k := range map[string]*commitment.Key{"a": key(1), "b": key(1)} {
		if err := start(name, k, ""); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a", "c"} {
		for _, k := range []*commitment.Key{key(2), nil} {
			if err := start(name, k, t.TempDir()); fault.CodeOf(err) != "key-is-another" {
				t.Errorf("%s with another key: %v", name, err)
			}
		}
	}
}
