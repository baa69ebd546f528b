package resolve

import (
	"context"

	"ago/device"
	"ago/message"
)

// OptionKeep is the setting that says which answers are kept on disk, beside those in memory: KeepSigned, which is the default,
// KeepAll or KeepNone.
const OptionKeep = "keep-answers"

// Values of OptionKeep.
const (
	KeepSigned = "signed" // of requests whose signers ask for it: with store or always in a cache-control that they signed
	KeepAll    = "always" // of everybody's requests: on a node that not everybody reaches
	KeepNone   = "never"
)

// Lasting tells whether what a request makes may be kept on disk. Anybody can ask, and ask for something else each time: who does
// without saying who they are must not be able to fill it.
func (r *Resolver) Lasting(ctx context.Context, request message.Message) bool {
	v, _ := r.node.Option(OptionKeep)
	switch text, _ := device.Text(v); text {
	case KeepAll:
		return true
	case KeepNone:
		return false
	}
	v, ok := request.OnlyCommitted().Get(keyCacheControl)
	if !ok || !readDirectives(v).store {
		return false
	}
	c := device.Call{Context: ctx, Node: r.node}
	signers, err := c.Signers(request)
	return err == nil && len(signers) > 0
}

// lasts is Lasting for the request that a call is part of, found out once.
func (t *trail) lasts(ctx context.Context) bool {
	t.lasting.Do(func() { t.lasted = t.Lasting(ctx, t.origin) })
	return t.lasted
}
