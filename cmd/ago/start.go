package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"ago/clock"
	"ago/commitment"
	"ago/fault"
	"ago/node"
	"ago/settings"
)

// unitTexts are what the help of a unit's command says.
var unitTexts = map[settings.Unit]struct{ short, long string }{
	settings.Node: {"Run a node that others use: all units in one, lasting data, a clock that nobody moves.", `The same units as ago dev, for production: everything stays, the clock is the machine's, and nobody is given tokens or blocks.

  ago node --listen 0.0.0.0 --name ao.example --data /var/lib/ago
  ago config print node                    every setting and where it is from`},
	settings.CU: {"Run a compute unit in front of another network.", `Reads the logs of schedulers over HTTP, checks them, evaluates, and answers what a compute unit answers.

  ago cu --gateway-url http://127.0.0.1:4000 --port 6363
  curl 'http://127.0.0.1:6363/result/MESSAGE?process-id=PROCESS'`},
}

// runUnit starts a unit and waits until it is told to stop.
func runUnit(o *out, l *settings.Loaded) error {
	log, stopLog := unitLogger(o, l)
	defer stopLog()
	o.log = log
	tellNotes(log, l)
	watch, stop := context.WithCancel(o)
	defer stop()
	go watchMemory(watch, log, l.MemoryInterval)
	switch l.Unit {
	case settings.Node:
		return runNode(o, l)
	case settings.CU:
		return runCU(o, l)
	}
	return fault.New(fault.Unsupported, "unit-unknown", "there is no unit %s", l.Unit)
}

// tellNotes logs what is odd about the settings.
func tellNotes(log *slog.Logger, l *settings.Loaded) {
	for _, n := range l.Notes {
		level := slog.LevelInfo
		if strings.Contains(n.Text, " is --") { // a name of an older unit that is understood
			level = slog.LevelDebug
		}
		log.Log(context.Background(), level, "setting: "+n.Text, "where", n.Where, "hint", n.Hint)
	}
}

// unitDir is where a unit keeps its data; "" is nowhere.
func unitDir(l *settings.Loaded) (string, error) {
	if l.Memory {
		return "", nil
	}
	dir := l.Data
	if l.DBURL != "" && !settings.IsPostgres(l.DBURL) { // a second set of tables beside the first
		dir = filepath.Join(dir, l.DBURL)
	}
	return dir, fault.Wrap(os.MkdirAll(dir, 0o700), fault.Unavailable, "data-unwritable", "the data folder cannot be made")
}

// unitDatabase is the database that the settings name instead of a folder.
func unitDatabase(l *settings.Loaded) node.Database {
	if l.DBMode != "remote" {
		return node.Database{}
	}
	return node.Database{URL: l.DBURL, ReadURL: l.DBReadURL, Name: l.DBName, Connections: l.DBWriteConnections, Scans: l.DBReadConnections}
}

// unitKey opens the wallet that the settings name, or nil if they name none.
func unitKey(l *settings.Loaded) (*commitment.Key, error) {
	switch {
	case l.WalletText != "":
		return commitment.NewAgent().LoadJWK([]byte(l.WalletText))
	case l.WalletFile != "":
		return commitment.NewAgent().Open(l.WalletFile)
	}
	return nil, nil
}

func unitCache(l *settings.Loaded) string {
	if l.ModulesDir != "" {
		return l.ModulesDir
	}
	return cacheFolder()
}

func runNode(o *out, l *settings.Loaded) error {
	dir, err := unitDir(l)
	if err != nil {
		return err
	}
	c := node.Config{
		Dir: dir, Database: unitDatabase(l), CacheDir: unitCache(l), Host: l.Listen, Name: l.Name, Ports: node.PortsDefault, Upstream: l.ArweaveURL, BlockInterval: l.BlockInterval,
		Patience: l.Patience, Busy: l.Busy, Profiling: l.Profiling, NewKey: l.NewKey, LiveMax: int64(l.LiveMax), Log: o.log,
		Clock: clock.System{}, Closed: true,
	}
	if l.Patience == 0 {
		c.Patience = -1
	}
	if l.PortBase != 0 {
		c.Ports = node.PortsFrom(l.PortBase)
	}
	if c.Key, err = unitKey(l); err != nil {
		return err
	}
	if c.Checkpoints, err = unitCheckpoints(l, dir); err != nil {
		return err
	}
	for _, text := range l.Modules {
		m, err := moduleFile(text)
		if err != nil {
			return err
		}
		c.Modules = append(c.Modules, m)
	}
	n, err := node.Start(o, c)
	if err != nil {
		return err
	}
	a := n.Addresses()
	if o.json {
		err = o.encode(a)
	} else {
		_, err = fmt.Fprintf(o.sink(), `The node is up.
  gateway    %s
  bundler    %s
  messenger  %s
  scheduler  %s
  compute    %s
  node       %s
  scheduler address   %s
  messenger address   %s
  data                %s
`, a.Gateway, a.Bundler, a.MU, a.SU, a.CU, a.Node, a.Scheduler, a.Authority, a.Data)
	}
	if err != nil {
		return err
	}
	return until(o, n.Failed(), func() error { return n.Checkpoint(o) }, n.Close)
}

func runCU(o *out, l *settings.Loaded) error {
	dir, err := unitDir(l)
	if err != nil {
		return err
	}
	key, err := unitKey(l)
	if err == nil && key == nil {
		key, err = node.OpenKey(dir)
	}
	if err != nil {
		return err
	}
	cfg := node.EvaluatorConfig{
		Dir: dir, Database: unitDatabase(l), CacheDir: unitCache(l), Host: l.Listen, Port: l.Port, Gateway: first(l.ArweaveURL), SU: l.SchedulerURL,
		VerifySignatures: l.VerifySigs, Profiling: l.Profiling, LiveMax: int64(l.LiveMax), Log: o.log, Address: key.Address().String(), Key: key,
	}
	if cfg.Checkpoints, err = unitCheckpoints(l, dir); err != nil {
		return err
	}
	e, err := node.StartEvaluator(cfg)
	if err != nil {
		return err
	}
	if err := announceUnit(o, "compute unit", "cu", e.URL(), cfg.Address, cfg.Dir, cfg.Gateway); err != nil {
		return err
	}
	return until(o, e.Failed(), func() error { return e.Checkpoint(o) }, e.Close)
}

// announceUnit prints where a unit answers.
func announceUnit(o *out, name, short, url, address, data, gateway string) error {
	if o.json {
		return o.encode(map[string]string{short: url, "address": address, "data": data})
	}
	if data == "" {
		data = "in memory, gone when it stops"
	}
	_, err := fmt.Fprintf(o.sink(), "The %s answers at %s\n  address  %s\n  gateway  %s\n  data     %s\n", name, url, address, gateway, data)
	return err
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
