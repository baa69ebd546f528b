package main

import (
	"fmt"
	"os"

	"ago/commitment"
	"ago/fault"
	"ago/node"
)

// cuCommand runs a compute unit alone.
type cuCommand struct {
	Port             int    `default:"6363" env:"AGO_CU_PORT,PORT" help:"Port to answer on; 0 takes a free one." toml:"port"`
	Listen           string `placeholder:"HOST" env:"AGO_LISTEN" help:"Address to listen on; without it only this machine can connect." toml:"listen"`
	GatewayURL       string `name:"gateway-url" default:"https://arweave.net" placeholder:"URL" env:"AGO_GATEWAY_URL,GATEWAY_URL" help:"Gateway for modules, processes and the place of schedulers." toml:"gateway-url"`
	SuURL            string `name:"su-url" placeholder:"URL" env:"AGO_SU_URL,SU_URL" help:"Scheduler of all processes; without it each is found by the tags of the process." toml:"su-url"`
	Data             string `type:"path" placeholder:"DIR" default:"${home}/cu" env:"AGO_DATA" help:"Folder of results and checkpoints; without it cu in your data folder." toml:"data"`
	Memory           bool   `env:"AGO_MEMORY" help:"Keep everything in memory." toml:"memory"`
	Wallet           string `type:"existingfile" placeholder:"JWK" env:"AGO_NODE_WALLET,WALLET_FILE" help:"Wallet whose address the unit names as its own." toml:"wallet"`
	VerifySignatures bool   `env:"AGO_VERIFY_SIGNATURES" help:"Verify both signatures of every slot; the hash chain always is." toml:"verify-signatures"`
	Profiling        bool   `env:"AGO_PROFILING" help:"Serve profiles of the Go runtime under /debug/pprof/." toml:"profiling"`
	Cache            string `type:"path" placeholder:"DIR" env:"AGO_CACHE" help:"Folder of compiled modules; without it the user's cache folder." toml:"cache"`
}

// Help is shown by ago cu --help.
func (cuCommand) Help() string {
	return `Reads the logs of schedulers over HTTP, checks them, evaluates, and answers what a compute unit answers.

  ago cu --gateway-url http://127.0.0.1:4000 --port 6363
  curl 'http://127.0.0.1:6363/result/MESSAGE?process-id=PROCESS'`
}

// Run runs the unit until it is told to stop.
func (c *cuCommand) Run(o *out) error {
	if c.Port < 0 || c.Port > 65535 {
		return fault.New(fault.Malformed, "settings-malformed", "--port is a port from 1 to 65535, or 0, not %d", c.Port).
			WithHint("0 takes a free one")
	}
	if err := checkURL("--gateway-url", c.GatewayURL); err != nil {
		return err
	}
	if c.SuURL != "" {
		if err := checkURL("--su-url", c.SuURL); err != nil {
			return err
		}
	}
	cfg := node.EvaluatorConfig{
		Dir: c.Data, CacheDir: c.Cache, Host: c.Listen, Port: c.Port, Gateway: c.GatewayURL, SU: c.SuURL,
		VerifySignatures: c.VerifySignatures, Profiling: c.Profiling, Log: o.log,
	}
	if c.Memory {
		cfg.Dir = ""
	}
	if cfg.CacheDir == "" {
		cfg.CacheDir = cacheFolder()
	}
	key, err := c.key(cfg.Dir)
	if err != nil {
		return err
	}
	cfg.Address = key.Address().String()
	e, err := node.StartEvaluator(cfg)
	if err != nil {
		return err
	}
	if o.json {
		err = o.encode(map[string]string{"cu": e.URL(), "address": cfg.Address, "data": cfg.Dir})
	} else {
		_, err = fmt.Fprintf(o.sink(), "The compute unit answers at %s\n  gateway  %s\n  data     %s\n", e.URL(), c.GatewayURL, cfg.Dir)
	}
	if err != nil {
		return err
	}
	return until(o, e.Failed(), func() error { return e.Checkpoint(o) }, e.Close)
}

func (c *cuCommand) key(dir string) (*commitment.Key, error) {
	if c.Wallet != "" {
		return commitment.NewAgent().Open(c.Wallet)
	}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return node.OpenKey(dir)
}
