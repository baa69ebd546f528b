package console

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ago/console/source"
	"ago/fault"
	"ago/message"
)

// command is a line that begins with a dot.
type command struct {
	name, args, help string
	run              func(c *console, ctx context.Context, e *entry, args string) error
}

// commands in the order in which help shows them. Filled by init, since .help lists them.
var commands []command

func init() {
	commands = []command{
		{".load", "FILE", "evaluate a file and the local files it requires", (*console).loadCommand},
		{".load-blueprint", "NAME", "evaluate a blueprint: chatroom, staking, token, voting", (*console).blueprintCommand},
		{".watch", "[FILE]", "evaluate a file now and whenever it is saved; without a name, stop", (*console).watchCommand},
		{".editor", "", "type several lines; .done evaluates them, .cancel drops them", (*console).editorCommand},
		{".ask", "LUA", "evaluate without keeping anything (dry run)", (*console).askCommand},
		{".inbox", "[N]", "the newest messages that no handler took, or number N in full", (*console).inboxCommand},
		{".trace", "[MESSAGE]", "where a message went and what it caused; without an id, your last that sent something", (*console).traceCommand},
		{".id", "", "the id of the process", (*console).idCommand},
		{".help", "", "this list", (*console).helpCommand},
		{".exit", "", "leave; so does Ctrl-D", func(*console, context.Context, *entry, string) error { return errLeave }},
	}
}

func commandNames() []string {
	var names []string
	for _, c := range commands {
		name := c.name
		if c.args != "" {
			name += " "
		}
		names = append(names, name)
	}
	return names
}

func (c *console) command(ctx context.Context, e *entry, line string) error {
	name, args, _ := strings.Cut(line, " ")
	for _, cmd := range commands {
		if cmd.name == name {
			return cmd.run(c, ctx, e, strings.TrimSpace(args))
		}
	}
	return fault.New(fault.NotFound, "command-unknown", "there is no command %s", name).WithHint(".help lists them")
}

func missing(name string) error {
	return fault.New(fault.Malformed, "argument-missing", "%s", name)
}

func (c *console) loadCommand(ctx context.Context, _ *entry, path string) error {
	if path == "" {
		return missing(".load needs the name of a file")
	}
	return c.load(ctx, path)
}

func (c *console) load(ctx context.Context, path string) error {
	b, err := source.Load(path)
	if err != nil {
		return err
	}
	return c.eval(ctx, b.Chunk(), b)
}

func (c *console) blueprintCommand(ctx context.Context, _ *entry, name string) error {
	if name == "" || c.Blueprint == nil {
		return missing(".load-blueprint needs one of " + strings.Join(c.Blueprints, ", "))
	}
	text, err := c.Blueprint(name)
	if err != nil {
		return err
	}
	b := source.Of(name+".lua", text)
	return c.eval(ctx, b.Chunk(), b)
}

// watchEvery is how soon a saved file is noticed; saveTime lets editors finish writing.
const (
	watchEvery = 150 * time.Millisecond
	saveTime   = 30 * time.Millisecond
)

func (c *console) watchCommand(ctx context.Context, _ *entry, path string) error {
	if path == "" {
		c.mu.Lock()
		c.watch = nil
		c.mu.Unlock()
		return nil
	}
	b, err := source.Load(path)
	if err != nil {
		return err
	}
	err = c.eval(ctx, b.Chunk(), b)
	c.mu.Lock()
	c.watch, c.path = b, path
	c.mu.Unlock()
	c.note("watching " + source.Shown(path) + "; .watch ends it")
	return err
}

// watching evaluates the watched file whenever it or one of those it requires was saved.
func (c *console) watching(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.mu.Lock()
		b, path := c.watch, c.path
		c.mu.Unlock()
		if b == nil || !b.Changed() {
			continue
		}
		time.Sleep(saveTime)
		again, err := source.Load(path)
		if err != nil {
			continue // between two steps of an editor the file may be gone
		}
		c.mu.Lock()
		if c.watch == b {
			c.watch = again
		}
		c.mu.Unlock()
		c.note(source.Shown(path) + " was saved")
		c.report(c.evaluate(ctx, again.Chunk(), again))
	}
}

func (c *console) editorCommand(_ context.Context, e *entry, _ string) error {
	e.editing = true
	if c.screen != nil {
		c.note(".done evaluates, .cancel drops")
	}
	return nil
}

func (c *console) askCommand(ctx context.Context, _ *entry, text string) error {
	a, err := c.Session.Ask(ctx, text)
	if err != nil {
		return err
	}
	if a.Failed {
		c.print(red + ErrorText(a.Text, nil) + reset)
		return nil
	}
	c.print(a.Text)
	return nil
}

const inboxShown = 10

// inboxList is Lua that tells the newest messages, one a line.
const inboxList = `local lines = {}
local function start(v)
  v = tostring(v):gsub('%%s+', ' ')
  return #v > 60 and v:sub(1, 57) .. '...' or v
end
for i = math.max(1, #Inbox - %d), #Inbox do
  local m = Inbox[i]
  lines[#lines + 1] = string.format('%%4d  %%s  %%-16s  %%s', i, tostring(m.From), start(m.Action or m.Tags and m.Tags.Action or '-'), start(m.Data or '')):gsub('%%s+$', '')
end
return #lines > 0 and table.concat(lines, '\n') or 'the inbox is empty'`

func (c *console) inboxCommand(ctx context.Context, e *entry, args string) error {
	if args == "" {
		return c.askCommand(ctx, e, fmt.Sprintf(inboxList, inboxShown-1))
	}
	n, err := strconv.Atoi(args)
	if err != nil || n < 1 {
		return missing(".inbox takes the number of a message, from 1")
	}
	return c.askCommand(ctx, e, fmt.Sprintf("Inbox[%d]", n))
}

func (c *console) traceCommand(ctx context.Context, _ *entry, args string) error {
	if c.Trace == nil {
		return fault.New(fault.Unsupported, "trace-unsupported", "this network tells no traces")
	}
	c.mu.Lock() // a watched file may be sent just now
	id := c.Session.last
	c.mu.Unlock()
	if args != "" {
		var err error
		if id, err = message.ParseID(args); err != nil {
			return err
		}
	}
	if id.IsZero() {
		return missing("you have sent nothing yet; name a message")
	}
	text, err := c.Trace(ctx, id)
	if err != nil {
		return err
	}
	c.print(text)
	return nil
}

func (c *console) idCommand(context.Context, *entry, string) error {
	c.print(c.Session.Process.String())
	return nil
}

func (c *console) helpCommand(context.Context, *entry, string) error {
	var b strings.Builder
	for _, cmd := range commands {
		fmt.Fprintf(&b, "  %-24s %s\n", cmd.name+" "+cmd.args, cmd.help)
	}
	b.WriteString("Everything else is Lua that the process evaluates. Tab completes, Ctrl-R searches the history, Ctrl-C drops the line.")
	c.print(b.String())
	return nil
}
