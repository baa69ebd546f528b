package devices

import (
	"crypto/sha256"
	"strings"
	"time"

	"ago/codec/httpsig"
	"ago/commitment"
	"ago/cron"
	"ago/message"
	"ago/process"
)

// cronTickMin is the least interval at which strangers have the node sign messages for a process.
const cronTickMin = time.Second

// cronProcess gives the process that a path brings messages to: /<process>/schedule or /<process>~process@1.0/push.
func cronProcess(path string) (message.ID, bool) {
	at, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || key != "schedule" && key != "push" {
		return message.ID{}, false
	}
	at = strings.TrimSuffix(at, "~process@1.0")
	id, err := message.ParseID(at)
	return id, err == nil
}

// CronKeys gives the keys of a run of a task: what the task has, or, if it brings a process messages again and again, one more of
// them, signed by the node.
//
// RATIONALE: a message has one slot however often it is brought, or its signer would not decide what it does. So each run has a
// message of its own. Nothing in it but the body is anybody's choice: the node is an authority of processes, and the owner of some.
// It says when it was due, so that a run that is made again after a crash is the same message and has the same slot.
func CronKeys(t cron.Task, k *commitment.Key) (message.Message, error) {
	p, ok := cronProcess(t.Path)
	if t.Every == 0 || !ok {
		return t.Keys, nil
	}
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	fs := []message.Field{
		text("data-protocol", "ao"), text("variant", process.VariantCore), text("type", "Message"), text("target", p.String()), text("action", "Cron"),
		text("cron-task", t.ID), {Key: "cron-due", Value: message.Int(t.DueMS())},
	}
	if len(t.By) > 0 {
		fs = append(fs, text("cron-by", strings.Join(t.By, ",")))
	}
	if body, ok := t.Keys.Get(message.KeyBody); ok {
		fs = append(fs, message.Field{Key: message.KeyBody, Value: body})
	}
	m := message.New(fs...)
	id := m.UnsignedID()
	salt := sha256.Sum256(append([]byte("ago cron 1"), id[:]...))
	signed, err := httpsig.Commit(m, k, httpsig.Terms{Salt: salt[:]})
	if err != nil {
		return message.Message{}, err
	}
	return t.Keys.With(message.KeyBody, signed), nil
}
