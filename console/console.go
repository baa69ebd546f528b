package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"ago/console/source"
	"ago/fault"
	"ago/message"
)

// Options say what a console is made of.
type Options struct {
	Session    *Session
	In, Out    *os.File                                          // a line editor if both are terminals
	Err        io.Writer                                         // errors of lines that a program gave
	Colours    bool                                              // false takes them out of everything
	History    string                                            // file of the lines typed; "" keeps none
	Load       []string                                          // files to evaluate first
	Every      time.Duration                                     // how often to look for what came in; 0: EveryDefault
	Trace      func(context.Context, message.ID) (string, error) // nil: the network tells none
	Blueprint  func(name string) (text string, err error)        // nil: there are none
	Blueprints []string                                          // their names
	Greeting   string                                            // first line, "" for none
}

// EveryDefault is short enough to look like at once.
const EveryDefault = 200 * time.Millisecond

// ErrFailed ends a console that was given its lines by a program when one of them failed. The error was printed.
var ErrFailed = errors.New("the process answered with an error")

// errLeave is .exit.
var errLeave = errors.New("leave")

type console struct {
	Options
	screen   *screen // nil if a program talks
	out      io.Writer
	complete *completer

	mu     sync.Mutex // one evaluation at a time, those of watched files among them
	prompt string
	watch  *source.Bundle
	loaded map[string]*source.Bundle // by the file that was asked for: they place later errors of handlers
	path   string                    // of the watched file
}

// Run talks until the input ends or .exit.
func Run(ctx context.Context, o Options) error {
	if o.Every == 0 {
		o.Every = EveryDefault
	}
	c := &console{Options: o, out: o.Out}
	c.complete = &completer{ask: o.Session.Ask, commands: commandNames(), blueprints: o.Blueprints}
	if !term.IsTerminal(int(o.In.Fd())) || !term.IsTerminal(int(o.Out.Fd())) {
		return c.script(ctx)
	}
	return c.interactive(ctx)
}

// script takes lines from a program: it stops at the first that fails.
func (c *console) script(ctx context.Context) error {
	for _, path := range c.Load {
		if err := c.load(ctx, path); err != nil {
			return err
		}
	}
	in := bufio.NewScanner(c.In)
	in.Buffer(nil, messageMax)
	e := entry{}
	for in.Scan() {
		if err := c.enter(ctx, &e, in.Text()); errors.Is(err, errLeave) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fault.Wrap(err, fault.Malformed, "input-unreadable", "the input")
	}
	if text := e.take(); strings.TrimSpace(text) != "" { // unfinished: the process says what is missing
		return c.eval(ctx, strings.TrimRight(text, "\n"), nil)
	}
	return nil
}

const messageMax = 10 << 20 // one line of input

func (c *console) interactive(ctx context.Context) error {
	if c.Greeting != "" {
		fmt.Fprintln(c.Out, c.coloured(c.Greeting))
	}
	if a, err := c.Session.Ask(ctx, versionQuestion); err == nil {
		c.prompt = a.Prompt
	}
	s, err := openScreen(ctx, c.In, c.Out)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "terminal-unusable", "the terminal")
	}
	defer s.close()
	c.screen, c.out = s, s
	h := openHistory(c.History)
	s.History = h
	s.AutoCompleteCallback = c.key(h)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { c.Session.Follow(ctx, c.Every, c.incoming) })
	background.Go(func() { c.watching(ctx) })
	for _, path := range c.Load {
		c.report(c.load(ctx, path))
	}
	e, interrupts := entry{}, 0
	for ctx.Err() == nil {
		c.showPrompt(e)
		line, err := s.line()
		if errors.Is(err, errInterrupt) {
			if interrupts++; interrupts > 1 {
				c.note("Ctrl-D or .exit leaves")
			}
			e = entry{}
			continue
		}
		interrupts = 0
		if err != nil {
			return nil // the end of the input
		}
		if err := c.enter(ctx, &e, line); errors.Is(err, errLeave) {
			return nil
		} else {
			c.report(err)
		}
	}
	return nil
}

// versionQuestion makes a process answer with its prompt.
const versionQuestion = `require('.process')._version`

// entry is a text that may need several lines.
type entry struct {
	text    string
	editing bool // .editor: until .done
}

func (e *entry) take() string {
	text := e.text
	e.text = ""
	return text
}

// enter takes a line: a command, a part of a text, or the last part of one, which is evaluated then.
func (c *console) enter(ctx context.Context, e *entry, line string) error {
	word := strings.TrimSpace(line)
	if e.editing {
		switch word {
		case ".done":
			e.editing = false
			return c.eval(ctx, e.take(), nil)
		case ".cancel":
			*e = entry{}
		default:
			e.text += line + "\n"
		}
		return nil
	}
	if e.text == "" {
		if word == "" {
			return nil
		}
		if strings.HasPrefix(word, ".") && !strings.HasPrefix(word, "...") {
			return c.command(ctx, e, word)
		}
		if rest, ok := strings.CutPrefix(word, "="); ok { // as the interpreter of old took expressions
			line = rest
		}
	}
	e.text += line + "\n"
	if !source.Whole(e.text) {
		return nil
	}
	return c.eval(ctx, strings.TrimRight(e.take(), "\n"), nil)
}

// eval evaluates and shows what came of it. The bundle, if there is one, tells the files that errors name.
func (c *console) eval(ctx context.Context, text string, b *source.Bundle) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.screen != nil {
		stop := func() { cancel() }
		c.screen.keys.busy.Store(&stop)
		defer c.screen.keys.busy.Store(nil)
	}
	return c.evaluate(ctx, text, b)
}

func (c *console) evaluate(ctx context.Context, text string, b *source.Bundle) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complete.forget()
	a, err := c.Session.Eval(ctx, text)
	if errors.Is(err, context.Canceled) {
		c.note("not waiting any more; the process goes on with " + a.Message.String())
		return nil
	}
	if err != nil {
		return err
	}
	if a.Prompt != "" {
		c.prompt = a.Prompt
	}
	if b != nil {
		c.keep(b)
	}
	if a.Failed {
		if printed, _ := SplitError(a.Text); printed != "" {
			c.print(printed)
		}
		if c.screen == nil {
			fmt.Fprintln(c.Err, ErrorText(a.Text, b))
			return ErrFailed
		}
		c.print(red + ErrorText(a.Text, b) + reset)
		return nil
	}
	if a.Text != "" {
		c.print(a.Text)
	}
	return nil
}

func (c *console) keep(b *source.Bundle) {
	if c.loaded == nil {
		c.loaded = map[string]*source.Bundle{}
	}
	c.loaded[b.Files[len(b.Files)-1].Path] = b
}

// explain gives the text of an error with the line of the loaded file that it happened in.
func (c *console) explain(text string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(c.loaded)) {
		if _, ok := c.loaded[path].Locate(text); ok {
			return ErrorText(text, c.loaded[path])
		}
	}
	return ErrorText(text, nil)
}

// incoming shows a message of somebody else.
func (c *console) incoming(e Event) {
	c.complete.forget()
	if e.Prompt != "" {
		c.mu.Lock()
		c.prompt = e.Prompt
		c.mu.Unlock()
		c.screen.SetPrompt(c.coloured(e.Prompt))
	}
	if !e.Failed {
		c.print(beginning(e.Text))
		return
	}
	what := "a message"
	if e.Action != "" {
		what = e.Action
	}
	if h := FailedHandler(e.Text); h != "" {
		what += ", handled by " + strconv.Quote(h)
	}
	c.print(fmt.Sprintf("%s%s, from %s, failed: %s%s\n%s.trace %s%s", red, what, short(e.From), beginning(c.explain(e.Text)), reset, grey, e.Message, reset))
}

// shownMax bounds what is shown of one message that somebody else sent, in bytes.
const shownMax = 8 << 10

func beginning(s string) string {
	if len(s) <= shownMax {
		return s
	}
	return strings.ToValidUTF8(s[:shownMax], "") + fmt.Sprintf("%s\n… and %d bytes more", reset, len(s)-shownMax)
}

func (c *console) showPrompt(e entry) {
	c.mu.Lock()
	prompt := c.prompt
	c.mu.Unlock()
	if prompt == "" {
		prompt = short(c.Session.Process.String()) + "> "
	}
	switch {
	case e.editing:
		prompt = "  | "
	case e.text != "":
		prompt = grey + "... " + reset
	}
	c.screen.SetPrompt(c.coloured(prompt))
}

func (c *console) coloured(s string) string {
	s = safe(s)
	if !c.Colours {
		s = Plain(s)
	}
	return s
}

func (c *console) print(s string) {
	fmt.Fprintln(c.out, c.coloured(strings.TrimRight(s, "\n")))
}

func (c *console) note(s string) { c.print(grey + s + reset) }

// report shows an error that is not the process's.
func (c *console) report(err error) {
	if err == nil || errors.Is(err, ErrFailed) {
		return
	}
	c.print(red + err.Error() + reset)
	if hint := fault.HintOf(err); hint != "" {
		c.note("hint: " + hint)
	}
}

// key handles what the line editor does not: Tab completes, Ctrl-R searches the history.
func (c *console) key(h *history) func(line string, pos int, key rune) (string, int, bool) {
	var sought, found string
	skip := 0
	return func(line string, pos int, key rune) (string, int, bool) {
		const ctrlR = 18
		switch key {
		case '\t':
			return c.tab(line, pos)
		case ctrlR:
			if line != found || found == "" {
				sought, skip = line, 0
			}
			hit, ok := h.search(sought, skip)
			if !ok {
				return line, pos, true
			}
			skip++
			found = hit
			return hit, len(hit), true
		}
		return "", 0, false
	}
}

func (c *console) tab(line string, pos int) (string, int, bool) {
	from, words := c.complete.complete(line[:pos])
	if len(words) == 0 {
		return line, pos, true
	}
	if word := common(words); len(word) > pos-from {
		return line[:from] + word + line[pos:], from + len(word), true
	}
	more := ""
	if len(words) > completeShown {
		more = fmt.Sprintf("  and %d more", len(words)-completeShown)
		words = words[:completeShown]
	}
	c.note(strings.Join(words, "  ") + more)
	return line, pos, true
}
