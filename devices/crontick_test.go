package devices_test

import (
	"testing"
	"time"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/cron"
	"ago/devices"
	"ago/message"
)

func TestWhatATaskBringsToAProcess(t *testing.T) {
	k, err := commitment.NewAgent().FromSeed(commitment.Ed25519, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	p := message.ID{1}
	asked := texts("action", "Eval", "from-process", p.String(), "body", "return 1")
	task := cron.Task{ID: "t", Path: "/" + p.String() + "~process@1.0/schedule", Keys: asked, Every: time.Second, By: []string{"a", "b"}, Due: time.UnixMilli(1000)}
	keys := func(change func(*cron.Task)) message.Message {
		t.Helper()
		c := task
		change(&c)
		m, err := devices.CronKeys(c, k)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	v, _ := keys(func(*cron.Task) {}).Get("body")
	tick, _ := v.(message.Message)
	want := texts("data-protocol", "ao", "variant", "ao.N.1", "type", "Message", "target", p.String(), "action", "Cron", "cron-task", "t", "cron-by", "a,b", "body", "return 1").
		With("cron-due", message.Int(1000))
	if got := tick.Without(message.KeyCommitments); !message.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if signers, err := httpsig.Verify(tick); err != nil || len(signers) != 1 || signers[0].Address() != k.Address() {
		t.Errorf("%v, %v", signers, err)
	}
	id := func(m message.Message) message.ID {
		v, _ := m.Get("body")
		body, _ := v.(message.Message)
		return body.SignedID()
	}
	if again := keys(func(*cron.Task) {}); id(again) != tick.SignedID() {
		t.Error("a run that is made again brings another message")
	}
	if next := keys(func(t *cron.Task) { t.Due = t.Due.Add(t.Every) }); id(next) == tick.SignedID() {
		t.Error("the next run brings the same message")
	}
	for name, change := range map[string]func(*cron.Task){
		"once":           func(t *cron.Task) { t.Every = 0 },
		"another path":   func(t *cron.Task) { t.Path = "/" + p.String() + "~process@1.0/now" },
		"another device": func(t *cron.Task) { t.Path = "/~scheduler@1.0/schedule" },
		"keys below":     func(t *cron.Task) { t.Path += "/slot" },
	} {
		if got := keys(change); !message.Equal(got, asked) {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, path := range []string{"/" + p.String() + "/schedule", p.String() + "~process@1.0/push"} {
		if got := keys(func(t *cron.Task) { t.Path = path }); id(got) != tick.SignedID() {
			t.Errorf("%s: %v", path, got)
		}
	}
}
