package test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ago/builtin"
	"ago/client"
	"ago/codec/ans104"
	"ago/message"
	"ago/store/postgres/pgtest"
)

// run starts a unit that compiles nothing and waits for its line.
func run(t testing.TB, args ...string) *network {
	t.Helper()
	n := &network{t: t, args: append(args, "-o", "json")}
	n.restart()
	t.Cleanup(func() { n.end(syscall.SIGKILL) })
	return n
}

// stream signs messages for processes, and offers each to one of several schedulers after the other until it is accepted.
type stream struct {
	mu       sync.Mutex
	accepted map[message.ID]message.ID // message -> process
	refused  atomic.Int64
	stop     atomic.Bool
	wg       sync.WaitGroup
}

func startStream(t *testing.T, schedulers []string, ps []message.ID, writers int) *stream {
	s := &stream{accepted: map[message.ID]message.ID{}}
	key := user(t, 3)
	for w := range writers {
		s.wg.Go(func() {
			for i := 0; !s.stop.Load(); i++ {
				p := ps[(w+i)%len(ps)]
				it, err := ans104.Sign(ans104.Draft{Target: p, HasTarget: true, Data: fmt.Appendf(nil, "%d.%d", w, i), Anchor: fmt.Appendf(nil, "%016d%016d", w, i),
					Tags: tag("Action", "Note", "Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Message")}, key)
				if err != nil {
					t.Error(err)
					return
				}
				for try := w; !s.stop.Load(); try++ { // what was not answered is offered again, to another one too
					if post(schedulers[try%len(schedulers)], it.Raw) {
						s.mu.Lock()
						s.accepted[it.ID()] = p
						s.mu.Unlock()
						break
					}
					s.refused.Add(1)
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	t.Cleanup(s.end)
	return s
}

func (s *stream) end() {
	s.stop.Store(true)
	s.wg.Wait()
}

// more waits until so many further messages were accepted.
func (s *stream) more(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.accepted)
	}
	want := count() + n
	for deadline := time.Now().Add(90 * time.Second); count() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages were accepted, want %d", count(), want)
		}
	}
}

// Two schedulers alone have one database, and are asked in turn. Connections are cut, the database is killed, one of the schedulers is
// killed and comes back: each accepted message has one slot, and the chain of each process holds. A compute unit that keeps its results
// there, too, and is killed with them, comes to the results of one with a folder.
func TestSchedulersAndAComputeUnitOnADatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url, key := server.Database(t), wallet(t)
	ports := freePorts(t, 4)
	gateway := run(t, "gateway", "--memory", "--port", fmt.Sprint(ports), "--bundler-port", "0")
	var su [2]*network
	for i := range su {
		su[i] = run(t, "su", "--data", t.TempDir(), "--port", fmt.Sprint(ports+1+i), "--wallet", key, "--db-mode", "remote", "--db-url", url, "--db-name", fmt.Sprint("su", i),
			"--gateway-url", gateway.line["gateway"], "--uploader-url", gateway.line["bundler"])
	}
	c := &client.Network{Gateway: gateway.line["gateway"], Bundler: gateway.line["bundler"], MU: su[0].line["su"], SU: su[0].line["su"]}
	var ps []message.ID
	for i := range 3 {
		p, err := c.Spawn(context.Background(), user(t, 1), client.Spawn{Module: builtin.ID(), Scheduler: su[0].line["address"], Authority: "nobody", Tags: tag("Name", fmt.Sprint(i))})
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	cuArgs := []string{"cu", "--data", t.TempDir(), "--port", fmt.Sprint(ports + 3), "--db-mode", "remote", "--db-url", url, "--gateway-url", gateway.line["gateway"], "--su-url", su[1].line["su"]}
	cu := start(t, cuArgs...)
	s := startStream(t, []string{su[0].line["su"], su[1].line["su"]}, ps, 4)
	read := func() { // evaluates what is there; an answer may be an error now
		for _, p := range ps {
			answer, err := http.Post(cu.line["cu"]+"/dry-run?process-id="+p.String(), "application/json", nil)
			if err == nil {
				answer.Body.Close()
			}
		}
	}
	rounds := 2
	if long() {
		rounds = 20
	}
	for range rounds {
		s.more(t, 30)
		server.Exec(t, url, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
		read()
		s.more(t, 30)
		server.Kill()
		cu.end(syscall.SIGKILL)
		server.Restart(t)
		cu.restart()
		s.more(t, 30)
		su[1].end(syscall.SIGKILL)
		s.more(t, 30)
		su[1].restart()
		s.more(t, 30)
		read()
	}
	s.end()
	if s.refused.Load() == 0 {
		t.Error("nobody was ever refused: the schedulers did not get in each other's way")
	}
	t.Logf("%d messages were accepted, %d times one was refused or gone", len(s.accepted), s.refused.Load())
	var slots [2]map[message.ID]*processLog
	for i := range su {
		slots[i] = readLogs(t, &client.Network{SU: su[i].line["su"]}, ps)
	}
	for id, p := range s.accepted {
		if slots[0][p].slots[id] != 1 || slots[1][p].slots[id] != 1 {
			t.Errorf("message %s has %d and %d slots in process %s", id, slots[0][p].slots[id], slots[1][p].slots[id], p)
		}
	}
	// Messages that nobody was told of may have a slot as well, but only those that were offered.
	for _, p := range ps {
		if a, b := fmt.Sprint(slots[0][p].ids), fmt.Sprint(slots[1][p].ids); a != b {
			t.Errorf("the schedulers show different logs of %s", p)
		}
	}
	fresh := start(t, "cu", "--memory", "--port", "0", "--gateway-url", gateway.line["gateway"], "--su-url", su[0].line["su"])
	compare := func() {
		t.Helper()
		for _, p := range ps {
			for _, id := range slots[0][p].ids {
				path := fmt.Sprintf("/result/%s?process-id=%s", id, p)
				if a, b := fetch(t, cu.line["cu"]+path), fetch(t, fresh.line["cu"]+path); string(a) != string(b) {
					t.Fatalf("message %s of %s has two results:\n%s\n%s", id, p, a, b)
				}
			}
		}
	}
	compare()
	// All of it is in the database: a unit of the same name with an empty folder has it without its scheduler.
	cu.end(syscall.SIGTERM)
	cuArgs[2], cuArgs[len(cuArgs)-1] = t.TempDir(), "http://127.0.0.1:1"
	cu = start(t, cuArgs...)
	compare()
}
