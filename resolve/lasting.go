package resolve

import (
	"context"
	"slices"

	"ago/commitment"
	"ago/device"
	"ago/message"
)

// OptionKeep is the setting that says which answers are kept on disk, beside those in memory: KeepWriters, which is the default,
// KeepSigned, KeepAll or KeepNone.
const OptionKeep = "keep-answers"

// Values of OptionKeep.
const (
	KeepWriters = "writers" // of requests of those who may write here, and ask for it: with store or always in a cache-control that they signed
	KeepSigned  = "signed"  // the same of whoever signs, which costs nobody anything
	KeepAll     = "always"  // of everybody's requests: on a node that not everybody reaches
	KeepNone    = "never"
)

// Lasting tells whether what a request makes may be kept on disk. Anybody can ask, and ask for something else each time: who does
// without saying who they are must not be able to fill it.
func (r *Resolver) Lasting(ctx context.Context, request message.Message) bool {
	v, _ := r.node.Option(OptionKeep)
	text, _ := device.Text(v)
	switch text {
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
	if err != nil || len(signers) == 0 || text == KeepSigned {
		return err == nil && len(signers) > 0
	}
	writers := []string{r.node.Address()}
	for _, option := range []string{"operator", "cache_writers"} {
		if v, ok := r.node.Option(option); ok {
			writers = append(writers, device.Texts(v)...)
		}
	}
	return slices.Contains(writers, "all") || slices.ContainsFunc(signers, func(s commitment.Signer) bool {
		return slices.Contains(writers, s.Address().String()) || slices.Contains(writers, s.ProcessAddress())
	})
}

// lasts is Lasting for the request that a call is part of, found out once.
func (t *trail) lasts(ctx context.Context) bool {
	t.lasting.Do(func() { t.lasted = t.Lasting(ctx, t.origin) })
	return t.lasted
}
