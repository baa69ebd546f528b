package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"ago/client"
	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
)

// RouterConfig says what a router stands on: units of one kind that share the processes among them.
type RouterConfig struct {
	UnitConfig
	Unit     string   // "cu" or "mu"
	Hosts    []string // addresses of the units; their order decides who has which process
	Redirect bool     // answer 307 with the address instead of handing requests on

	// Processes, owners and modules (From-Module) with a unit of their own. Owners and modules are looked up at Lookup, a
	// scheduler.
	ProcessToHost, OwnerToHost, ModuleToHost map[string]string
	Lookup                                   string
	// Subrouter gets the processes of SubOwners.
	Subrouter string
	SubOwners []string
}

// RouterUnit is a running router. It keeps nothing: who has a process follows from the id and the list.
type RouterUnit struct {
	unit
	r     RouterConfig
	http  *http.Client
	mu    sync.Mutex
	known map[string]client.Process // looked up: owner and tags of processes
}

const (
	knownMax      = 10_000
	lookupTimeMax = 10 * time.Second
	routedBody    = 64 << 20 // of a request that is handed on; the units have limits of their own
)

// StartRouter makes and starts a router.
func StartRouter(ctx context.Context, c RouterConfig) (*RouterUnit, error) {
	if len(c.Hosts) == 0 || c.Unit != "cu" && c.Unit != "mu" {
		return nil, fault.New(fault.Malformed, "hosts-missing", "a router needs the units behind it, and whether they are cu or mu").
			WithHint("name them with --hosts and --unit")
	}
	r := &RouterUnit{r: c, known: map[string]client.Process{}, http: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it is for who asked
	}}
	c.Dir = ""
	if err := r.open(ctx, c.UnitConfig); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	behind := &reach{urls: c.Hosts, path: "/"}
	r.condition = behind.condition
	r.metrics.gauge("ao_ur_hosts_down", "Units behind the router that do not answer.", behind.silent)
	var err error
	if r.url, err = r.listen("ur", c.Port, r.routes()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.serve()
	return r, nil
}

func (u *RouterUnit) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthcheck", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK") })
	path := func(r *http.Request, _ []byte) (string, error) { return r.PathValue("process"), nil }
	query := func(r *http.Request, _ []byte) (string, error) { return r.URL.Query().Get("process-id"), nil }
	root := func(*http.Request, []byte) (string, error) { return "process", nil } // any unit will do, always the same
	if u.r.Unit == "cu" {
		mux.HandleFunc("GET /{$}", u.by(root))
		mux.HandleFunc("GET /result/{message}", u.by(query))
		for _, name := range []string{"results", "state", "cron"} {
			mux.HandleFunc("GET /"+name+"/{process}", u.by(path))
		}
		mux.HandleFunc("POST /dry-run", u.by(query))
	} else {
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("debug") {
				u.by(query)(w, r) // a trace is where its process is
				return
			}
			u.by(root)(w, r)
		})
		mux.HandleFunc("POST /{$}", u.by(itemProcess))
		mux.HandleFunc("POST /monitor/{process}", u.by(path))
		mux.HandleFunc("DELETE /monitor/{process}", u.by(path))
		mux.HandleFunc("POST /push/{message}/{number}", u.by(query))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { legacy.Fail(w, unknown(r)) })
	return mux
}

// itemProcess is the process that a messenger gets something for.
func itemProcess(r *http.Request, body []byte) (string, error) {
	q := r.URL.Query()
	if q.Has("assign") || q.Has("process-id") {
		return q.Get("process-id"), nil
	}
	it, err := ans104.DecodeItem(body)
	if err != nil {
		return "", fault.Wrap(err, fault.Unsupported, "item-malformed", "A valid and signed data item must be provided as the body")
	}
	for _, t := range it.Tags { // the earlier one decides, as in the messenger
		if t.Name == "Type" && t.Value == "Message" {
			return it.Target.String(), nil
		}
		if t.Name == "Type" && t.Value == "Process" {
			return it.ID().String(), nil
		}
	}
	return "", fault.New(fault.Unsupported, "type-unsupported", "Could not determine ao type of DataItem based on tag 'Type'").
		WithHint("add the tag Type: Message or Type: Process")
}

// by handles a request of the process that key finds.
func (u *RouterUnit) by(key func(*http.Request, []byte) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		if r.ContentLength != 0 {
			var err error
			if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, routedBody)); err != nil {
				if refused := (*fault.Error)(nil); errors.As(err, &refused) {
					legacy.Fail(w, refused)
					return
				}
				legacy.Fail(w, fault.Wrap(err, fault.TooLarge, "body-too-large", "the body cannot be handed on"))
				return
			}
		}
		p, err := key(r, body)
		if err == nil && p == "" {
			err = fault.New(fault.NotFound, "process-missing", "Process id not found on request").WithHint("add ?process-id=<process>")
		}
		if err != nil {
			legacy.Fail(w, err)
			return
		}
		hosts, err := u.hostsOf(r.Context(), p)
		if err != nil {
			legacy.Fail(w, err)
			return
		}
		if u.r.Redirect {
			w.Header().Set("Location", hosts[0]+r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		u.handOn(w, r, body, hosts)
	}
}

// hostsOf gives who has a process, and behind it who is asked if that one cannot be reached.
func (u *RouterUnit) hostsOf(ctx context.Context, p string) ([]string, error) {
	own, err := u.ownHost(ctx, p)
	if err != nil || own != "" {
		return []string{own}, err
	}
	n := uint64(len(u.r.Hosts))
	first := cyrb53(p) % n
	hosts := make([]string, 0, n)
	for i := range n {
		hosts = append(hosts, u.r.Hosts[(first+i)%n])
	}
	return hosts, nil
}

// ownHost is the unit that was named for a process, its owner or its module.
func (u *RouterUnit) ownHost(ctx context.Context, p string) (string, error) {
	if host := u.r.ProcessToHost[p]; host != "" {
		return host, nil
	}
	if len(u.r.OwnerToHost) == 0 && len(u.r.ModuleToHost) == 0 && u.r.Subrouter == "" {
		return "", nil
	}
	id, err := message.ParseID(p)
	if err != nil {
		return "", nil
	}
	found, err := u.lookup(ctx, id)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound || fault.KindOf(err) == fault.Malformed {
			return "", nil // a process that nobody knows yet goes where its id says
		}
		return "", err
	}
	if host := u.r.OwnerToHost[found.Owner.Address]; host != "" {
		return host, nil
	}
	for _, t := range found.Tags {
		if host := u.r.ModuleToHost[t.Value]; t.Name == "From-Module" && host != "" {
			return host, nil
		}
	}
	for _, o := range u.r.SubOwners {
		if u.r.Subrouter != "" && o == found.Owner.Address {
			return u.r.Subrouter, nil
		}
	}
	return "", nil
}

func (u *RouterUnit) lookup(ctx context.Context, id message.ID) (client.Process, error) {
	u.mu.Lock()
	found, ok := u.known[id.String()]
	u.mu.Unlock()
	if ok {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeMax)
	defer cancel()
	found, err := (&client.Network{SU: u.r.Lookup}).Process(ctx, id)
	if err != nil {
		return found, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.known) >= knownMax {
		clear(u.known)
	}
	found.Data = nil
	u.known[id.String()] = found
	return found, nil
}

// handOn asks one unit after the other until one answers, whatever it answers.
func (u *RouterUnit) handOn(w http.ResponseWriter, r *http.Request, body []byte, hosts []string) {
	var failed error
	for _, host := range hosts {
		target, err := url.Parse(host)
		if err != nil {
			failed = err
			continue
		}
		q, err := http.NewRequestWithContext(r.Context(), r.Method, strings.TrimRight(target.String(), "/")+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			failed = err
			continue
		}
		for name, values := range r.Header {
			if !hopByHop[name] {
				q.Header[name] = values
			}
		}
		q.Header.Set("X-Real-IP", clientIP(r))
		answer, err := u.http.Do(q)
		if err != nil {
			failed = err
			if r.Context().Err() != nil {
				break
			}
			u.c.Log.Warn("a unit cannot be reached; the next one is asked", "host", host, "err", err)
			continue
		}
		defer answer.Body.Close()
		for name, values := range answer.Header {
			if !hopByHop[name] {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(answer.StatusCode)
		if _, err := io.Copy(w, answer.Body); err != nil {
			panic(http.ErrAbortHandler) // an answer that ends in the middle must not look whole
		}
		return
	}
	legacy.Fail(w, fault.Wrap(failed, fault.Unavailable, "unit-unreachable", "none of the units that may have the process can be reached").(*fault.Error).
		WithHint("try again in a moment"))
}

// hopByHop are headers of one connection, and those that the router sets itself.
var hopByHop = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Host": true, "Access-Control-Allow-Origin": true, "Access-Control-Expose-Headers": true,
}

// cyrb53 is the hash by which routers of this network choose: 53 bits over the UTF-16 of a text, seed 0.
func cyrb53(text string) uint64 {
	h1, h2 := uint32(0xdeadbeef), uint32(0x41c6ce57)
	for _, c := range utf16.Encode([]rune(text)) {
		h1 = (h1 ^ uint32(c)) * 2654435761
		h2 = (h2 ^ uint32(c)) * 1597334677
	}
	h1 = (h1^h1>>16)*2246822507 ^ (h2^h2>>13)*3266489909
	h2 = (h2^h2>>16)*2246822507 ^ (h1^h1>>13)*3266489909
	return uint64(h2&0x1fffff)<<32 + uint64(h1)
}
