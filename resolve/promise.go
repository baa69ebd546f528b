package resolve

import "context"

// depends notes what the answer to a request depends on.
func (t *trail) depends(on at, fixed bool) {
	if !fixed {
		t.loose.Store(true)
		return
	}
	if on.holds == nil {
		return
	}
	t.holding.Lock()
	defer t.holding.Unlock()
	if len(t.holds) == holdsMax {
		t.loose.Store(true)
		return
	}
	t.holds = append(t.holds, on.holds)
}

const holdsMax = 8 // conditions of one answer

// still gives what tells whether everything that was asked has the same answer as it had; nil if nothing can change.
func (t *trail) still() func(context.Context) bool {
	t.holding.Lock()
	defer t.holding.Unlock()
	holds := t.holds
	if len(holds) == 0 {
		return nil
	}
	return func(ctx context.Context) bool {
		for _, hold := range holds {
			if !hold(ctx) {
				return false
			}
		}
		return true
	}
}
