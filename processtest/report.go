package processtest

import (
	"fmt"
	"io"
	"strings"
)

// Style says how a report is written.
type Style struct {
	Verbose bool // passed tests, and what they printed, too
	Colours bool
}

// Write tells a person what came of the tests: failures first of all with their place, then the handlers that no test ran.
func (r Report) Write(w io.Writer, s Style) error {
	p := &printer{w: w, colours: s.Colours}
	for _, f := range r.Files {
		p.file(f, s.Verbose)
	}
	p.coverage(r.Coverage)
	p.end(r)
	return p.err
}

type printer struct {
	w       io.Writer
	colours bool
	err     error
}

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	grey  = "\x1b[90m"
)

func (p *printer) paint(colour, s string) string {
	if !p.colours || s == "" {
		return s
	}
	return colour + s + "\x1b[0m"
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *printer) indented(indent, text string) {
	if text == "" {
		return
	}
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		p.line("%s%s", indent, line)
	}
}

func (p *printer) file(f File, verbose bool) {
	passed, ms := 0, 0.0
	for _, t := range f.Tests {
		ms += t.Millis
		if t.Passed {
			passed++
		}
	}
	failed := f.Failure != nil || passed+skipped(f) < len(f.Tests)
	mark := p.paint(green, "ok  ")
	if failed {
		mark = p.paint(red, "FAIL")
	}
	p.line("%s %s  %s", mark, f.Path, p.paint(grey, fmt.Sprintf("%d of %d tests, %.0f ms", passed, len(f.Tests), ms)))
	if verbose || failed {
		p.indented("     ", f.Printed)
	}
	if f.Failure != nil {
		p.failure(*f.Failure)
	}
	for _, t := range f.Tests {
		switch {
		case t.Passed && verbose:
			p.line("  %s %s  %s", p.paint(green, "ok"), t.Name, p.paint(grey, fmt.Sprintf("%.0f ms", t.Millis)))
			p.indented("     ", t.Printed)
		case t.skip:
			p.line("  %s %s  %s", p.paint(grey, "skipped"), t.Name, t.Skipped)
		case !t.Passed:
			p.line("  %s %s  %s", p.paint(red, "FAIL"), t.Name, p.paint(grey, fmt.Sprintf("%s:%d", f.Path, t.Line)))
			p.indented("     ", t.Printed)
			if t.Failure != nil {
				p.failure(*t.Failure)
			}
		}
	}
}

func skipped(f File) int {
	n := 0
	for _, t := range f.Tests {
		if t.skip {
			n++
		}
	}
	return n
}

func (p *printer) failure(f Failure) {
	at := f.At
	if at != "" {
		at += ": "
	}
	p.indented("     ", at+f.Message)
	p.indented("     ", f.Detail)
	if f.Path != "" {
		p.line("       at    %s", strings.TrimPrefix(f.Path, "."))
	}
	switch {
	case f.Got != nil && f.Want != nil && (strings.Contains(*f.Got, "\n") || strings.Contains(*f.Want, "\n")):
		p.line("       %s %s", p.paint(red, "- got"), p.paint(green, "+ want"))
		for _, d := range diff(strings.Split(*f.Got, "\n"), strings.Split(*f.Want, "\n")) {
			colour := ""
			switch d[0] {
			case '-':
				colour = red
			case '+':
				colour = green
			}
			if colour != "" {
				d = p.paint(colour, d)
			}
			p.line("       %s", d)
		}
	default:
		if f.Got != nil {
			p.line("       got   %s", p.paint(red, *f.Got))
		}
		if f.Want != nil {
			p.line("       want  %s", p.paint(green, *f.Want))
		}
	}
	p.indented("       called from ", f.Trace)
}

// diffMax bounds the lines that are compared; longer texts are shown one after the other.
const diffMax = 2000

// diff gives the lines of both, marked with - (only in got), + (only in want) and a space (in both).
func diff(got, want []string) []string {
	var out []string
	if len(got)*len(want) > diffMax*diffMax {
		for _, l := range got {
			out = append(out, "- "+l)
		}
		for _, l := range want {
			out = append(out, "+ "+l)
		}
		return out
	}
	longest := make([][]int, len(got)+1) // common lines of the rests
	for i := range longest {
		longest[i] = make([]int, len(want)+1)
	}
	for i := len(got) - 1; i >= 0; i-- {
		for j := len(want) - 1; j >= 0; j-- {
			if got[i] == want[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(got) || j < len(want) {
		switch {
		case i < len(got) && j < len(want) && got[i] == want[j]:
			out = append(out, "  "+got[i])
			i, j = i+1, j+1
		case j == len(want) || i < len(got) && longest[i+1][j] >= longest[i][j+1]:
			out = append(out, "- "+got[i])
			i++
		default:
			out = append(out, "+ "+want[j])
			j++
		}
	}
	return out
}

func (p *printer) coverage(all []Coverage) {
	for _, c := range all {
		var idle []string
		for _, h := range c.Handlers {
			if h.Runs == 0 {
				idle = append(idle, h.Name)
			}
		}
		text := fmt.Sprintf("%d of %d handlers", c.Ran(), len(c.Handlers))
		if len(idle) > 0 {
			text += ", not: " + strings.Join(idle, ", ")
		}
		p.line("%s %s  %s", p.paint(grey, "ran "), c.Source, text)
	}
}

func (p *printer) end(r Report) {
	text := fmt.Sprintf("%d passed", r.Passed)
	if r.Failed > 0 {
		text += p.paint(red, fmt.Sprintf(", %d failed", r.Failed))
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	p.line("%s in %.0f ms", text, r.Millis)
}
