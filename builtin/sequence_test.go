package builtin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A sequence is a file of testdata/sequences: the messages of one process. A line that begins with == begins a message:
//
//	== eval                 the owner's Eval of the lines that follow
//	== send Name=value ...  a message of another process, the lines that follow being its data
//	== boot Name=value ...  the Process item with more tags, first if it is there at all
//
// Words in small letters say what the message is beside its tags: from, owner and target (one capital letter stands for
// an id), cron, nodata; tag:name for a tag whose name begins small. After "!" stands why the built-in process answers
// otherwise than aos on purpose.
type sequence struct {
	name  string
	steps []step
}

type step struct {
	text    string // what the file says
	message map[string]any
	differs string
	line    int
}

type object = map[string]any

func id(letter string) string {
	return letter + strings.Repeat(strings.ToLower(letter), 43-len(letter))
}

var (
	processID, ownerID, moduleID, authority = id("P"), id("O"), id("M"), id("A")
	idWord                                  = regexp.MustCompile(`@([A-Z])\b`)
)

func tagList(pairs ...string) []object {
	list := []object{}
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, object{"name": pairs[i], "value": pairs[i+1]})
	}
	return list
}

func processTags() []object {
	return tagList("Data-Protocol", "ao", "Variant", "ao.TN.1", "Type", "Process", "Name", "test", "Module", moduleID,
		"Authority", authority)
}

// environment is the env of every message of a sequence, with the tags of its Process item.
func environment(tags []object) []byte {
	b, _ := json.Marshal(object{
		"Process": object{"Id": processID, "Owner": ownerID, "Tags": tags},
		"Module":  object{"Id": moduleID, "Owner": ownerID, "Tags": tagList("Type", "Module")},
	})
	return b
}

func words(line string) []string {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexByte(line, ' ')
		if q := strings.IndexByte(line, '"'); q >= 0 && (end < 0 || q < end) {
			text, err := strconv.QuotedPrefix(line[q:])
			if err == nil {
				value, _ := strconv.Unquote(text)
				out = append(out, line[:q]+value)
				line = line[q+len(text):]
				continue
			}
		}
		if end < 0 {
			end = len(line)
		}
		out = append(out, line[:end])
		line = line[end:]
	}
	return out
}

func ids(text string) string {
	return idWord.ReplaceAllStringFunc(text, func(w string) string { return id(w[1:]) })
}

// readSequence gives the steps of a file; the first is the boot.
func readSequence(t testing.TB, path string) sequence {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := sequence{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	boot := object{"Id": processID, "Tags": processTags()}
	s.steps = append(s.steps, step{text: "boot", message: boot})
	lines := strings.Split(string(b), "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "== ") {
			continue
		}
		at := i + 1
		head, differs, _ := strings.Cut(lines[i][3:], " ! ")
		var body []string
		for i+1 < len(lines) && !strings.HasPrefix(lines[i+1], "== ") {
			i++
			body = append(body, lines[i])
		}
		data := ids(strings.TrimRight(strings.Join(body, "\n"), "\n"))
		m := object{"Data": data}
		var tags []object
		w := words(head)
		switch w[0] {
		case "eval":
			tags = tagList("Action", "Eval")
		case "send":
			m["From"], m["Owner"] = id("X"), authority
		case "boot":
			tags = processTags()
		default:
			t.Fatalf("%s:%d: what is %q?", path, at, w[0])
		}
		for _, word := range w[1:] {
			name, value, _ := strings.Cut(word, "=")
			value = ids(value)
			switch {
			case name == "from":
				m["From"] = value
				if _, set := m["Owner"]; !set || m["Owner"] == authority && value != id("X") && !strings.Contains(head, "owner=") {
					m["Owner"] = value
				}
			case name == "owner":
				m["Owner"] = value
			case name == "target":
				m["Target"] = value
			case name == "cron":
				m["Cron"] = true
			case name == "nodata":
				m["Data"] = nil
			case strings.HasPrefix(name, "tag:"):
				tags = append(tags, object{"name": name[4:], "value": value})
			default:
				tags = append(tags, object{"name": name, "value": value})
			}
		}
		if tags == nil {
			tags = []object{}
		}
		m["Tags"] = tags
		if w[0] == "boot" {
			m["Id"] = processID
			s.steps[0] = step{text: lines[at-1], message: m, differs: differs, line: at}
			continue
		}
		s.steps = append(s.steps, step{text: lines[at-1] + "\n" + data, message: m, differs: differs, line: at})
	}
	return s
}

// input is the JSON text of step n.
func (s sequence) input(n int) []byte {
	m := object{
		"Id": fmt.Sprintf("message-%d", n) + strings.Repeat("-", 43-len(fmt.Sprintf("message-%d", n))), "Signature": "s",
		"Owner": ownerID, "From": ownerID, "Target": processID, "Anchor": "", "Epoch": 0, "Nonce": n,
		"Timestamp": 1700000000000 + n*1000, "Block-Height": 100 + n, "Hash-Chain": "hc", "Cron": false, "Read-Only": false,
	}
	for k, v := range s.steps[n].message {
		m[k] = v
	}
	b, _ := json.Marshal(m)
	return b
}

func (s sequence) env() []byte { return environment(s.steps[0].message["Tags"].([]object)) }

// answer is a response in the form in which two are compared: nothing in it depends on addresses, on the order of tags
// and keys, or on where inside a runtime an error was raised.
type answer struct {
	Error       string   `json:",omitempty"`
	Data        string   `json:",omitempty"`
	Prompt      string   `json:",omitempty"`
	Print       bool     `json:",omitempty"`
	Messages    []string `json:",omitempty"`
	Spawns      []string `json:",omitempty"`
	Assignments []string `json:",omitempty"`
}

var (
	address  = regexp.MustCompile(`(function|table|thread|userdata)(: builtin)?: (0x)?[0-9a-fA-F]+`)
	inside   = regexp.MustCompile(`(\[string "(\.[\w.-]+|json)"\]|\.[a-z][\w-]*):\d+: `)
	userLine = regexp.MustCompile(`\[string "aos"\]:\d+: `)
	version  = regexp.MustCompile(`aos-2\.0\.4|ago-1`)
	lead     = regexp.MustCompile(`(?s)\n\n\x1b\[90m(handler: [^\n]*\n)?stack traceback:.*?\x1b\[0m\n\n`)
)

func readable(text string) string {
	text = address.ReplaceAllString(text, "$1")
	text = inside.ReplaceAllString(text, "")
	text = lead.ReplaceAllString(text, "\n\n")
	text = version.ReplaceAllString(text, "VERSION")
	return text
}

func simplify(response []byte, failure string) answer {
	if failure != "" {
		return answer{Error: "failure: " + failure}
	}
	var r struct {
		OK       bool
		Response json.RawMessage
	}
	if err := json.Unmarshal(response, &r); err != nil {
		return answer{Error: "not JSON: " + string(response)}
	}
	if !r.OK {
		var text string
		_ = json.Unmarshal(r.Response, &text)
		return answer{Error: "not ok: " + readable(text)}
	}
	var f struct {
		Error                         any
		Output                        json.RawMessage
		Messages, Spawns, Assignments json.RawMessage
	}
	if err := json.Unmarshal(r.Response, &f); err != nil {
		return answer{Error: "unreadable: " + string(r.Response)}
	}
	if f.Error != nil {
		return answer{Error: readable(fmt.Sprint(f.Error))}
	}
	a := answer{Messages: entries(f.Messages), Spawns: entries(f.Spawns), Assignments: entries(f.Assignments)}
	var out struct {
		Data   any
		Prompt string
		Print  bool
	}
	if err := json.Unmarshal(f.Output, &out); err == nil {
		a.Data, a.Prompt, a.Print = readable(fmt.Sprint(out.Data)), readable(out.Prompt), out.Print
	} else {
		a.Data = "output: " + string(f.Output)
	}
	return a
}

func entries(raw json.RawMessage) []string {
	var list []object
	_ = json.Unmarshal(raw, &list)
	var out []string
	for _, e := range list {
		var tags []string
		if l, ok := e["Tags"].([]any); ok {
			for _, t := range l {
				b, _ := json.Marshal(t)
				tags = append(tags, string(b))
			}
			slices.Sort(tags)
			e["Tags"] = tags
		}
		b, _ := json.Marshal(e)
		out = append(out, string(b))
	}
	return out
}

// sameText tells whether two texts are the same but for the order of the lines of printed tables, and for errors said
// to be at the user's line rather than inside the runtime.
func sameText(a, b string) bool {
	if a == b {
		return true
	}
	a, b = userLine.ReplaceAllString(a, ""), userLine.ReplaceAllString(b, "")
	sorted := func(s string) string {
		lines := strings.Split(s, "\n")
		for i := range lines {
			lines[i] = strings.TrimSuffix(lines[i], ",")
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	return sorted(a) == sorted(b)
}

func (a answer) same(b answer) bool {
	return sameText(a.Error, b.Error) && sameText(a.Data, b.Data) && a.Prompt == b.Prompt && a.Print == b.Print &&
		slices.Equal(a.Messages, b.Messages) && slices.Equal(a.Spawns, b.Spawns) && slices.Equal(a.Assignments, b.Assignments)
}

func (a answer) String() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", " ")
	_ = e.Encode(a)
	return b.String()
}

// compared shows where two answers differ.
func compared(theirs, ours answer) string {
	a, b := strings.Split(theirs.String(), "\n"), strings.Split(ours.String(), "\n")
	var out strings.Builder
	for _, l := range a {
		if !slices.Contains(b, l) {
			fmt.Fprintf(&out, "aos:  %s\n", strings.TrimSpace(l))
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			fmt.Fprintf(&out, "ours: %s\n", strings.TrimSpace(l))
		}
	}
	return out.String()
}

// failed tells whether the state of before the message stays.
func (a answer) failed() bool { return a.Error != "" }
