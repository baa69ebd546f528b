package node

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"ago/compute"
	"ago/fault"
	"ago/message"
	"ago/process"
)

// delegateMax bounds one answer of the compute unit that a node delegates to.
const delegateMax = 64 << 20

// delegate is the compute unit that the operator named. It serves devices.Delegate.
type delegate struct {
	url    string
	client http.Client
}

func newDelegate(url string) *delegate {
	return &delegate{url: strings.TrimSuffix(url, "/"), client: http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // nobody else is asked
	}}
}

// Ask serves devices.Delegate.
func (d *delegate) Ask(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fault.Wrap(err, fault.Unavailable, "delegate-malformed", "the address that --delegate-url gives cannot be asked")
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := d.client.Do(r)
	if err != nil {
		return 0, nil, fault.Wrap(err, fault.Unavailable, "delegate-unanswered", "the compute unit that this node delegates to does not answer")
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, delegateMax+1))
	if err != nil {
		return 0, nil, fault.Wrap(err, fault.Unavailable, "delegate-unanswered", "the answer of the compute unit that this node delegates to broke off")
	}
	if len(b) > delegateMax {
		return 0, nil, fault.New(fault.Unavailable, "delegate-too-large", "the answer of the compute unit has more than %d bytes", delegateMax)
	}
	return answer.StatusCode, b, nil
}

// delegated is a schedule as the compute unit that others delegate to reads it: what they have evaluated elsewhere is evaluated here.
type delegated struct{ compute.Schedule }

func (s delegated) Process(ctx context.Context, id message.ID) (process.Definition, error) {
	d, err := s.Schedule.Process(ctx, id)
	if d.ExecutionDevice == process.DeviceDelegated {
		d.ExecutionDevice = process.DeviceLegacy
	}
	return d, err
}
