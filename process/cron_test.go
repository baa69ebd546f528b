package process

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ago/fault"
	"ago/message"

	"pgregory.net/rapid"
)

func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		text   string
		every  int64
		blocks bool
	}{
		{"1-second", 1, false}, {"10-seconds", 10, false}, {"10-s", 10, false}, {"10-sec", 10, false}, {"10-secs", 10, false},
		{"1-minute", 60, false}, {"5-minutes", 300, false}, {"5-m", 300, false}, {"5-min", 300, false}, {"5-mins", 300, false},
		{"1-hour", 3600, false}, {"2-hours", 7200, false}, {"2-h", 7200, false}, {"2-hr", 7200, false}, {"2-hrs", 7200, false},
		{"1-day", 86400, false}, {"3-days", 3 * 86400, false}, {"3-d", 3 * 86400, false},
		{"1-week", 7 * 86400, false}, {"2-weeks", 14 * 86400, false}, {"2-w", 14 * 86400, false},
		{"1-year", 31557600, false}, {"1-years", 31557600, false}, {"1-y", 31557600, false}, {"1-yr", 31557600, false}, {"1-yrs", 31557600, false},
		{"1500-milliseconds", 1, false}, {"2500-ms", 2, false}, {"2500-msecs", 2, false}, {"2500", 2, false},
		{"1.5-hours", 5400, false}, {".5-minutes", 30, false}, {"10-SECONDS", 10, false}, {" 10 - seconds ", 10, false}, {"10-seconds-more", 10, false},
		{"1-block", 1, true}, {"10-blocks", 10, true}, {"10x-blocks", 10, true}, {"+3-blocks", 3, true},
		{"0-blocks", 0, true}, {"x-blocks", 0, true}, {"-blocks", 0, true}, {"99999999999999999999-blocks", 0, true},
		{"10-Blocks", 0, false}, {"1-month", 0, false}, {"2-fortnights", 0, false}, {"-5-seconds", 0, false}, {"1e3-seconds", 0, false},
		{"", 0, false}, {"-", 0, false}, {"9999999999999999999-years", 0, false}, {strings.Repeat("1", 400) + "-s", 0, false},
	} {
		got, err := Crons([]Tag{{Name: "Cron-Interval", Value: c.text}})
		if err != nil || got[0].Every != c.every || got[0].Blocks != c.blocks || got[0].Interval != c.text || got[0].Name != "0-"+c.text {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
		if err := CheckCrons([]Tag{{Name: "Cron-Interval", Value: c.text}}); (err == nil) != (c.every != 0) {
			t.Errorf("%q is checked with %v", c.text, err)
		}
	}
	for text, code := range map[string]string{"0-seconds": "cron-interval-too-short", "999-ms": "cron-interval-too-short", "10": "cron-interval-too-short"} {
		if _, err := Crons([]Tag{{Name: "Cron-Interval", Value: text}}); fault.CodeOf(err) != code {
			t.Errorf("%q: %v, want %s", text, err, code)
		}
	}
	if _, err := Crons([]Tag{{Name: "Cron-Tag-Action", Value: "x"}, {Name: "Cron-Interval", Value: "1-hour"}}); fault.CodeOf(err) != "cron-tag-unmatched" {
		t.Errorf("a Cron-Tag before any interval: %v", err)
	}
}

func TestTimersAreInTheOrderTheyAreDue(t *testing.T) {
	got, err := Crons([]Tag{
		{Name: "Cron-Interval", Value: "1-hour"}, {Name: "Cron-Tag-Action", Value: "Hourly"}, {Name: "Other", Value: "x"}, {Name: "Cron-Tag-", Value: "x"},
		{Name: "Cron-Interval", Value: "7-blocks"}, {Name: "Cron-Interval", Value: "10-seconds"},
		{Name: "Cron-Tag-Action", Value: "Beat"}, {Name: "Cron-Tag-From", Value: "me"}, {Name: "Cron-Interval", Value: "3-blocks"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, fmt.Sprint(c.Name, c.Tags))
	}
	want := "0-7-blocks[] 1-3-blocks[] 0-10-seconds[{Action Beat} {From me}] 1-1-hour[{Action Hourly}]"
	if s := strings.Join(lines, " "); s != want {
		t.Fatalf("got  %s\nwant %s", s, want)
	}
	def := Definition{ID: message.ID{1}, Owner: "o"}
	json := TickJSON(def, Tick{Timestamp: 5, Height: 6, Tags: got[2].Tags})
	wantJSON := `{"Owner":"o","Target":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","From":"o","Tags":[{"name":"Action","value":"Beat"}],"Timestamp":5,"Block-Height":6,"Cron":true,"Read-Only":false}`
	if string(json) != wantJSON {
		t.Fatalf("got  %s\nwant %s", json, wantJSON)
	}
}

// naive makes the ticks between two slots by looking at each second, as the legacy compute unit is described to.
func naive(crons []Cron, origin, left Moment, right int64, blocks []Moment) []string {
	var out []string
	height := left.Height
	done := map[string]bool{}
	emit := func(at int64, height uint64, c Cron) {
		if key := fmt.Sprint(at, c.Name); !done[key] {
			done[key] = true
			out = append(out, fmt.Sprintf("%d %s %d", at, c.Name, height))
		}
	}
	pass := func(to int64) {
		for len(blocks) > 0 && blocks[0].Timestamp <= to {
			b := blocks[0]
			blocks = blocks[1:]
			if b.Timestamp <= left.Timestamp || b.Timestamp >= right {
				continue
			}
			height = b.Height
			for _, c := range crons {
				if c.Blocks && c.Every > 0 && b.Height != origin.Height && (b.Height-origin.Height)%uint64(c.Every) == 0 {
					emit(b.Timestamp, b.Height, c)
				}
			}
		}
	}
	for at := left.Timestamp; at < right; at += 1000 {
		pass(at)
		for _, c := range crons {
			since := at/1000 - origin.Timestamp/1000
			if !c.Blocks && c.Every > 0 && since != 0 && since%c.Every == 0 {
				emit(at, height, c)
			}
		}
	}
	pass(right)
	return out
}

func TestTicksAreThoseOfEachSecondLookedAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tags []Tag
		for range rapid.IntRange(1, 4).Draw(t, "timers") {
			tags = append(tags, Tag{Name: "Cron-Interval", Value: rapid.SampledFrom([]string{
				"1-second", "2-seconds", "7-seconds", "1-minute", "90-s", "1-block", "2-blocks", "5-blocks", "1-month"}).Draw(t, "interval")})
		}
		crons, err := Crons(tags)
		if err != nil {
			t.Fatal(err)
		}
		origin := Moment{rapid.Int64Range(1_700_000_000_000, 1_700_000_003_000).Draw(t, "origin"), 100}
		left := origin
		if rapid.Bool().Draw(t, "later") {
			left = Moment{origin.Timestamp + rapid.Int64Range(1, 100_000).Draw(t, "left"), 100 + rapid.Uint64Range(0, 9).Draw(t, "height")}
		}
		right := left.Timestamp + rapid.Int64Range(1, 300_000).Draw(t, "span")
		var blocks []Moment
		at, height := left.Timestamp, left.Height
		for range rapid.IntRange(0, 30).Draw(t, "blocks") {
			// Blocks may have one time; mostly they have whole seconds.
			at += rapid.SampledFrom([]int64{0, 1, 999, 1000, 20_000, 1000 - at%1000}).Draw(t, "gap")
			height++
			if at > left.Timestamp && at < right {
				blocks = append(blocks, Moment{at, height})
			}
		}
		if len(blocks) > 0 { // the heights of blocks that follow the slot follow its height
			for i := range blocks {
				blocks[i].Height = left.Height + uint64(i) + 1
			}
		}
		want := naive(crons, origin, left, right, blocks)
		// Multiple timers at one moment come in the order of Crons, whichever block they belong to.
		text := func(k Tick) string { return fmt.Sprintf("%d %s %d", k.Timestamp, k.Name, k.Height) }
		whole := func(line *Line) (out []Tick) {
			line.Learn(blocks, right)
			for k, ok := line.Next(right); ok; k, ok = line.Next(right) {
				out = append(out, k)
			}
			return out
		}
		ticks := whole(NewLine(message.ID{1}, crons, origin, left, 3))
		got := make([]string, len(ticks))
		for i, k := range ticks {
			got[i] = text(k)
			if i > 0 && !ticks[i-1].Before(k.Timestamp, k.Place) {
				t.Fatalf("%v comes before %v", ticks[i-1], k)
			}
		}
		slices.Sort(want)
		sorted := slices.Clone(got)
		slices.Sort(sorted)
		if !slices.Equal(sorted, want) {
			t.Fatalf("got  %q\nwant %q", sorted, want)
		}
		// Learnt piece by piece, the ticks are the same.
		line := NewLine(message.ID{1}, crons, origin, left, 3)
		var pieces []string
		for rest, to := blocks, line.Known(); ; to = min(right, to+rapid.Int64Range(1, 50_000).Draw(t, "piece")) {
			n := 0
			for n < len(rest) && rest[n].Timestamp < to {
				n++
			}
			line.Learn(rest[:n], to)
			rest = rest[n:]
			for k, ok := line.Next(to); ok; k, ok = line.Next(to) {
				pieces = append(pieces, text(k))
			}
			if to == right {
				break
			}
		}
		if !slices.Equal(pieces, got) {
			t.Fatalf("in pieces %q\nat once   %q", pieces, got)
		}
		// Taken up behind any tick, the rest is the same.
		if len(ticks) > 0 {
			i := rapid.IntRange(0, len(ticks)-1).Draw(t, "from")
			line := NewLine(message.ID{1}, crons, origin, left, 3)
			line.Learn(blocks, right)
			line.SkipTo(ticks[i].Timestamp, ticks[i].Place)
			for j := i + 1; j < len(ticks); j++ {
				if k, ok := line.Next(right); !ok || text(k) != got[j] {
					t.Fatalf("behind %s came %v %v, want %s", got[i], k, ok, got[j])
				}
			}
			if k, ok := line.Next(right); ok {
				t.Fatalf("behind the last tick came %v", k)
			}
		}
	})
}

func FuzzCrons(f *testing.F) {
	f.Add("10-seconds", "Cron-Tag-Action")
	f.Add("1.5-hours", "Cron-Tag-")
	f.Add("10-blocks", "")
	f.Fuzz(func(t *testing.T, interval, name string) {
		all, err := Crons([]Tag{{Name: "Cron-Interval", Value: interval}, {Name: name, Value: "x"}})
		if err != nil {
			return
		}
		if all[0].Every < 0 || all[0].Every > cronMax {
			t.Fatalf("%q is every %d", interval, all[0].Every)
		}
		line := NewLine(message.ID{}, all, Moment{1_700_000_000_123, 5}, Moment{1_700_000_000_123, 5}, 0)
		line.Learn([]Moment{{1_700_000_010_000, 6}}, 1_700_000_100_000)
		for range 300 {
			if _, ok := line.Next(1_700_000_100_000); !ok {
				return
			}
		}
		t.Fatalf("%q has more than 300 ticks in 100 seconds", interval)
	})
}
