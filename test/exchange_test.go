package test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var record = flag.Bool("record", false, "have the published loader evaluate the logs and write testdata/legacylog anew")

const (
	legacyRecorded = 300    // messages of each log whose results are recorded
	legacyLong     = 10_000 // messages of each log in the long run
)

// TestALogOfAnotherNetwork has the compute unit evaluate a log that another network's scheduler serves, over HTTP, with every
// signature verified. Every result is that of the published loader: the recorded one, and in the long run, over ten thousand
// messages of each kind, one that the loader gives at the same time.
func TestALogOfAnotherNetwork(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tick", "transfer", "mixed"} {
		t.Run(kind, func(t *testing.T) {
			n := legacyRecorded
			if long() {
				n = legacyLong
			}
			l := makeLog(t, kind, n)
			s := serveLog(t, l)
			file := filepath.Join("testdata", "legacylog", kind+".sha256")
			if *record {
				writeRecorded(t, file, &legacyLog{module: l.module, slots: l.slots[:legacyRecorded+1]}, loaderResults(t, s))
			}
			got := unitResults(t, s)
			failed := 0
			for i, want := range readRecorded(t, file, &legacyLog{module: l.module, slots: l.slots[:legacyRecorded+1]}) {
				if is := fmt.Sprintf("%x", sha256.Sum256(got[i])); is != want {
					t.Errorf("slot %d is not as recorded: %.400s", i, got[i])
				}
				if bytes.Contains(got[i], []byte(`"Error":`)) {
					failed++
				}
			}
			if kind == "mixed" && failed < legacyRecorded/10 {
				t.Errorf("%d of %d results are errors: the log has more", failed, legacyRecorded)
			}
			if long() {
				for i, want := range loaderResults(t, s) {
					if !bytes.Equal(got[i], want) {
						t.Errorf("slot %d: the loader gives\n%.400s\nand the unit\n%.400s", i, want, got[i])
					}
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.unknown) > 0 {
				t.Errorf("asked for what such a network does not have: %q", s.unknown)
			}
		})
	}
}

// unitResults has a compute unit of ours evaluate the whole log and asks for every result.
func unitResults(t *testing.T, s *legacyServer) [][]byte {
	t.Helper()
	unit := start(t, "cu", "--gateway-url", s.URL, "--data", t.TempDir(), "--port", "0", "--verify-signatures")
	defer unit.end(syscall.SIGKILL)
	address := func(i int) string {
		return unit.line["cu"] + "/result/" + s.log.slots[i].message.ID().String() + "?process-id=" + s.log.process.ID().String()
	}
	began := time.Now()
	last := len(s.log.slots) - 1
	fetch(t, address(last)) // the whole log is read for it
	t.Logf("%d messages were read, verified and evaluated in %v", last, time.Since(began).Round(time.Millisecond))
	out := make([][]byte, last+1)
	for i := range out {
		out[i] = canonical(t, fetch(t, address(i)))
	}
	return out
}

// canonical gives the fields of a result in one order, those that may be missing where they are not.
func canonical(t testing.TB, answer []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		t.Fatalf("%.300s: %v", answer, err)
	}
	result := map[string]any{"Output": "", "Messages": []any{}, "Spawns": []any{}, "Assignments": []any{}}
	for _, name := range []string{"Output", "Messages", "Spawns", "Assignments", "Error", "GasUsed"} {
		if v, ok := all[name]; ok {
			result[name] = v
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(result); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// loaderResults has the published loader evaluate the log that is served.
func loaderResults(t *testing.T, s *legacyServer) [][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--experimental-wasm-memory64", "--max-old-space-size=4096", "reference/log.mjs", s.URL, s.URL, s.log.process.ID().String())
	cmd.Stderr = os.Stderr
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the loader: %v", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(s.log.slots) {
		t.Fatalf("the loader gave %d results of %d", len(lines), len(s.log.slots))
	}
	t.Logf("the loader took %v", time.Since(began).Round(time.Millisecond))
	return lines
}

// A file of recorded results has the hash of the log, then that of each result.
func writeRecorded(t *testing.T, file string, l *legacyLog, results [][]byte) {
	var b strings.Builder
	fmt.Fprintln(&b, l.hash())
	for _, r := range results[:len(l.slots)] {
		fmt.Fprintf(&b, "%x\n", sha256.Sum256(r))
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readRecorded(t *testing.T, file string, l *legacyLog) []string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if len(lines) != len(l.slots)+1 || lines[0] != l.hash() {
		t.Fatalf("%s is of another log: run the test with -record where node is", file)
	}
	return lines[1:]
}
