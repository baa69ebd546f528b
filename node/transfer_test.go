package node

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ago/client"
	"ago/fault"
)

func quiet(t testing.TB, dir string) *Node {
	t.Helper()
	n, err := Start(context.Background(), Config{Patience: -1, CacheDir: modulesCache, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestAProcessMovesAsFiles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	n := startNetwork(t, nil)
	for range 200 {
		n.send(t, "count")
	}
	other, err := n.client.Spawn(ctx, n.key, client.Spawn{Module: probeID, Tags: []Tag{{Name: "Name", Value: "assigned to the first"}}})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := request(t, "POST", n.Addresses().MU+"/?process-id="+n.process.String()+"&assign="+other.String(), nil); status/100 != 2 {
		t.Fatalf("assign: %d %s", status, body)
	}
	last := n.send(t, "count")
	if _, err := n.client.Result(ctx, n.process, last); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "moved")
	e, err := n.Export(ctx, n.process, dir)
	if err != nil || e.Slots != 203 || len(e.Missing) != 0 || e.State == nil || e.State.Slot != 202 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := n.Export(ctx, n.process, dir); fault.CodeOf(err) != "export-unwritable" {
		t.Errorf("into a folder that is there: %v", err)
	}

	t.Run("evaluated anew", func(t *testing.T) {
		m := quiet(t, t.TempDir())
		if _, err := m.Import(ctx, dir, ImportOptions{Replay: true}); err != nil {
			t.Fatal(err)
		}
		if slots, err := m.Current(ctx, n.process); err != nil || slots != 203 {
			t.Fatal(slots, err)
		}
		sameLog(t, n.process, n.Node, m, 203)
		if _, err := client.At(m.Addresses().Node).Send(ctx, n.key, client.Message{Process: n.process, Data: []byte("count"), Anchor: anchor()}); fault.CodeOf(err) != "process-followed" {
			t.Errorf("a message before it was adopted: %v", err)
		}
	})

	t.Run("continued", func(t *testing.T) {
		data := t.TempDir()
		m := quiet(t, data)
		for range 2 { // a second time changes nothing
			if _, err := m.Import(ctx, dir, ImportOptions{Continue: true}); err != nil {
				t.Fatal(err)
			}
		}
		here := client.At(m.Addresses().Node)
		id, err := here.Send(ctx, n.key, client.Message{Process: n.process, Data: []byte("count"), Anchor: anchor()})
		if err != nil {
			t.Fatal(err)
		}
		r, err := here.Result(ctx, n.process, id)
		if err != nil || r.Text() != "202" {
			t.Errorf("the first message here: %s, %v", r.JSON, err)
		}
		if got := m.computer.Stats().Evaluated; got != 1 {
			t.Errorf("%d messages were evaluated, want 1", got)
		}
		if _, err := here.Result(ctx, n.process, last); fault.CodeOf(err) != "result-before-checkpoint" {
			t.Errorf("a result of before: %v", err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		// It is an own process from now on, also for an export.
		m = quiet(t, data)
		again := filepath.Join(t.TempDir(), "again")
		if _, err := m.Export(ctx, n.process, again); err != nil {
			t.Fatal(err)
		}
		third := quiet(t, "")
		if _, err := third.Import(ctx, again, ImportOptions{}); fault.CodeOf(err) != "slot-refused" || innermost(err) != "scheduler-is-another" {
			t.Errorf("slots of a scheduler that was not named: %v", err)
		}
		third = quiet(t, "")
		if _, err := third.Import(ctx, again, ImportOptions{Signers: []string{m.Addresses().Scheduler}, Replay: true}); err != nil {
			t.Fatal(err)
		}
		if slots, err := third.Current(ctx, n.process); err != nil || slots != 204 {
			t.Errorf("%d slots, %v", slots, err)
		}
		r, err = client.At(third.Addresses().Node).Result(ctx, n.process, id)
		if err != nil || r.Text() != "202" {
			t.Errorf("evaluated anew: %s, %v", r.JSON, err)
		}
	})

	t.Run("spoilt", func(t *testing.T) {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			for name, spoil := range map[string]func([]byte) []byte{
				"cut off": func(b []byte) []byte { return b[:len(b)/2] },
				"changed": func(b []byte) []byte { b[len(b)/2] ^= 2; return b },
				"removed": func([]byte) []byte { return nil },
			} {
				bad := t.TempDir()
				if err := os.CopyFS(filepath.Join(bad, "x"), os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(bad, "x", f.Name())
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if len(b) == 0 {
					continue
				}
				if b = spoil(b); b == nil {
					err = os.Remove(path)
				} else {
					err = os.WriteFile(path, b, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				m := quiet(t, "")
				e, err := m.Import(ctx, filepath.Join(bad, "x"), ImportOptions{})
				if err == nil && f.Name() == manifestFile && name == "changed" && e.Slots != 203 {
					t.Errorf("a manifest of %d slots was taken", e.Slots)
				} else if err == nil && f.Name() != manifestFile {
					t.Errorf("%s %s was taken", f.Name(), name)
				}
			}
		}
	})

	// Whoever changes a file and its hash has not the scheduler's key.
	t.Run("forged", func(t *testing.T) {
		bad := filepath.Join(t.TempDir(), "x")
		if err := os.CopyFS(bad, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(bad, messagesFile))
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for range 100 {
			at += bytes.Index(b[at:], []byte("count")) + 1
		}
		b[at] = 'O'
		if err := os.WriteFile(filepath.Join(bad, messagesFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		e := e
		h, err := createHashed(filepath.Join(t.TempDir(), "h"))
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
		if e.Files[messagesFile], err = h.finish(); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bad, manifestFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		m := quiet(t, "")
		if _, err := m.Import(ctx, bad, ImportOptions{}); fault.CodeOf(err) != "slot-refused" || !strings.HasPrefix(err.Error(), "slot 100 of") || innermost(err) != "signature-invalid" {
			t.Errorf("a forged message: %v", err)
		}
		if head, err := m.scheduler.Head(ctx, n.process); err != nil || head.Next != 100 {
			t.Errorf("%d slots were taken, %v", head.Next, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"process":"","slots":3,"files":{"process.item":{"size":1,"sha256":"x"}}}`), []byte{1, 0, 0, 0, 7})
	f.Fuzz(func(t *testing.T, manifest, items []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, manifestFile), manifest, 0o600); err != nil {
			t.Fatal(err)
		}
		if e, err := readManifest(dir); err == nil && (e.Version != exportVersion || len(e.Files) < 4) {
			t.Errorf("%q was read as %+v", manifest, e)
		}
		for r := bytes.NewReader(items); ; {
			raw, err := readItem(r)
			if err != nil {
				break
			}
			if len(raw) > len(items) {
				t.Errorf("%d bytes of %d", len(raw), len(items))
			}
		}
	})
}
