package test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ago/codec/ans104"
)

// wait asks the node of a follower until it says what is looked for.
func (n *network) wait(t *testing.T, what string, is func(read, evaluated int, refused string) bool) (read int, refused, code string) {
	t.Helper()
	var now struct {
		Following []struct {
			Read, Evaluated int
			Refused, Code   string
		}
	}
	patience := 30 * time.Second
	if long() {
		patience = 10 * time.Minute
	}
	for deadline := time.Now().Add(patience); ; {
		unmarshal(t, fetch(t, n.client().Node+"/following"), &now)
		if len(now.Following) != 1 {
			t.Fatalf("%+v", now)
		}
		s := now.Following[0]
		if is(s.Read, s.Evaluated, s.Refused) {
			return s.Read, s.Refused, s.Code
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about: %+v\n%s", what, s, n.log.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// follower is the command that follows a log that is served.
func follower(l *legacyLog, s *legacyServer, data string) []string {
	return []string{"sync", l.process.ID().String(), "--su", s.URL, "--gateway", s.URL, "--data", data, "--interval", "50ms"}
}

// TestASlotThatDoesNotHold: in a long log one slot is forged, by somebody on the way or by the scheduler itself. The slots
// before it are read and evaluated, it is refused by its number and with the reason, and nothing behind it is used.
func TestASlotThatDoesNotHold(t *testing.T) {
	t.Parallel()
	n, bad := 300, 217
	if long() {
		n, bad = 10_000, 9_217
	}
	whole := makeLog(t, "tick", n)
	honest := slices.Clone(whole.slots)
	// From the bad slot on the log is made anew: its scheduler signs whatever this does to the assignment.
	signedWrong := func(change func(l *legacyLog, a *assigning)) func(*legacyLog) {
		return func(l *legacyLog) {
			l.slots = l.slots[:bad]
			for i := bad; i < bad+5; i++ {
				l.add(t, honest[i].message, func(a *assigning) {
					if i == bad {
						change(l, a)
					}
				})
			}
		}
	}
	edited := func(change func(s []legacySlot)) func(*legacyLog) {
		return func(l *legacyLog) { change(l.slots) }
	}
	broken := func(it *ans104.Item) *ans104.Item {
		signature := slices.Clone(it.Signature)
		signature[3] ^= 1
		out, err := ans104.Rebuild(it.Type, signature, it.Owner, it.Draft())
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name  string
		forge func(*legacyLog)
		code  string
		says  string
	}{
		{"the signature of an assignment", edited(func(s []legacySlot) { s[bad].assignment = broken(s[bad].assignment) }), "signature-invalid", "signature"},
		{"the signature of a message", edited(func(s []legacySlot) { s[bad].message = broken(s[bad].message) }), "signature-invalid", "signature"},
		{"another scheduler", signedWrong(func(_ *legacyLog, a *assigning) { a.by = legacyPeople(t).stranger }), "scheduler-is-another", "the process names"},
		{"a wrong hash chain", signedWrong(func(_ *legacyLog, a *assigning) { a.chain = sha256.Sum256([]byte("another history")) }), "hash-chain-invalid", "follows from the slots before"},
		{"reordered", edited(func(s []legacySlot) { s[bad].message, s[bad+1].message = s[bad+1].message, s[bad].message }), "assignment-malformed", "and it comes with"},
		{"two slots exchanged", edited(func(s []legacySlot) { s[bad], s[bad+1] = s[bad+1], s[bad] }), "slot-missing", fmt.Sprintf("slot %d comes where slot %d should", bad+1, bad)},
		{"a gap", edited(func(s []legacySlot) { copy(s[bad:], s[bad+1:]) }), "slot-missing", fmt.Sprintf("slot %d comes where slot %d should", bad+1, bad)},
		{"a number that is skipped", signedWrong(func(_ *legacyLog, a *assigning) { a.nonce++ }), "slot-missing", fmt.Sprintf("slot %d comes where slot %d should", bad+1, bad)},
		{"a number that was given before", signedWrong(func(_ *legacyLog, a *assigning) { a.nonce-- }), "slot-differs", fmt.Sprintf("slot %d was another one before", bad-1)},
		{"a time before", signedWrong(func(l *legacyLog, a *assigning) { a.timestamp = l.slots[bad-1].timestamp - 1 }), "time-goes-back", "and the slot before of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := *whole
			l.slots = slices.Clone(honest)
			c.forge(&l)
			s := serveLog(t, &l)
			unit := start(t, follower(&l, s, t.TempDir())...)
			defer unit.end(syscall.SIGKILL)
			read, refused, code := unit.wait(t, "the refusal", func(_, evaluated int, refused string) bool { return refused != "" && evaluated >= bad })
			if read != bad || code != c.code || !strings.Contains(refused, fmt.Sprintf("slot %d of process", bad)) || !strings.Contains(refused, c.says) {
				t.Errorf("%d slots were read, and the next was refused as %s: %s", read, code, refused)
			}
		})
	}
}

// TestALongLogIsFollowed reads a log while the follower is killed, and looks at its memory.
func TestALongLogIsFollowed(t *testing.T) {
	t.Parallel()
	n, kills := 600, 3
	if long() {
		n, kills = 10_000, 25
	}
	l := makeLog(t, "tick", n)
	s := serveLog(t, l)
	f := start(t, follower(l, s, t.TempDir())...)
	first, most := 0, 0
	for k := range kills {
		want := (k + 1) * n / (kills + 1)
		read, _, _ := f.wait(t, "reading on", func(read, _ int, _ string) bool { return read >= min(want, n) })
		most = max(most, resident(t, f))
		if first == 0 && read >= n/10 {
			first = resident(t, f)
		}
		f.end(syscall.SIGKILL)
		f.restart()
		if again, _, _ := f.wait(t, "the start", func(read, _ int, _ string) bool { return read > 0 }); again < read {
			t.Fatalf("%d slots were on disk before it was killed, and %d are after it", read, again)
		}
	}
	f.wait(t, "the end", func(read, evaluated int, _ string) bool { return read == n+1 && evaluated == n+1 })
	most = max(most, resident(t, f))
	t.Logf("memory: %d MB after a tenth of the log, %d MB at most", first>>20, most>>20)
	if most > first+256<<20 {
		t.Errorf("memory grows with the log: %d MB after a tenth of it, %d MB at most", first>>20, most>>20)
	}
	var page struct {
		Edges []struct {
			Node struct{ Output struct{ Data any } }
		}
	}
	unmarshal(t, fetch(t, f.client().CU+"/results/"+l.process.ID().String()+"?limit=1&sort=DESC"), &page)
	if len(page.Edges) != 1 || !strings.Contains(fmt.Sprint(page.Edges[0].Node.Output.Data), fmt.Sprint(n)) {
		t.Errorf("the last result is %+v, and %d were counted", page, n)
	}
}

// resident is the memory that a process has, in bytes.
func resident(t *testing.T, n *network) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
