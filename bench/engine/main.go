// Command engine measures the evaluation engine alone over a generated log: no HTTP, no store. It prints one line of JSON
// with the keys that bench-ao-loader.mjs prints, so that the two can be set side by side.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ago/codec/js"
	"ago/process"
	"ago/vm"
	"ago/vm/wasm"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

type node struct {
	Message struct {
		ID        string        `json:"id"`
		Signature string        `json:"signature"`
		Data      string        `json:"data"`
		Anchor    string        `json:"anchor"`
		Tags      []process.Tag `json:"tags"`
	} `json:"message"`
	Assignment struct {
		Tags []process.Tag `json:"tags"`
	} `json:"assignment"`
}

type meta struct {
	Kind       string        `json:"kind"`
	Format     string        `json:"format"`
	ModuleID   string        `json:"moduleId"`
	ModuleTags []process.Tag `json:"moduleTags"`
	ProcessID  string        `json:"processId"`
	Owner      struct {
		Address string `json:"address"`
	} `json:"owner"`
	Process struct {
		Tags []process.Tag `json:"tags"`
	} `json:"process"`
}

func run() error {
	dir := flag.String("log", "", "folder of a generated log")
	n := flag.Int("n", 1000, "messages after the process item")
	format := flag.String("format", "", "Module-Format instead of the log's, for instance a -metering one")
	live := flag.Int("live", 0, "instead: hold so many instances live after n messages each, and tell their memory")
	cache := flag.String("cache", "", "folder for compiled modules; a temporary one if empty")
	flag.Parse()
	var m meta
	if err := read(filepath.Join(*dir, "meta.json"), &m); err != nil {
		return err
	}
	if *format == "" {
		*format = m.Format
	}
	inputs, err := messages(*dir, m, *n)
	if err != nil {
		return err
	}
	module, err := os.ReadFile(filepath.Join(*dir, "module.wasm"))
	if err != nil {
		return err
	}
	if *cache == "" {
		if *cache, err = os.MkdirTemp("", "ago-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(*cache)
	}
	start := time.Now()
	engine, err := wasm.New(wasm.Config{CacheDir: *cache})
	if err != nil {
		return err
	}
	defer engine.Close()
	ctx := context.Background()
	open := func() (vm.Instance, error) {
		return engine.New(ctx, vm.Module{ID: m.ModuleID, Format: *format, Bytes: module},
			vm.Limits{MemoryMax: 1 << 30, GasMax: 9e12, TimeMax: time.Minute})
	}
	env, err := json.Marshal(map[string]any{
		"Process": map[string]any{"Id": m.ProcessID, "Owner": m.Owner.Address, "Tags": tags(m.Process.Tags)},
		"Module":  map[string]any{"Id": m.ModuleID, "Owner": m.Owner.Address, "Tags": tags(m.ModuleTags)}})
	if err != nil {
		return err
	}
	if *live > 0 {
		return hold(ctx, *live, open, inputs, env)
	}
	inst, err := open()
	if err != nil {
		return err
	}
	defer inst.Close()
	boot := time.Since(start)
	var lat []time.Duration
	var t0 time.Time
	var c0 float64
	var last process.Result
	for i, in := range inputs {
		if i == 1 {
			t0, c0 = time.Now(), cpu()
		}
		t := time.Now()
		if last, err = step(ctx, inst, in, env); err != nil {
			return err
		}
		lat = append(lat, time.Since(t))
	}
	count := float64(len(inputs) - 1)
	first := lat[0]
	secs, used := time.Since(t0).Seconds(), cpu()-c0
	lat = lat[1:]
	slices.Sort(lat)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"mode": "ago", "kind": m.Kind, "format": *format, "n": int(count), "boot_ms": ms(boot), "first_ms": ms(first),
		"msg_per_s": count / secs, "cpu_s_per_msg": used / count, "gas": last.Gas, "last": last.Output,
		"resident_MiB": float64(inst.Resident()) / (1 << 20),
		"lat_ms":       map[string]float64{"p50": ms(lat[len(lat)/2]), "p99": ms(lat[len(lat)*99/100])}})
}

func step(ctx context.Context, inst vm.Instance, in, env []byte) (process.Result, error) {
	out, err := inst.Eval(ctx, vm.Input{Message: in, Env: env})
	if err != nil {
		return process.Result{}, err
	}
	r := process.ResultOf(out)
	if r.KeepState {
		return r, inst.Rollback()
	}
	return r, inst.Commit()
}

// hold keeps n instances and tells what each adds to the resident memory of this process.
func hold(ctx context.Context, n int, open func() (vm.Instance, error), inputs [][]byte, env []byte) error {
	var before int64
	insts := make([]vm.Instance, n+1)
	for i := range insts { // the first one brings what all share
		var err error
		if insts[i], err = open(); err != nil {
			return err
		}
		for _, in := range inputs {
			if _, err := step(ctx, insts[i], in, env); err != nil {
				return err
			}
		}
		if i == 0 {
			if before, err = resident(); err != nil {
				return err
			}
		}
	}
	after, err := resident()
	if err != nil {
		return err
	}
	for _, inst := range insts {
		if err := inst.Close(); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"live": n, "live_MiB_each": float64(after-before) / float64(n) / (1 << 20)})
}

// resident is the resident memory of this process in bytes, after the garbage is returned.
func resident() (int64, error) {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0, err
	}
	return pages * int64(os.Getpagesize()), nil
}

func read(path string, to any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}

func tags(ts []process.Tag) []map[string]string {
	out := make([]map[string]string, len(ts))
	for i, t := range ts {
		out[i] = map[string]string{"name": t.Name, "value": t.Value}
	}
	return out
}

// messages gives the texts that the module is handed, with the fields and the order of the legacy unit.
func messages(dir string, m meta, n int) ([][]byte, error) {
	f, err := os.Open(filepath.Join(dir, "edges.ndjson"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out [][]byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for i := 0; i <= n && lines.Scan(); i++ {
		var e struct{ Node node }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		value := func(name string) string {
			v, _ := process.FirstTag(e.Node.Assignment.Tags, name)
			return strings.TrimLeft(v, "0")
		}
		chain, _ := process.FirstTag(e.Node.Assignment.Tags, "Hash-Chain")
		var b []byte
		text := func(key, v string) {
			b = append(js.AppendJSON(append(b, ','), key), ':')
			b = js.AppendJSON(b, v)
		}
		number := func(key, v string) {
			b = append(append(js.AppendJSON(append(b, ','), key), ':'), v...)
		}
		text("Id", e.Node.Message.ID)
		text("Signature", e.Node.Message.Signature)
		text("Data", e.Node.Message.Data)
		text("Owner", m.Owner.Address)
		text("Target", m.ProcessID)
		text("Anchor", e.Node.Message.Anchor)
		text("From", m.Owner.Address)
		ts, err := json.Marshal(tags(e.Node.Message.Tags))
		if err != nil {
			return nil, err
		}
		number("Tags", string(ts))
		number("Epoch", "0")
		number("Nonce", strconv.Itoa(i))
		number("Timestamp", value("Timestamp"))
		number("Block-Height", value("Block-Height"))
		text("Hash-Chain", chain)
		b = append(b, `,"Cron":false}`...)
		b[0] = '{'
		out = append(out, b)
	}
	return out, lines.Err()
}

// cpu is the processor time this process has used, in seconds.
func cpu() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}
