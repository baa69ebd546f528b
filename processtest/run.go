package processtest

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ago/builtin"
	"ago/console/source"
	"ago/fault"
	"ago/message"
	"ago/node"
	"ago/vm"
)

// Options say how tests are run.
type Options struct {
	Module     message.ID     // of the processes; zero: the built-in one
	Modules    []node.Module  // further ones the networks serve
	CacheDir   string         // compiled modules
	Match      *regexp.Regexp // of the names of the tests to run; nil: all
	Settle     time.Duration  // how long a message's consequences may take; 0: SettleDefault
	Limit      time.Duration  // how long one test may take; 0: LimitDefault
	NoCoverage bool           // processes are left as they are: no handlers are counted
	Workers    int            // tests at a time; 0: one for each core
	Log        *slog.Logger
}

// Defaults of Options. Both are many times what a test takes.
const (
	SettleDefault = 10 * time.Second
	LimitDefault  = time.Minute
)

// Report is what came of all tests.
type Report struct {
	Files    []File     `json:"files"`
	Coverage []Coverage `json:"coverage"`
	Passed   int        `json:"passed"`
	Failed   int        `json:"failed"`
	Skipped  int        `json:"skipped"`
	Millis   float64    `json:"ms"`
}

// File is what came of the tests of one file.
type File struct {
	Path    string   `json:"file"`
	Tests   []Test   `json:"tests"`
	Failure *Failure `json:"failure,omitempty"` // the file itself cannot be run
	Printed string   `json:"printed,omitempty"` // by the file, outside its tests
}

// Test is what came of one test.
type Test struct {
	Name    string   `json:"name"`
	Line    int      `json:"line"`
	Passed  bool     `json:"passed"`
	Skipped string   `json:"skipped,omitempty"` // why
	Failure *Failure `json:"failure,omitempty"`
	Printed string   `json:"printed,omitempty"`
	Millis  float64  `json:"ms"`

	skip bool
}

// Failure is why a test failed, and where.
type Failure struct {
	At      string  `json:"at"` // file:line of the test that found it
	Message string  `json:"message"`
	Detail  string  `json:"detail,omitempty"` // the line of the process's own file
	Path    string  `json:"path,omitempty"`   // where in a table the difference is
	Got     *string `json:"got,omitempty"`
	Want    *string `json:"want,omitempty"`
	Trace   string  `json:"trace,omitempty"`

	compared bool // got is not what was wanted
	skipped  *string
}

// UnmarshalJSON reads what the machine tells.
func (f *Failure) UnmarshalJSON(b []byte) error {
	type plain Failure
	var told struct {
		plain
		Compared bool    `json:"compared"`
		Skipped  *string `json:"skipped"`
	}
	if err := json.Unmarshal(b, &told); err != nil {
		return err
	}
	*f = Failure(told.plain)
	f.compared, f.skipped = told.Compared, told.Skipped
	return nil
}

// Suffix is how the names of test files end.
const Suffix = "_test.lua"

// Find gives the test files that the arguments name: files, and of folders all below them. Without arguments it looks in the
// working folder.
func Find(args []string) ([]string, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	var found []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fault.New(fault.NotFound, "file-unreadable", "%s: there is no such file or folder", arg)
		}
		if !info.IsDir() {
			found = append(found, arg)
			continue
		}
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && path != arg && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
				return fs.SkipDir
			}
			if !d.IsDir() && strings.HasSuffix(path, Suffix) {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "file-unreadable", "%s", arg)
		}
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, "tests-missing", "there are no files named *%s", Suffix).
			WithHint("write one, for example token%s", Suffix)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// Run runs the tests of the files. An error means that they could not be run; failed tests are in the report.
func Run(ctx context.Context, files []string, o Options) (Report, error) {
	start := time.Now()
	if o.Module.IsZero() {
		o.Module = builtin.ID()
	}
	if o.Settle == 0 {
		o.Settle = SettleDefault
	}
	if o.Limit == 0 {
		o.Limit = LimitDefault
	}
	if o.Workers == 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), runtime.NumCPU())
	}
	engine, err := node.OpenEngine(o.CacheDir)
	if err != nil {
		return Report{}, err
	}
	r := runner{o: o, engine: engine, free: make(chan struct{}, o.Workers)}
	defer func() {
		r.closing.Wait() // the networks use the engine
		engine.Close()
	}()
	report := Report{Files: make([]File, len(files))}
	var wg sync.WaitGroup
	for i, path := range files {
		wg.Go(func() { report.Files[i] = r.file(ctx, path) })
	}
	wg.Wait()
	if err := errors.Join(r.errs...); err != nil {
		return report, err
	}
	for _, f := range report.Files {
		if f.Failure != nil {
			report.Failed++
		}
		for _, t := range f.Tests {
			switch {
			case t.Passed:
				report.Passed++
			case t.skip:
				report.Skipped++
			default:
				report.Failed++
			}
		}
	}
	report.Coverage = merge(r.covered)
	report.Millis = millis(start)
	return report, ctx.Err()
}

func millis(since time.Time) float64 {
	return float64(time.Since(since).Microseconds()) / 1000
}

type runner struct {
	o       Options
	engine  vm.Engine
	free    chan struct{}  // a place for each test at a time
	closing sync.WaitGroup // networks that stop while the next test runs

	mu      sync.Mutex
	covered []Coverage
	errs    []error
}

// fails keeps an error that is not the test's.
func (r *runner) fails(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// take waits for a place.
func (r *runner) take() func() {
	r.free <- struct{}{}
	return func() { <-r.free }
}

func (r *runner) file(ctx context.Context, path string) File {
	f := File{Path: source.Shown(path), Tests: []Test{}}
	b, err := source.Load(path)
	if err != nil {
		f.Failure = &Failure{Message: err.Error()}
		return f
	}
	release := r.take()
	loaded, m, err := r.load(ctx, b)
	release()
	if err != nil {
		r.fails(err)
		return f
	}
	m.close()
	f.Printed = loaded.Printed
	if loaded.Failure != nil {
		f.Failure = r.placed(loaded.Failure, b)
		return f
	}
	var wg sync.WaitGroup
	tests := make([]*Test, len(loaded.Tests))
	for i, d := range loaded.Tests {
		if r.o.Match != nil && !r.o.Match.MatchString(d.Name) {
			continue
		}
		t := &Test{Name: d.Name, Line: lineOf(d.At)}
		tests[i] = t
		wg.Go(func() {
			defer r.take()()
			start := time.Now()
			if err := r.test(ctx, b, filepath.Dir(path), i+1, t); err != nil {
				r.fails(err)
			}
			t.Millis = millis(start)
		})
	}
	wg.Wait()
	for _, t := range tests {
		if t != nil {
			f.Tests = append(f.Tests, *t)
		}
	}
	return f
}

// lineOf reads the line of "file:line: ".
func lineOf(at string) int {
	parts := strings.Split(strings.TrimRight(at, ": "), ":")
	n, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil {
		return 0
	}
	return n
}

// load gives a machine that has read the file. Every test has one of its own, so no test sees what another left.
func (r *runner) load(ctx context.Context, b *source.Bundle) (step, *machine, error) {
	m, err := newMachine(ctx, r.engine)
	if err != nil {
		return step{}, nil, err
	}
	s, err := m.do(ctx, "load", map[string]any{"chunk": b.Chunk()})
	return s, m, err
}

// test runs one test on a network of its own. Whatever the test does ends in t; an error is the machine's or network's.
func (r *runner) test(ctx context.Context, b *source.Bundle, dir string, index int, t *Test) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.Limit)
	defer cancel()
	_, m, err := r.load(ctx, b)
	if err != nil {
		return err
	}
	defer m.close()
	w, err := openWorld(ctx, r.o, r.engine, dir)
	if err != nil {
		return err
	}
	defer func() { r.closing.Go(func() { w.net.Close() }) }()
	var printed []string
	s, err := m.do(ctx, "run", map[string]any{"index": index})
	for ; err == nil; s, err = m.do(ctx, "answer", map[string]any{"answer": w.answer(ctx, *s.Call)}) {
		if s.Printed != "" {
			printed = append(printed, s.Printed)
		}
		if s.Call == nil {
			break
		}
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	t.Printed = strings.Join(printed, "\n")
	switch {
	case err != nil:
		t.Failure = &Failure{Message: "not finished after " + r.o.Limit.String()}
	case s.Failure != nil && s.Failure.skipped != nil:
		t.skip, t.Skipped = true, *s.Failure.skipped
	case s.Failure != nil:
		t.Failure = r.placed(s.Failure, b)
	default:
		t.Passed = true
	}
	if !r.o.NoCoverage && err == nil {
		covered := w.coverage(ctx)
		r.mu.Lock()
		r.covered = append(r.covered, covered...)
		r.mu.Unlock()
	}
	return nil
}

func (w *world) answer(ctx context.Context, c call) answer {
	v, err := w.serve(ctx, c)
	if err == nil {
		return answer{Value: v}
	}
	var r refusal
	if errors.As(err, &r) {
		return answer{Error: r.text, Detail: r.detail}
	}
	return answer{Error: err.Error(), Detail: fault.HintOf(err)}
}

// placed tidies a failure: the place without its colon, the traceback without the lines that are ours.
func (r *runner) placed(f *Failure, b *source.Bundle) *Failure {
	f.At = strings.TrimRight(f.At, ": ")
	if f.At == "" {
		if p, ok := b.Locate(f.Message); ok {
			f.At = p.Path + ":" + strconv.Itoa(p.Line)
		}
	}
	if f.Detail == "" && !f.compared {
		if p, ok := b.Locate(f.At + ": " + f.Message); ok && f.Trace != "" {
			f.Detail = p.String()
		}
	}
	var kept []string
	for _, line := range strings.Split(f.Trace, "\n") {
		if where := strings.TrimSpace(line); strings.Contains(where, ".lua:") {
			kept = append(kept, where)
		}
	}
	f.Trace = strings.Join(kept, "\n")
	return f
}
