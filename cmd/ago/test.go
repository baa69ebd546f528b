package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ago/fault"
	"ago/processtest"
)

// testCommand runs the tests of processes.
type testCommand struct {
	Paths      []string      `arg:"" optional:"" name:"path" help:"Test files, and folders to look for *_test.lua in; without any, the working folder."`
	Only       string        `name:"run" placeholder:"REGEXP" help:"Run only tests whose name matches." toml:"-"`
	Verbose    bool          `short:"v" help:"Show passed tests, and what they printed, too." toml:"verbose"`
	Module     string        `placeholder:"ID[=FILE]" env:"AGO_MODULE,AOS_MODULE" help:"Module of the processes; without it the built-in one." toml:"module"`
	Watch      bool          `short:"w" help:"Run the tests again whenever a Lua file below is saved, until Ctrl-C." toml:"-"`
	NoCoverage bool          `help:"Do not count handlers: processes are left as they are." toml:"no-coverage"`
	Timeout    time.Duration `default:"1m" help:"How long one test may take." toml:"timeout"`
	Workers    int           `placeholder:"N" help:"Tests at a time; without it one for each core." toml:"workers"`
}

// Help is shown by ago test --help.
func (testCommand) Help() string {
	return `Each test runs on a network of its own, in memory, with a clock that only the test moves. Exit code 1 if a test failed.

  test("a transfer moves coins", function(t)
    local bank, alice = t:spawn("token.lua"), t:wallet("alice")
    bank:send({Action = "Transfer", Recipient = alice, Quantity = 10})
    t:equal(bank:get("Balances")[alice.address], "10")
  end)

  ago test
  ago test token_test.lua --run transfer -v
  ago test --watch
  ago test -o json`
}

// Run runs the tests.
func (c *testCommand) Run(o *out) error {
	files, err := processtest.Find(c.Paths)
	if err != nil {
		return err
	}
	p := processFlags{Module: c.Module}
	opts := processtest.Options{CacheDir: cacheFolder(), NoCoverage: c.NoCoverage, Limit: c.Timeout, Workers: c.Workers, Log: o.log}
	if opts.Modules, err = p.modules(); err != nil {
		return err
	}
	if opts.Module, err = moduleID(p.Module); err != nil {
		return err
	}
	if c.Only != "" {
		if opts.Match, err = regexp.Compile(c.Only); err != nil {
			return fault.Wrap(err, fault.Malformed, "settings-malformed", "--run")
		}
	}
	if !c.Watch {
		return c.once(o, files, opts)
	}
	for o.Err() == nil {
		before := c.newest()
		if err := c.once(o, files, opts); err != nil && fault.CodeOf(err) != "tests-failed" {
			return err
		}
		for o.Err() == nil && c.newest() == before {
			time.Sleep(watchEvery)
		}
		if files, err = processtest.Find(c.Paths); err != nil {
			return err
		}
	}
	return nil
}

// watchEvery is how soon a saved file is noticed.
const watchEvery = 150 * time.Millisecond

// saved tells when a file was written last, and how many there are: one that is gone is a change too.
type saved struct {
	at    time.Time
	files int
}

// newest looks at all Lua files below the paths, those of the processes among them.
func (c *testCommand) newest() saved {
	var s saved
	paths := c.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	for _, path := range paths {
		s.look(path)
	}
	return s
}

func (s *saved) look(path string) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path) // the files that the tests use are beside them
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && p != path && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if info, err := d.Info(); err == nil && filepath.Ext(p) == ".lua" {
			s.files++
			if info.ModTime().After(s.at) {
				s.at = info.ModTime()
			}
		}
		return nil
	})
}

// once runs the tests and shows what came of them. Failed tests are an error.
func (c *testCommand) once(o *out, files []string, opts processtest.Options) error {
	r, err := processtest.Run(o, files, opts)
	if err != nil {
		return err
	}
	if o.json {
		err = o.encode(r)
	} else {
		to, isFile := o.stdout.(*os.File)
		err = r.Write(o.stdout, processtest.Style{Verbose: c.Verbose, Colours: isFile && coloured(to)})
	}
	if err == nil && r.Failed > 0 {
		err = fault.New(fault.Internal, "tests-failed", "%d of %d tests failed", r.Failed, r.Failed+r.Passed)
	}
	return err
}
