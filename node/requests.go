package node

import (
	"context"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"ago/budget"
	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/schedule"
)

// Requests bound what requests take of the machine together. Zero is the default of each.
type Requests struct {
	Keys     int   // keys and members of lists in an AO-Core request; 65,536
	Bodies   int64 // bytes of the bodies that are in memory; 1 GiB. One address has half of them at most, as of what follows
	Memory   int64 // bytes of memory that AO-Core requests take together beside their bodies; 512 MiB
	Programs int   // programs that anybody's requests run outside of processes at a time; half of the cores, and two at least
	Waiting  int   // such calls that wait for their turn; 256
	Streams  int   // streams of events that are open; 256

	patience time.Duration // of requests that there is no memory for; 2 s
}

func (r Requests) orDefault() Requests {
	if r.Bodies <= 0 {
		r.Bodies = bodiesUsual
	}
	if r.Memory <= 0 {
		r.Memory = 512 << 20
	}
	if r.Programs <= 0 {
		r.Programs = max(runtime.GOMAXPROCS(0)/2, 2)
	}
	if r.patience <= 0 {
		r.patience = 2 * time.Second
	}
	if r.Waiting <= 0 {
		r.Waiting = 256
	}
	if r.Streams <= 0 {
		r.Streams = 256
	}
	return r
}

const bodiesUsual = 1 << 30

// programs are the places of calls that run programs outside of processes, for whoever asks. One address has half of them at most,
// running and waiting. It serves devices.Programs.
type programs struct {
	places, queue *budget.Budget

	mu      sync.Mutex
	waiting []*program // in the order in which they came
}

// program is a call that waits for its turn.
type program struct {
	who     string
	turn    chan struct{} // closed when it has a place
	entered bool
}

// programWait is how long a call waits for its turn.
const programWait = 10 * time.Second

func newPrograms(r Requests) *programs {
	return &programs{places: budget.New(int64(r.Programs)), queue: budget.New(int64(r.Waiting))}
}

// Enter serves devices.Programs.
func (p *programs) Enter(ctx context.Context) (leave func(), err error) {
	who := budget.Of(ctx).Who()
	leave = func() { p.leave(who) }
	p.mu.Lock()
	if p.places.Take(who, 1) == budget.Given {
		p.mu.Unlock()
		return leave, nil
	}
	switch p.queue.Take(who, 1) {
	case budget.ShareTaken:
		p.mu.Unlock()
		return nil, fault.New(fault.TooMany, "programs-waiting", "%d calls of your address wait for a place to run a program in", p.queue.Share()).
			WithHint("ask again later, or have a process run the program").WithRetry(programWait)
	case budget.AllTaken:
		p.mu.Unlock()
		return nil, fault.New(fault.TooMany, "programs-waiting", "%d calls wait for a place to run a program in", p.queue.Most()).
			WithHint("ask again later, or have a process run the program").WithRetry(programWait)
	}
	w := &program{who: who, turn: make(chan struct{})}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	defer p.queue.Give(who, 1)
	ctx, cancel := context.WithTimeout(ctx, programWait)
	defer cancel()
	select {
	case <-w.turn:
		return leave, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.entered { // its turn came at the same time
		return leave, nil
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(o *program) bool { return o == w })
	return nil, fault.New(fault.Unavailable, "programs-busy", "no place to run a program in came free in time: there are %d, and half of them for one address", p.places.Most()).
		WithHint("ask again later, or have a process run the program").WithRetry(programWait)
}

// leave frees a place, for the first who may have it.
func (p *programs) leave(who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places.Give(who, 1)
	for i, w := range p.waiting {
		if p.places.Take(w.who, 1) == budget.Given {
			w.entered = true
			close(w.turn)
			p.waiting = slices.Delete(p.waiting, i, i+1)
			return
		}
	}
}

// heldBody is a body that is counted until it is released. It serves io.ReadCloser.
type heldBody struct {
	io.ReadCloser
	of    *budget.Budget
	who   string
	bytes int64
	ended bool
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.ended || n == 0 {
		return n, err
	}
	switch b.of.Take(b.who, int64(n)) {
	case budget.ShareTaken:
		return 0, fault.New(fault.TooMany, "bodies-share-taken", "the bodies of the requests of your address have more than %d bytes", b.of.Share()).
			WithHint("send it again when others of yours have been answered").WithRetry(time.Second)
	case budget.AllTaken:
		return 0, fault.New(fault.Unavailable, "bodies-crowded", "the bodies of all requests have more than %d bytes", b.of.Most()).
			WithHint("send it again in a moment").WithRetry(time.Second)
	}
	b.bytes += int64(n)
	return n, err
}

// release gives back what was counted, once; what is read afterwards is not counted. A nil body has nothing.
func (b *heldBody) release() {
	if b != nil && !b.ended {
		b.ended = true
		b.of.Give(b.who, b.bytes)
	}
}

// admitMessage decides about a message that came by AO-Core, as admit does about items.
func (o *door) admitMessage(ctx context.Context, p message.ID, v commitment.Verified) error {
	if left := o.d.Warmup - o.clock.Now().Sub(o.opened); left > 0 {
		return fault.New(fault.Unavailable, "warming-up", "Server is warming up. Please try again later.").
			WithHint("send it again in %v", left.Round(time.Second)).WithRetry(left)
	}
	if err := o.admitProcess(p); err != nil {
		return err
	}
	m := v.Message()
	from, size := m.Text("from-process"), m.Raw()
	if it, ok := schedule.ItemIn(m); ok {
		from, _ = it.Tag("From-Process")
		if err := o.admitSize(ctx, it); err != nil {
			return err
		}
	} else if o.d.MessageMax > 0 {
		if err := o.admitSize(ctx, &ans104.Item{Raw: size, Owner: v.Signer().Owner, Type: v.Signer().Type}); err != nil {
			return err
		}
	}
	if from != "" && slices.Contains(o.d.RefusedSenders, from) {
		return fault.New(fault.Denied, "sender-refused", "Invalid From-Process value.").WithHint("this unit takes no messages that say they are from %s", from)
	}
	return o.handedIn(p, v.Signer().Address().String())
}
