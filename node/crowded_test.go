package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ago/budget"
	"ago/fault"
)

// clientFrom comes from an address of the loopback.
func clientFrom(t *testing.T, address string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	tr := &http.Transport{DialContext: d.DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func postFrom(t *testing.T, c *http.Client, url, contentType string, body []byte) (int, http.Header, string) {
	t.Helper()
	answer, err := c.Post(url, contentType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// TestOneAddressDoesNotHoldAllMemory: its further requests are refused, those of others and small ones of its own are answered.
func TestOneAddressDoesNotHoldAllMemory(t *testing.T) {
	n := startNode(t, Config{Requests: Requests{Memory: 64 << 20, Bodies: 64 << 20, patience: time.Millisecond}})
	url := n.Addresses().Node + "/~flat@1.0/deserialize"
	one, other := clientFrom(t, "127.0.0.2"), clientFrom(t, "127.0.0.3")
	lines, few := bytes.Repeat([]byte("a/b: 1\n"), 1000), []byte("a/b: 1")
	is := func(name string, c *http.Client, body []byte, want int, code string) {
		t.Helper()
		status, h, text := postFrom(t, c, url, "text/plain", body)
		if status != want || code != "" && (h.Get("Code") != code || h.Get("Retry-After") == "") {
			t.Errorf("%s: %d %v %.200s", name, status, h, text)
		}
	}
	memory := n.c.limits.memory
	if memory.Take("127.0.0.2", memory.Share()) != budget.Given {
		t.Fatal("the share is not free")
	}
	is("over the share", one, lines, 429, "address-crowded")
	is("a small one", one, few, 200, "")
	is("another's", other, lines, 200, "")
	if memory.Take("127.0.0.4", memory.Share()) != budget.Given {
		t.Fatal("the other half is not free")
	}
	is("over the whole", other, lines, 503, "requests-crowded")
	memory.Give("127.0.0.2", memory.Share())
	memory.Give("127.0.0.4", memory.Share())
	is("when there is room", one, lines, 200, "")

	bodies := n.c.limits.bodies
	if bodies.Take("127.0.0.2", bodies.Share()) != budget.Given {
		t.Fatal("the share of bodies is not free")
	}
	is("a body over the share", one, few, 429, "bodies-share-taken")
	is("another's body", other, few, 200, "")
	if bodies.Take("127.0.0.4", bodies.Share()) != budget.Given {
		t.Fatal("the other half of bodies is not free")
	}
	is("a body over the whole", other, few, 503, "bodies-crowded")
	bodies.Give("127.0.0.2", bodies.Share())
	bodies.Give("127.0.0.4", bodies.Share())
	if memory.Used() != 0 || bodies.Used() != 0 {
		t.Errorf("%d and %d bytes are held by nobody", memory.Used(), bodies.Used())
	}
}

// TestHostileRequestsTogether: whatever many clients at one address ask for, no more is held than there is, each gets an answer with
// a code, and somebody else is served.
func TestHostileRequestsTogether(t *testing.T) {
	n := startNode(t, Config{Requests: Requests{Memory: 32 << 20, Bodies: 32 << 20, patience: 10 * time.Millisecond}})
	node := n.Addresses().Node
	var lines, objects strings.Builder
	objects.WriteString(`{"n":{`)
	for i := range 2000 {
		fmt.Fprintf(&lines, "k%d%s: 1\n", i, strings.Repeat("/a", 20))
		fmt.Fprintf(&objects, `"k%d":{"a":1},`, i)
	}
	objects.WriteString(`"l":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}}`)
	kinds := []struct{ path, contentType, codec, body string }{
		{"/~flat@1.0/deserialize", "text/plain", "", lines.String()},
		{"/~message@1.0/keys", "", "flat@1.0", lines.String()},
		{"/~json@1.0/deserialize", "text/plain", "", objects.String()},
		{"/~flat@1.0/serialize", "", "json@1.0", objects.String()},
		{"/~httpsig@1.0/to&bundle=true", "", "json@1.0", objects.String()},
		{"/~message@1.0/body", "text/plain", "", strings.Repeat("a", 4<<20)},
	}
	memory, bodies := n.c.limits.memory, n.c.limits.bodies
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		other := clientFrom(t, "127.0.0.3")
		for {
			if memory.Used() > memory.Most() || bodies.Used() > bodies.Most() {
				t.Error("more is held than there is")
			}
			answer, err := other.Post(node+"/~flat@1.0/deserialize", "text/plain", strings.NewReader("a/b: 1"))
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
			if answer.StatusCode != 200 {
				t.Errorf("somebody else: %d", answer.StatusCode)
			}
			select {
			case <-ended:
				return
			default:
			}
		}
	})
	hostile := clientFrom(t, "127.0.0.2")
	var wg sync.WaitGroup
	for _, k := range kinds {
		for range 8 {
			wg.Go(func() {
				r, err := http.NewRequest(http.MethodPost, node+k.path, strings.NewReader(k.body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", k.contentType)
				r.Header.Set("Codec-Device", k.codec)
				answer, err := hostile.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer answer.Body.Close()
				io.Copy(io.Discard, answer.Body)
				switch code := answer.Header.Get("Code"); {
				case answer.StatusCode == 200:
				case answer.StatusCode == 429 && (code == "address-crowded" || code == "bodies-share-taken"), answer.StatusCode == 413 && code != "":
				default:
					t.Errorf("%s: %d %s", k.path, answer.StatusCode, code)
				}
			})
		}
	}
	wg.Wait()
	close(ended)
	watching.Wait()
	for range 1000 { // an answer is there a moment before its request has ended
		if memory.Used() == 0 && bodies.Used() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d and %d bytes are held by nobody", memory.Used(), bodies.Used())
}

// TestOneAddressDoesNotHaveAllPrograms: half of the places and half of those that wait are for others.
func TestOneAddressDoesNotHaveAllPrograms(t *testing.T) { synctest.Test(t, oneAddressPrograms) }

func oneAddressPrograms(t *testing.T) {
	p := newPrograms(Requests{Programs: 2, Waiting: 4})
	at := func(who string) context.Context {
		return budget.With(t.Context(), budget.New(1).Open(who))
	}
	leave, err := p.Enter(at("a"))
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan func(), 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			leave, err := p.Enter(at("a"))
			if err != nil {
				t.Error(err)
				return
			}
			entered <- leave
		})
	}
	synctest.Wait()
	if _, err := p.Enter(at("a")); fault.CodeOf(err) != "programs-waiting" || !strings.Contains(err.Error(), "your address") {
		t.Errorf("one more of the same: %v", err)
	}
	other, err := p.Enter(at("b")) // though others wait
	if err != nil {
		t.Fatal(err)
	}
	other()
	synctest.Wait()
	select {
	case <-entered:
		t.Error("one address has both places")
	default:
	}
	leave()
	(<-entered)()
	(<-entered)()
	wg.Wait()
	if p.places.Used() != 0 || p.queue.Used() != 0 {
		t.Errorf("%d places and %d waits are held by nobody", p.places.Used(), p.queue.Used())
	}
}

// TestStreamsAreShared: one address has half of them.
func TestStreamsAreShared(t *testing.T) {
	n := startNetwork(t, func(c *Config) { c.Requests = Requests{Streams: 4} })
	url := n.Addresses().Node + "/" + n.process.String() + "~process@1.0/slot"
	open := func(who string) (status int, code, text string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		answer, err := clientFrom(t, who).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		if answer.StatusCode == 200 {
			return 200, "", ""
		}
		b, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, answer.Header.Get("Code"), string(b)
	}
	for i, c := range []struct {
		who  string
		want int
	}{{"127.0.0.2", 200}, {"127.0.0.2", 200}, {"127.0.0.2", 429}, {"127.0.0.3", 200}, {"127.0.0.4", 200}, {"127.0.0.5", 429}} {
		if status, code, text := open(c.who); status != c.want || status != 200 && code != "streams-too-many" {
			t.Errorf("stream %d, of %s: %d %s %s", i, c.who, status, code, text)
		}
	}
}
