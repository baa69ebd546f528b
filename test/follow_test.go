package test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ago/client"
	"ago/message"
)

type following struct {
	Following []struct {
		Read, Known, Evaluated int
		Current                bool
		Refused                string
	}
}

// A follower is killed again and again while the log grows. In the end it has the same log and the same results.
func TestAFollowerGoesOnAfterKills(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	base := freePorts(t, 6)
	n := start(t, "dev", "--memory", "--port-base", fmt.Sprint(base))
	c, key := n.client(), user(t, 1)
	var built struct{ DefaultModule message.ID }
	unmarshal(t, fetch(t, c.Node+"/"), &built)
	p, err := c.Spawn(ctx, key, client.Spawn{Module: built.DefaultModule})
	if err != nil {
		t.Fatal(err)
	}
	slots := 1
	grow := func(k int) {
		t.Helper()
		for range k {
			if _, err := c.Send(ctx, key, client.Message{Process: p, Tags: tag("Action", "Eval"), Data: []byte("N = (N or 0) + 1; return N"), Anchor: []byte(fmt.Sprintf("%032d", slots))}); err != nil {
				t.Fatal(err)
			}
			slots++
		}
	}
	grow(400)
	kills := 4
	if long() {
		kills = 60
	}
	f := start(t, "sync", p.String(), "--su", c.SU, "--gateway", c.Gateway, "--data", t.TempDir(), "--interval", "50ms")
	for k := range kills {
		grow(20)
		time.Sleep(time.Duration(k*37%200) * time.Millisecond) // anywhere in its work
		f.end(syscall.SIGKILL)
		f.restart()
	}
	grow(1)
	var now following
	for deadline := time.Now().Add(time.Minute); ; {
		unmarshal(t, fetch(t, f.client().Node+"/following"), &now)
		if s := now.Following[0]; s.Current && s.Evaluated == slots {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not catch up: %+v\n%s", now, f.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, path := range []string{"/" + p.String() + "?limit=5000"} {
		if string(fetch(t, c.SU+path)) != string(fetch(t, f.client().SU+path)) {
			t.Errorf("%s differs", path)
		}
	}
	if a, b := fetch(t, c.CU+"/results/"+p.String()+"?limit=5000"), fetch(t, f.client().CU+"/results/"+p.String()+"?limit=5000"); string(a) != string(b) {
		t.Error("the results differ")
	}
	f.end(syscall.SIGTERM)
	if code := f.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended with exit code %d:\n%s", code, f.log.String())
	}
}

// SIGUSR2 writes checkpoints of what lives, and so does SIGTERM before the end.
func TestSignalsWriteCheckpoints(t *testing.T) {
	ctx := context.Background()
	data, files := t.TempDir(), t.TempDir()
	cache, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DISABLE_PROCESS_FILE_CHECKPOINT_CREATION", "false") // the names that operators have set already
	t.Setenv("PROCESS_MEMORY_FILE_CHECKPOINTS_DIR", files)
	t.Setenv("WASM_BINARY_FILE_DIRECTORY", cache)
	n := &network{t: t, args: []string{"node", "--data", data, "--port-base", fmt.Sprint(freePorts(t, 6)), "-o", "json"}}
	n.restart()
	t.Cleanup(func() { n.end(syscall.SIGKILL) })
	c, key := n.client(), user(t, 1)
	var built struct{ DefaultModule message.ID }
	unmarshal(t, fetch(t, c.Node+"/"), &built)
	p, err := c.Spawn(ctx, key, client.Spawn{Module: built.DefaultModule})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	count := func() {
		t.Helper()
		counted++ // equal messages would be one
		if got := eval(t, c, key, p, fmt.Sprintf("N = (N or 0) + 1; return N -- %d", counted)); got != fmt.Sprint(counted) {
			t.Fatalf("count %d is %s", counted, got)
		}
	}
	record := func() (r struct {
		Nonce  int
		SHA256 string
	}) {
		b, err := os.ReadFile(filepath.Join(files, "state-"+p.String()+".json"))
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		return r
	}
	for range 3 {
		count()
	}
	if err := n.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); record().Nonce != 3; {
		if time.Now().After(deadline) {
			t.Fatalf("SIGUSR2 wrote no checkpoint\n%s", n.log.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	count()
	n.end(syscall.SIGTERM)
	if code := n.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("SIGTERM ended with exit code %d:\n%s", code, n.log.String())
	}
	n.restart()
	c = n.client()
	r, err := c.DryRun(ctx, client.Message{Process: p, Tags: tag("Action", "Eval"), Data: []byte("return N")}, key.ProcessAddress())
	if err != nil || r.Text() != "4" {
		t.Errorf("after the restart: %s, %v", r.Text(), err)
	}
	if m := string(fetch(t, c.Node+"/metrics")); !strings.Contains(m, "\nao_cu_evaluations_total 0\n") {
		t.Error("messages were evaluated again after SIGTERM")
	}
}
