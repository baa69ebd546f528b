package node

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"ago/clock"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/push"
	"ago/vm"
)

// Config says what a node is made of. The zero value is a network in memory on free ports of the loopback address.
type Config struct {
	Dir      string          // folder of the data; "" keeps everything in memory
	Database Database        // instead of the folder, which then only has the key
	CacheDir string          // folder of compiled modules; "" compiles anew in every process
	Engine   vm.Engine       // shared with other nodes, and closed by whoever opened it; nil: one of its own
	Key      *commitment.Key // of scheduler, messenger and gateway; nil: the one in Dir, made on first use
	CoreKey  *commitment.Key // RSA: signs AO-Core answers to clients and nodes that verify no other signatures; nil: Key
	Clock    clock.Clock     // nil: the machine's. A *clock.Adjustable can be moved over HTTP

	NewKey bool // go on with data that belongs to another key: the scheduler of its processes is gone then

	Host  string // to listen on; "" is loopback
	Name  string // host in the addresses told to others; "" is Host if that is one address, else loopback
	Ports Ports

	Modules         []Module      // served under their public ids
	BlockInterval   time.Duration // of the node's clock; 0: 2 minutes
	Upstream        []string      // gateways of the real network, asked in order for what is not here
	UpstreamGraphQL string        // where the gateways are asked for what they have, whole; "" is /graphql of each
	Peers           []string      // nodes that are asked, in order, for messages that are not here
	Patience        time.Duration // how long a result waits for a message without a slot; 0: PatienceDefault, negative: not at all
	Busy            time.Duration // after which a result under evaluation answers 202; 0: never
	LiveMax         int64         // bytes of machine memory for live processes; 0: the default of compute

	Limits      ComputeLimits // of the compute unit
	Push        push.Limits   // of the messenger
	Door        Door          // of scheduler and messenger
	Addresses   Rate          // of requests from one address of the network, at all faces together
	Requests    Requests      // what they take of the machine
	PageBytes   int           // after which a page of a log ends; 0: 64 MB
	CacheMax    int           // definitions of processes in memory; 0: the default of schedule
	Bundler     string        // gets what is scheduled; "" uploads nothing
	Uploads     UploadOptions
	LocationTTL time.Duration // how long clients may keep where the scheduler answers; 0: an hour
	PublicURL   string        // where clients reach the scheduler, as its Scheduler-Location says; "" is its own address
	NoMetrics   bool          // do not serve /metrics at the addresses of the units; the node's own always does

	NoTraces bool // do not answer GET /trace

	// Closed is for others to use: nobody mints tokens or mines blocks at the gateway, relays reach only the public network and
	// RelayNetworks, and whoever adds timed requests or keeps messages needs the right to. Otherwise relays reach this machine too.
	Closed        bool
	RelayNetworks []netip.Prefix // see ParseNetworks
	Delegate      string         // compute unit that evaluates the processes of delegated-compute@1.0; "" is none

	Follow      []Follow    // processes of other schedulers that are read into this node
	Checkpoints Checkpoints // in forms that other units can use

	Profiling bool // profiles of the Go runtime under /debug/pprof/ of the node's address

	Log *slog.Logger // nil: nothing

	limits limits // of connections; zero: the usual ones
}

// PatienceDefault covers the time from a push that has been answered to its slot.
const PatienceDefault = 2 * time.Second

// Module is a program that is served under the id it has elsewhere, without the signature that proves it.
type Module struct {
	ID   message.ID
	Data []byte
	Tags []Tag
}

// Tag is a name and a value.
type Tag = ans104.Tag

// Ports are those of the faces; 0 is a free one.
type Ports struct {
	Gateway, Bundler, MU, SU, CU, Node int
}

// PortsDefault are the ports that tools for local networks expect.
var PortsDefault = Ports{4000, 4001, 4002, 4003, 4004, 8734}

// PortsFrom gives six consecutive ports.
func PortsFrom(base int) Ports {
	return Ports{base, base + 1, base + 2, base + 3, base + 4, base + 5}
}

// Addresses are where a node answers and as whom.
type Addresses struct {
	Gateway   string `json:"gateway"`
	Bundler   string `json:"bundler"`
	MU        string `json:"mu"`
	SU        string `json:"su"`
	CU        string `json:"cu"`
	Node      string `json:"node"`
	Scheduler string `json:"scheduler"`
	Authority string `json:"authority"`
	Data      string `json:"data"`
	Module    string `json:"defaultModule"` // id of the built-in process
}

// ModuleTags are the tags of a module that came without its own: the usual ones of the aos modules, with default limits.
// Tags given replace those of the same name.
func ModuleTags(wasm []byte, given ...Tag) ([]Tag, error) {
	format, err := GuessFormat(wasm)
	tags := []Tag{
		{Name: "Data-Protocol", Value: "ao"},
		{Name: "Variant", Value: "ao.TN.1"},
		{Name: "Type", Value: "Module"},
		{Name: "Module-Format", Value: format},
		{Name: "Input-Encoding", Value: "JSON-1"},
		{Name: "Output-Encoding", Value: "JSON-1"},
		{Name: "Memory-Limit", Value: "1-gb"},
		{Name: "Compute-Limit", Value: "9000000000000"},
		{Name: "Content-Type", Value: "application/wasm"},
	}
	named := false
	for _, g := range given {
		if g.Name == "Module-Format" {
			named = true
		}
		replaced := false
		for i := range tags {
			if tags[i].Name == g.Name {
				tags[i].Value, replaced = g.Value, true
			}
		}
		if !replaced {
			tags = append(tags, g)
		}
	}
	if err != nil && !named {
		return nil, fmt.Errorf("%w; name it with the tag Module-Format", err)
	}
	return tags, nil
}
