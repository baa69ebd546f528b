package memory

import (
	"testing"

	"ago/slotlog"
	"ago/slotlog/slotlogtest"
)

func TestLog(t *testing.T) {
	slotlogtest.Run(t, slotlogtest.Logs{Open: func(testing.TB) slotlog.Log { return New() }})
}
