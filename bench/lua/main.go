// Command lua compares the Lua machine, with gas counted, with Debian's lua5.3 on the same machine in the same run.
//
//	go run ./bench/lua [-rounds 7] [-lua lua5.3] [-machine file.wasm] [name ...]
package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"ago/vm"
	"ago/vm/lua"
	"ago/vm/wasm"

	"golang.org/x/sys/unix"
)

//go:embed programs/*.lua
var programs embed.FS

// limits are the most that a program may take in times of the native one.
var limits = map[string]float64{"fib": 2.2, "table": 2.2, "string": 2.2, "coroutine": 6, "pcall": 6}

const driver = `
local run
function handle(msg)
  if msg.source then run = assert(load(msg.source, "=program"))() return {} end
  return {value = tostring(run())}
end`

const nativeDriver = `
local file = io.open(arg[1])
local run = assert(load(file:read("a"), "=program"))()
local best, value = math.huge
for _ = 1, tonumber(arg[2]) do
  local t = os.clock()
  value = tostring(run())
  best = math.min(best, os.clock() - t)
end
io.write(string.format("%.9f %s", best, value))`

func main() {
	rounds := flag.Int("rounds", 7, "measurements of each program, of which the best counts")
	native := flag.String("lua", "lua5.3", "the Lua to compare with")
	machine := flag.String("machine", "", "another build of the machine to measure, a .wasm file")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*rounds, *native, *machine, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(rounds int, native, machine string, names []string) error {
	dir, err := os.MkdirTemp("", "bench-lua")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "driver.lua"), []byte(nativeDriver), 0o600); err != nil {
		return err
	}
	in := lua.Interpreter()
	if machine != "" {
		if in.Program, err = os.ReadFile(machine); err != nil {
			return err
		}
	}
	e, err := wasm.New(wasm.Config{Interpreters: []wasm.Interpreter{in}})
	if err != nil {
		return err
	}
	defer e.Close()
	files, err := programs.ReadDir("programs")
	if err != nil {
		return err
	}
	fmt.Printf("%-10s %10s %10s %7s %7s %12s\n", "program", "lua5.3 ms", "here ms", "ratio", "limit", "gas")
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".lua")
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		source, err := programs.ReadFile("programs/" + f.Name())
		if err != nil {
			return err
		}
		path := filepath.Join(dir, f.Name())
		if err := os.WriteFile(path, source, 0o600); err != nil {
			return err
		}
		out, err := exec.Command(native, filepath.Join(dir, "driver.lua"), path, strconv.Itoa(rounds)).Output()
		if err != nil {
			return fmt.Errorf("%s: %w", native, err)
		}
		seconds, value, _ := strings.Cut(string(out), " ")
		theirs, err := strconv.ParseFloat(seconds, 64)
		if err != nil {
			return err
		}
		ours, gas, got, err := measure(e, source, rounds)
		if err != nil {
			return err
		}
		if got != value {
			return fmt.Errorf("%s: here it gives %s, with %s %s", name, got, native, value)
		}
		fmt.Printf("%-10s %10.2f %10.2f %7.2f %7.1f %12d\n", name, theirs*1e3, ours*1e3, ours/theirs, limits[name], gas)
	}
	return nil
}

// cpuTime is what this thread has used, in seconds: the native program is measured by os.clock, which does not count
// either what others do with the processor.
func cpuTime() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // the clock is part of every Linux
	}
	return float64(t.Nano()) / 1e9
}

func measure(e vm.Engine, source []byte, rounds int) (best float64, gas uint64, value string, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx := context.Background()
	i, err := e.New(ctx, vm.Module{Format: lua.Format, Bytes: []byte(driver)}, vm.Limits{})
	if err != nil {
		return 0, 0, "", err
	}
	defer i.Close()
	eval := func(message any) (vm.Output, error) {
		b, err := json.Marshal(message)
		if err != nil {
			return vm.Output{}, err
		}
		out, err := i.Eval(ctx, vm.Input{Message: b, Env: []byte("{}")})
		if err != nil {
			return out, err
		}
		if out.Failure != "" || bytes.HasPrefix(out.Response, []byte(`{"ok":false`)) {
			return out, fmt.Errorf("%s%s", out.Failure, out.Response)
		}
		return out, i.Commit()
	}
	if _, err := eval(map[string]string{"source": string(source)}); err != nil {
		return 0, 0, "", err
	}
	for n := range rounds {
		begin := cpuTime()
		out, err := eval(map[string]string{})
		if err != nil {
			return 0, 0, "", err
		}
		if d := cpuTime() - begin; n == 0 || d < best {
			best = d
		}
		var r struct{ Response struct{ Value string } }
		if err := json.Unmarshal(out.Response, &r); err != nil {
			return 0, 0, "", err
		}
		gas, value = out.Gas, r.Response.Value
	}
	return best, gas, value, nil
}
