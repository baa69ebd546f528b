package settings

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is what is wrong with a setting, and where it was written.
type Problem struct {
	Where string `json:"where"` // FILE:LINE, or what else holds the value
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

func (p Problem) Error() string {
	if p.Where == "" {
		return p.Text
	}
	return p.Where + ": " + p.Text
}

// File is a settings file: values by table and key, each with its line.
type File struct {
	Path string
	// Keys are those of the file in order: the key alone at the top, table.key in a table.
	Keys   []string
	lines  map[string]int
	values map[string]any
}

// ReadFile reads a settings file. Whether its names exist is not looked at: see Check.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, Problem{Text: fmt.Sprintf("the settings file: %v", err), Hint: "name a file that can be read with --config or AGO_CONFIG"}
	}
	return ParseFile(path, text)
}

// ParseFile is ReadFile for text that is there already.
func ParseFile(path string, text []byte) (*File, error) {
	f := &File{Path: path, lines: map[string]int{}, values: map[string]any{}}
	var nested map[string]any
	if err := toml.Unmarshal(text, &nested); err != nil {
		where := path
		if d, ok := err.(*toml.DecodeError); ok {
			row, _ := d.Position()
			where = fmt.Sprintf("%s:%d", path, row)
		}
		return nil, Problem{Where: where, Text: err.Error(), Hint: "a settings file is TOML: name = value, and [unit] before what is for one unit or command"}
	}
	var p unstable.Parser
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		line := 0
		for it := e.Key(); it.Next(); {
			if line == 0 {
				line = 1 + bytes.Count(text[:it.Node().Raw.Offset], []byte("\n"))
			}
			parts = append(parts, string(it.Node().Data))
		}
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = strings.Join(parts, ".")
			if len(parts) > 0 && !slices.Contains(f.Keys, table+".") {
				f.Keys = append(f.Keys, table+".")
				f.lines[table+"."] = line
			}
		case unstable.KeyValue:
			name := strings.Join(parts, ".")
			if table != "" {
				name = table + "." + name
			}
			f.Keys = append(f.Keys, name)
			f.lines[name] = line
		}
	}
	f.flatten("", nested)
	return f, nil
}

func (f *File) flatten(prefix string, values map[string]any) {
	for name, v := range values {
		if inner, ok := v.(map[string]any); ok {
			f.values[prefix+name] = v
			f.flatten(prefix+name+".", inner)
			continue
		}
		f.values[prefix+name] = v
	}
}

// Value gives the value of a key (table.key) as it stands in the file.
func (f *File) Value(key string) (any, bool) {
	if f == nil {
		return nil, false
	}
	v, ok := f.values[key]
	return v, ok
}

// Where gives the place of a key as FILE:LINE.
func (f *File) Where(key string) string {
	if line, ok := f.lines[key]; ok {
		return fmt.Sprintf("%s:%d", f.Path, line)
	}
	return f.Path
}

// texts gives a value as the texts that a flag would have.
func texts(v any) []string {
	if list, ok := v.([]any); ok {
		out := make([]string, len(list))
		for i, e := range list {
			out[i] = fmt.Sprint(e)
		}
		return out
	}
	return []string{fmt.Sprint(v)}
}

// EnvFile is a file of NAME=VALUE lines, as the older units read on their start.
type EnvFile struct {
	Path   string
	Names  []string // in order
	values map[string]string
	lines  map[string]int
}

// ReadEnvFile reads such a file. One that does not exist is empty.
func ReadEnvFile(path string) (*EnvFile, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return &EnvFile{Path: path}, nil
	}
	if err != nil {
		return nil, Problem{Where: path, Text: err.Error(), Hint: "name another with --env-file, or make it readable"}
	}
	return ParseEnvFile(path, string(text))
}

// ParseEnvFile reads lines of NAME=VALUE. Values may stand in single quotes (as they are) or double quotes (with \n and \"),
// and go on over lines inside them; export before a name, comments and empty lines are passed over.
func ParseEnvFile(path, text string) (*EnvFile, error) {
	f := &EnvFile{Path: path, values: map[string]string{}, lines: map[string]int{}}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
			return nil, Problem{Where: fmt.Sprintf("%s:%d", path, number), Text: "this line is no NAME=VALUE", Hint: "write one variable on a line; begin comments with #"}
		}
		value = strings.TrimSpace(value)
		if value != "" && (value[0] == '"' || value[0] == '\'' || value[0] == '`') {
			quote := value[:1]
			rest := value[1:]
			end := closing(rest, quote)
			for end < 0 && i+1 < len(lines) {
				i++
				rest += "\n" + lines[i]
				end = closing(rest, quote)
			}
			if end < 0 {
				return nil, Problem{Where: fmt.Sprintf("%s:%d", path, number), Text: fmt.Sprintf("the value of %s has no closing %s", name, quote), Hint: "close the quotes, or leave both out"}
			}
			if value = rest[:end]; quote == `"` {
				value = strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`).Replace(value)
			}
		} else if at := strings.Index(value, " #"); at >= 0 {
			value = strings.TrimSpace(value[:at])
		}
		if _, twice := f.values[name]; !twice {
			f.Names = append(f.Names, name)
		}
		f.values[name], f.lines[name] = value, number
	}
	return f, nil
}

// closing finds the end of a quoted text.
func closing(s, quote string) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && quote == `"` {
			i++
		} else if s[i:i+1] == quote {
			return i
		}
	}
	return -1
}

func (f *EnvFile) lookup(name string) (string, bool) {
	if f == nil {
		return "", false
	}
	v, ok := f.values[name]
	return v, ok
}

// Where gives the place of a name as FILE:LINE.
func (f *EnvFile) Where(name string) string { return fmt.Sprintf("%s:%d", f.Path, f.lines[name]) }
