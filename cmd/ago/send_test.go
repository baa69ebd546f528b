package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ago/fault"
)

func TestAnEndedWaitNamesHowToGoOn(t *testing.T) {
	other := errors.New("other")
	for err, want := range map[error]string{context.DeadlineExceeded: "it was not there after 2m0s", context.Canceled: "interrupted before it was there"} {
		got := unwaited(err, 2*time.Minute, "it", "ago result")
		if !strings.Contains(got.Error(), want) || fault.HintOf(got) != "ago result" {
			t.Errorf("%v: %v", err, got)
		}
	}
	if got := unwaited(other, time.Minute, "it", "hint"); got != other {
		t.Errorf("%v", got)
	}
}
