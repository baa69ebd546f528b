package console

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/term"
)

// errInterrupt is a line that Ctrl-C ended.
var errInterrupt = errors.New("interrupted")

// screen is a terminal that shows what comes in above the line that is being typed.
type screen struct {
	*term.Terminal
	keys    *keys
	in, out *os.File
	before  *term.State
	resized chan os.Signal
	once    sync.Once
}

func openScreen(ctx context.Context, in, out *os.File) (*screen, error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	k := &keys{from: in, bytes: make(chan byte, 4096), failed: make(chan struct{}), done: ctx.Done()}
	s := &screen{keys: k, in: in, out: out, before: before, resized: make(chan os.Signal, 1)}
	s.Terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{k, out}, "> ")
	go k.pump()
	signal.Notify(s.resized, syscall.SIGWINCH)
	go func() {
		for range s.resized {
			s.fit()
		}
	}()
	s.fit()
	s.SetBracketedPasteMode(true)
	return s, nil
}

func (s *screen) fit() {
	if w, h, err := term.GetSize(int(s.out.Fd())); err == nil && w > 0 {
		s.SetSize(w, h)
	}
}

// line reads a line. Pasted ones are lines like any other.
func (s *screen) line() (string, error) {
	text, err := s.ReadLine()
	if s.keys.interrupted.Swap(false) {
		return "", errInterrupt
	}
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return text, err
}

// close gives the terminal back as it was.
func (s *screen) close() {
	s.once.Do(func() {
		signal.Stop(s.resized)
		close(s.resized)
		s.SetBracketedPasteMode(false)
		term.Restore(int(s.in.Fd()), s.before)
	})
}

// keys reads the keyboard all the time, so that Ctrl-C is noticed while an evaluation is awaited.
type keys struct {
	from        io.Reader
	bytes       chan byte
	failed      chan struct{}
	done        <-chan struct{} // nobody types any more: the program was told to stop
	interrupted atomic.Bool
	busy        atomic.Pointer[func()] // what Ctrl-C stops; nil while a line is typed
}

const ctrlC = 3

// dropLine moves to the end of the line, deletes to its beginning, and ends it.
var dropLine = []byte{5, 21, '\r'}

func (k *keys) pump() {
	defer close(k.failed)
	buf := make([]byte, 256)
	for {
		n, err := k.from.Read(buf)
		for _, c := range buf[:n] {
			if c != ctrlC {
				k.bytes <- c
				continue
			}
			if stop := k.busy.Load(); stop != nil {
				(*stop)()
				continue
			}
			k.interrupted.Store(true)
			for _, c := range dropLine {
				k.bytes <- c
			}
		}
		if err != nil {
			return
		}
	}
}

func (k *keys) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	select {
	case p[0] = <-k.bytes:
	default:
		select {
		case p[0] = <-k.bytes:
		case <-k.done:
			return 0, io.EOF
		case <-k.failed:
			select {
			case p[0] = <-k.bytes:
			default:
				return 0, io.EOF
			}
		}
	}
	n := 1
	for n < len(p) {
		select {
		case p[n] = <-k.bytes:
			n++
		default:
			return n, nil
		}
	}
	return n, nil
}
