package node

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"ago/fault"
)

// outbound sends what relays send.
type outbound struct {
	client http.Client
	places chan struct{}
}

const (
	castsMax    = 256 // relayed requests that nobody waits for, at once
	relayIdle   = 16  // connections that are kept open to one machine
	relayDialIn = 10 * time.Second
)

// newOutbound reaches the public network, and these networks beside it.
func newOutbound(beside []netip.Prefix) *outbound {
	dialer := &net.Dialer{Timeout: relayDialIn, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !mayReach(at.Addr(), beside) {
			return fault.New(fault.Denied, "relay-host-refused", "this node relays nothing to %s: it is no address of the public network", address).
				WithHint("its operator allows networks with --relay-networks")
		}
		return nil
	}}
	return &outbound{
		places: make(chan struct{}, castsMax),
		client: http.Client{
			// The address is checked when it is connected to: what a name stands for may change after any earlier look. A proxy
			// would do the connecting, so none is used.
			Transport: &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: relayIdle,
				IdleConnTimeout: time.Minute, TLSHandshakeTimeout: relayDialIn},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (o *outbound) Do(r *http.Request) (*http.Response, error) { return o.client.Do(r) }

func (o *outbound) Go(do func()) bool {
	select {
	case o.places <- struct{}{}:
		go func() {
			defer func() { <-o.places }()
			do()
		}()
		return true
	default:
		return false
	}
}

// inside are addresses that only mean something on a machine, in its networks, or in documents.
var inside = prefixes("0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16 " +
	"198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 " +
	"::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 fc00::/7 fe80::/10 fec0::/10 ff00::/8")

// carriers are addresses of IPv6 that lead to one of IPv4, which stands behind so many bytes.
var carriers = []struct {
	prefix netip.Prefix
	behind int
}{{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("2002::/16"), 2}}

// mayReach tells whether relays may connect to an address: one of the public network, or of the networks beside it.
func mayReach(a netip.Addr, beside []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	for _, c := range carriers {
		if b := a.As16(); c.prefix.Contains(a) {
			a = netip.AddrFrom4([4]byte(b[c.behind:]))
			break
		}
	}
	return a.IsValid() && (within(a, beside) || !within(a, inside))
}

func within(a netip.Addr, all []netip.Prefix) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func prefixes(text string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range strings.Fields(text) {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

var (
	loopback = prefixes("127.0.0.0/8 ::1/128")
	private  = prefixes("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7")
)

// ParseNetworks reads names of networks that relays may reach beside the public one: loopback, private, or a prefix such as
// 10.1.0.0/16.
func ParseNetworks(names []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, name := range names {
		switch name {
		case "loopback":
			out = append(out, loopback...)
		case "private":
			out = append(out, private...)
		default:
			p, err := netip.ParsePrefix(name)
			if err != nil {
				return nil, fault.New(fault.Malformed, "network-malformed", "%q is no network", name).
					WithHint("loopback, private, or a prefix such as 10.1.0.0/16")
			}
			out = append(out, p.Masked())
		}
	}
	return out, nil
}
