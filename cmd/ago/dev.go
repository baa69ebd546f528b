package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ago/clock"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/node"
)

// devCommand runs a network.
type devCommand struct {
	Data          string        `type:"path" placeholder:"DIR" default:"${home}/dev" env:"AGO_DATA" help:"Folder of the network's data; without it dev in your data folder." toml:"data"`
	Memory        bool          `env:"AGO_MEMORY" help:"Keep everything in memory: it is gone when the network stops." toml:"memory"`
	Reset         bool          `help:"Begin with an empty network. The node keeps its key." toml:"-"`
	Wallet        string        `type:"existingfile" placeholder:"JWK" env:"AGO_NODE_WALLET" help:"Wallet of scheduler and messenger; without it an Ed25519 key in the data folder." toml:"wallet"`
	CoreWallet    string        `type:"existingfile" placeholder:"JWK" env:"AGO_CORE_WALLET" help:"RSA wallet that signs AO-Core answers to clients of the first generation and to other nodes; without it the node's own key." toml:"core-wallet"`
	NewKey        bool          `help:"Go on with data that belongs to another key; its processes get no further messages." toml:"-"`
	PortBase      *int          `placeholder:"N" env:"AGO_PORT_BASE" help:"Ports N (gateway), N+1 (bundler), N+2 (MU), N+3 (SU), N+4 (CU), N+5 (node). Without it 4000 to 4004 and 8734." toml:"port-base"`
	Listen        string        `placeholder:"HOST" env:"AGO_LISTEN" help:"Address to listen on; without it only this machine can connect." toml:"listen"`
	Name          string        `placeholder:"HOST" env:"AGO_NAME" help:"Host name in the addresses told to clients." toml:"name"`
	Module        []string      `sep:";" placeholder:"ID=FILE[,TAG=VALUE...]" env:"AGO_MODULES" help:"Serve a module file under a public id. May be repeated." toml:"module"`
	GatewayURL    []string      `name:"gateway-url" sep:";" placeholder:"URL" env:"AGO_GATEWAY_URL" help:"Arweave gateway to ask for ids that are not here; several are asked in order." toml:"gateway-url"`
	Peer          []string      `sep:";" placeholder:"URL" env:"AGO_PEER" help:"AO-Core node to ask for messages that are not here; several are asked in order." toml:"peer"`
	BlockInterval time.Duration `default:"2m" env:"AGO_BLOCK_INTERVAL" help:"Time between two blocks, on the network's clock." toml:"block-interval"`
	Time          time.Time     `placeholder:"RFC3339" help:"Time the network's clock begins at, e.g. 2030-01-01T00:00:00Z." toml:"-"`
	Paused        bool          `help:"Begin with the clock standing; move it with ago clock, or POST /clock on the node's address." toml:"paused"`
	Patience      time.Duration `default:"2s" env:"AGO_PATIENCE" help:"How long a result waits for a message that has no slot yet." toml:"patience"`
	BusyAfter     time.Duration `placeholder:"TIME" env:"AGO_BUSY_AFTER" help:"Answer 202 when an evaluation takes longer than this; without it, wait." toml:"busy-after"`
	Profiling     bool          `env:"AGO_PROFILING" help:"Serve profiles of the Go runtime under /debug/pprof/ of the node's address." toml:"profiling"`
	Cache         string        `type:"path" placeholder:"DIR" env:"AGO_CACHE" help:"Folder of compiled modules; without it the user's cache folder." toml:"cache"`
}

// Help is shown by ago dev --help.
func (devCommand) Help() string {
	return `One process with a gateway, a bundler, a messenger (MU), a scheduler (SU) and a compute unit (CU). It prints the
addresses, and the settings aoconnect and aos need. Stop it with Ctrl-C: nothing is lost, and the next start goes on.

  ago dev                                            data in your data folder
  ago dev --reset                                    an empty network
  ago dev --port-base 5000 --data ./net              a second network
  ago dev --module ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s=aos.wasm
  ago dev -o json                                    one line when everything answers, for scripts

The network has a clock of its own; with --paused it only moves when told:
  ago clock --advance 1h
  ago clock --mine 3
  curl -X POST -d '{"advance":"1h"}' http://127.0.0.1:8734/clock`
}

// Run runs the network until it is told to stop.
func (d *devCommand) Run(o *out) error {
	c, err := d.config(o)
	if err != nil {
		return err
	}
	if d.Reset && c.Dir != "" {
		if err := node.Reset(c.Dir); err != nil {
			return err
		}
	}
	n, err := node.Start(o, c)
	if err != nil {
		return err
	}
	a := n.Addresses()
	if o.json {
		if err := o.encode(a); err != nil {
			return err
		}
	} else {
		welcome(o.sink(), a, c)
	}
	return until(o, n.Failed(), func() error { return n.Checkpoint(o) }, n.Close)
}

// until waits for the end: a signal, or an address that stopped by itself. SIGUSR2 writes checkpoints, as compute units do.
func until(o *out, failed <-chan error, checkpoint, stop func() error) error {
	save := make(chan os.Signal, 1)
	signal.Notify(save, syscall.SIGUSR2)
	defer signal.Stop(save)
	for {
		select {
		case <-save:
			if err := checkpoint(); err != nil {
				o.log.Warn("not all checkpoints could be written", "err", err)
			}
		case err := <-failed:
			stop()
			return fault.Wrap(err, fault.Unavailable, "address-lost", "an address stopped answering")
		case <-o.Done():
			return stop()
		}
	}
}

func (d *devCommand) config(o *out) (node.Config, error) {
	c := node.Config{
		Dir: d.Data, CacheDir: d.Cache, Host: d.Listen, Name: d.Name, Ports: node.PortsDefault, Upstream: d.GatewayURL,
		BlockInterval: d.BlockInterval, Patience: d.Patience, Busy: d.BusyAfter, Profiling: d.Profiling, NewKey: d.NewKey, Log: o.log,
	}
	if d.Patience == 0 {
		c.Patience = -1
	}
	if d.Memory {
		c.Dir = ""
	}
	if c.CacheDir == "" {
		c.CacheDir = cacheFolder()
	}
	if d.PortBase != nil {
		if *d.PortBase < 1 || *d.PortBase > 65530 {
			return c, fault.New(fault.Malformed, "settings-malformed", "--port-base is a port from 1 to 65530, not %d", *d.PortBase).
				WithHint("the network takes six ports from there on; without the flag 4000 to 4004 and 8734")
		}
		c.Ports = node.PortsFrom(*d.PortBase)
	}
	if d.BlockInterval <= 0 {
		return c, fault.New(fault.Malformed, "settings-malformed", "--block-interval is a time like 2m, not %v", d.BlockInterval).
			WithHint("without the flag there is a block every two minutes of the network's clock")
	}
	for i, u := range d.GatewayURL {
		if err := checkURL("--gateway-url", u); err != nil {
			return c, err
		}
		c.Upstream[i] = strings.TrimRight(u, "/")
	}
	for _, u := range d.Peer {
		if err := checkURL("--peer", u); err != nil {
			return c, err
		}
	}
	c.Peers = d.Peer
	if d.Wallet != "" {
		key, err := commitment.NewAgent().Open(d.Wallet)
		if err != nil {
			return c, err
		}
		c.Key = key
	}
	var err error
	if c.CoreKey, err = coreKey(d.CoreWallet); err != nil {
		return c, err
	}
	ck := clock.NewAdjustable()
	if !d.Time.IsZero() {
		ck = clock.NewPaused(d.Time)
		if !d.Paused {
			ck.Resume()
		}
	} else if d.Paused {
		ck.Pause()
	}
	c.Clock = ck
	for _, text := range d.Module {
		m, err := moduleFile(text)
		if err != nil {
			return c, err
		}
		c.Modules = append(c.Modules, m)
	}
	return c, nil
}

// checkURL refuses what is no address of a unit.
func checkURL(name, text string) error {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	return fault.New(fault.Malformed, "settings-malformed", "%s is an address like http://127.0.0.1:4000, not %q", name, text).
		WithHint("begin it with http:// or https://")
}

// moduleFile reads ID=FILE, with tags behind it.
func moduleFile(text string) (node.Module, error) {
	var m node.Module
	bad := func(format string, args ...any) (node.Module, error) {
		return m, fault.New(fault.Malformed, "settings-malformed", "--module %s: %s", text, fmt.Sprintf(format, args...)).
			WithHint("write it like --module ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s=aos.wasm")
	}
	id, rest, ok := strings.Cut(text, "=")
	if !ok {
		return bad("there is no = between id and file")
	}
	var err error
	if m.ID, err = message.ParseID(id); err != nil {
		return bad("%v", err)
	}
	path, tail, _ := strings.Cut(rest, ",")
	var given []node.Tag
	for pair := range strings.SplitSeq(tail, ",") {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return bad("%q is no TAG=VALUE", pair)
		}
		given = append(given, node.Tag{Name: name, Value: value})
	}
	if m.Data, err = os.ReadFile(path); err != nil {
		return bad("%v", err)
	}
	if m.Tags, err = node.ModuleTags(m.Data, given...); err != nil {
		return bad("%v", err)
	}
	return m, nil
}

// welcome tells a person what runs and how to use it.
func welcome(w io.Writer, a node.Addresses, c node.Config) {
	data := a.Data
	if data == "" {
		data = "in memory, gone when it stops"
	} else if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	module := a.Module
	if len(c.Modules) > 0 {
		module = c.Modules[0].ID.String()
	}
	fmt.Fprintf(w, `The network is up.

  gateway    %s
  bundler    %s
  messenger  %s
  scheduler  %s
  compute    %s
  node       %s   (AO-Core; health, metrics, traces, clock; all units under /mu/ /su/ /cu/ /gateway/ /bundler/)

  scheduler address   %s
  messenger address   %s   (processes need the tag Authority with it)
  data                %s

aoconnect
  import { connect } from '@permaweb/aoconnect'
  const ao = connect({ MODE: 'legacy', GATEWAY_URL: '%[1]s', MU_URL: '%[3]s', CU_URL: '%[5]s' })
  await ao.spawn({ module: '%[10]s', scheduler: '%[7]s', signer,
    tags: [{ name: 'Authority', value: '%[8]s' }] })

aos
  AO_URL=undefined GATEWAY_URL=%[1]s CU_URL=%[5]s MU_URL=%[3]s SCHEDULER=%[7]s \
  aos --legacy --module %[10]s --tag-name Authority --tag-value %[8]s

ago
  ago spawn %[10]s --node %[6]s

Ctrl-C stops it.
`, a.Gateway, a.Bundler, a.MU, a.SU, a.CU, a.Node, a.Scheduler, a.Authority, data, module)
}
