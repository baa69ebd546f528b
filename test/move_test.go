package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/message"
)

// killedUntilDone runs a command again and again, killed earlier than it ends or not at all, and tells how often it was killed.
// In the end it is run twice whole: a repeat is harmless.
func killedUntilDone(t *testing.T, random *rand.Rand, args ...string) (kills int) {
	t.Helper()
	begun := time.Now()
	takes := 300 * time.Millisecond
	for range 6 {
		cmd := exec.Command(binary(t), args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := time.AfterFunc(time.Duration(random.Int64N(int64(takes))), func() { cmd.Process.Kill() })
		err := cmd.Wait()
		end.Stop()
		if err != nil && !cmd.ProcessState.Exited() {
			kills++
		} else {
			takes = time.Since(begun) / time.Duration(kills+1)
		}
		begun = time.Now()
	}
	for range 2 {
		if out, err := exec.Command(binary(t), args...).CombinedOutput(); err != nil {
			t.Fatalf("ago %v: %v\n%s", args, err, out)
		}
	}
	return kills
}

// A process moves from one scheduler to the other and back while messages come to the router. Schedulers, exports and imports are
// killed at random moments: what was accepted has one slot, the chain holds across the moves, and a compute unit that follows the
// process has the results of a fresh one.
func TestAProcessMovesWhileMessagesCome(t *testing.T) {
	t.Parallel()
	moves, seed := 2, uint64(time.Now().UnixNano())
	if long() {
		moves = 40
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	key, ports, made := wallet(t), freePorts(t, 4), t.TempDir()
	gateway := run(t, "gateway", "--memory", "--port", fmt.Sprint(ports), "--bundler-port", "0")
	type routed struct {
		URL       string       `json:"url"`
		Processes []message.ID `json:"processes,omitempty"`
	}
	list, file := []routed{}, filepath.Join(made, "list.json")
	tell := func() {
		text, err := json.Marshal(list)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var dirs [2]string
	for i := range dirs {
		dirs[i] = t.TempDir()
		list = append(list, routed{URL: fmt.Sprintf("http://127.0.0.1:%d", ports+1+i)})
	}
	tell()
	router := run(t, "su", "--mode", "router", "--scheduler-list", file, "--data", t.TempDir(), "--port", fmt.Sprint(ports+3))
	var su [2]*network
	for i := range su {
		su[i] = run(t, "su", "--data", dirs[i], "--port", fmt.Sprint(ports+1+i), "--wallet", key, "--gateway-url", gateway.line["gateway"],
			"--uploader-url", gateway.line["bundler"], "--router-check", "--router-url", router.line["su"])
	}
	c := &client.Network{Gateway: gateway.line["gateway"], Bundler: gateway.line["bundler"], MU: router.line["su"], SU: router.line["su"]}
	var ps []message.ID
	for i := range 2 { // the router gives one to each
		p, err := c.Spawn(context.Background(), user(t, 1), client.Spawn{Module: builtin.ID(), Scheduler: su[0].line["address"], Authority: "nobody", Tags: tag("Name", fmt.Sprint(i))})
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	cu := start(t, "cu", "--data", t.TempDir(), "--port", "0", "--verify-signatures", "--gateway-url", gateway.line["gateway"], "--su-url", router.line["su"])
	s := startStream(t, []string{router.line["su"]}, ps, 4)
	kills := 0
	for m := range moves {
		from, to := m%2, (m+1)%2
		s.more(t, 60)
		if r, err := (&client.Network{CU: cu.line["cu"]}).DryRun(context.Background(), client.Message{Process: ps[0], Tags: tag("Action", "Info")}, "nobody"); err != nil {
			cu.end(syscall.SIGTERM)
			t.Fatalf("move %d: the compute unit does not follow: %s, %v\n%s", m, r.Text(), err, cu.log.String())
		}
		for _, i := range random.Perm(2) {
			su[i].end(syscall.SIGKILL)
		}
		folder := filepath.Join(made, fmt.Sprint("moved", m))
		kills += killedUntilDone(t, random, "export", ps[0].String(), folder, "--data", dirs[from], "--hand-over", list[to].URL)
		kills += killedUntilDone(t, random, "import", folder, "--data", dirs[to], "--for-su", "--continue")
		// Whoever imports the folder where it comes from, or one of an earlier move, does not get the process.
		refused := []string{"import", folder, "--data", dirs[from], "--continue", "-o", "json"}
		if out, err := exec.Command(binary(t), refused...).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("term-over")) {
			t.Errorf("ago %v: %v %s", refused, err, out)
		}
		if m > 0 {
			refused[1] = filepath.Join(made, fmt.Sprint("moved", m-1))
			if out, err := exec.Command(binary(t), refused...).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("term-over")) {
				t.Errorf("ago %v: %v %s", refused, err, out)
			}
		}
		su[to].restart()
		su[from].restart()
		s.more(t, 30)
		su[to].end(syscall.SIGKILL)
		su[to].restart()
		list[to].Processes, list[from].Processes = ps[:1], nil
		tell()
		router.end(syscall.SIGKILL)
		router.restart()
	}
	s.more(t, 30)
	s.end()
	t.Logf("%d messages were accepted, %d commands were killed", len(s.accepted), kills)
	if kills == 0 {
		t.Error("no command was killed")
	}
	logs := readLogs(t, c, ps)
	for id, p := range s.accepted {
		if logs[p].slots[id] != 1 {
			t.Errorf("message %s has %d slots in process %s", id, logs[p].slots[id], p)
		}
	}
	fresh := start(t, "cu", "--memory", "--port", "0", "--verify-signatures", "--gateway-url", gateway.line["gateway"], "--su-url", router.line["su"])
	for _, p := range ps {
		for _, id := range logs[p].ids[1:] {
			path := fmt.Sprintf("/result/%s?process-id=%s", id, p)
			if a, b := fetch(t, cu.line["cu"]+path), fetch(t, fresh.line["cu"]+path); string(a) != string(b) {
				t.Fatalf("message %s of %s has two results:\n%s\n%s", id, p, a, b)
			}
		}
	}
}
