package main

import (
	"fmt"
	"time"

	"ago/client"
)

// monitorCommand has the timers of a process run.
type monitorCommand struct {
	networkFlags
	signerFlags
	Process string `arg:"" help:"Id of the process."`
	Stop    bool   `help:"End it: what timers send is not delivered any more."`
}

// Help is shown by ago monitor --help.
func (monitorCommand) Help() string {
	return `The messenger watches the process from now on: its timers run when they are due, and what they send is delivered.
That lasts over restarts, until --stop.

  ago spawn --tag Cron-Interval=10-minutes --tag Cron-Tag-Action=Tick
  ago monitor PROCESS`
}

// Run asks the messenger.
func (m *monitorCommand) Run(o *out) error {
	process, err := parseID("process", m.Process)
	if err != nil {
		return err
	}
	key, err := m.key(o)
	if err != nil {
		return err
	}
	if err := m.network().Monitor(o, key, process, !m.Stop); err != nil {
		return err
	}
	return printID(o, "process", process)
}

// clockCommand shows and moves the clock of a local network.
type clockCommand struct {
	networkFlags
	Pause   bool          `help:"Stop the clock."`
	Advance time.Duration `placeholder:"TIME" help:"Move the clock on, e.g. 1h30m."`
	Mine    uint64        `placeholder:"N" help:"Add blocks now."`
	Resume  bool          `help:"Let the clock run."`
}

// Help is shown by ago clock --help.
func (clockCommand) Help() string {
	return `Prints the time of the network that ago dev runs, and its newest block. Flags change it first, in the order pause,
advance, mine, resume. The clock only goes forward. Timers, blocks and delayed deliveries follow it.

  ago dev --paused --time 2030-01-01T00:00:00Z     a clock that only moves when told
  ago clock --advance 1h
  ago clock --mine 10`
}

// Run changes and prints.
func (c *clockCommand) Run(o *out) error {
	change := client.ClockChange{Pause: c.Pause, Mine: c.Mine, Resume: c.Resume}
	if c.Advance != 0 {
		change.Advance = c.Advance.String()
	}
	now, err := c.network().SetClock(o, change)
	if err != nil {
		return err
	}
	if o.json {
		return o.encode(now)
	}
	state := "running"
	if now.Paused {
		state = "paused"
	}
	fmt.Fprintf(o.sink(), "%s  height %d  %s\n", time.UnixMilli(now.Now).UTC().Format("2006-01-02T15:04:05.000Z"), now.Height, state)
	return nil
}
