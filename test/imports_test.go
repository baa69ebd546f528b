// Package test holds the checks that concern the whole tree: who may import whom, and that the tree stays tidy.
package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// levels is the architecture: a package imports packages of lower levels only, unless an exception below says otherwise.
// The reason is printed beside a forbidden pair.
var levels = []struct {
	prefix string
	level  int
	why    string
}{
	{"ago/message", 0, "ids are computed here; everything stands on it"},
	{"ago/fault", 0, "the one error type"},
	{"ago/clock", 0, "time is a parameter"},
	{"ago/codec/js", 0, "text as JavaScript reads and writes it: bytes in, bytes out"},
	{"ago/budget", 1, "amounts and who holds them; knows nothing of what they are of"},
	{"ago/arweave", 1, "gives the bytes to sign, and never signs"},
	{"ago/commitment", 1, "alone touches private keys"},
	{"ago/settings", 2, "what operators may set; knows no unit"},
	{"ago/codec", 2, "bytes to messages and back; knows no unit"},
	{"ago/store", 2, "keeps bytes; knows nothing of their meaning"},
	{"ago/slotlog", 2, "order and ownership only"},
	{"ago/device", 3, "what a device is; knows none"},
	{"ago/store/content", 4, "keeps what devices make, through the interface that they see"},
	{"ago/resolve", 4, "paths to calls; finds devices in a registry and imports none"},
	{"ago/vm", 5, "bytes in, bytes out, gas; knows nothing of messages or HTTP"},
	{"ago/process", 5, "what a message looks like to a process"},
	{"ago/schedule", 6, "a unit meets the others only through interfaces it declares, so that each can be another machine"},
	{"ago/compute", 6, "a unit meets the others only through interfaces it declares, so that each can be another machine"},
	{"ago/push", 6, "a unit meets the others only through interfaces it declares, so that each can be another machine"},
	{"ago/drive", 6, "what processes may read of the chain; knows no unit and no gateway"},
	{"ago/cron", 6, "a unit meets the others only through interfaces it declares, so that each can be another machine"},
	{"ago/builtin", 6, "the process that needs no module file, and the blueprints"},
	{"ago/devices", 7, "thin: translates keys to a unit's calls"},
	{"ago/gateway", 8, "Arweave's face"},
	{"ago/client", 8, "talks to any node over HTTP"},
	{"ago/checkpoint", 8, "memories of processes where other units find them"},
	{"ago/node", 9, "assembles; decides nothing"},
	{"ago/console", 9, "where people talk to a process"},
	{"ago/localnet", 10, "a whole network in one process"},
	{"ago/processtest", 11, "tests of processes, on a network in memory"},
	{"ago/cmd", 12, "flags to node; no logic"},
	{"ago/bench", 13, "measures from outside"},
	{"ago/test", 13, "checks the whole"},
}

// allowed are imports inside one level.
var allowed = map[string][]string{
	"ago/codec/tx":         {"ago/codec/ans104"},
	"ago/codec/flat":       {"ago/codec/structured"}, // every encoding of typed values stands on their texts
	"ago/codec/ans104":     {"ago/codec/structured"},
	"ago/codec/json":       {"ago/codec/structured"},
	"ago/codec/httpsig":    {"ago/codec/structured"},
	"ago/slotlog/local":    {"ago/store"},
	"ago/slotlog/postgres": {"ago/store"}, // the same database, so that a block and what follows from it are one transaction
	"ago/process":          {"ago/vm"},
	"ago/checkpoint":       {"ago/client"},
}

// owners are outside packages that only these folders may import.
var owners = map[string][]string{
	"github.com/cockroachdb/pebble":           {"ago/store/pebble"},
	"github.com/bytecodealliance/wasmtime-go": {"ago/vm/wasm"},
	"github.com/decred/dcrd/dcrec/secp256k1":  {"ago/commitment"},
	"github.com/jackc/pgx":                    {"ago/store/postgres", "ago/slotlog/postgres"},
	"crypto/rsa":                              {"ago/commitment"},
	"crypto/ed25519":                          {"ago/commitment"},
}

// narrow packages may import lower levels only up to the one given.
var narrow = map[string]int{"ago/client": 2, "ago/vm": 0, "ago/message": -1, "ago/fault": -1, "ago/clock": -1}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

func levelOf(path string) (level int, why string, ok bool) {
	best := ""
	for _, l := range levels {
		if under(path, l.prefix) && len(l.prefix) > len(best) {
			best, level, why, ok = l.prefix, l.level, l.why, true
		}
	}
	return level, why, ok
}

// room is the folder that counts as one: siblings such as codec/ans104 and codec/tx are apart, vm/wasm and its parts are
// one.
func room(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) > 2 && (parts[1] == "codec" || parts[1] == "slotlog") {
		return strings.Join(parts[:3], "/")
	}
	if len(parts) > 2 && parts[1] == "vm" {
		return strings.Join(parts[:2], "/")
	}
	return strings.Join(parts[:2], "/")
}

func TestImportsKeepToTheirLevels(t *testing.T) {
	all := packages(t)
	if len(all) < 15 {
		t.Fatalf("only %d packages were found", len(all))
	}
	for _, p := range all {
		level, why, ok := levelOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no level: give it one in this test and in docs/architecture.md", p.ImportPath)
			continue
		}
		top, isNarrow := level, false
		for prefix, l := range narrow {
			if under(p.ImportPath, prefix) {
				top, isNarrow = l, true
			}
		}
		for _, i := range p.Imports {
			for outside, folders := range owners {
				if under(i, outside) && !slices.ContainsFunc(folders, func(f string) bool { return under(p.ImportPath, f) }) {
					t.Errorf("%s imports %s: only %s may", p.ImportPath, i, strings.Join(folders, " and "))
				}
			}
			if !under(i, "ago") || room(i) == room(p.ImportPath) || slotlogFace(p.ImportPath, i) || excepted(p.ImportPath, i) {
				continue
			}
			l, iwhy, _ := levelOf(i)
			if isNarrow && l > top {
				t.Errorf("%s imports %s (level %d), but may only reach level %d: it %s", p.ImportPath, i, l, top, why)
			} else if l >= level {
				t.Errorf("%s (level %d: %s) imports %s (level %d: %s)", p.ImportPath, level, why, i, l, iwhy)
			}
		}
	}
}

// slotlogFace lets the engines of a log import the interface they implement.
func slotlogFace(path, imported string) bool {
	return under(path, "ago/slotlog") && imported == "ago/slotlog"
}

func excepted(path, imported string) bool {
	for _, a := range allowed[path] {
		if under(imported, a) {
			return true
		}
	}
	return false
}
