package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"ago/clock"
	"ago/commitment"
	"ago/fault"
	"ago/node"
	"ago/push"
	"ago/settings"
)

// unitTexts are what the help of a unit's command says.
var unitTexts = map[settings.Unit]struct{ short, long string }{
	settings.Node: {"Run a node that others use: all units in one, lasting data, a clock that nobody moves.", `The same units as ago dev, for production: everything stays, the clock is the machine's, and nobody is given tokens or blocks.

  ago node --listen 0.0.0.0 --name ao.example --data /var/lib/ago
  ago config print node                    every setting and where it is from`},
	settings.SU: {"Run a scheduler alone.", `Gives messages their slots and serves the logs. It evaluates nothing: compute units read from it. Blocks come from the gateway, and
what is scheduled is uploaded to the bundler, where gateways find it.

  ago su --gateway-url http://127.0.0.1:4000 --uploader-url http://127.0.0.1:4001 --public-url https://su.example`},
	settings.MU: {"Run a messenger alone.", `Brings messages to the scheduler of their process, takes their results from a compute unit, and pushes what these send.

  ago mu --gateway-url http://127.0.0.1:4000 --cu-url http://127.0.0.1:6363
  curl http://127.0.0.1:3005/trace/MESSAGE`},
	settings.Gateway: {"Run a gateway and bundler alone.", `Arweave for a network of one's own: data by id, GraphQL, uploads and blocks. What is not here is asked of other gateways.

  ago gateway --port 4000 --bundler-port 4001
  ago gateway --gateway-url https://arweave.net`},
	settings.UR: {"Run a router in front of several compute units or messengers.", `Each process has one of the units, which follows from its id; if that unit cannot be reached, the next one in the list has it.

  ago ur --unit cu --hosts http://cu1:6363,http://cu2:6363
  ago ur --unit cu --hosts http://cu1:6363,http://cu2:6363 --strategy redirect`},
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
	case settings.SU:
		return runSU(o, l)
	case settings.MU:
		return runMU(o, l)
	case settings.Gateway:
		return runGateway(o, l)
	case settings.UR:
		return runUR(o, l)
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
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fault.New(fault.Malformed, "data-unwritable", "the data folder cannot be made: %v", err).WithHint("name one that can be written with --data")
	}
	return dir, nil
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
		k, err := commitment.NewAgent().Open(l.WalletFile)
		if err != nil {
			return nil, fault.Wrap(err, fault.Malformed, "settings-malformed", "%s names no wallet that can be used", l.Source("wallet")).(*fault.Error).
				WithHint("name a wallet (JWK) that is there, or make one: ago wallet create FILE")
		}
		return k, nil
	}
	return nil, nil
}

// coreKey opens the RSA wallet for those who verify no other signatures; "" is none.
func coreKey(file string) (*commitment.Key, error) {
	if file == "" {
		return nil, nil
	}
	k, err := commitment.NewAgent().Open(file)
	if err == nil && k.Type() != commitment.RSA {
		return nil, fault.New(fault.Malformed, "settings-malformed", "--core-wallet has a key of type %s, not RSA", k.Type()).
			WithHint("make one: ago wallet create --type arweave FILE")
	}
	return k, err
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
		Clock: clock.System{}, Closed: true, Push: pushLimits(l), Door: doorOf(l), Addresses: rateOf(l, l.AddressRate), PageBytes: pageBytes(l), CacheMax: l.ProcessCache,
		Requests: node.Requests{Keys: l.RequestKeys, Bodies: int64(l.BodyMemory), Memory: int64(l.RequestMemory), Programs: l.Programs, Waiting: l.ProgramQueue, Streams: l.Streams},
		Bundler:  l.UploaderURL, Uploads: uploadsOf(l), PublicURL: l.PublicURL, LocationTTL: l.LocationTTL, UpstreamGraphQL: ownGraphQL(l), Delegate: l.DelegateURL, NoMetrics: !l.Metrics, NoTraces: !l.Traces,
	}
	if c.Limits, err = computeLimits(l); err != nil {
		return err
	}
	if c.RelayNetworks, err = node.ParseNetworks(l.RelayNetworks); err != nil {
		return err
	}
	if l.Patience == 0 {
		c.Patience = -1
	}
	if l.PortBase != 0 {
		c.Ports = node.PortsFrom(l.PortBase)
	}
	if c.CoreKey, err = coreKey(l.CoreWallet); err != nil {
		return err
	}
	if c.Key, err = unitKey(l); err != nil {
		return err
	}
	if c.Checkpoints, err = unitCheckpoints(l, dir); err != nil {
		return err
	}
	if c.Modules, err = moduleFiles(l.Modules); err != nil {
		return err
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
		GraphQL: graphQL(l), ReadOnly: l.UnitMode == "ru", Busy: l.Busy, Patience: l.Patience, PageSize: l.PageSize, HeadAge: l.HeadAge, ModuleCache: l.ModuleCache, NoMetrics: !l.Metrics,
		Addresses: rateOf(l, l.AddressRate), Bodies: int64(l.BodyMemory),
	}
	if cfg.HeadAge == 0 {
		cfg.HeadAge = -1
	}
	if cfg.Limits, err = computeLimits(l); err != nil {
		return err
	}
	if cfg.Checkpoints, err = unitCheckpoints(l, dir); err != nil {
		return err
	}
	e, err := node.StartEvaluator(cfg)
	if err != nil {
		return err
	}
	if err := announceUnit(o, "compute unit", "cu", e.URL(), cfg.Address, cfg.Dir, "gateway", cfg.Gateway); err != nil {
		return errors.Join(err, e.Close())
	}
	return until(o, e.Failed(), func() error { return e.Checkpoint(o) }, e.Close)
}

func runSU(o *out, l *settings.Loaded) error {
	if l.Mode == "router" {
		return runSchedulerRouter(o, l)
	}
	c := node.SchedulerConfig{
		Gateways: l.ArweaveURL, GraphQL: ownGraphQL(l), Bundler: l.UploaderURL, Uploads: uploadsOf(l), PublicURL: l.PublicURL, PageBytes: pageBytes(l), CacheMax: l.ProcessCache, Door: doorOf(l),
		Redirects: l.Redirects, Assignment: l.Assignment, LocationTTL: l.LocationTTL,
	}
	if l.RouterCheck {
		c.Router = l.RouterAsked
	}
	var err error
	if c.UnitConfig, err = unitConfig(o, l); err != nil {
		return err
	}
	s, err := node.StartScheduler(o, c)
	if err != nil {
		return err
	}
	if err := announceUnit(o, "scheduler", "su", s.URL(), s.Address(), c.Dir, "gateway", first(c.Gateways), "bundler", c.Bundler); err != nil {
		return errors.Join(err, s.Close())
	}
	return until(o, s.Failed(), nothing, s.Close)
}

// runSchedulerRouter runs what sends clients to the scheduler of a process.
func runSchedulerRouter(o *out, l *settings.Loaded) error {
	c := node.SchedulerRouterConfig{}
	b, err := os.ReadFile(l.SchedulerList)
	if err == nil {
		err = json.Unmarshal(b, &c.Schedulers)
	}
	if err != nil {
		return fault.Wrap(err, fault.Malformed, "settings-malformed", "%s", l.SchedulerList).(*fault.Error).WithHint(`it is a file like [{"url":"http://su1:9000"}]`)
	}
	if c.UnitConfig, err = unitConfig(o, l); err != nil {
		return err
	}
	s, err := node.StartSchedulerRouter(o, c)
	if err != nil {
		return err
	}
	if err := announceUnit(o, "scheduler router", "su", s.URL(), s.Address(), c.Dir, "schedulers", fmt.Sprint(len(c.Schedulers))); err != nil {
		return errors.Join(err, s.Close())
	}
	return until(o, s.Failed(), nothing, s.Close)
}

func runMU(o *out, l *settings.Loaded) error {
	c := node.MessengerConfig{
		Gateway: first(l.ArweaveURL), GraphQL: graphQL(l), SU: l.SchedulerURL, Router: l.RouterURL, CU: l.ComputeURL, Bundler: l.UploaderURL, Limits: pushLimits(l), Door: doorOf(l),
		ResultDelay: l.ResultDelay, ResultMax: l.ResultMax, Traces: l.Traces, PushRoute: l.PushRoute, PushesAfter: l.PushesAfter,
	}
	var err error
	if c.UnitConfig, err = unitConfig(o, l); err != nil {
		return err
	}
	if l.CustomPush {
		if c.CustomCU, err = readMap(l.CustomCUFile); err != nil {
			return err
		}
	}
	m, err := node.StartMessenger(o, c)
	if err != nil {
		return err
	}
	if err := announceUnit(o, "messenger", "mu", m.URL(), m.Authority(), c.Dir, "gateway", c.Gateway, "compute unit", c.CU); err != nil {
		return errors.Join(err, m.Close())
	}
	return until(o, m.Failed(), nothing, m.Close)
}

func runGateway(o *out, l *settings.Loaded) error {
	c := node.GatewayConfig{BundlerPort: l.Bundler, Upstream: l.GatewayURL, BlockInterval: l.BlockInterval}
	var err error
	if c.UnitConfig, err = unitConfig(o, l); err != nil {
		return err
	}
	if c.Modules, err = moduleFiles(l.Modules); err != nil {
		return err
	}
	g, err := node.StartGateway(o, c)
	if err != nil {
		return err
	}
	if err := announceUnit(o, "gateway", "gateway", g.URL(), g.Address(), c.Dir, "bundler", g.BundlerURL()); err != nil {
		return errors.Join(err, g.Close())
	}
	return until(o, g.Failed(), nothing, g.Close)
}

func runUR(o *out, l *settings.Loaded) error {
	r, err := node.StartRouter(o, node.RouterConfig{
		UnitConfig: node.UnitConfig{Host: l.Listen, Port: l.Port, Metrics: l.Metrics, Log: o.log, Addresses: rateOf(l, l.AddressRate), Bodies: int64(l.BodyMemory)},
		Unit:       l.RouterUnit, Hosts: l.Hosts, Redirect: l.Strategy == "redirect", ProcessToHost: l.ProcessToHost, OwnerToHost: l.OwnerToHost,
		ModuleToHost: l.ModuleToHost, Lookup: l.LookupURL, Subrouter: l.SubrouterURL, SubOwners: l.SubOwners,
	})
	if err != nil {
		return err
	}
	if err := announceUnit(o, "router", "ur", r.URL(), "", "none", "units", strings.Join(l.Hosts, " ")); err != nil {
		return errors.Join(err, r.Close())
	}
	return until(o, r.Failed(), nothing, r.Close)
}

func nothing() error { return nil }

// unitConfig is what every unit that runs alone is given.
func unitConfig(o *out, l *settings.Loaded) (node.UnitConfig, error) {
	c := node.UnitConfig{Database: unitDatabase(l), Host: l.Listen, Name: l.Name, Port: l.Port, Metrics: l.Metrics, Profiling: l.Profiling, Log: o.log,
		Addresses: rateOf(l, l.AddressRate), Bodies: int64(l.BodyMemory)}
	var err error
	if c.Dir, err = unitDir(l); err != nil {
		return c, err
	}
	c.Key, err = unitKey(l)
	return c, err
}

func rateOf(l *settings.Loaded, perSecond int) node.Rate {
	return node.Rate{PerSecond: float64(perSecond), Burst: l.RateBurst}
}

// uploadsOf says how what is scheduled is uploaded.
func uploadsOf(l *settings.Loaded) node.UploadOptions {
	return node.UploadOptions{Batch: l.UploadBatch, Bytes: int64(l.UploadBytes), Confirm: l.UploadConfirm}
}

// doorOf says who may hand in what.
func doorOf(l *settings.Loaded) node.Door {
	d := node.Door{
		LargeOwners: l.LargeOwners, LargeFrom: l.LargeFrom, LargeFromProcessOwners: l.LargeFromOwners, RefusedSenders: l.RefusedSenders,
		IPsURL: l.AllowedIPsURL, ProcessesURL: l.ProcessesURL, Warmup: l.Warmup, WalletLimit: l.WalletLimit, WalletWindow: l.WalletInterval, LimitsURL: l.WalletLimitURL,
	}
	d.PerProcess, d.PerWallet = rateOf(l, l.ProcessRate), rateOf(l, l.WalletRate)
	if l.LimitMessages {
		d.MessageMax = int64(l.MessageBytes)
	}
	return d
}

// graphQL gives the addresses of GraphQL in the order in which they are asked.
func graphQL(l *settings.Loaded) []string {
	if l.GraphqlURL == "" {
		return l.GraphqlURLs
	}
	return append([]string{l.GraphqlURL}, l.GraphqlURLs...)
}

// ownGraphQL is the address of GraphQL if it was given apart from the gateway's.
func ownGraphQL(l *settings.Loaded) string {
	if l.Given("graphql-url") {
		return l.GraphqlURL
	}
	return ""
}

func pageBytes(l *settings.Loaded) int { return int(min(l.ReadBytes, 1<<30)) }

// computeLimits are those of a compute unit.
func computeLimits(l *settings.Loaded) (node.ComputeLimits, error) {
	c := node.ComputeLimits{
		MemoryMax: l.MemoryMax, GasMax: l.GasMax, Formats: l.Formats, AllowOwners: l.AllowOwners, Workers: l.Workers, DryRunQueue: l.DryRunQueue,
		LiveCount: l.InstanceCache, IdleMax: l.LiveTTL, BehindMax: l.HydrationMax, StateDir: l.StateDir, DryRunLimit: l.DryRunLimit, DryRunWindow: l.DryRunWindow,
	}
	if l.Given("extensions") { // an empty list allows none
		c.Extensions = append([]string{}, l.Extensions...)
	}
	if l.PrimaryShare > 0 {
		workers := l.Workers
		if workers == 0 {
			workers = min(runtime.GOMAXPROCS(0), runtime.NumCPU())
		}
		c.DryRuns = max(workers*(100-l.PrimaryShare)/100, 1)
		c.Workers = max(workers-c.DryRuns, 1)
	}
	var err error
	if c.Restrict, err = parseIDs(l.Restrict); err == nil {
		c.Allow, err = parseIDs(l.Allow)
	}
	return c, err
}

func pushLimits(l *settings.Loaded) push.Limits {
	return push.Limits{Workers: l.PushWorkers, DelayFirst: l.RetryDelay, AttemptsMax: uint32(l.RetryMax)}
}

// readMap reads a file of a JSON object of texts.
func readMap(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		var m map[string]string
		if err = json.Unmarshal(b, &m); err == nil {
			return m, nil
		}
	}
	return nil, fault.Wrap(err, fault.Malformed, "settings-malformed", "%s", path).(*fault.Error).WithHint(`it is a file like {"PROCESS":"http://cu.example"}`)
}

func moduleFiles(texts []string) ([]node.Module, error) {
	var out []node.Module
	for _, text := range texts {
		m, err := moduleFile(text)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// announceUnit prints where a unit answers, and names with values that matter to it.
func announceUnit(o *out, name, short, url, address, data string, more ...string) error {
	if data == "" {
		data = "in memory, gone when it stops"
	}
	pairs := append([]string{"address", address, "data", data}, more...)
	if o.json {
		m := map[string]string{short: url}
		for i := 0; i < len(pairs); i += 2 {
			m[strings.ReplaceAll(pairs[i], " ", "-")] = settings.Redacted(pairs[i+1])
		}
		return o.encode(m)
	}
	w := o.sink()
	fmt.Fprintf(w, "The %s answers at %s\n", name, url)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "  %-12s %s\n", pairs[i], settings.Redacted(pairs[i+1]))
		}
	}
	return nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
