//go:build linux && amd64 && cgo

package wasm

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ago/vm"
)

// loader runs messages with the reference loader, on a memory or on none, and gives what it answered and the memory it left.
func loader(t *testing.T, module, format, memory, env string, steps []step) ([]step, []byte) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	script := upward(t, "test/reference/memory.mjs")
	if upward(t, "test/node_modules/@permaweb/ao-loader") == "" {
		t.Skip("the reference loader is not installed: run npm ci --ignore-scripts in test/")
	}
	var in struct {
		Env      string   `json:"env"`
		Messages []string `json:"messages"`
	}
	in.Env = env
	for _, s := range steps {
		in.Messages = append(in.Messages, s.Msg)
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(t.TempDir(), "left")
	cmd := exec.Command(node, "--experimental-wasm-memory64", "--no-warnings", script, module, format, memory, left)
	cmd.Stdin = bytes.NewReader(text)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the reference loader: %v\n%s", err, complaints.Bytes())
	}
	answers := make([]step, 0, len(steps))
	d := json.NewDecoder(bytes.NewReader(out))
	for d.More() {
		var s step
		if err := d.Decode(&s); err != nil {
			t.Fatalf("the reference loader answered %.200s", out)
		}
		answers = append(answers, s)
	}
	if len(answers) != len(steps) {
		t.Fatalf("the reference loader answered %d of %d messages", len(answers), len(steps))
	}
	memoryLeft, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	return answers, memoryLeft
}

// goOn evaluates the messages as a unit does, and compares with what the reference answered.
func goOn(t *testing.T, i vm.Instance, env string, steps, want []step) {
	t.Helper()
	for k, s := range steps {
		out := mustEval(t, i, vm.Input{Message: []byte(s.Msg), Env: []byte(env)})
		if want != nil {
			w := want[k]
			switch {
			case w.Response != nil && string(out.Response) != *w.Response:
				t.Errorf("%s: answered\n%.300s%s\nthe reference\n%.300s", s.Name, out.Response, out.Failure, *w.Response)
			case w.Response == nil && out.Failure == "":
				t.Errorf("%s: answered %.300s, the reference threw %v", s.Name, out.Response, w.Throws)
			case w.Gas != nil && *w.Gas != out.Gas:
				t.Errorf("%s: gas %d, the reference took %d", s.Name, out.Gas, *w.Gas)
			}
		}
		var err error
		if out.Failure != "" || refused(out.Response) {
			err = i.Rollback()
		} else {
			err = i.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func memoryOf(t *testing.T, i vm.Instance) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := i.Memory(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestMemoriesAreExchangedWithTheReference: a memory written here is gone on from by the reference loader, and one that it
// wrote is gone on from here, with equal answers and equal memories.
func TestMemoriesAreExchangedWithTheReference(t *testing.T) {
	const before, after = 20, 32 // the step that memories are exchanged at, and the last one
	ctx := context.Background()
	for _, file := range recordings(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json.gz")
		switch name {
		case "aos2_0_6." + format64, "aos2_0_4_32." + format32:
		default:
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := readRecording(t, file)
			m := vm.Module{ID: r.Module, Format: r.Format, Bytes: moduleFile(t, r.Module)}
			path := filepath.Join(t.TempDir(), "module.wasm")
			if err := os.WriteFile(path, m.Bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			e := testEngine(t, Config{})
			first, rest := r.Steps[:before], r.Steps[before:after]

			answers, theirs := loader(t, path, r.Format, "-", r.Env, first)
			ours, err := e.New(ctx, m, vm.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			goOn(t, ours, r.Env, first, answers)
			written := filepath.Join(t.TempDir(), "written")
			if err := os.WriteFile(written, memoryOf(t, ours), 0o600); err != nil {
				t.Fatal(err)
			}

			answers, left := loader(t, path, r.Format, written, r.Env, rest)
			restored, err := e.RestoreMemory(ctx, m, vm.Limits{}, bytes.NewReader(theirs))
			if err != nil {
				t.Fatal(err)
			}
			defer restored.Close()
			goOn(t, restored, r.Env, rest, answers)
			if !bytes.Equal(left, memoryOf(t, restored)) {
				t.Errorf("the memories differ in the end")
			}
		})
	}
}
