package node

import (
	"context"
	"net/http"
	"strings"

	"ago/cron"
	"ago/device"
	"ago/devices"
	"ago/devices/jsonabi"
	"ago/message"
	"ago/node/aocore"
	"ago/resolve"
	"ago/vm"
)

// core makes the AO-Core face: devices over the units of the node.
func (n *Node) core() (http.Handler, error) {
	settings, err := openSettings(n.store)
	if err != nil {
		return nil, err
	}
	if n.abroad != nil {
		n.abroad.hints.settings.Store(settings)
	}
	var tell func(ctx context.Context, t cron.Task) error
	ready := make(chan struct{})
	n.tasks, err = cron.OpenTasks(cron.TasksConfig{Store: n.store, Clock: n.c.Clock, Log: n.c.Log.With("unit", "cron"),
		Run: func(ctx context.Context, t cron.Task) error {
			<-ready
			return tell(ctx, t)
		}})
	if err != nil {
		return nil, err
	}
	own := n.deviceNode().Derive() // processes neither ask others nor begin tasks: their results follow from their messages
	own.Options = n.faceOptions(own.Options)
	device.Provide[devices.Outbound](own, newOutbound(n.besides()))
	if n.gateway != nil {
		device.Provide[devices.Queries](own, n.gateway)
	}
	device.Provide[devices.Tasks](own, n.tasks)
	device.Provide[devices.Programs](own, newPrograms(n.c.Requests.orDefault()))
	d, resolver, keep := settings.changeable(own)
	tell = func(ctx context.Context, t cron.Task) error {
		keys, err := devices.CronKeys(t, n.c.Key)
		if err != nil {
			return err
		}
		_, err = resolver.Resolve(ctx, resolve.Request{Path: t.Path, Keys: keys})
		return err
	}
	close(ready)
	f := aocore.New(aocore.Config{Node: d, KeysMax: n.c.Requests.Keys, Resolver: resolver, PeerKey: n.c.CoreKey, Verify: n.verifier.Verify, Hook: devices.RunHook, Streams: newStreams(n), StreamsMax: n.c.Requests.orDefault().Streams})
	keep(f)
	return f, nil
}

// deviceNode is the node as devices see it. What they may use of the units is provided here.
func (n *Node) deviceNode() *device.Node {
	if n.devices != nil {
		return n.devices
	}
	d := &device.Node{Registry: device.All(), Key: n.c.Key, Clock: n.c.Clock, Options: n.options(), Contents: n.openContents()}
	if n.engine != nil {
		device.Provide[vm.Engine](d, n.engine)
	}
	if n.gateway != nil {
		device.Provide[jsonabi.Modules](d, modules{archive{n.gateway}})
	}
	if n.c.Delegate != "" {
		device.Provide[devices.Delegate](d, newDelegate(n.c.Delegate))
	}
	n.metrics.countDevices(d.Registry.Names())
	d.Observe = n.metrics.device
	n.devices = d
	return d
}

// provideUnits lets devices reach the units, once there are all.
func (n *Node) provideUnits() {
	d := n.deviceNode()
	device.Provide[devices.Scheduler](d, reachable{n.scheduler, n.abroad, n.admitMessage})
	device.Provide[devices.Computer](d, computing{n.computer, n.abroad})
	device.Provide[devices.Locations](d, n.abroad.places)
	device.Provide[devices.Forwarder](d, n.abroad)
	device.Provide[devices.Messenger](d, n.pusher)
	device.Provide[devices.Verifier](d, n.verifier)
}

// options are the settings that everybody may read.
func (n *Node) options() message.Message {
	m := message.New(
		message.Field{Key: "address", Value: message.Bytes(n.c.Key.Address().String())},
		message.Field{Key: "port", Value: message.Int(n.c.Ports.Node)},
	)
	if k := n.c.CoreKey; k != nil {
		m = m.With("core-address", message.Bytes(k.Address().String()))
	}
	return m
}

// faceOptions are the settings of the face beside those that processes see. A network for one developer lets everybody do what a
// node for others lets those do who have the right to.
func (n *Node) faceOptions(options message.Message) message.Message {
	if n.c.Closed {
		return options
	}
	return options.With("cache_writers", message.Bytes(devices.Everybody)).With("cron_writers", message.Bytes(devices.Everybody))
}

// coreBeside serves AO-Core at an address that another face has: what names a device, and what no gateway takes. Everything that
// the other face answers stays its own.
func (n *Node) coreBeside(core, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.isCore(r) {
			core.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// isCore tells requests for AO-Core from those for a gateway: their path names a device, they are signed or say their codec, or
// they ask a process for something.
func (n *Node) isCore(r *http.Request) bool {
	path := r.URL.Path
	if strings.Contains(path, "~") || r.Header.Get("Codec-Device") != "" || r.Header.Get("Signature-Input") != "" {
		return true
	}
	id, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if key == "" {
		return path == "/push" && r.Method == http.MethodPost
	}
	process, err := message.ParseID(id)
	if err != nil {
		return false
	}
	_, err = n.scheduler.Process(r.Context(), process)
	return err == nil
}
