// Package node is one ao node: scheduler, compute unit, messenger and gateway over one store, and the addresses they answer at.
//
// Nothing here decides anything about messages. The package makes the parts, hands each the few methods it needs of the
// others (parts.go), listens (serve.go), and stops everything in the order in which nothing is lost.
package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ago/budget"
	"ago/builtin"
	"ago/clock"
	"ago/commitment"
	"ago/compute"
	"ago/cron"
	"ago/device"
	"ago/devices/execution"
	"ago/drive"
	"ago/fault"
	"ago/gateway"
	"ago/message"
	"ago/node/legacy"
	"ago/process"
	"ago/push"
	"ago/schedule"
	"ago/slotlog"
	"ago/store"
	"ago/store/pebble"
	"ago/vm"
)

const (
	verifiedMax = 16_384    // signatures remembered as checked: some MB
	locationTTL = time.Hour // how long clients may keep where the scheduler answers
)

// Node is a running node.
type Node struct {
	c         Config
	store     store.Store
	blobs     store.Blobs
	log       itemLog
	gateway   *gateway.Gateway
	scheduler *schedule.Scheduler
	engine    vm.Engine
	computer  *compute.Computer
	devices   *device.Node // the node as devices see it
	pusher    *push.Pusher
	monitors  *cron.Monitors
	tasks     *cron.Tasks
	verifier  *commitment.Verifier
	metrics   *Metrics

	abroad     *abroad
	door       *door // of the addresses; nil before they are open
	mirrors    []*mirror
	servers    []*server
	addresses  Addresses
	failed     chan error
	ready      atomic.Bool
	stopping   atomic.Bool
	appended   atomic.Uint64
	background context.Context // until the node stops
	stop       context.CancelFunc
	uploads    *uploads // nil: nothing is uploaded
	wg         sync.WaitGroup
	closed     sync.Once
	closeErr   error
}

// Start makes and starts a node. It answers at all its addresses when Start returns.
func Start(ctx context.Context, c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Patience == 0 {
		c.Patience = PatienceDefault
	}
	if c.limits == (limits{}) {
		c.limits = usualLimits
	}
	n := &Node{c: c, metrics: newMetrics(), verifier: commitment.NewVerifier(verifiedMax), failed: make(chan error, 8)}
	n.background, n.stop = context.WithCancel(context.Background())
	if err := n.start(ctx, n.background); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) start(ctx, background context.Context) error {
	for _, step := range []func(context.Context) error{n.freePorts, n.openStore, n.openKey, n.openUnits, n.importModules, n.listen, n.announce, n.remember} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := n.pusher.Start(); err != nil {
		return err
	}
	n.monitors.Start()
	n.observe()
	n.wg.Go(func() { n.catchUp(background) })
	n.wg.Go(func() { n.warm(background) })
	for _, m := range n.mirrors {
		n.wg.Go(func() { m.run(background) })
	}
	if n.uploads != nil {
		n.uploads.observe(n.metrics)
		n.scheduler.OnAppend(func(message.ID, slotlog.Slot) { n.uploads.hurry() })
		n.wg.Go(func() { n.uploads.run(background) })
	}
	n.wg.Go(func() { n.c.Checkpoints.keep(background, n.computer, n.c.Log) })
	n.ready.Store(true)
	return nil
}

// freePorts finds out that a port is taken before anything is written.
func (n *Node) freePorts(context.Context) error {
	host, p := n.host(), n.c.Ports
	for _, face := range []struct {
		name string
		port int
	}{{"gateway", p.Gateway}, {"bundler", p.Bundler}, {"mu", p.MU}, {"su", p.SU}, {"cu", p.CU}, {"node", p.Node}} {
		if face.port == 0 && host == "127.0.0.1" {
			continue
		}
		s, err := listen(face.name, host, face.port, nil, n.c.limits, n.c.Log)
		if err != nil {
			return err
		}
		s.listener.Close()
	}
	return nil
}

func (n *Node) host() string {
	if n.c.Host != "" {
		return n.c.Host
	}
	return "127.0.0.1"
}

func (n *Node) openStore(ctx context.Context) error {
	d, err := openData(ctx, n.c.Dir, n.c.Database, n.c.Log)
	n.store, n.blobs, n.log = d.store, d.blobs, d.log
	if err != nil {
		return err
	}
	// Such data has logs whose messages were pushed by messengers elsewhere: a node would push all of it again, under its own name.
	if ofScheduler(n.store) {
		return fault.New(fault.Conflict, "data-of-a-scheduler", "the data in %s is that of a scheduler alone", n.place()).
			WithHint("start it with ago su, or name another folder with --data")
	}
	return nil
}

// place names where the data is.
func (n *Node) place() string {
	if n.c.Database.URL != "" {
		return "the database"
	}
	return n.c.Dir
}

// lasting tells whether the data outlives the process.
func (n *Node) lasting() bool { return n.c.Dir != "" || n.c.Database.URL != "" }

// Names in the data folder.
const (
	tablesDir = "tables"
	blobsDir  = "blobs"
	keyFile   = "node-key.json"
)

// Rows of the node itself, by the second byte of their keys.
const (
	rowKey   byte = 'k' // address of the scheduler the data belongs to
	rowBlobs byte = 'b' // id of the blob that is there whenever the folder of blobs is
)

// openKey opens the key of the node, which has to be the one that the data belongs to: processes name their scheduler for
// good, and with another key nothing could be sent to any of them.
func (n *Node) openKey(context.Context) error {
	owner, err := n.owner()
	if err != nil {
		return err
	}
	used := !owner.IsZero() && !n.c.NewKey
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Conflict, "key-is-another", format, args...).
			WithHint("put the key file of that scheduler back or name its wallet with --wallet; begin anew with --reset, or go on without its processes with --new-key")
	}
	if n.c.Key == nil {
		if n.c.Dir != "" && used {
			if _, err := os.Stat(filepath.Join(n.c.Dir, keyFile)); errors.Is(err, os.ErrNotExist) {
				return refuse("the data in %s belongs to the scheduler %s, whose key %s is gone", n.place(), owner, keyFile)
			}
		}
		if n.c.Dir == "" && n.lasting() {
			return fault.New(fault.Malformed, "settings-malformed", "the data is in a database, and there is neither a wallet nor a folder for a key").
				WithHint("name the wallet of the scheduler with --wallet, the same for all nodes on the database")
		}
		if n.c.Key, err = OpenKey(n.c.Dir); err != nil {
			return err
		}
	}
	if own := n.c.Key.Address(); used && own != owner {
		return refuse("the data in %s belongs to the scheduler %s, and the key is that of %s", n.place(), owner, own)
	}
	return nil
}

// owner is the scheduler that the data belongs to; zero if it is nobody's yet.
func (n *Node) owner() (message.ID, error) {
	if n.c.Database.URL != "" {
		return n.row(store.TableCommon, rowKey)
	}
	return n.row(store.TableNode, rowKey)
}

// remember notes whose data it is, and a blob by which the next start knows that the blobs are still there.
func (n *Node) remember(ctx context.Context) error {
	if !n.lasting() {
		return nil
	}
	mark, err := n.row(store.TableNode, rowBlobs)
	if err != nil {
		return err
	}
	if mark.IsZero() {
		if mark, _, err = n.blobs.Put(ctx, strings.NewReader("the large data of an ao node\n")); err != nil {
			return err
		}
	} else if f, err := n.blobs.Open(mark); err == nil {
		f.Close()
	} else if errors.Is(err, store.ErrNotFound) {
		n.c.Log.Error("the folder of large data was emptied: messages, modules and checkpoints that were in it are lost. "+
			"Put it back and restart, or begin anew with --reset", "folder", filepath.Join(n.c.Dir, blobsDir))
	}
	own := n.c.Key.Address()
	var b store.Batch
	b.Set([]byte{store.TableNode, rowKey}, own[:])
	b.Set([]byte{store.TableNode, rowBlobs}, mark[:])
	if n.c.Database.URL != "" {
		b.Set([]byte{store.TableCommon, rowKey}, own[:])
	}
	return n.store.Apply(&b, true)
}

// row reads an id of the node's own rows; zero if there is none.
func (n *Node) row(table, name byte) (message.ID, error) {
	v, err := n.store.Get([]byte{table, name})
	if errors.Is(err, store.ErrNotFound) || err == nil && len(v) != len(message.ID{}) {
		return message.ID{}, nil
	}
	if err != nil {
		return message.ID{}, err
	}
	return message.ID(v), nil
}

// OpenKey opens the node's own key, made on first use. Ed25519 is the fastest type that every client accepts: its address
// has the 43 characters all of them expect, and one slot's signature takes some 20 microseconds.
func OpenKey(dir string) (*commitment.Key, error) {
	agent := commitment.NewAgent()
	if dir == "" {
		return agent.Generate(commitment.Ed25519, nil)
	}
	path := filepath.Join(dir, keyFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return agent.Create(path, commitment.Ed25519, nil)
	}
	return agent.Open(path)
}

// Reset removes what a node keeps in a folder, except its key. A folder that holds anything else is refused.
func Reset(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "data-unreadable", "the data folder cannot be read")
	}
	for _, e := range entries {
		switch e.Name() {
		case tablesDir, blobsDir, keyFile:
		default:
			return fault.New(fault.Denied, "data-foreign", "%s holds %s, which no node made: it is not emptied", dir, e.Name()).
				WithHint("name a folder of its own with --data")
		}
	}
	// A network that runs has the store open: its data is not taken away from under it.
	if _, err := os.Stat(filepath.Join(dir, tablesDir)); err == nil {
		free, err := pebble.Lock(filepath.Join(dir, tablesDir))
		if err != nil {
			return err
		}
		defer free()
	}
	for _, name := range []string{tablesDir, blobsDir} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fault.Wrap(err, fault.Unavailable, "data-unwritable", "the data folder cannot be emptied")
		}
	}
	return nil
}

func (n *Node) openUnits(context.Context) error {
	var err error
	n.gateway, err = gateway.Open(gateway.Config{
		Store: n.store, Blobs: n.blobs, Items: items{n.log, n.where}, Clock: n.c.Clock, Key: n.c.Key,
		BlockInterval: n.c.BlockInterval, Upstream: n.c.Upstream, UpstreamGraphQL: n.c.UpstreamGraphQL, Closed: n.c.Closed, Verify: n.verifier.Verify, Log: n.c.Log.With("unit", "gateway"),
	})
	if err != nil {
		return err
	}
	a := archive{n.gateway}
	var index schedule.Index = n.gateway
	if n.c.Bundler != "" {
		n.uploads = newUploads(n.store, n.gateway, items{n.log, n.where}.Item, n.c.Bundler, clock.System{}, n.c.Log.With("unit", "su")).options(n.c.Uploads, n.c.Key)
		index = n.uploads
	}
	n.scheduler, err = schedule.Open(schedule.Config{
		Log: n.log, Store: n.store, Key: n.c.Key, Clock: n.c.Clock, Blocks: blocks{n.gateway}, Index: index, Archive: a,
		Admit: n.admit, CacheMax: n.c.CacheMax,
		Logger: n.c.Log.With("unit", "su"),
	})
	if err != nil {
		return err
	}
	n.abroad = newAbroad(n)
	to := target{n.scheduler, n.abroad}
	n.pusher, err = push.Open(push.Config{
		Store: n.store, Scheduler: to, Archive: a, Key: n.c.Key, Clock: n.c.Clock, Verifier: n.verifier, Where: to.where,
		Log: n.c.Log.With("unit", "mu"), Limits: n.c.Push,
	})
	if err != nil {
		return err
	}
	if n.engine = n.c.Engine; n.engine == nil {
		if n.engine, err = OpenEngine(n.c.CacheDir); err != nil {
			return err
		}
	}
	n.monitors, err = cron.Open(cron.Config{
		Store: n.store, Clock: n.c.Clock, Tick: n.tick, NextBlock: n.gateway.Blocks().Next, Log: n.c.Log.With("unit", "mu"),
	})
	if err != nil {
		return err
	}
	cc := compute.Config{
		Store: n.store, Blobs: n.blobs, Engine: n.engine, Schedule: slots{n.scheduler}, Modules: modules{a}, Outbox: ownOutbox{n.pusher, n.scheduler},
		Executions:   execution.New(n.deviceNode()),
		ForeignUntil: n.scheduler.ForeignUntil,
		Drives:       drive.Drives{Archive: weave{n.gateway, true}},
		Timeline:     timeline{n}, Ticks: ticks{n.pusher, n.monitors, n.scheduler},
		Clock: n.c.Clock, LiveMax: n.c.LiveMax, Logger: n.c.Log.With("unit", "cu"),
	}
	n.c.Checkpoints.apply(&cc, n.c.Key)
	if err := n.c.Limits.apply(&cc); err != nil {
		return err
	}
	if n.computer, err = compute.Open(cc); err != nil {
		return err
	}
	for _, f := range n.c.Follow {
		n.mirrors = append(n.mirrors, n.newMirror(f))
	}
	n.provideUnits()
	n.scheduler.OnAppend(n.advance)
	n.scheduler.OnAppend(func(message.ID, slotlog.Slot) { n.appended.Add(1) })
	n.scheduler.OnAppend(func(p message.ID, _ slotlog.Slot) { n.monitors.Moved(p) })
	n.gateway.Blocks().OnMine(n.monitors.Mined)
	return nil
}

// scheduled tells whether a process is scheduled here.
func (n *Node) scheduled(ctx context.Context, id message.ID) bool {
	_, err := n.scheduler.Process(ctx, id)
	return err == nil
}

// where finds the places of a message, once there is a scheduler.
func (n *Node) where(ctx context.Context, id message.ID) ([]schedule.Place, error) {
	return n.scheduler.Where(ctx, id)
}

// admit takes a process that the compute unit can run.
func (n *Node) admit(ctx context.Context, d process.Definition) error {
	if err := n.admitFiles(ctx, d); err != nil {
		return err
	}
	return n.computer.Admit(ctx, d)
}

// tick evaluates the ticks of a process that are due.
func (n *Node) tick(ctx context.Context, p message.ID) (cron.Due, error) {
	d, err := n.computer.Tick(ctx, p, 0)
	return cron.Due(d), err
}

// Monitor has the timers of a process run, as POST /monitor does.
func (n *Node) Monitor(p message.ID) error { return n.monitors.Add(p) }

// Mine adds blocks to the chain before their time.
func (n *Node) Mine(blocks uint64) error {
	_, err := n.gateway.Blocks().Mine(blocks)
	return err
}

// Idle tells that no message waits for its evaluation and none is on its way that goes out by itself.
func (n *Node) Idle() bool {
	return n.pusher.Stats().Pending == 0 && n.computer.Stats().Behind == 0
}

// importModules makes the built-in process and the modules of this start known.
func (n *Node) importModules(ctx context.Context) error {
	return importModules(ctx, n.gateway, n.verifier, n.c.Modules)
}

func importModules(ctx context.Context, g *gateway.Gateway, verifier *commitment.Verifier, modules []Module) error {
	v, err := verifier.Verify(builtin.Item().Message())
	if err != nil {
		return err
	}
	if _, err := g.Upload(ctx, v); err != nil {
		return err
	}
	for _, m := range modules {
		if err := g.Import(ctx, m.ID, m.Tags, m.Data, message.ID{}); err != nil {
			return err
		}
	}
	return nil
}

// listen opens the six addresses. All of them listen before any is announced.
func (n *Node) listen(context.Context) error {
	own := n.c.Key.Address().String()
	n.addresses = Addresses{Scheduler: own, Authority: n.c.Key.ProcessAddress(), Data: n.c.Dir, Module: builtin.ID().String()}
	su := &legacy.SU{Scheduler: n.scheduler, Verifier: n.verifier, Clock: n.c.Clock, Height: n.gateway.Blocks().Height, Address: own}
	if len(n.c.Upstream) > 0 { // a process of another scheduler is there
		su.Elsewhere = newNeighbours(n.c.Upstream, n.c.UpstreamGraphQL, n.c.PublicURL, n.c.Key, clock.System{}).find
	}
	mu := &legacy.MU{Scheduler: n.scheduler, Archive: archive{n.gateway}, Monitors: n.monitors, Verifier: n.verifier}
	cu := &legacy.CU{Computer: n.computer, Places: n.scheduler, Clock: n.c.Clock, Address: own, Patience: n.c.Patience, Busy: n.c.Busy}
	door := newDoor(n.background, &n.wg, n.c.Door, n.c.Clock, n.c.Log, func(ctx context.Context, id message.ID) (string, error) {
		d, err := n.scheduler.Process(ctx, id)
		return d.Owner, err
	})
	n.door = door
	room := n.c.Requests.orDefault()
	n.c.limits.bodies, n.c.limits.memory = budget.New(room.Bodies), budget.New(room.Memory).Patient(room.patience)
	n.metrics.gauge("ao_bodies_bytes", "Bodies of requests in memory, in bytes.", func() float64 { return float64(n.c.limits.bodies.Used()) })
	n.metrics.gauge("ao_requests_bytes", "Memory that requests take beside their bodies, as it is counted, in bytes.", func() float64 { return float64(n.c.limits.memory.Used()) })
	pace := newPace(clock.System{}, cores(), cpuTime)
	crowd := newCrowd(clock.System{}, crowdShare, pace)
	su.Turn = crowd.turn(n.scheduled)
	mu.Turn = su.Turn
	n.metrics.gauge("ao_su_door_waiting", "Messages that wait at the door for others of their process.", func() float64 { return float64(crowd.waiting()) })
	asked := newAskers(clock.System{}, pace)
	perAddress := newMeter(n.c.Addresses, clock.System{})
	su.Admit, su.PageBytes, mu.Admit = door.admit, n.c.PageBytes, door.admit
	metrics := n.metrics.handler()
	withMetrics := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" && !n.c.NoMetrics {
				metrics.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	units := map[string]http.Handler{
		"gateway": n.gateway.GatewayHandler(), "bundler": n.gateway.BundlerHandler(),
		"mu": withMetrics(mu.Handler()), "su": withMetrics(su.Handler()), "cu": withMetrics(n.c.Limits.face(cu.Handler(), n.c.Clock)),
	}
	host := n.host()
	core, err := n.core()
	if err != nil {
		return err
	}
	for _, face := range []struct {
		name    string
		port    int
		handler http.Handler
		address *string
	}{
		{"gateway", n.c.Ports.Gateway, n.coreBeside(core, units["gateway"]), &n.addresses.Gateway},
		{"bundler", n.c.Ports.Bundler, units["bundler"], &n.addresses.Bundler},
		{"mu", n.c.Ports.MU, units["mu"], &n.addresses.MU},
		{"su", n.c.Ports.SU, units["su"], &n.addresses.SU},
		{"cu", n.c.Ports.CU, units["cu"], &n.addresses.CU},
		{"node", n.c.Ports.Node, prefixed(units, n.admin(core)), &n.addresses.Node},
	} {
		s, err := listen(face.name, host, face.port, guard(face.name, limitAddresses(askers(face.handler, asked), perAddress), n.c.limits, n.metrics, n.c.Log), n.c.limits, n.c.Log)
		if err != nil {
			return err
		}
		n.servers = append(n.servers, s)
		*face.address = "http://" + net.JoinHostPort(n.name(host), strconv.Itoa(s.port()))
	}
	for _, s := range n.servers {
		n.wg.Go(func() {
			if err := s.serve(); err != nil {
				n.failed <- fmt.Errorf("%s: %w", s.name, err)
			}
		})
	}
	return nil
}

// admitMessage decides about a message that came by AO-Core.
func (n *Node) admitMessage(ctx context.Context, p message.ID, v commitment.Verified) error {
	if n.door == nil {
		return nil
	}
	return n.door.admitMessage(ctx, p, v)
}

// name is the host that others are told.
func (n *Node) name(host string) string {
	if n.c.Name != "" {
		return n.c.Name
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}

// announce publishes where the scheduler answers: clients find it by the address that processes name.
func (n *Node) announce(ctx context.Context) error {
	url := cmp.Or(n.c.PublicURL, n.addresses.SU)
	it, err := schedulerLocation(n.c.Key, url, n.c.LocationTTL, n.c.Clock)
	if err != nil {
		return err
	}
	v, err := n.verifier.Verify(it.Message())
	if err != nil {
		return err
	}
	if _, err := n.gateway.Upload(ctx, v); err != nil || n.uploads == nil {
		return err
	}
	return announce(ctx, n.uploads, n.log, it, placeText(url, n.c.LocationTTL))
}

// catchUp evaluates what was scheduled but not evaluated when the node stopped.
func (n *Node) catchUp(ctx context.Context) {
	var after message.ID
	for id, err := range n.scheduler.Processes(ctx, after) {
		if err != nil || ctx.Err() != nil {
			return
		}
		if n.askedFor(id) {
			continue
		}
		head, err := n.scheduler.Head(ctx, id)
		if err != nil {
			continue
		}
		newest, err := n.computer.Results(ctx, id, compute.Query{Limit: 1, Descending: true, Failed: true})
		if err == nil && (len(newest.Evaluations) == 0 || newest.Evaluations[0].Slot+1 < head.Next) {
			n.computer.Advance(id, head.Next)
		}
	}
}

// warm compiles the modules of this start ahead of the first spawn.
func (n *Node) warm(ctx context.Context) {
	find := modules{archive{n.gateway}}
	ids := []message.ID{builtin.ID()}
	for _, m := range n.c.Modules {
		ids = append(ids, m.ID)
	}
	for _, id := range ids {
		m, err := find.Module(ctx, id)
		var data []byte
		if err == nil {
			data, err = m.Bytes(ctx)
		}
		if err == nil {
			err = n.engine.Prepare(ctx, moduleOf(m, data))
		}
		if err != nil && ctx.Err() == nil {
			n.c.Log.Warn("a module of this start cannot run", "module", id, "err", err)
		}
	}
}

// Addresses tells where the node answers.
func (n *Node) Addresses() Addresses { return n.addresses }

// Failed delivers when an address stops answering by itself.
func (n *Node) Failed() <-chan error { return n.failed }

// Close stops taking requests, finishes what is under way, writes checkpoints and closes the store. Whatever it does not
// get done is done at the next start.
func (n *Node) Close() error {
	n.closed.Do(func() {
		n.stopping.Store(true)
		n.ready.Store(false)
		drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		var servers sync.WaitGroup
		for _, s := range n.servers {
			servers.Go(func() { s.stop(drain) })
		}
		servers.Wait()
		n.stop()
		if n.tasks != nil {
			n.tasks.Close()
		}
		if n.monitors != nil {
			n.monitors.Close()
		}
		if n.pusher != nil {
			n.pusher.Close()
		}
		var errs []error
		if n.computer != nil {
			errs = append(errs, n.computer.Close())
		}
		n.wg.Wait()
		if n.scheduler != nil {
			n.scheduler.Close()
		}
		if n.engine != nil && n.c.Engine == nil {
			errs = append(errs, n.engine.Close())
		}
		if n.log != nil {
			errs = append(errs, n.log.Close())
		}
		if n.store != nil {
			errs = append(errs, n.store.Close())
		}
		n.closeErr = errors.Join(errs...)
	})
	return n.closeErr
}

// Checkpoint writes snapshots of all live processes now.
func (n *Node) Checkpoint(ctx context.Context) error { return n.computer.Checkpoint(ctx) }
