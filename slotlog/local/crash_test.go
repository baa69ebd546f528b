package local

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"ago/message"
	"ago/slotlog"
	"ago/slotlog/slotlogtest"
)

// crashDir tells a run of the test binary that it is the node to be killed, and where its data is.
const crashDir = "AGO_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashBlock makes the same block for the same place every time, with items of all sizes.
func crashBlock(writer uint64, epoch slotlog.Epoch, first slotlog.Slot) slotlog.Block {
	p := slotlogtest.ID("process", writer)
	b := slotlogtest.Block(p, epoch, first, 1+int(first%3), 0)
	for i := range b.Entries {
		switch e := &b.Entries[i]; {
		case e.ByID:
		case e.Slot%40 == 7:
			e.Item = bytes.Repeat(e.Message[:], 10_000) // a blob
		case e.Slot%8 == 3:
			e.Item = bytes.Repeat(e.Message[:], 3_000) // fills memtables
		}
	}
	return b
}

// writeUntilKilled appends with several writers, as fast as it can, and prints every block after it was acknowledged. It
// gives up by itself, in case that whoever should kill it is gone.
func writeUntilKilled(dir string) error {
	l, err := openLog(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	failed := make(chan error, 1)
	var out sync.Mutex
	for w := range uint64(6) {
		go func() {
			failed <- writeProcess(ctx, l, w, func(first, next slotlog.Slot) {
				out.Lock()
				defer out.Unlock()
				fmt.Printf("%d %d %d\n", w, first, next)
			})
		}()
	}
	return <-failed
}

func writeProcess(ctx context.Context, l *folder, writer uint64, acknowledged func(first, next slotlog.Slot)) error {
	p := slotlogtest.ID("process", writer)
	epoch, err := l.Acquire(ctx, slotlog.PartitionOf(p))
	if err != nil {
		return err
	}
	head, err := l.Head(ctx, p)
	if err != nil {
		return err
	}
	for next := head.Next; ; {
		b := crashBlock(writer, epoch, next)
		if err := l.Append(ctx, b); err != nil {
			return err
		}
		acknowledged(next, b.Head.Next)
		next = b.Head.Next
	}
}

// TestWhatWasAcknowledgedSurvivesAKill kills a writing node at random moments, again and again on the same data, and asks
// the four questions each time. A kill keeps the system's page cache; the loss of unsynced data is tested with the store.
func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	rounds := 20
	if os.Getenv("AGO_LONG") != "" {
		rounds = 300
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var dir string
	var acked *slotlogtest.Acknowledged
	total, stored := 0, 0
	for round := range rounds {
		if round%20 == 0 {
			dir, acked = t.TempDir(), &slotlogtest.Acknowledged{}
		}
		before := acked.Count()
		writeAndKill(t, dir, random, acked)
		total += acked.Count() - before
		f := auditFolder(t, dir, acked)
		if round%20 == 19 {
			stored += f.Stored
		}
	}
	t.Logf("%d kills, %d slots acknowledged, %d stored", rounds, total, stored)
	if total < rounds {
		t.Error("too little was written to show anything")
	}
}

func writeAndKill(t *testing.T, dir string, random *rand.Rand, acked *slotlogtest.Acknowledged) {
	t.Helper()
	node := exec.Command(os.Args[0])
	node.Env = append(os.Environ(), crashDir+"="+dir)
	stderr := &bytes.Buffer{}
	node.Stderr = stderr
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	kill := func() {
		time.AfterFunc(time.Duration(random.Int64N(int64(60*time.Millisecond))), func() { node.Process.Kill() })
	}
	early := random.IntN(4) == 0 // perhaps while it opens the store
	if early {
		kill()
	}
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil { // also for a line that was cut off
			if err != io.EOF {
				t.Fatal(err)
			}
			break
		}
		if n == 0 && !early {
			kill()
		}
		var writer uint64
		var first, next slotlog.Slot
		if _, err := fmt.Sscan(line, &writer, &first, &next); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		b := crashBlock(writer, 0, first)
		if b.Head.Next != next {
			t.Fatalf("%q: the block ends at %d", line, b.Head.Next)
		}
		acked.AddBlock(b)
	}
	node.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("the node ended by itself: %s", stderr)
	}
}

func auditFolder(t *testing.T, dir string, acked *slotlogtest.Acknowledged) slotlogtest.Findings {
	t.Helper()
	l, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := slotlogtest.Audit(t.Context(), l, acked)
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range l.Processes(t.Context(), message.ID{}) {
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range l.Range(t.Context(), p, 0, ^slotlog.Slot(0)) {
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Item) > 1000 && !bytes.HasSuffix(e.Item, e.Message[:]) || e.Item == nil != e.ByID {
				t.Fatalf("slot %d of %s came back with another item", e.Slot, p)
			}
		}
	}
	if err := l.store.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}
