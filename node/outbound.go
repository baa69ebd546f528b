package node

import "net/http"

// outbound sends what relays send.
type outbound struct {
	client http.Client
	places chan struct{}
}

// castsMax are relayed requests that nobody waits for, at once.
const castsMax = 256

func newOutbound() *outbound {
	return &outbound{places: make(chan struct{}, castsMax), client: http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
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
