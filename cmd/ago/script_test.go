package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ago/localnet"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ago": main})
}

// TestScripts runs the command lines of testdata, each against a network of its own.
func TestScripts(t *testing.T) {
	probe, err := filepath.Abs("../../test/reference/modules/probe3.wasm")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			n, err := localnet.Start(context.Background(), localnet.Options{CacheDir: filepath.Join(e.WorkDir, "modules"), Patience: -1})
			if err != nil {
				return err
			}
			e.Defer(func() {
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			})
			base, err := freePorts()
			if err != nil {
				return err
			}
			home := filepath.Join(e.WorkDir, "home")
			for name, value := range map[string]string{
				"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "XDG_DATA_HOME": filepath.Join(home, "data"),
				"XDG_CACHE_HOME": filepath.Join(home, "cache"), "AGO_NODE": n.Addresses().Node, "GATEWAY": n.Addresses().Gateway,
				"PROBE": probe, "PORTS": fmt.Sprint(base), "PORT_BUNDLER": fmt.Sprint(base + 1), "PORT_MU": fmt.Sprint(base + 2), "PORT_SU": fmt.Sprint(base + 3),
				"PORT_CU": fmt.Sprint(base + 4), "PORT_NODE": fmt.Sprint(base + 5),
			} {
				e.Setenv(name, value)
			}
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// save NAME REGEXP keeps the first group of what was printed.
			"save": func(ts *testscript.TestScript, _ bool, args []string) {
				m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
				if len(m) < 2 {
					ts.Fatalf("nothing printed matches %s", args[1])
				}
				ts.Setenv(args[0], m[1])
			},
			// reach URL waits until it answers 200.
			"reach": func(ts *testscript.TestScript, _ bool, args []string) {
				for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
					if r, err := http.Get(args[0]); err == nil {
						r.Body.Close()
						if r.StatusCode == http.StatusOK {
							return
						}
					}
				}
				ts.Fatalf("%s does not answer", args[0])
			},
		},
	})
}

// freePorts finds six ports in a row that nobody has now.
func freePorts() (int, error) {
	for range 1500 {
		base := 21000 + (os.Getpid()%997*11+int(portBlocks.Add(1)))%1500*6
		free := true
		for p := base; p < base+6 && free; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no six free ports")
}

// portBlocks counts the blocks that were tried: scripts run side by side, and none may get another's. They lie below the
// ports that the system gives to outgoing connections.
var portBlocks atomic.Int64
