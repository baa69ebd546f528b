package console

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

const historyMax = 1000 // lines kept between sessions

// history is the lines of this and earlier sessions, the newest last. What cannot be written is forgotten at the end.
type history struct {
	lines []string
	file  string
}

func openHistory(file string) *history {
	h := &history{file: file}
	f, err := os.Open(file)
	if err != nil {
		return h
	}
	defer f.Close()
	all := 0
	for s := bufio.NewScanner(f); s.Scan(); all++ {
		if s.Text() != "" {
			h.lines = append(h.lines, s.Text())
		}
	}
	h.cut()
	if all > 2*historyMax {
		os.WriteFile(file, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	return h
}

func (h *history) cut() {
	if len(h.lines) > historyMax {
		h.lines = h.lines[len(h.lines)-historyMax:]
	}
}

// Add keeps a line, unless it is the one before or empty.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.cut()
	if h.file == "" {
		return
	}
	if os.MkdirAll(filepath.Dir(h.file), 0o700) != nil {
		return
	}
	if f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		f.WriteString(line + "\n")
		f.Close()
	}
}

func (h *history) Len() int        { return len(h.lines) }
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// search finds the newest line that holds a text, older than the newest `skip` ones that do.
func (h *history) search(text string, skip int) (string, bool) {
	for i := range h.lines {
		if line := h.At(i); strings.Contains(line, text) {
			if skip == 0 {
				return line, true
			}
			skip--
		}
	}
	return "", false
}
