//go:build linux && amd64 && cgo

package wasm

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDecodeText(t *testing.T) {
	const bad = "\uFFFD"
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"plain", "plain"}, {"héllo €😀", "héllo €😀"},
		{"\xEF\xBB\xBFmark", "mark"},
		{"\xff", bad}, {"\x80\x80", bad + bad}, {"a\xc3", "a" + bad}, {"a\xc3b", "a" + bad + "b"},
		{"\xe2\x82", bad}, {"\xe2\x82x", bad + "x"}, {"\xf0\x9f\x98", bad}, {"\xf0\x9f\x98\x80", "😀"},
		{"\xed\xa0\x80", bad + bad + bad}, // half of a surrogate pair
		{"\xc0\x80", bad + bad}, {"\xf4\x90\x80\x80", bad + bad + bad + bad}, {"\xe0\x80\x80", bad + bad + bad},
	} {
		if got := string(decodeText([]byte(c.in))); got != c.want {
			t.Errorf("%q gives %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzDecodeText(f *testing.F) {
	f.Add([]byte("a\xe2\x82b\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := decodeText(b)
		if !utf8.Valid(out) {
			t.Errorf("%q gives %q", b, out)
		}
		if utf8.Valid(b) && len(b) < 3 && string(out) != string(b) {
			t.Errorf("%q was changed to %q", b, out)
		}
	})
}

func broken(at time.Time) brokenTime {
	return brokenTime{sec: at.Second(), min: at.Minute(), hour: at.Hour(), mday: at.Day(), mon: int(at.Month()) - 1,
		year: at.Year() - 1900, wday: int(at.Weekday()), yday: at.YearDay() - 1, zone: "GMT"}
}

func TestStrftime(t *testing.T) {
	day := broken(time.Date(2024, 2, 5, 0, 7, 9, 0, time.UTC))
	for _, c := range []struct{ format, want string }{
		{"%c", "Mon Feb 05 00:07:09 2024"}, {"%x %X", "02/05/24 00:07:09"}, {"%Y-%m-%d", "2024-02-05"},
		{"%e|%d|%j", " 5|05|036"}, {"%I %p %H", "12 AM 00"}, {"%G-W%V-%u", "2024-W06-1"}, {"%U %W %w", "05 06 1"},
		{"%a %A %b %B %h", "Mon Monday Feb February Feb"}, {"%C %y %g", "20 24 24"}, {"%n%t%%", "\n\t%"},
		{"%z %Z", "+0000 GMT"}, {"%r %R %T %D %F", "12:07:09 AM 00:07 00:07:09 02/05/24 2024-02-05"},
		{"%Ey %Od %EC", "24 05 20"}, {"%q", "%q"}, {"100%", "100%"},
		{"%%c", "%a Feb 05 00:07:09 2024"}, // compound conversions are expanded before anything else
	} {
		if got, err := strftime(c.format, day); err != nil || got != c.want {
			t.Errorf("%q gives %q (%v), want %q", c.format, got, err, c.want)
		}
	}
	for _, bad := range []brokenTime{{wday: 7}, {mon: 12}, {wday: -1}} {
		if _, err := strftime("%a %b", bad); err == nil {
			t.Errorf("%+v has a name", bad)
		}
	}
}

// TestWeeks compares with Go's calendar. The reference counts some week 53s wrongly; those stay as they are there.
func TestWeeks(t *testing.T) {
	for at := time.Date(1990, 1, 1, 12, 0, 0, 0, time.UTC); at.Year() < 2040; at = at.AddDate(0, 0, 1) {
		year, week := at.ISOWeek()
		b := broken(at)
		if got := b.weekYear(); got != year {
			t.Fatalf("%v is in the year %d of weeks, want %d", at, got, year)
		}
		if got := b.isoWeek(); got != week && week < 52 && got != 53 {
			t.Fatalf("%v is in week %d, want %d", at, got, week)
		}
	}
}

func TestDateMs(t *testing.T) {
	for _, c := range []struct {
		year, month, day, hour, minute, second int64
		want                                   time.Time
	}{
		{2024, 0, 1, 0, 0, 0, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		{2024, 14, -3, 25, 61, -1, time.Date(2025, 2, 26, 2, 0, 59, 0, time.UTC)},
		{2024, -1, 31, 0, 0, 0, time.Date(2023, 12, 31, 0, 0, 0, 0, time.UTC)},
		{70, 0, 1, 0, 0, 0, time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)}, // two digits are of the twentieth century
		{100, 0, 1, 0, 0, 0, time.Date(100, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		ms, ok := dateMs(c.year, c.month, c.day, c.hour, c.minute, c.second)
		if !ok || ms != c.want.UnixMilli() {
			t.Errorf("%+v gives %v", c, time.UnixMilli(ms).UTC())
		}
	}
	for _, c := range [][2]int64{{300000, 0}, {-300000, 0}, {math.MaxInt32, 0}, {0, math.MaxInt32}} {
		if ms, ok := dateMs(c[0], c[1], 1, 0, 0, 0); ok {
			t.Errorf("%v gives %d", c, ms)
		}
	}
}
