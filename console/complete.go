package console

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// completer tells how a line may go on. It asks the process for its globals by dry runs, so that nothing is scheduled.
type completer struct {
	ask        func(ctx context.Context, text string) (Answer, error)
	commands   []string
	blueprints []string

	mu    sync.Mutex
	known map[string][]string // by table; forgotten after every evaluation
}

// Bounds of what is asked and shown.
const (
	completeTimeout = 2 * time.Second
	completeShown   = 60
)

var (
	chain       = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*(?:[.:][A-Za-z_][A-Za-z0-9_]*)*[.:]?$`)
	handlerName = regexp.MustCompile(`Handlers\.[a-z]+\(\s*['"]([^'"]*)$`)
)

func (c *completer) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}

// complete gives the possible ends of a line, each with the whole word, and where that word begins.
func (c *completer) complete(before string) (from int, words []string) {
	trimmed := strings.TrimLeft(before, " ")
	if strings.HasPrefix(trimmed, ".") && !strings.Contains(trimmed, " ") {
		return len(before) - len(trimmed), with(c.commands, trimmed)
	}
	if name, rest, ok := strings.Cut(trimmed, " "); ok {
		switch name {
		case ".load", ".watch", ".editor":
			return len(before) - len(rest), files(rest)
		case ".load-blueprint":
			return len(before) - len(rest), with(c.blueprints, rest)
		}
	}
	if m := handlerName.FindStringSubmatch(before); m != nil {
		return len(before) - len(m[1]), with(c.names("Handlers.list", listNames), m[1])
	}
	word := chain.FindString(before)
	if word == "" {
		return len(before), nil
	}
	from = len(before) - len(word)
	if at := strings.LastIndexAny(word, ".:"); at >= 0 {
		return from + at + 1, with(c.names(word[:at], fieldNames), word[at+1:])
	}
	return from, with(append(slices.Clone(luaWords), c.names("_G", fieldNames)...), word)
}

// luaWords are the keywords that are worth completing.
var luaWords = []string{"else", "elseif", "false", "function", "local", "nil", "repeat", "return", "then", "until", "while"}

// Lua that gives names in one line. The names of functions end in a parenthesis.
const (
	fieldNames = `local t = _G
for part in (%q):gmatch('[^.:]+') do
  if part ~= '_G' then
    local ok, v = pcall(function() return t[part] end)
    t = ok and v or nil
  end
end
local names, depth = {}, 0
while (type(t) == 'table' or type(t) == 'string') and depth < 5 do
  if type(t) == 'table' then
    for k, v in pairs(t) do
      if type(k) == 'string' and k:match('^[%%a_][%%w_]*$') then names[#names + 1] = type(v) == 'function' and k .. '(' or k end
    end
  end
  local meta = getmetatable(t)
  t = type(meta) == 'table' and meta.__index or nil
  depth = depth + 1
end
table.sort(names)
return table.concat(names, ' ')`
	listNames = `local names = {}
for _, h in ipairs(%s or {}) do names[#names + 1] = tostring(h.name):gsub(' ', '\1') end
table.sort(names)
return table.concat(names, ' ')`
)

func (c *completer) names(table, program string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if names, ok := c.known[table]; ok {
		return names
	}
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	a, err := c.ask(ctx, strings.NewReplacer("%q", "'"+table+"'", "%s", table, "%%", "%").Replace(program))
	if err != nil || a.Failed {
		return nil
	}
	names := strings.Fields(Plain(a.Text))
	for i := range names {
		names[i] = strings.ReplaceAll(names[i], "\x01", " ")
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if c.known == nil {
		c.known = map[string][]string{}
	}
	c.known[table] = names
	return names
}

func with(words []string, prefix string) []string {
	var found []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) && w != prefix {
			found = append(found, w)
		}
	}
	return found
}

func files(prefix string) []string {
	dir, base := filepath.Split(prefix)
	look := dir
	if look == "" {
		look = "."
	}
	entries, err := os.ReadDir(look)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		switch {
		case !strings.HasPrefix(e.Name(), base) || strings.HasPrefix(e.Name(), ".") && base == "":
		case e.IsDir():
			found = append(found, dir+e.Name()+"/")
		case strings.HasSuffix(e.Name(), ".lua"):
			found = append(found, dir+e.Name())
		}
	}
	return found
}

// common is the longest beginning that all words share.
func common(words []string) string {
	p := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, p) {
			p = p[:len(p)-1]
		}
	}
	return p
}
