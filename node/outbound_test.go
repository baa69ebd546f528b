package node

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"ago/fault"
)

func TestRelaysReachThePublicNetwork(t *testing.T) {
	t.Parallel()
	beside, err := ParseNetworks([]string{"loopback", "10.1.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address        string
		public, beside bool
	}{
		{"8.8.8.8", true, true},
		{"2606:4700::1", true, true},
		{"::ffff:8.8.8.8", true, true},
		{"64:ff9b::808:808", true, true},
		{"127.0.0.1", false, true},
		{"127.9.9.9", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"64:ff9b::7f00:1", false, true},
		{"2002:7f00:1::", false, true},
		{"10.1.2.3", false, true},
		{"10.2.2.3", false, false},
		{"172.16.0.1", false, false},
		{"192.168.1.1", false, false},
		{"169.254.169.254", false, false},
		{"fe80::1%eth0", false, false},
		{"fd00::1", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"::7f00:1", false, false},
		{"100.64.0.1", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"ff02::1", false, false},
	} {
		a := netip.MustParseAddr(c.address)
		if got := mayReach(a, nil); got != c.public {
			t.Errorf("%s: %v", c.address, got)
		}
		if got := mayReach(a, beside); got != c.beside {
			t.Errorf("%s with networks beside: %v", c.address, got)
		}
	}
	for _, name := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.1"} {
		if _, err := ParseNetworks([]string{name}); fault.CodeOf(err) != "network-malformed" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestRelaysAreRefusedAtTheAddressTheyConnectTo whatever name leads there, and follow no answer that sends them elsewhere.
func TestRelaysAreRefusedAtTheAddressTheyConnectTo(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path)
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	defer server.Close()
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	ask := func(o *outbound, url string) (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := o.Do(r)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	closed, open := newOutbound(nil), newOutbound(loopback)
	defer open.client.CloseIdleConnections()
	for _, url := range []string{server.URL, named, "http://[::1]:1/"} {
		if _, err := ask(closed, url); fault.KindOf(err) != fault.Denied || fault.CodeOf(err) != "relay-host-refused" {
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(seen) > 0 {
		t.Errorf("what was refused arrived: %v", seen)
	}
	for path, want := range map[string]int{"/": 200, "/moved": 302} {
		if status, err := ask(open, named+path); err != nil || status != want {
			t.Errorf("%s: %d %v", path, status, err)
		}
	}
	if strings.Contains(strings.Join(seen, " "), "/elsewhere") {
		t.Error("a relay went where an answer sent it")
	}
}
