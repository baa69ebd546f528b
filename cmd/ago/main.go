// Command ago runs ao networks and talks to them.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"ago/fault"
	"ago/message"
	"ago/settings"
)

// Exit codes. Scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1 // refused, or failed for a reason without a code of its own
	exitUsage       = 2 // the command line or the configuration is wrong
	exitUnreachable = 3 // a unit does not answer
	exitNotFound    = 4 // no such process, message or id there
	exitEvaluated   = 5 // the message was evaluated and its result is an error
)

// threadsMore than cores: each costs some throughput, since threads that evaluate are interrupted more often.
const threadsMore = 1

func main() {
	paceHeap()
	// What a few cores have to do beside evaluations is much and short. With a thread more than cores the system shares
	// them in shorter turns than the runtime does: what comes for a calm process waits less beside a flooded one.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + threadsMore)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands is the whole command line. The same fields can be set by environment and by file.
type commands struct {
	Config    string `type:"path" placeholder:"FILE" env:"AGO_CONFIG" help:"Settings file (TOML). Flags and environment win over it." toml:"-"`
	Output    string `short:"o" enum:"text,json" default:"text" env:"AGO_OUTPUT" help:"How to print: text for people, json for programs." toml:"output"`
	LogLevel  string `enum:"debug,info,warn,error" default:"warn" env:"AGO_LOG_LEVEL" help:"Least level that is logged: debug, info, warn or error." toml:"log-level"`
	LogFormat string `enum:"text,json" default:"text" env:"AGO_LOG_FORMAT" help:"Log lines as text or json." toml:"log-format"`

	Dev     devCommand     `cmd:"" help:"Run a whole ao network on this machine." toml:"dev"`
	Setup   configCommand  `cmd:"" name:"config" help:"Show and check settings." toml:"-"`
	Wallet  walletCommand  `cmd:"" help:"Make or show a wallet." toml:"-"`
	Publish publishCommand `cmd:"" help:"Publish a module." toml:"publish"`
	Spawn   spawnCommand   `cmd:"" help:"Make a process." toml:"spawn"`
	Send    sendCommand    `cmd:"" help:"Send a message and wait for its result." toml:"send"`
	Read    readCommand    `cmd:"" help:"Ask a process without changing it (dry run)." toml:"read"`
	Result  resultCommand  `cmd:"" help:"Print the result of a message." toml:"result"`
	Trace   traceCommand   `cmd:"" help:"Show where a message went and what it caused." toml:"trace"`
	Get     getCommand     `cmd:"" help:"Read a path of a node: a message, a process, what a device answers." toml:"get"`
	Put     putCommand     `cmd:"" help:"Have a node keep a message or bytes." toml:"put"`
	Sign    signCommand    `cmd:"" help:"Sign a message." toml:"sign"`
	Verify  verifyCommand  `cmd:"" help:"Check the signatures of a message, and tell what was changed." toml:"verify"`
	Devices devicesCommand `cmd:"" help:"Tell what devices there are and what they answer." toml:"-"`
	Monitor monitorCommand `cmd:"" help:"Have the timers of a process run." toml:"-"`
	Clock   clockCommand   `cmd:"" help:"Show or move the clock of a local network." toml:"-"`
	Console consoleCommand `cmd:"" help:"Talk to a process: type Lua, see what it gets." toml:"console"`
	Run     runCommand     `cmd:"" help:"Run a Lua file in a fresh process." toml:"run"`
	Test    testCommand    `cmd:"" help:"Run the tests of processes." toml:"test"`
	Sync    syncCommand    `cmd:"" help:"Follow a process of another scheduler: read its log, check it, evaluate it." toml:"sync"`
	Adopt   adoptCommand   `cmd:"" help:"Become the scheduler of a process that was followed." toml:"-"`
	Export  exportCommand  `cmd:"" help:"Write everything about a process into a folder." toml:"-"`
	Import  importCommand  `cmd:"" help:"Read a process from a folder that ago export made." toml:"-"`
	Version versionCommand `cmd:"" help:"Print the version." toml:"-"`
}

const description = `A whole ao network in one program: run one, and talk to any.

  ago dev --module ID=aos.wasm        a network on this machine
  ago publish aos.wasm                put a module on it
  ago spawn MODULE                    make a process
  ago send PROCESS --eval '1+1'       send it Lua, print the result
  ago read PROCESS Action=Info        ask it without changing it
  ago trace MESSAGE                   every hop of a message

  ago get /PROCESS~process@1.0/now    the state of a process, or what else a path leads to
  ago sign, verify, put, devices      messages of AO-Core, and what they can be asked

  ago node                            a node that others use, all units in one
  ago su, mu, cu, gateway, ur         one unit, beside those of others
  ago config print cu                 every setting, and where its value is from

Data goes to standard output, everything else to standard error.`

// out is what commands print to and run in.
type out struct {
	context.Context
	stdout, stderr io.Writer
	stdin          io.Reader
	json           bool
	log            *slog.Logger
	unwritten      error // what could not be printed: see sink
}

// sink is standard output for those who do not look whether what they print arrives. The command fails in the end if it did not.
func (o *out) sink() io.Writer { return sink{o} }

type sink struct{ o *out }

func (s sink) Write(p []byte) (int, error) {
	n, err := s.o.stdout.Write(p)
	if err != nil && s.o.unwritten == nil {
		s.o.unwritten = fault.Wrap(err, fault.Internal, "output-unwritable", "standard output")
	}
	return n, err
}

// encode prints one line of JSON, with texts as they are.
func (o *out) encode(v any) error {
	e := json.NewEncoder(o.sink())
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// exit carries the code of a --help or --version out of the parser.
type exit int

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(exit)
			if !ok {
				panic(p)
			}
			code = int(e)
		}
	}()
	var c commands
	file := &settingsFile{}
	parser, units, err := commandLine(&c, file,
		kong.UsageOnError(), kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}))
	if err != nil {
		fmt.Fprintln(stderr, "ago:", err)
		return exitFailed
	}
	c.Setup.parser = parser
	if err := file.load(args, parser.Model.Node); err != nil {
		return complain(stderr, wantsJSON(args), err)
	}
	parsed, err := parser.Parse(shielded(args))
	if err != nil {
		return complain(stderr, wantsJSON(args), fault.New(fault.Malformed, "settings-malformed", "%v", err).WithHint("ago --help, or ago COMMAND --help"))
	}
	if err := file.wrong(); err != nil && !strings.HasPrefix(parsed.Command(), "config check") {
		return complain(stderr, wantsJSON(args), err)
	}
	c.Setup.file = file
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := &out{Context: ctx, stdout: stdout, stderr: stderr, stdin: stdin, json: c.Output == "json", log: logger(stderr, c.LogLevel, c.LogFormat)}
	if u := units[parsed.Selected().Name]; u != nil {
		err = u.run(o, parsed, file)
	} else {
		err = parsed.Run(o, &c)
	}
	if a, ok := parsed.Selected().Target.Addr().Interface().(asker); ok && err != nil {
		err = a.explain(o, err)
	}
	if err == nil || errors.Is(err, errEvaluated) {
		err = cmp.Or(o.unwritten, err)
	}
	if err != nil {
		return complain(stderr, o.json, err)
	}
	return exitDone
}

// commandLine makes the parser: the fixed commands, and one for each unit with the flags that its settings have.
func commandLine(c *commands, file *settingsFile, more ...kong.Option) (*kong.Kong, map[string]*unitCommand, error) {
	options := []kong.Option{kong.Name("ago"), kong.Description(description), kong.Resolvers(file), kong.Vars{"home": dataHome()}}
	units := map[string]*unitCommand{}
	for _, u := range settings.Units {
		units[string(u)] = newUnitCommand(u)
		options = append(options, kong.DynamicCommand(string(u), unitTexts[u].short, "", units[string(u)].flags.Interface()))
	}
	parser, err := kong.New(c, append(options, more...)...)
	if err != nil {
		return nil, nil, err
	}
	for _, child := range parser.Model.Children {
		if u := units[child.Name]; u != nil {
			child.Detail = unitTexts[u.unit].long
		}
	}
	return parser, units, nil
}

// asker is a command that asks a network, and may know why that failed.
type asker interface{ explain(o *out, err error) error }

// wantsJSON reads the output format of a command line that could not be parsed.
func wantsJSON(args []string) bool {
	format := os.Getenv("AGO_OUTPUT")
	for i, a := range args {
		if (a == "-o" || a == "--output") && i+1 < len(args) {
			format = args[i+1]
		} else if v, ok := strings.CutPrefix(a, "--output="); ok {
			format = v
		} else if a == "-ojson" {
			format = "json"
		}
	}
	return format == "json"
}

// shielded puts a space before ids that begin with a dash, as one in 64 does, so that they are not taken for flags. Whoever
// reads an id takes it off again.
func shielded(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		if len(a) == message.IDLength && a[0] == '-' {
			if _, err := message.ParseID(a); err == nil {
				out[i] = " " + a
			}
		}
	}
	return out
}

// complain prints an error with what to do about it, and gives its exit code.
func complain(stderr io.Writer, asJSON bool, err error) int {
	if errors.Is(err, errEvaluated) {
		return exitEvaluated
	}
	if errors.Is(err, context.Canceled) && fault.CodeOf(err) == fault.Internal.String() {
		err = fault.New(fault.Unfinished, "interrupted", "interrupted")
	}
	hint := fault.HintOf(err)
	if asJSON {
		e := json.NewEncoder(stderr)
		e.SetEscapeHTML(false)
		e.Encode(struct {
			Error string `json:"error"`
			Code  string `json:"code"`
			Hint  string `json:"hint,omitempty"`
		}{err.Error(), fault.CodeOf(err), hint})
	} else {
		fmt.Fprintln(stderr, "ago:", err)
		if hint != "" {
			fmt.Fprintln(stderr, "hint:", hint)
		}
	}
	if fault.CodeOf(err) == "settings-malformed" {
		return exitUsage
	}
	switch fault.KindOf(err) {
	case fault.Unavailable:
		return exitUnreachable
	case fault.NotFound:
		return exitNotFound
	}
	return exitFailed
}

// errEvaluated ends a command whose message has an error as its result, which was printed already.
var errEvaluated = errors.New("the result is an error")

func logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelWarn
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
