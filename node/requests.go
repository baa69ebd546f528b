package node

import (
	"context"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/fault"
	"ago/message"
	"ago/schedule"
)

// Requests bound what requests take of the machine together. Zero is the default of each.
type Requests struct {
	Keys     int   // keys and members of lists in an AO-Core request; 65,536
	Bodies   int64 // bytes of the bodies that are in memory; 1 GiB
	Programs int   // programs that anybody's requests run outside of processes at a time; half of the cores, and two at least
	Waiting  int   // such calls that wait for their turn; 64
}

func (r Requests) orDefault() Requests {
	if r.Bodies <= 0 {
		r.Bodies = 1 << 30
	}
	if r.Programs <= 0 {
		r.Programs = max(runtime.GOMAXPROCS(0)/2, 2)
	}
	if r.Waiting <= 0 {
		r.Waiting = 64
	}
	return r
}

// programs are the places of calls that run programs outside of processes, for whoever asks. It serves devices.Programs.
type programs struct {
	places  chan struct{}
	waiting atomic.Int64
	most    int64
}

// programWait is how long a call waits for its turn.
const programWait = 10 * time.Second

func newPrograms(r Requests) *programs {
	return &programs{places: make(chan struct{}, r.Programs), most: int64(r.Waiting)}
}

// Enter serves devices.Programs.
func (p *programs) Enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-p.places }
	select {
	case p.places <- struct{}{}:
		return leave, nil
	default:
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.most {
		return nil, fault.New(fault.TooMany, "programs-waiting", "%d calls wait for a place to run a program in", p.most).
			WithHint("ask again later, or have a process run the program").WithRetry(programWait)
	}
	ctx, cancel := context.WithTimeout(ctx, programWait)
	defer cancel()
	select {
	case p.places <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "programs-busy", "no place to run a program in came free in time: there are %d", cap(p.places)).
			WithHint("ask again later, or have a process run the program").WithRetry(programWait)
	}
}

// bodies count the bytes of the bodies that are in memory.
type bodies struct {
	most  int64
	inUse atomic.Int64
}

// heldBody is a body that is counted until it is released. It serves io.ReadCloser.
type heldBody struct {
	io.ReadCloser
	of    *bodies
	bytes int64
	ended bool
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.ended {
		return n, err
	}
	b.bytes += int64(n)
	if b.of.inUse.Add(int64(n)) > b.of.most {
		return n, fault.New(fault.Unavailable, "bodies-crowded", "the bodies of all requests have more than %d bytes", b.of.most).
			WithHint("send it again in a moment").WithRetry(time.Second)
	}
	return n, err
}

// release gives back what was counted, once; what is read afterwards is not counted. A nil body has nothing.
func (b *heldBody) release() {
	if b != nil && !b.ended {
		b.ended = true
		b.of.inUse.Add(-b.bytes)
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
