package node

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ago/client"
	"ago/commitment"
	"ago/fault"
)

// TestDataKeepsItsKey: with another key nothing could be sent to the processes of before.
func TestDataKeepsItsKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")
	keep := func(c *Config) { c.Dir = dir }
	n := startNetwork(t, keep)
	first := n.Addresses().Scheduler
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := commitment.NewAgent().FromSeed(commitment.Ed25519, []byte(strings.Repeat("o", 32)))
	if err != nil {
		t.Fatal(err)
	}
	start := func(c Config) error {
		c.Dir, c.CacheDir = dir, modulesCache
		n, err := Start(context.Background(), c)
		if err != nil {
			return err
		}
		return n.Close()
	}
	refused := func(name string, err error, says string) {
		t.Helper()
		if fault.CodeOf(err) != "key-is-another" || !strings.Contains(err.Error(), first) || !strings.Contains(err.Error(), says) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("another key", start(Config{Key: other}), other.Address().String())
	away := filepath.Join(t.TempDir(), "key")
	if err := os.Rename(filepath.Join(dir, keyFile), away); err != nil {
		t.Fatal(err)
	}
	refused("no key", start(Config{}), "is gone")
	if _, err := os.Stat(filepath.Join(dir, keyFile)); err == nil {
		t.Error("a new key was made for used data")
	}
	if err := os.Rename(away, filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if err := start(Config{}); err != nil {
		t.Errorf("with its key again: %v", err)
	}
	if err := start(Config{Key: other, NewKey: true}); err != nil {
		t.Errorf("another key, knowingly: %v", err)
	}
	if err := start(Config{Key: other}); err != nil {
		t.Errorf("the new key again: %v", err)
	}
	if err := start(Config{}); fault.CodeOf(err) != "key-is-another" {
		t.Errorf("the key of before: %v", err)
	}
	if err := Reset(dir); err != nil {
		t.Fatal(err)
	}
	if err := start(Config{}); err != nil {
		t.Errorf("empty data: %v", err)
	}
}

func TestLostBlobsAreNoticed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")
	logged := func() string {
		t.Helper()
		var log bytes.Buffer
		n, err := Start(context.Background(), Config{Dir: dir, CacheDir: modulesCache, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	const want = "the folder of large data was emptied"
	for range 2 {
		if log := logged(); strings.Contains(log, want) {
			t.Errorf("nothing is missing: %s", log)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, blobsDir)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // until somebody does something about it
		if log := logged(); !strings.Contains(log, want) || !strings.Contains(log, dir) {
			t.Errorf("the log says nothing about the blobs: %s", log)
		}
	}
}

// TestAModuleThatIsGoneIsAnswered: a result that can never be there is not waited for.
func TestAModuleThatIsGoneIsAnswered(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")
	n := startNetwork(t, func(c *Config) { c.Dir = dir })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, blobsDir)); err != nil {
		t.Fatal(err)
	}
	again, err := Start(context.Background(), Config{Dir: dir, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n.Node, n.client = again, client.At(again.Addresses().Node)
	id := n.send(t, "count")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := n.client.Result(ctx, n.process, id); fault.CodeOf(err) != "data-gone" || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestAStartThatCannotListenWritesNothing(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	dir := filepath.Join(t.TempDir(), "net")
	for name, c := range map[string]struct {
		Config
		code, hint string
	}{
		"a taken port":         {Config{Ports: Ports{CU: port}}, "port-taken", "--port-base"},
		"an address elsewhere": {Config{Host: "192.0.2.1"}, "settings-malformed", "--listen"},
		"no address":           {Config{Host: "not an address"}, "settings-malformed", "--listen"},
	} {
		c.Dir, c.CacheDir = dir, modulesCache
		n, err := Start(context.Background(), c.Config)
		if err == nil {
			n.Close()
		}
		if fault.CodeOf(err) != c.code || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: a folder was left behind", name)
		}
	}
	_, err = StartEvaluator(EvaluatorConfig{CacheDir: modulesCache, Gateway: "http://127.0.0.1:1", Port: port})
	if fault.CodeOf(err) != "port-taken" || !strings.Contains(fault.HintOf(err), "--port") || strings.Contains(fault.HintOf(err), "--port-base") {
		t.Errorf("a unit alone: %v, %s", err, fault.HintOf(err))
	}
}

func TestADamagedStoreSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")
	n, err := Start(context.Background(), Config{Dir: dir, CacheDir: modulesCache})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Glob(filepath.Join(dir, tablesDir, "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatalf("%v, %v", manifests, err)
	}
	for _, m := range manifests {
		if err := os.WriteFile(m, []byte("scrap"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err = Start(context.Background(), Config{Dir: dir, CacheDir: modulesCache})
	if err == nil {
		n.Close()
	}
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(fault.HintOf(err), "copy") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}
