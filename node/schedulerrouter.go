package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"ago/client"
	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/node/legacy"
	"ago/store"
)

// SchedulerRouterConfig says which schedulers share the processes.
type SchedulerRouterConfig struct {
	UnitConfig
	Schedulers []RoutedScheduler
}

// RoutedScheduler is one of them, as the list that routers read has it.
type RoutedScheduler struct {
	URL         string `json:"url"`
	NoRoute     bool   `json:"no_route"`         // gets no new processes
	Wallets     string `json:"wallets_to_route"` // gets the new processes of these owners, with commas between
	WalletsOnly bool   `json:"wallets_only"`     // and no others
	// Processes are those that moved here from another one: they are here whatever the router gave or found before.
	Processes []message.ID `json:"processes"`
}

// SchedulerRouter is a running router: it knows which scheduler has which process, and sends clients there with a 307.
type SchedulerRouter struct {
	unit
	list  []RoutedScheduler
	moved map[message.ID]string // process -> address of the scheduler that it moved to

	mu     sync.Mutex
	counts map[string]int // scheduler -> processes
}

const (
	rowRouted  byte = 'h'      // second byte in the node's table: process -> address of its scheduler
	postedMax       = 11 << 20 // of a posted item: what schedulers take, and a little
	routedAsks      = 32       // schedulers that are asked for a process nobody has told of
)

// StartSchedulerRouter makes and starts a router of schedulers.
func StartSchedulerRouter(ctx context.Context, c SchedulerRouterConfig) (*SchedulerRouter, error) {
	r := &SchedulerRouter{counts: map[string]int{}, moved: map[message.ID]string{}}
	for _, s := range c.Schedulers {
		if !strings.HasPrefix(s.URL, "http://") && !strings.HasPrefix(s.URL, "https://") {
			return nil, fault.New(fault.Malformed, "settings-malformed", "the list of schedulers has the address %q", s.URL).WithHint("write it like http://su1:9000")
		}
		s.URL = strings.TrimRight(s.URL, "/")
		r.list = append(r.list, s)
		for _, p := range s.Processes {
			if other, twice := r.moved[p]; twice && other != s.URL {
				return nil, fault.New(fault.Malformed, "settings-malformed", "the list of schedulers has process %s at %s and at %s", p, other, s.URL).
					WithHint("name it once: a process has one scheduler")
			}
			r.moved[p] = s.URL
		}
	}
	if len(r.list) == 0 {
		return nil, fault.New(fault.Malformed, "settings-malformed", "the list of schedulers is empty").WithHint(`write it like [{"url":"http://su1:9000"}]`)
	}
	if err := r.start(ctx, c); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *SchedulerRouter) start(ctx context.Context, c SchedulerRouterConfig) error {
	if err := r.open(ctx, c.UnitConfig); err != nil {
		return err
	}
	head := []byte{store.TableNode, rowRouted}
	for kv, err := range r.store.Scan(head, store.PrefixEnd(head), false) {
		if err != nil {
			return err
		}
		r.counts[string(kv.Value)]++
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	byQuery := func(w http.ResponseWriter, q *http.Request) {
		if !q.URL.Query().Has("process-id") {
			legacy.Fail(w, fault.New(fault.Malformed, "query-missing", "No process-id query parameter provided").
				WithHint("each scheduler has a time of its own: add ?process-id=<process>"))
			return
		}
		r.send(w, q, q.URL.Query().Get("process-id"))
	}
	mux.HandleFunc("GET /{$}", byQuery)
	mux.HandleFunc("GET /timestamp", byQuery)
	mux.HandleFunc("POST /{$}", r.post)
	mux.HandleFunc("GET /{id}", func(w http.ResponseWriter, q *http.Request) {
		if p := q.URL.Query().Get("process-id"); p != "" {
			r.send(w, q, p)
			return
		}
		r.send(w, q, q.PathValue("id"))
	})
	mux.HandleFunc("GET /{first}/{second}", func(w http.ResponseWriter, q *http.Request) {
		if q.PathValue("first") == "processes" {
			r.send(w, q, q.PathValue("second"))
			return
		}
		r.send(w, q, q.PathValue("first"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) { legacy.Fail(w, unknown(q)) })
	behind := &reach{path: "/"}
	for _, s := range r.list {
		behind.urls = append(behind.urls, s.URL)
	}
	r.condition = behind.condition
	r.metrics.gauge("ao_su_schedulers_down", "Schedulers behind the router that do not answer.", behind.silent)
	var err error
	if r.url, err = r.listen("su", c.Port, mux); err != nil {
		return err
	}
	r.serve()
	return nil
}

// send answers where a process is.
func (r *SchedulerRouter) send(w http.ResponseWriter, q *http.Request, text string) {
	id, err := message.ParseID(text)
	if err != nil {
		legacy.Fail(w, fault.Wrap(err, fault.Malformed, "id-malformed", "process"))
		return
	}
	url, err := r.find(q.Context(), id)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	redirect(w, q, url)
}

func redirect(w http.ResponseWriter, q *http.Request, url string) {
	w.Header().Set("Location", url+q.URL.RequestURI())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// post sends an item to the scheduler of its process; a new process gets one.
func (r *SchedulerRouter) post(w http.ResponseWriter, q *http.Request) {
	if q.URL.Query().Has("process-id") {
		r.send(w, q, q.URL.Query().Get("process-id"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, postedMax))
	if err != nil {
		legacy.Fail(w, fault.Wrap(err, fault.TooLarge, "body-too-large", "the item cannot be read"))
		return
	}
	it, err := ans104.DecodeItem(body)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	if kind, _ := it.Tag("Type"); kind != "Process" {
		r.send(w, q, it.Target.String())
		return
	}
	if _, err := r.verifier.Verify(it.Message()); err != nil { // a row for each forged item would fill the disk
		legacy.Fail(w, err)
		return
	}
	url, err := r.place(it)
	if err != nil {
		legacy.Fail(w, err)
		return
	}
	redirect(w, q, url)
}

func routedKey(p message.ID) []byte { return append([]byte{store.TableNode, rowRouted}, p[:]...) }

// place gives a new process a scheduler: one that takes its owner, else the one with the fewest processes.
func (r *SchedulerRouter) place(it *ans104.Item) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := it.ID()
	if url := r.moved[id]; url != "" {
		return url, nil
	}
	if known, err := r.store.Get(routedKey(id)); err == nil {
		return string(known), nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	best := ""
	for _, s := range r.list {
		if slices.ContainsFunc(strings.Split(s.Wallets, ","), func(o string) bool {
			o = strings.TrimSpace(o)
			return o != "" && (o == it.ProcessAddress() || o == it.Address().String())
		}) {
			best = s.URL
			break
		}
	}
	if best == "" {
		for _, s := range r.list {
			if !s.NoRoute && !s.WalletsOnly && (best == "" || r.counts[s.URL] < r.counts[best]) {
				best = s.URL
			}
		}
	}
	if best == "" {
		return "", fault.New(fault.Unavailable, "no-scheduler", "no scheduler takes new processes").WithHint("the operator of the router has to add one")
	}
	return best, r.remember(id, best)
}

// remember stores where a process is before anybody is told. r.mu is held.
func (r *SchedulerRouter) remember(p message.ID, url string) error {
	var b store.Batch
	b.Set(routedKey(p), []byte(url))
	if err := r.store.Apply(&b, true); err != nil {
		return err
	}
	r.counts[url]++
	return nil
}

// find tells where a process is; one that was there before the router is looked for at the schedulers.
func (r *SchedulerRouter) find(ctx context.Context, p message.ID) (string, error) {
	if url := r.moved[p]; url != "" {
		return url, nil
	}
	known, err := r.store.Get(routedKey(p))
	if err == nil {
		return string(known), nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	var silent error
	for _, s := range r.list[:min(len(r.list), routedAsks)] {
		// It has to have the process itself: one that is elsewhere is found where it is.
		one := &client.Network{SU: s.URL, HTTP: unfollowing}
		_, err := call(ctx, func(ctx context.Context) (client.Process, error) { return one.Process(ctx, p) })
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			return s.URL, r.remember(p, s.URL)
		}
		if fault.KindOf(err) == fault.Unavailable && !s.NoRoute {
			silent = err
		}
	}
	if silent != nil {
		return "", silent
	}
	return "", fault.New(fault.NotFound, "process-unknown", "none of the schedulers has process %s", p).WithHint("spawn it first, or check the id")
}
