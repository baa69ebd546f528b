package node

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// TestUnitsCountBodies: units that run alone hold no more of them than a node.
func TestUnitsCountBodies(t *testing.T) {
	c := UnitConfig{Bodies: 1 << 20}
	gateway, err := StartGateway(t.Context(), GatewayConfig{UnitConfig: c})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, gateway.Close)
	alone := map[string]string{"gateway": gateway.URL() + "/tx", "bundler": gateway.BundlerURL() + "/tx"}
	scheduler, err := StartScheduler(t.Context(), SchedulerConfig{UnitConfig: c, Gateways: []string{gateway.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, scheduler.Close)
	alone["su"] = scheduler.URL() + "/"
	evaluator, err := StartEvaluator(EvaluatorConfig{Bodies: c.Bodies, Gateway: gateway.URL()})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, evaluator.Close)
	alone["cu"] = evaluator.URL() + "/dry-run?process-id=" + strings.Repeat("A", 43)
	messenger, err := StartMessenger(t.Context(), MessengerConfig{UnitConfig: c, Gateway: gateway.URL(), CU: evaluator.URL()})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, messenger.Close)
	alone["mu"] = messenger.URL() + "/"
	router, err := StartRouter(t.Context(), RouterConfig{UnitConfig: c, Unit: "cu", Hosts: []string{evaluator.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, router.Close)
	alone["ur"] = router.URL() + "/dry-run?process-id=" + strings.Repeat("A", 43)
	for name, url := range alone {
		status, body := request(t, "POST", url, bytes.Repeat([]byte(" "), 1<<20))
		if status != http.StatusTooManyRequests || !strings.Contains(string(body), "bodies-share-taken") {
			t.Errorf("%s: %d %.300s", name, status, body)
		}
		if status, body := request(t, "POST", url, bytes.Repeat([]byte(" "), 1<<10)); status == http.StatusTooManyRequests {
			t.Errorf("%s, a small one: %d %.300s", name, status, body)
		}
	}
}
