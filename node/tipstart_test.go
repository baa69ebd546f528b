package node

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestASchedulerWaitsForItsGateway: units that are started together need no order. The first block has to be there before the
// first slot, so the scheduler waits for it.
func TestASchedulerWaitsForItsGateway(t *testing.T) {
	t.Parallel()
	gateway, err := StartGateway(context.Background(), GatewayConfig{})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, gateway.Close)
	var asked atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 2 {
			http.Error(w, "not up yet", http.StatusBadGateway)
			return
		}
		http.Redirect(w, r, gateway.URL()+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(front.Close)
	su, err := StartScheduler(context.Background(), SchedulerConfig{Gateways: []string{front.URL}})
	if err != nil {
		t.Fatalf("a gateway that answers a little later: %v", err)
	}
	closing(t, su.Close)
	if asked.Load() < 3 {
		t.Fatalf("the scheduler is up after %d questions, of which none was answered with a block", asked.Load())
	}
}
