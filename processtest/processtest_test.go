package processtest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/failing.txt anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T) Options {
	t.Helper()
	d, err := os.UserCacheDir()
	if err != nil {
		d = t.TempDir()
	}
	return Options{CacheDir: filepath.Join(d, "ago", "modules")}
}

func report(t *testing.T, o Options, files ...string) Report {
	t.Helper()
	r, err := Run(context.Background(), files, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var times = regexp.MustCompile(`\d+ ms`)

func written(t *testing.T, r Report, s Style) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return times.ReplaceAllString(b.String(), "N ms")
}

func TestTheInterfaceOfTests(t *testing.T) {
	r := report(t, options(t), "testdata/api_test.lua")
	if r.Failed != 0 || r.Passed != 11 || r.Skipped != 1 {
		t.Fatalf("%s", written(t, r, Style{}))
	}
	want := []Coverage{
		{"blueprint token", nil},
		{"testdata/bank.lua", []Handler{{"balance", 2}, {"never", 0}, {"pay", 4}, {"when", 1}}},
	}
	want[0].Handlers = r.Coverage[0].Handlers // those of the blueprint are not this test's matter
	if d := cmp.Diff(want, r.Coverage); d != "" {
		t.Error(d)
	}
	if n := r.Coverage[0].Ran(); n != 1 {
		t.Errorf("%d handlers of the blueprint ran", n)
	}
}

func TestFailuresAreTold(t *testing.T) {
	r := report(t, options(t), "testdata/failing.lua")
	if r.Passed != 0 {
		t.Errorf("%d passed", r.Passed)
	}
	got := written(t, r, Style{})
	const golden = "testdata/failing.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("run with -rewrite if this is meant\n%s", d)
	}
}

// The same tests give the same ids, times and outputs in every run, whatever ran before or beside them.
func TestRunsAreEqual(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ids_test.lua")
	text := `for i = 1, 4 do
  test("ids " .. i, function(t)
    local a, b = t:spawn("Handlers.add('hi', 'Hi', function(m) m.reply({Data = tostring(os.time())}) end)"), t:spawn("x = 1")
    local r = t:wallet("w" .. i):send(a, {Action = "Hi"})
    b:send({Action = "Any"})
    print(a, b, r.id, r.Messages[1].Data, r.Messages[1].Anchor, r.Gas, t:wallet("w" .. i), {} ~= nil, math.random(1000))
  end)
end`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed []string
	for _, workers := range []int{1, 4} {
		o := options(t)
		o.Workers = workers
		r := report(t, o, file)
		if r.Passed != 4 {
			t.Fatal(written(t, r, Style{}))
		}
		var all []string
		for _, test := range r.Files[0].Tests {
			all = append(all, test.Printed)
		}
		printed = append(printed, strings.Join(all, "\n"))
	}
	if d := cmp.Diff(printed[0], printed[1]); d != "" {
		t.Error(d)
	}
}

func TestTestsThatDoNotEnd(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := options(t)
	o.Limit = 1500 * time.Millisecond
	r := report(t, o, write("loop_test.lua", "test('loops', function(t) while true do t:now() end end)\ntest('fine', function(t) end)"))
	if r.Passed != 1 || r.Failed != 1 || !strings.Contains(r.Files[0].Tests[0].Failure.Message, "not finished") {
		t.Error(written(t, r, Style{}))
	}
	r = report(t, options(t), write("broken_test.lua", "test('x'"))
	if r.Failed != 1 || r.Files[0].Failure == nil || !strings.HasSuffix(r.Files[0].Failure.At, "broken_test.lua:1") {
		t.Error(written(t, r, Style{}))
	}
	r = report(t, options(t), write("raises_test.lua", "\nerror('at once')"))
	if r.Failed != 1 || r.Files[0].Failure == nil || !strings.HasSuffix(r.Files[0].Failure.At, "raises_test.lua:2") {
		t.Error(written(t, r, Style{}))
	}
	r = report(t, options(t), filepath.Join(dir, "gone_test.lua"))
	if r.Failed != 1 || r.Files[0].Failure == nil {
		t.Error(written(t, r, Style{}))
	}
	if testing.Short() || os.Getenv("AGO_LONG") == "" {
		return
	}
	r = report(t, options(t), write("spin_test.lua", "test('spins', function(t) while true do end end)"))
	if r.Failed != 1 || !strings.Contains(r.Files[0].Tests[0].Failure.Message, "stopped") {
		t.Error(written(t, r, Style{}))
	}
}

func TestMatchChoosesTests(t *testing.T) {
	o := options(t)
	o.Match = regexp.MustCompile("^values|clock")
	if r := report(t, o, "testdata/api_test.lua"); r.Passed != 2 || r.Failed+r.Skipped != 0 {
		t.Error(written(t, r, Style{}))
	}
}

func TestProcessesAreLeftAloneWithoutCoverage(t *testing.T) {
	o := options(t)
	o.NoCoverage, o.Match = true, regexp.MustCompile("^messages")
	if r := report(t, o, "testdata/api_test.lua"); r.Passed != 1 || len(r.Coverage) != 0 {
		t.Error(written(t, r, Style{}))
	}
}

func TestReportsAsJSON(t *testing.T) {
	o := options(t)
	o.Match = regexp.MustCompile("^a value differs$")
	r := report(t, o, "testdata/failing.lua")
	r.Millis, r.Files[0].Tests[0].Millis = 1, 1
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"files":[{"file":"testdata/failing.lua","tests":[{"name":"a value differs","line":4,"passed":false,` +
		`"failure":{"at":"testdata/failing.lua:4","message":"not equal","got":"\"a\"","want":"\"b\""},"ms":1}],` +
		`"printed":"read once for the list, and once for each test"}],"coverage":[],"passed":0,"failed":1,"skipped":0,"ms":1}`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Error(d)
	}
}

func TestFind(t *testing.T) {
	t.Chdir("testdata")
	got, err := Find(nil)
	if d := cmp.Diff([]string{"api_test.lua"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	got, err = Find([]string{"failing.lua", ".", "api_test.lua"})
	if d := cmp.Diff([]string{"api_test.lua", "failing.lua"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, none := range []string{"lib", "missing"} {
		if got, err := Find([]string{none}); err == nil {
			t.Errorf("%s: found %v", none, got)
		}
	}
}

// Both texts can be read out of their difference, and equal texts differ in nothing.
func TestDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 12)
		got, want := lines.Draw(t, "got"), lines.Draw(t, "want")
		var left, right []string
		changed := 0
		for _, d := range diff(got, want) {
			if d[0] != '+' {
				left = append(left, d[2:])
			}
			if d[0] != '-' {
				right = append(right, d[2:])
			}
			if d[0] != ' ' {
				changed++
			}
		}
		if strings.Join(left, "\n") != strings.Join(got, "\n") || strings.Join(right, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%v and %v differ by %v", got, want, diff(got, want))
		}
		if strings.Join(got, "\n") == strings.Join(want, "\n") && changed > 0 {
			t.Fatal("equal texts differ")
		}
	})
}

func BenchmarkTest(b *testing.B) {
	d, err := os.UserCacheDir()
	if err != nil {
		b.Fatal(err)
	}
	o := Options{CacheDir: filepath.Join(d, "ago", "modules"), Workers: 1, Match: regexp.MustCompile("^messages")}
	var sum float64
	for range b.N {
		r, err := Run(context.Background(), []string{"testdata/api_test.lua"}, o)
		if err != nil || r.Failed > 0 {
			b.Fatal(err, r)
		}
		sum += r.Files[0].Tests[0].Millis
	}
	b.ReportMetric(sum/float64(b.N), "ms/test")
}

// The example of the documentation is true: its files run, and its tests pass.
func TestTheDocumentedExample(t *testing.T) {
	text, err := os.ReadFile("../docs/testing-processes.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	blocks := regexp.MustCompile("(?s)```lua\n-- (\\S+)\n.*?```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d files", len(blocks))
	}
	for _, b := range blocks {
		lua := bytes.TrimSuffix(bytes.TrimPrefix(b[0], []byte("```lua\n")), []byte("```"))
		if err := os.WriteFile(filepath.Join(dir, string(b[1])), lua, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	r := report(t, options(t), files...)
	if r.Passed != 4 || r.Failed != 0 || len(r.Coverage) != 1 || r.Coverage[0].Ran() != 3 {
		t.Errorf("%s", written(t, r, Style{Verbose: true}))
	}
}
