package processtest

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"ago/message"
)

// Coverage tells which handlers of a file ran in the tests.
type Coverage struct {
	Source   string    `json:"source"`
	Handlers []Handler `json:"handlers"`
}

// Handler is one of them, with how often it ran.
type Handler struct {
	Name string `json:"name"`
	Runs int    `json:"runs"`
}

// Ran is how many of the handlers ran at least once.
func (c Coverage) Ran() int {
	n := 0
	for _, h := range c.Handlers {
		if h.Runs > 0 {
			n++
		}
	}
	return n
}

// countHandlers is evaluated in a new process ahead of its file. It has every handler counted, those added later too. The
// process's own handlers begin with a line. What runs in a dry run is forgotten with it, so it is printed, between marks that
// are taken out again.
const countHandlers = `local evaluate, runs, counted = Handlers.evaluate, {}, setmetatable({}, {__mode = 'k'})
local function look()
  for _, h in ipairs(Handlers.list) do
    local handle, name = h.handle, tostring(h.name)
    if type(handle) == 'function' and not counted[handle] and name:sub(1, 1) ~= '_' then
      runs[name] = runs[name] or 0
      h.handle = function(...)
        runs[name] = runs[name] + 1
        local m = ...
        if type(m) == 'table' and m['Read-Only'] then print('\1ran ' .. name .. '\1') end
        return handle(...)
      end
      counted[h.handle] = true
    end
  end
end
Handlers.evaluate = function(...)
  look()
  return evaluate(...)
end
package.loaded['.handlers-counted'] = function()
  look()
  local names = {}
  for name, n in pairs(runs) do names[#names + 1] = {name = name, runs = n} end
  return require('json').encode(names)
end`

// coverage asks the processes of the test for what ran.
func (w *world) coverage(ctx context.Context) []Coverage {
	var all []Coverage
	for _, p := range w.spawned {
		raw, err := w.get(ctx, p.id.String(), "return package.loaded['.handlers-counted']()")
		if err != nil {
			continue // a process that runs no more handlers has none to tell of
		}
		c := Coverage{Source: p.name}
		text, _ := raw.(string)
		if json.Unmarshal([]byte(text), &c.Handlers) != nil {
			continue
		}
		for i := range c.Handlers {
			c.Handlers[i].Runs += p.hits[c.Handlers[i].Name]
		}
		if len(c.Handlers) > 0 && !strings.HasPrefix(c.Source, "(") {
			all = append(all, c)
		}
	}
	return all
}

// merge adds up what was told of the same files, in the order of their names.
func merge(all []Coverage) []Coverage {
	runs := map[string]map[string]int{}
	for _, c := range all {
		if runs[c.Source] == nil {
			runs[c.Source] = map[string]int{}
		}
		for _, h := range c.Handlers {
			runs[c.Source][h.Name] += h.Runs
		}
	}
	merged := []Coverage{}
	for source, handlers := range runs {
		c := Coverage{Source: source}
		for name, n := range handlers {
			c.Handlers = append(c.Handlers, Handler{name, n})
		}
		slices.SortFunc(c.Handlers, func(a, b Handler) int { return strings.Compare(a.Name, b.Name) })
		merged = append(merged, c)
	}
	slices.SortFunc(merged, func(a, b Coverage) int { return strings.Compare(a.Source, b.Source) })
	return merged
}

var ranMark = regexp.MustCompile("\x01ran ([^\x01]*)\x01\n?")

// ranIn counts the handlers that ran in a dry run, and takes their marks out of what it printed.
func (w *world) ranIn(process message.ID, text string) string {
	for _, m := range ranMark.FindAllStringSubmatch(text, -1) {
		for _, p := range w.spawned {
			if p.id == process {
				p.hits[m[1]]++
			}
		}
	}
	return ranMark.ReplaceAllString(text, "")
}
